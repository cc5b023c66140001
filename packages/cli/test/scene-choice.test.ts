import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene, pictor, temporaryFolder } from './cli.ts'

if (!blender) console.log(`scene-choice.test.ts is skipped: ${blenderReason}`)

/**
 * Walls that shine by themselves fill each camera's picture, so that it holds one colour without noise: its channel says which camera, its brightness which frame. The file was
 * saved with the scene Scene and its camera Camera (red) open.
 */
const WALLS = `
def wall(name, x, colour, scene):
    bpy.ops.mesh.primitive_plane_add(size=50, location=(x, 0, 0))
    plane = bpy.context.object
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    light, output = nodes.new('ShaderNodeEmission'), nodes.new('ShaderNodeOutputMaterial')
    light.inputs['Color'].default_value = (*colour, 1)
    for frame, strength in ((-4, 0.2), (4, 0.8)):
        light.inputs['Strength'].default_value = strength
        light.inputs['Strength'].keyframe_insert('default_value', frame=frame)
    for curve in material.node_tree.animation_data.action.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = 'LINEAR'
    material.node_tree.links.new(light.outputs[0], output.inputs['Surface'])
    plane.data.materials.append(material)
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.location = (x, 0, 5)
    for one in (plane, camera):
        if one.name not in scene.collection.objects:
            scene.collection.objects.link(one)
    return camera
for one in list(s.objects):
    bpy.data.objects.remove(one)
s.view_settings.view_transform = 'Raw'
s.render.dither_intensity = 0
s.camera = wall('Camera', 0, (1, 0, 0), s)
wall('Side', 100, (0, 1, 0), s)
second = bpy.data.scenes.new('Second')
second.render.engine, second.cycles.samples, second.frame_start, second.frame_end = 'CYCLES', 4, 0, 4
second.cycles.use_adaptive_sampling = second.cycles.use_denoising = False
second.render.resolution_x, second.render.resolution_y, second.render.dither_intensity = 64, 48, 0
second.render.image_settings.file_format = 'PNG'
second.render.image_settings.color_mode = 'RGB'
second.view_settings.view_transform = 'Raw'
second.camera = wall('Front', 200, (1, 1, 0), second)
wall('Close', 300, (0, 0, 1), second)
`

describe.skipIf(!blender)('a file with several scenes and cameras', () => {
  const folder = temporaryFolder()
  const cwd = folder.path
  beforeAll(() => makeScene(join(cwd, 'walls.blend'), WALLS))
  afterAll(() => folder.remove())
  const chosen = ['--scene-name', 'Second', '--camera', 'Close']

  it('renders the scene and the camera that were asked for, at frames below 0 too', async () => {
    const limits = ['--deadline', '1h', '--budget', '5', '--out', 'out', '--json']
    const result = await pictor(['render', 'walls.blend', ...chosen, '--frames', '-3--2', ...limits], { cwd })
    expect(result.code, result.stdout.slice(-2000) + result.stderr).toBe(0)
    const pictures = readdirSync(join(cwd, 'out')).filter((name) => name.startsWith('walls'))
    expect(pictures.sort()).toEqual(['walls-Second-Close_-0002.png', 'walls-Second-Close_-0003.png'])
    const colourOf = (name: string): number[] =>
      decodeImage(readFileSync(join(cwd, 'out', name))).parts[0]!.planes.map((plane) => {
        expect(new Set(plane.data).size).toBe(1)
        return Math.round(255 * plane.data[0]!)
      })
    // Strength 0.2 at frame -4 to 0.8 at 4, without a view transform.
    expect(colourOf(pictures[0]!)).toEqual([0, 0, Math.round(255 * 0.35)])
    expect(colourOf(pictures[1]!)).toEqual([0, 0, Math.round(255 * 0.275)])
  })

  it('inspects what was chosen, and its frames', async () => {
    const { objects } = await pictor(['inspect', 'walls.blend', ...chosen, '--json'], { cwd })
    expect(objects[0]).toMatchObject({ frames: '0-4', spec: { scene: 'Second', camera: 'Close' } })
  })

  it('names every scene there is where the name is wrong, before any money moves', async () => {
    const { code, objects } = await pictor(['plan', 'walls.blend', '--scene-name', 'second', '--json'], { cwd })
    expect(code).toBe(4)
    const error = objects.find((object) => object.type === 'error')
    expect(error).toMatchObject({ code: 'invalid-input', details: { path: 'inspect.scene', names: ['Scene', 'Second'] } })
    expect(error!['message']).toBe('the file has no scene "second"; it has "Scene", "Second"')
    expect(objects.some((object) => object.type === 'plans')).toBe(false)
  })
})
