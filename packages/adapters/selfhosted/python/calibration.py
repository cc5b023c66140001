"""The scene by which slots are compared: a ball of 20,480 faces, half mirror, on a plane in the sun. Imported by worker.py; runs inside Blender."""
import time

import bpy

SIZE, SAMPLES, RENDERS = 160, 32, 2


def build(device):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    render.engine, render.use_persistent_data = 'CYCLES', True
    render.resolution_x = render.resolution_y = SIZE
    render.resolution_percentage = 100
    scene.cycles.device, scene.cycles.seed = device, 1
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=6, location=(0, 0, 1))
    material = bpy.data.materials.new('ball')
    material.use_nodes = True
    surface = material.node_tree.nodes['Principled BSDF']
    surface.inputs['Metallic'].default_value, surface.inputs['Roughness'].default_value = 0.5, 0.2
    bpy.context.object.data.materials.append(material)
    bpy.ops.mesh.primitive_plane_add(size=20)
    bpy.ops.object.light_add(type='SUN', rotation=(0.5, 0.4, 0))
    bpy.ops.object.camera_add(location=(4, -4, 3), rotation=(1.1, 0, 0.785))
    scene.camera = bpy.context.object
    return scene


def run(request, render):
    """Pixel-samples a second, scene synchronisation apart: the faster of a few renders after one that warms up. Leaves an empty file open."""
    scene = build(request['device'])
    scene.render.filepath = request['out']
    took = []
    for samples in (1,) + (SAMPLES,) * RENDERS:
        scene.cycles.samples = samples
        start = time.monotonic()
        render(write_still=True, scene=scene.name)
        took.append(time.monotonic() - start)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return {'pixelSamplesPerS': SIZE * SIZE * SAMPLES / min(took[1:])}
