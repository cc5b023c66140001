import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseReceipt, verifyReceipt } from '@pictor/core/proof'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readShow, type Version } from '../src/pipeline.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const blender = spawnSync('blender', ['--version']).status === 0
if (!blender) console.log('the studio pipeline renders nothing: Blender is not installed (apt-get install blender)')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pictor-studio-'))
})
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))

const show = (shots: unknown, rest: object = {}) => {
  const path = join(folder, 'show.json')
  writeFileSync(path, JSON.stringify({ name: 'orrery', budget: '5', deadline: '1h', shots, ...rest }))
  return path
}

describe('a show file', () => {
  it.each([
    [{ shots: [] }, 'shots'],
    [{ shots: 'all' }, 'shots'],
    [{ shots: [{ name: 'a' }] }, 'shots[0].scene'],
    [{ shots: [{ name: '../a', scene: 'a.blend' }] }, 'shots[0].name'],
    [{ shots: [{ name: 'a', scene: 'a.blend', frames: 5 }] }, 'shots[0].frames'],
    [{ shots: [{ name: 'a', scene: 'a.blend', frames: '1-' }] }, 'frames'],
    [
      {
        shots: [
          { name: 'a', scene: 'a.blend' },
          { name: 'a', scene: 'b.blend' },
        ],
      },
      'shots',
    ],
    [{ shots: [{ name: 'a', scene: 'a.blend' }], budget: 'much' }, 'money'],
    [{ shots: [{ name: 'a', scene: 'a.blend' }], name: '' }, 'name'],
  ])('is refused at its wrong field: %j', async (content, path) => {
    await expect(readShow(show([], content))).rejects.toMatchObject({ code: 'invalid-input', details: { path } })
  })
})

/** Starts the pipeline as a person would. */
function start(showFile: string) {
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', MAIN, showFile, join(folder, 'renders')]
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...process.env, NODE_OPTIONS: '' } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  )
  return { kill: () => child.kill('SIGKILL'), ended }
}

const record = (shot: string, version: string) =>
  JSON.parse(readFileSync(join(folder, 'renders', shot, version, 'version.json'), 'utf8')) as Version

describe.skipIf(!blender)('a show rendered with Blender', () => {
  it('goes on after kill -9 with the same run, publishes each version once, and renders only what changed', async () => {
    makeScene('a.blend', 1)
    makeScene('b.blend', 2)
    const file = show([
      { name: 'sq010_sh010', scene: 'a.blend', frames: '1-6' },
      { name: 'sq010_sh020', scene: 'b.blend', frames: '1-2' },
    ])
    const killed = start(file)
    // The first frame lies in its folder: money is locked, and most of the work is still to do.
    const version = join(folder, 'renders/sq010_sh010/v001')
    while (!existsSync(version) || !readdirSync(version).some((name) => name.endsWith('.png'))) await sleep(10)
    killed.kill()
    await killed.ended
    const { run } = record('sq010_sh010', 'v001')

    const first = await start(file).ended
    expect(first.output).toMatch(/sq010_sh010: published v001, 6 frames, 0\.\d+ USD\nsq010_sh020: published v001, 2 frames/)
    const published = record('sq010_sh010', 'v001')
    expect(published).toMatchObject({ state: 'published', missing: [], run })
    expect(published.frames.map((path) => statSync(path).size > 100)).toEqual([true, true, true, true, true, true])
    const receipt = readFileSync(join(folder, 'renders/sq010_sh010/v001/receipt.json'), 'utf8')
    expect(parseReceipt(receipt)).toBeDefined()
    expect(verifyReceipt(receipt).answer).toBe('consistent, not anchored')

    makeScene('b.blend', 3)
    const second = await start(file).ended
    expect(second.output).toMatch(/sq010_sh010: unchanged v001[^]*sq010_sh020: published v002/)
    expect(readdirSync(join(folder, 'renders/sq010_sh010')).sort()).toEqual(['v001'])

    makeScene('b.blend', 4)
    const spent = await start(show([{ name: 'sq010_sh020', scene: 'b.blend', frames: '1-2' }], { budget: '0.000001' })).ended
    expect([spent.code, spent.output]).toEqual([1, expect.stringMatching(/the budget of orrery .* is spent/)])
  }, 300_000)
})

/** A cube, a camera and a light at 64 x 36, turned by `turn` so that scenes differ. */
function makeScene(name: string, turn: number): void {
  const script = [
    'import bpy',
    's = bpy.context.scene',
    "s.render.engine = 'CYCLES'",
    's.render.resolution_x, s.render.resolution_y, s.cycles.samples = 64, 36, 4',
    's.cycles.use_adaptive_sampling = s.cycles.use_denoising = False',
    "s.render.image_settings.file_format = 'PNG'",
    "s.render.image_settings.color_mode = 'RGB'",
    `bpy.data.objects['Cube'].rotation_euler = (0, 0, ${turn})`,
    "bpy.data.objects['Cube'].keyframe_insert('rotation_euler', frame=1)",
    `bpy.data.objects['Cube'].rotation_euler = (0, 1, ${turn})`,
    "bpy.data.objects['Cube'].keyframe_insert('rotation_euler', frame=6)",
    `bpy.ops.wm.save_as_mainfile(filepath=${JSON.stringify(join(folder, name))}, compress=False)`,
  ].join('\n')
  const made = spawnSync('blender', ['-b', '--factory-startup', '-Y', '--python-exit-code', '42', '--python-expr', script])
  if (made.status !== 0) throw new Error(`Blender could not make ${name}`)
}
