import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import type { Farm, RenderSpec, Task } from '@pictor/core/contract'
import { decodeImage, pixelHash } from '@pictor/image'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { commandInspector, mergeTiles, selfHosted } from '../src/index.ts'
import type { CommandRenderer, SelfHostedOptions } from '../src/index.ts'
import { workingSandbox } from '../src/sandbox/bubblewrap.ts'
import { bytesOf, finish, stateOf, taskMaker, tempFolder, watch } from './support.ts'

const program = fileURLToPath(new URL('tiny-renderer.mjs', import.meta.url))
const tiny: CommandRenderer = {
  software: 'tiny',
  version: '1.0',
  engines: ['TINY'],
  formats: ['PNG'],
  command: [process.execPath, program, '{scene}', '{output}', '{width}', '{height}', '{frame}', '{seed}'],
  regionArguments: ['{x}', '{y}', '{regionWidth}', '{regionHeight}'],
  read: [dirname(program)],
}
const output: RenderSpec['output'] = { format: 'PNG', width: 32, height: 20, colorMode: 'RGB', bitDepth: 8 }
const sandbox = await workingSandbox()
if (!sandbox) console.log('skipped: bubblewrap does not work here, commands are not confined in tests')
const hasPovray = spawnSync('povray', ['--version']).status !== null
if (!hasPovray) console.log('skipped: POV-Ray is not installed, only the small renderer of the tests runs')

