import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import type { Inspection } from '@pictor/core/contract'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpackedBytes } from '../src/blend/bytes.ts'
import { blendInspector, selfHosted } from '../src/index.ts'
import { buildScenes, bytesOf, finish, hasBlender, tempFolder } from './support.ts'

const ctx = { key: 'inspect' }
const orrery = new URL('../../../../examples/scenes/orrery.blend', import.meta.url).pathname
const sharedScenes = new URL('../../../../../shared/scenes/', import.meta.url).pathname
const hasShared = existsSync(sharedScenes)
if (!hasShared) console.log('skipped: the real scenes of ../shared/scenes are not here')

const temp = tempFolder()
afterAll(temp.remove)

describe.skipIf(!hasBlender)('inspecting with Blender', () => {
  const inspector = blendInspector()
  const artifacts = folderArtifacts(join(temp.path, 'artifacts'))
  const inspect = (name: string) => inspector.inspect(join(temp.path, name), {}, ctx)
  beforeAll(() => buildScenes(temp.path))

  it('finds everything of our own scene', async () => {
    const found = await inspector.inspect(orrery, {}, ctx)
    expect(found).toMatchObject({
      frames: '1-24',
      framesPerSecond: 24,
      warnings: [],
      external: [{ kind: 'image', path: '//star-chart.png', missing: false }],
      spec: {
        engine: 'CYCLES',
        scene: 'Orrery',
        camera: 'Camera',
        samples: 16,
        adaptive: false,
        denoise: false,
        checkClass: 'crop',
        output: { format: 'PNG', width: 320, height: 180, colorMode: 'RGB', bitDepth: 8 },
      },
    })
    const bundle = await inspector.bundle(found, artifacts, ctx)
    expect(bundle.files.map((file) => file.path)).toEqual(['orrery.blend', 'star-chart.png'])
  })

  it('finds where the file switches objects and cameras', async () => {
    const cameras = { A: 'Camera', B: 'Camera.001' }
    const look = (from: number, shown: number, camera: keyof typeof cameras) => ({ from, shown, camera: cameras[camera] })
    const all = [look(0, 1, 'A'), look(2, 2, 'A'), look(3, 3, 'A'), look(4, 2, 'A'), look(5, 2, 'B'), look(7, 1, 'B')]
    expect((await inspect('switching.blend')).looks).toEqual(all)
    // One camera for all frames switches no more.
    const chosen = await inspector.inspect(join(temp.path, 'switching.blend'), { camera: 'Camera' }, ctx)
    expect(chosen.looks?.map(({ from, camera }) => [from, camera])).toEqual([0, 2, 3, 4, 7].map((from) => [from, 'Camera']))
    expect((await inspect('plain.blend')).looks).toBeUndefined()
  })

  it('says that there is no camera, before any money moves', async () => {
    await expect(inspect('no-camera.blend')).rejects.toMatchObject({
      code: 'scene-invalid',
      message: expect.stringContaining('no camera') as string,
    })
  })

  it('refuses a scene that Blender cannot open, and leaves nothing running', async () => {
    const broken = join(temp.path, 'broken.blend')
    const plain: Buffer[] = []
    for await (const chunk of unpackedBytes(orrery, 'zstd')) plain.push(chunk)
    const bytes = Buffer.concat(plain)
    // All blocks are there, but the description of the data is noise.
    bytes.fill(0x55, bytes.indexOf('DNA1') + 40, bytes.indexOf('DNA1') + 4000)
    writeFileSync(broken, bytes)
    await expect(inspector.inspect(broken, {}, ctx)).rejects.toMatchObject({ code: 'scene-invalid' })
  })

  it('ends when it is canceled', async () => {
    const control = new AbortController()
    const asked = inspector.inspect(orrery, {}, { ...ctx, signal: control.signal })
    setTimeout(() => control.abort(new Error('enough')), 150)
    await expect(asked).rejects.toThrow('enough')
  })

  it('bundles files from outside the folder and from libraries, and a farm finds them again', async () => {
    const found = await inspect('shot/linked.blend')
    expect(found.external.map((one) => [one.kind, one.missing])).toEqual(
      expect.arrayContaining([
        ['library', false],
        ['image', false],
        ['image', false],
      ]),
    )
    const bundle = await inspector.bundle(found, artifacts, ctx)
    expect(bundle.entry).toBe('linked.blend')
    const paths = bundle.files.map((file) => file.path)
    expect(paths.filter((path) => path.startsWith('_external/')).length).toBe(4)
    const links = bundle.files.find((file) => file.path === '_external/links.json')!
    expect(Buffer.from(await artifacts.read(links.hash)).toString()).not.toContain(temp.path)

    // Far from where the files were, the cube is red by tex.png and the ball green by the library's far.png.
    const farm = selfHosted({ id: 'far', workDir: join(temp.path, 'far', 'farm'), threadsPerSlot: 1 })
    try {
      const stage = await farm.stage(bundle, artifacts, ctx)
      for (const name of ['tex.png', 'outside/far.png', 'outside/library.blend']) rmSync(join(temp.path, name))
      const ref = await farm.submit(
        {
          contract: 1,
          run: 'r',
          id: 1,
          attempt: 1,
          purpose: 'render',
          bundle,
          stage,
          spec: found.spec,
          work: { kind: 'frames', frames: [1] },
        },
        { key: 'linked' },
      )
      const [red, green, blue] = decodeImage(await bytesOf(farm, await finish(farm, ref), ref, 1)).parts[0]!.planes
      const count = (test: (r: number, g: number, b: number) => boolean) =>
        red!.data.filter((r, i) => test(r, green!.data[i]!, blue!.data[i]!)).length
      expect(count((r, g, b) => r > 0.5 && g < r * 0.6 && b < r * 0.6)).toBeGreaterThan(20)
      expect(count((r, g, b) => g > 0.5 && r < g * 0.9 && b < g * 0.6)).toBeGreaterThan(10)
    } finally {
      await farm.close?.()
      buildScenes(temp.path)
    }
  })

  it('finds the tiles of a UDIM texture, sends them, and a farm renders with all of them', async () => {
    const found = await inspect('shot/udim.blend')
    expect(found.external).toMatchObject([{ kind: 'image', missing: false }])
    const bundle = await inspector.bundle(found, artifacts, ctx)
    const tiles = bundle.files.map((file) => file.path).filter((path) => path.endsWith('.png'))
    expect(tiles.map((path) => path.replace(/.*\//, ''))).toEqual(['skin.1001.png', 'skin.1002.png'])
    const farm = selfHosted({ id: 'udim', workDir: join(temp.path, 'udim-farm'), threadsPerSlot: 1 })
    try {
      const stage = await farm.stage(bundle, artifacts, ctx)
      for (const name of ['skin.1001.png', 'skin.1002.png']) rmSync(join(temp.path, 'tiles', name))
      const task = { contract: 1, run: 'r', id: 1, attempt: 1, purpose: 'render', bundle, stage, spec: found.spec } as const
      const ref = await farm.submit({ ...task, work: { kind: 'frames', frames: [1] } }, { key: 'udim' })
      const [red, green] = decodeImage(await bytesOf(farm, await finish(farm, ref), ref, 1)).parts[0]!.planes
      const { width } = found.spec.output
      const brighter = (one: typeof red, other: typeof red, left: boolean): number =>
        one!.data.filter((value, i) => i % width < width / 2 === left && value > 0.5 && other!.data[i]! < value * 0.6).length
      expect(brighter(red, green, true)).toBeGreaterThan(50)
      expect(brighter(green, red, false)).toBeGreaterThan(50)
      expect(brighter(green, red, true) + brighter(red, green, false)).toBeLessThan(20)
    } finally {
      await farm.close?.()
      buildScenes(temp.path)
    }
    // A tile that the image has and the disk has not is a missing file like any other.
    rmSync(join(temp.path, 'tiles', 'skin.1002.png'))
    const holed = await inspect('shot/udim.blend')
    expect(holed.external.filter((one) => one.missing).map((one) => one.path)).toEqual(['//../tiles/skin.1002.png'])
    await expect(inspector.bundle(holed, artifacts, ctx)).rejects.toMatchObject({ code: 'asset-missing' })
    buildScenes(temp.path)
  })

  it('lists missing files and makes no bundle of them', async () => {
    rmSync(join(temp.path, 'tex.png'))
    const found = await inspect('shot/linked.blend')
    expect(found.external.filter((one) => one.missing).map((one) => one.path)).toEqual(['//../tex.png'])
    await expect(inspector.bundle(found, artifacts, ctx)).rejects.toMatchObject({
      code: 'asset-missing',
      details: { files: ['//../tex.png'] },
    })
    buildScenes(temp.path)
  })

  it('finds files of a scene that was saved on Windows, and says where', async () => {
    const options = { pathMap: { 'z:/library': join(temp.path, 'outside') } }
    const found = await blendInspector(options).inspect(join(temp.path, 'windows', 'windows.blend'), {}, ctx)
    const facts = (found.ext!['blend'] as { report: { external: { stored: string; absolute: string; moved?: boolean }[] } })
      .report.external
    const where = (ending: string) => facts.find((one) => one.stored.endsWith(ending))?.absolute
    expect(where('red.png')).toBe(join(temp.path, 'windows', 'maps', 'red.png'))
    expect(where('far.png')).toBe(join(temp.path, 'outside', 'far.png'))
    expect(where('tex.png')).toBe(join(temp.path, 'tex.png'))
    expect(found.external.filter((one) => one.missing)).toEqual([])
    expect(found.warnings.map((one) => one.code)).toContain('moved-files')
    const bundle = await inspector.bundle(found, artifacts, ctx)
    expect(bundle.files.map((file) => file.path)).toContain('maps/red.png')
    // A farm that knows none of these drives renders the cube in red.
    const farm = selfHosted({ id: 'windows', workDir: join(temp.path, 'windows-farm'), threadsPerSlot: 1 })
    try {
      const stage = await farm.stage(bundle, artifacts, ctx)
      const task = { contract: 1, run: 'r', id: 1, attempt: 1, purpose: 'render', bundle, stage, spec: found.spec } as const
      const ref = await farm.submit({ ...task, work: { kind: 'frames', frames: [1] } }, { key: 'windows' })
      const [red, green] = decodeImage(await bytesOf(farm, await finish(farm, ref), ref, 1)).parts[0]!.planes
      expect(red!.data.filter((r, i) => r > 0.5 && green!.data[i]! < r * 0.6).length).toBeGreaterThan(20)
    } finally {
      await farm.close?.()
    }
    const unmapped = await inspector.inspect(join(temp.path, 'windows', 'windows.blend'), {}, ctx)
    expect(unmapped.external.filter((one) => one.missing).map((one) => one.path)).toEqual(['Z:/Library/far.png'])
  })

  it('does not carry off files that no scene is made of', async () => {
    const found = await inspect('shot/linked.blend')
    const secret = join(temp.path, 'id_ed25519')
    writeFileSync(secret, 'a key')
    const blend = structuredClone(found.ext!['blend']) as {
      report: { external: { absolute: string; stored: string; files: object[] }[] }
    }
    blend.report.external.push({
      ...blend.report.external[0]!,
      absolute: secret,
      stored: '//../id_ed25519',
      files: [{ path: secret, bytes: 5 }],
    })
    const forged: Inspection = { ...found, ext: { blend } }
    await expect(inspector.bundle(forged, artifacts, ctx)).rejects.toMatchObject({ code: 'invalid-input' })
    // Nor behind a harmless name.
    rmSync(join(temp.path, 'tex.png'))
    symlinkSync(secret, join(temp.path, 'tex.png'))
    const linked = await inspect('shot/linked.blend')
    await expect(inspector.bundle(linked, artifacts, ctx)).rejects.toMatchObject({ code: 'invalid-input' })
  })

  it.skipIf(!hasShared)('reads the real scenes, and refuses newer ones before Blender sees them', async () => {
    const robot = await inspector.inspect(join(sharedScenes, 'robot/robot.blend'), {}, ctx)
    expect(robot).toMatchObject({
      frames: '1-48',
      spec: { scene: 'Shot_Dance', camera: '', viewLayers: ['Beauty'], seed: 7, adaptive: true },
    })
    const close = await inspector.inspect(join(sharedScenes, 'robot/robot.blend'), { scene: 'Shot_Close_EXR' }, ctx)
    expect(close).toMatchObject({
      frames: '10-20:2',
      spec: { output: { format: 'OPEN_EXR_MULTILAYER', bitDepth: 16, width: 640 } },
    })
    for (const name of ['negative/blender-4.0.blend', 'negative/blender-5.2.blend'])
      await expect(inspector.inspect(join(sharedScenes, name), {}, ctx)).rejects.toMatchObject({ code: 'scene-too-new' })
    const lost = join(temp.path, 'lost')
    mkdirSync(lost)
    copyFileSync(join(sharedScenes, 'suzi/suzi.blend'), join(lost, 'suzi.blend'))
    const suzi = await inspector.inspect(join(lost, 'suzi.blend'), {}, ctx)
    expect(suzi.external.map((one) => one.missing)).toEqual([true, true])
  })
})
