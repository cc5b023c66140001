import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const blender = process.env['PICTOR_BLENDER'] ?? 'blender'
const found = spawnSync(blender, ['--version']).status === 0
if (!found) console.log('blender-addon.test.ts is skipped: Blender is not installed (apt-get install blender)')
const ADDON = fileURLToPath(new URL('../pictor.py', import.meta.url))
const MAIN = fileURLToPath(new URL('../../../packages/cli/src/main.ts', import.meta.url))

describe.skipIf(!found)('the Blender add-on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blender-addon-'))
  const shot = join(folder, 'shot.blend')
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  beforeAll(() => {
    python(
      '',
      `
import bpy
s = bpy.context.scene
s.render.engine = 'CYCLES'
s.render.resolution_x, s.render.resolution_y, s.cycles.samples = 96, 64, 8
s.cycles.use_adaptive_sampling = s.cycles.use_denoising = s.render.use_compositing = False
s.render.image_settings.file_format, s.render.image_settings.color_mode = 'PNG', 'RGB'
s.frame_start, s.frame_end = 1, 250
bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))
bpy.ops.wm.save_as_mainfile(filepath=${JSON.stringify(shot)}, compress=False)`,
    )
  })

  /** Runs Python in a Blender without a window, its preferences in the test's folder. */
  function python(scene: string, script: string): { readonly status: number | null; readonly text: string } {
    const file = join(folder, 'script.py')
    writeFileSync(file, script)
    const args = ['-b', '--factory-startup', ...(scene ? [scene] : []), '--python-exit-code', '42', '-P', file]
    const env = { ...process.env, HOME: folder, BLENDER_USER_CONFIG: folder, BLENDER_USER_SCRIPTS: join(folder, 'scripts') }
    const { status, stdout, stderr } = spawnSync(blender, args, { cwd: folder, encoding: 'utf8', env })
    return { status, text: stdout + stderr }
  }
  const installed = (command: string, body: string): string => `
import bpy
bpy.ops.preferences.addon_install(filepath=${JSON.stringify(ADDON)})
bpy.ops.preferences.addon_enable(module='pictor')
bpy.context.preferences.addons['pictor'].preferences.command = ${JSON.stringify(command)}
scene = bpy.context.scene
scene.pictor.deadline, scene.pictor.budget, scene.pictor.out = '30m', 5.0, ${JSON.stringify(join(folder, 'out'))}
${body}`

  it('renders the scene as it is open, unsaved changes too, and leaves nothing behind but frames and receipt', () => {
    const command = `${process.execPath} --conditions=source --disable-warning=ExperimentalWarning ${MAIN}`
    const before = readFileSync(shot)
    const { status, text } = python(
      shot,
      installed(
        command,
        `
scene.frame_end = 3
assert bpy.ops.pictor.render() == {'FINISHED'}
assert bpy.data.filepath.endswith('shot.blend') and scene.frame_end == 3
bpy.ops.preferences.addon_disable(module='pictor')
assert not hasattr(bpy.types.Scene, 'pictor')`,
      ),
    )
    expect(status, text.slice(-3000)).toBe(0)
    expect(text).toMatch(/Pictor: done: 3 frames/)
    const files = readdirSync(join(folder, 'out'))
    expect(files.filter((name) => name.endsWith('.png') && /\d{4}/.test(name))).toHaveLength(3)
    expect(files).toContain('receipt.json')
    expect(readFileSync(shot).equals(before)).toBe(true)
    expect(readdirSync(folder).filter((name) => name.startsWith('.pictor-'))).toEqual([])
  })

  it('says what went wrong', () => {
    const { status, text } = python(
      shot,
      installed(
        `${process.execPath} --conditions=source --disable-warning=ExperimentalWarning ${MAIN}`,
        `
scene.pictor.deadline = 'yesterday'
try:
    bpy.ops.pictor.render()
except RuntimeError as error:
    print('told:', error)
scene.pictor.deadline = '1h'
bpy.context.preferences.addons['pictor'].preferences.command = '/no/such/program'
try:
    bpy.ops.pictor.render()
except RuntimeError as error:
    print('told:', error)`,
      ),
    )
    expect(status, text.slice(-3000)).toBe(0)
    expect(text).toMatch(/told: Error: Pictor: .*deadline/i)
    expect(text).toMatch(/told: Error: .*No such file or directory: '\/no\/such\/program'/)
    expect(readdirSync(folder).filter((name) => name.startsWith('.pictor-'))).toEqual([])
  })
})