describe('a renderer that is run from the command line', () => {
  const temp = tempFolder()
  const open: Farm[] = []
  let made = 0
  afterEach(async () => {
    for (const farm of open.splice(0)) await farm.close?.()
  })
  afterAll(temp.remove)

  const sceneOf = async (content: object, options: Partial<SelfHostedOptions> = {}) => {
    const folder = join(temp.path, String(++made))
    mkdirSync(folder)
    writeFileSync(join(folder, 'shot.json'), JSON.stringify(content))
    const files = folderArtifacts(join(folder, 'artifacts'))
    const inspector = commandInspector({ renderer: tiny, frames: '1-3', output })
    const inspection = await inspector.inspect(join(folder, 'shot.json'), {}, { key: 'look' })
    const bundle = await inspector.bundle(inspection, files, { key: 'bundle' })
    const farm = selfHosted({ id: 'tiny', workDir: join(folder, 'farm'), renderers: [tiny], blender: '/nonexistent', ...options })
    open.push(farm)
    const task = await taskMaker(farm, files, bundle)
    return { farm, folder, task: (change: Partial<Task> = {}) => task({ spec: inspection.spec, ...change }) }
  }
  const failures = (events: Awaited<ReturnType<typeof finish>>) =>
    events.flatMap((event) =>
      event.type === 'frame-failed' || (event.type === 'state' && event.failure) ? [event.failure!] : [],
    )

  it('makes a poll wait for news, and lets go of it when the call is aborted or the farm closed', async () => {
    const { farm, task } = await sceneOf({ color: [10, 40, 90], do: 'hang' })
    const ref = await farm.submit(task(), { key: 'a' })
    const running = await watch(farm, (events) => stateOf(events, ref) === 'starting')
    expect(running).not.toHaveLength(0)
    let { cursor } = await farm.poll({}, { key: 'poll' })
    const start = performance.now()
    const page = await farm.poll({ cursor }, { key: 'poll' })
    expect(page.events.filter((event) => event.type !== 'progress')).toEqual([])
    expect(performance.now() - start).toBeGreaterThan(80)
    cursor = page.cursor
    const told = farm.poll({ cursor }, { key: 'poll' })
    expect(await farm.set(ref, { desired: 'hold' }, { key: 'hold' })).toBe('accepted')
    expect((await told).events).toContainEqual(expect.objectContaining({ type: 'state', state: 'pausing' }))
    const signal = AbortSignal.timeout(10)
    await expect(farm.poll({ cursor: (await told).cursor }, { key: 'poll', signal })).rejects.toThrow(/timeout/)
    const held = farm.poll({ cursor: (await told).cursor }, { key: 'poll' })
    await Promise.all([expect(held).rejects.toMatchObject({ code: 'canceled' }), farm.close?.()])
  })

  it('delivers frames, windows and tiles that fit together', async () => {
    const { farm, task } = await sceneOf({ color: [10, 40, 90] })
    expect((await farm.describe({ key: 'look' })).software).toEqual([
      { name: 'tiny', version: '1.0', engines: ['TINY'], devices: ['CPU'] },
    ])
    const tiles = [0, 16].map((x) => ({ x, y: 0, width: 16, height: 20 }))
    const whole = await farm.submit(task(), { key: 'whole' })
    const parts = await farm.submit(task({ work: { kind: 'tiles', frame: 2, tiles } }), { key: 'tiles' })
    const small = await farm.submit(task({ purpose: 'probe', window: { resolutionPct: 50, seed: 3 } }), { key: 'small' })
    const events = await finish(farm, whole, parts, small)
    expect([whole, parts, small].map((ref) => stateOf(events, ref))).toEqual(['succeeded', 'succeeded', 'succeeded'])
    const joined = mergeTiles(
      output,
      await Promise.all(tiles.map(async (region, i) => ({ region, bytes: await bytesOf(farm, events, parts, 2, i + 1) }))),
    )
    expect(pixelHash(decodeImage(joined))).toBe(pixelHash(decodeImage(await bytesOf(farm, events, whole, 2))))
    expect(decodeImage(await bytesOf(farm, events, small, 1))).toMatchObject({ width: 16, height: 10 })
  })

  it.each([
    ['scene-fault', 'scene', /cannot make sense of this scene/],
    ['crash', 'scene', /ended with/],
    ['nothing', 'bad-output', /no file was written/],
    ['wrong size', 'bad-output', /31/],
    ['hang', 'timeout', /longer than/],
  ] as const)('says what went wrong: %s', async (misdeed, failureClass, message) => {
    const { farm, task } = await sceneOf({ color: [1, 2, 3], do: misdeed }, { frameTimeoutMs: misdeed === 'hang' ? 700 : 20_000 })
    const ref = await farm.submit(task({ work: { kind: 'frames', frames: [1] } }), { key: misdeed })
    const events = await finish(farm, ref)
    expect(stateOf(events, ref)).toBe('failed')
    expect(failures(events)[0]).toMatchObject({ class: failureClass, message: expect.stringMatching(message) as string })
  })

  it('ends when its task is canceled, long before its frame would time out', async () => {
    const { farm, task } = await sceneOf({ color: [1, 2, 3], do: 'hang' })
    const ref = await farm.submit(task(), { key: 'slow' })
    await expect
      .poll(async () =>
        (await farm.poll({}, { key: 'p' })).events.some((event) => event.type === 'state' && event.state !== 'queued'),
      )
      .toBe(true)
    const start = Date.now()
    await farm.set(ref, { desired: 'cancel' }, { key: 'cancel' })
    expect(stateOf(await finish(farm, ref), ref)).toBe('canceled')
    expect(Date.now() - start).toBeLessThan(15_000)
  })

  it.skipIf(!sandbox)('is confined when scenes are of others', async () => {
    const outside = join(temp.path, 'secret.txt')
    writeFileSync(outside, 'a key')
    const look = await sceneOf({ color: [1, 2, 3], do: 'look around', outside }, { trust: 'foreign' })
    const ref = await look.farm.submit(look.task({ work: { kind: 'frames', frames: [1] } }), { key: 'look' })
    const events = await finish(look.farm, ref)
    expect(failures(events)).toEqual([])
    const found = JSON.parse(String(decodeImage(await bytesOf(look.farm, events, ref, 1)).metadata['found'])) as {
      secret: boolean
      environment: string[]
    }
    expect(found.secret).toBe(false)
    expect(found.environment.filter((name) => !['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR', 'SHLVL', '_'].includes(name))).toEqual(
      [],
    )
    const file = join(temp.path, 'written.txt')
    const write = await sceneOf({ color: [1, 2, 3], do: 'write outside', outside: file }, { trust: 'foreign' })
    const written = await write.farm.submit(write.task({ work: { kind: 'frames', frames: [1] } }), { key: 'write' })
    await finish(write.farm, written)
    expect(existsSync(file)).toBe(false)
  })

  it('is not asked for what its template cannot do', async () => {
    const { farm, task } = await sceneOf({ color: [1, 2, 3] })
    const spec = task().spec
    for (const [change, message] of [
      [{ spec: { ...spec, software: 'other' } }, /no other/],
      [{ spec: { ...spec, softwareVersion: '2.0' } }, /1\.0, not 2\.0/],
      [{ spec: { ...spec, engine: 'FAST' } }, /engines TINY/],
      [{ spec: { ...spec, output: { ...output, format: 'OPEN_EXR', bitDepth: 16 } } }, /writes PNG/],
      [{ work: { kind: 'samples', frame: 1, ranges: [{ offset: 0, samples: 1 }] } }, /split by samples/],
    ] as [Partial<Task>, RegExp][])
      await expect(farm.submit(task(change), { key: 'x' })).rejects.toThrow(message)
    const { regionArguments: _, ...wholeOnly } = tiny
    const other = await sceneOf({ color: [1, 2, 3] }, { renderers: [wholeOnly] })
    const window = { region: { x: 0, y: 0, width: 4, height: 4 } }
    await expect(other.farm.submit(other.task({ window }), { key: 'x' })).rejects.toThrow(/whole frames only/)
  })

  it.each([
    [{ command: [] }, 'renderers[0].command'],
    [{ command: ['x', '{scene}'] }, 'renderers[0].command'],
    [{ command: ['x', '{scene}', '{output}', '{nope}'] }, 'renderers[0].command[3]'],
    [{ command: ['x', '{scene}', '{output}', '{constructor}'] }, 'renderers[0].command[3]'],
    [{ software: 'blender' }, 'renderers[0].software'],
    [{ formats: [] }, 'renderers[0].formats'],
    [{ read: ['relative'] }, 'renderers[0].read[0]'],
  ] as [Partial<CommandRenderer>, string][])('refuses the template %j', (change, path) => {
    expect(() => selfHosted({ id: 'x', workDir: temp.path, renderers: [{ ...tiny, ...change }] })).toThrow(
      expect.objectContaining({ code: 'invalid-input', details: expect.objectContaining({ path }) as object }) as Error,
    )
  })

  it('names missing files before anything is sent', async () => {
    const inspector = commandInspector({ renderer: tiny, frames: '1', output, needs: ['maps/wood.png'] })
    const folder = join(temp.path, 'lacking')
    mkdirSync(folder)
    writeFileSync(join(folder, 'shot.json'), '{}')
    const found = await inspector.inspect(join(folder, 'shot.json'), {}, { key: 'look' })
    const artifacts = folderArtifacts(join(folder, 'artifacts'))
    await expect(inspector.bundle(found, artifacts, { key: 'b' })).rejects.toMatchObject({
      code: 'asset-missing',
      details: { files: ['maps/wood.png'] },
    })
    await expect(inspector.inspect(join(folder, 'none.json'), {}, { key: 'look' })).rejects.toMatchObject({
      code: 'scene-missing',
    })
    expect(() => commandInspector({ renderer: tiny, frames: '1', output, needs: ['../key'] })).toThrow(/needs\[0\]/)
  })

  it.skipIf(!hasPovray)('renders with POV-Ray by the template of the guide, also confined', async () => {
    const povray: CommandRenderer = {
      software: 'povray',
      version: '3.7',
      engines: ['POVRAY'],
      formats: ['PNG'],
      command: ['povray', '+I{scene}', '+O{output}', '+W{width}', '+H{height}', '+FN8', '-D', '+WT{threads}', '+K{frame}'],
      read: ['/etc/povray'],
    }
    const folder = join(temp.path, 'povray')
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'shot.pov'),
      '#version 3.7;\nglobal_settings { assumed_gamma 1 }\ncamera { location <0, 1, -4> look_at 0 }\nlight_source { <4, 6, -6> rgb 1 }\nsphere { <clock / 4, 0, 0>, 1 pigment { rgb <1, 0.2, 0.1> } }\n',
    )
    const inspector = commandInspector({ renderer: povray, frames: '1-2', output: { ...output, width: 48, height: 36 } })
    const found = await inspector.inspect(join(folder, 'shot.pov'), {}, { key: 'look' })
    const files = folderArtifacts(join(folder, 'artifacts'))
    const bundle = await inspector.bundle(found, files, { key: 'bundle' })
    const hashes: string[][] = []
    for (const trust of sandbox ? (['own', 'foreign'] as const) : (['own'] as const)) {
      const farm = selfHosted({
        id: 'pov',
        workDir: join(folder, trust),
        renderers: [povray],
        blender: '/nonexistent',
        trust,
        threadsPerSlot: 1,
      })
      open.push(farm)
      const task = await taskMaker(farm, files, bundle)
      const ref = await farm.submit(task({ spec: found.spec, work: { kind: 'frames', frames: [1, 2] } }), { key: 'pov' })
      const events = await finish(farm, ref)
      expect(failures(events)).toEqual([])
      hashes.push(await Promise.all([1, 2].map(async (frame) => pixelHash(decodeImage(await bytesOf(farm, events, ref, frame))))))
    }
    expect(new Set(hashes[0]).size).toBe(2)
    for (const other of hashes) expect(other).toEqual(hashes[0])
  })
})
