import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import type { Inspection } from '@pictor/core/contract'
import { decodeImage } from '@pictor/image'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpackedBytes } from '../src/blend/bytes.ts'
import { checkClassOf, blendInspector, readBlend, renderSpecOf, selfHosted } from '../src/index.ts'
import type { SceneFacts } from '../src/index.ts'
import { buildScenes, bytesOf, finish, hasBlender, tempFolder } from './support.ts'

const ctx = { key: 'inspect' }
const orrery = new URL('../../../../examples/scenes/orrery.blend', import.meta.url).pathname
const sharedScenes = new URL('../../../../../shared/scenes/', import.meta.url).pathname
const hasShared = existsSync(sharedScenes)
if (!hasShared) console.log('skipped: the real scenes of ../shared/scenes are not here')

const temp = tempFolder()
afterAll(temp.remove)

describe('reading a .blend without Blender', () => {
  const plain = join(temp.path, 'plain-bytes.blend')
  let bytes: Buffer
  beforeAll(async () => {
    const chunks: Buffer[] = []
    for await (const chunk of unpackedBytes(orrery, 'zstd')) chunks.push(chunk)
    bytes = Buffer.concat(chunks)
    writeFileSync(plain, bytes)
  })

  it('reads every frame of a seekable zstd file, not only the first', async () => {
    const header = await readBlend(orrery)
    expect(header).toMatchObject({ versionCode: 304, compression: 'zstd', pointerBytes: 8, littleEndian: true })
    expect(header.plainBytes).toBe(bytes.length)
  })

  it('reads the same from a plain and a gzip file', async () => {
    const packed = join(temp.path, 'gzip.blend')
    writeFileSync(packed, gzipSync(bytes))
    const { blocks } = await readBlend(plain)
    expect(await readBlend(packed)).toMatchObject({ blocks, compression: 'gzip' })
  })

  it('refuses a file that was cut off anywhere, in every packing', async () => {
    const whole = { zstd: readFileSync(orrery), gzip: gzipSync(bytes), none: bytes }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('zstd', 'gzip', 'none'),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (packing, share) => {
          const file = join(temp.path, 'cut.blend')
          writeFileSync(file, whole[packing as keyof typeof whole])
          truncateSync(file, Math.floor(share * whole[packing as keyof typeof whole].length))
          await expect(readBlend(file)).rejects.toMatchObject({ code: 'scene-invalid' })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('never fails in another way on files whose bytes were changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), async (at, value) => {
        const file = join(temp.path, 'changed.blend')
        const changed = Buffer.from(bytes)
        changed[at] = value
        writeFileSync(file, changed)
        await readBlend(file).catch((error: unknown) => expect(error).toMatchObject({ code: 'scene-invalid' }))
      }),
      { numRuns: 40 },
    )
  })

  it('refuses a bomb before it fills the memory', async () => {
    const bomb = join(temp.path, 'bomb.blend')
    // A block that claims 100 MiB of zeros, packed 1000 to 1, again and again.
    const block = Buffer.alloc(24)
    block.write('DATA')
    block.writeUInt32LE(100 << 20, 4)
    writeFileSync(bomb, gzipSync(Buffer.concat([Buffer.from('BLENDER-v304'), block, Buffer.alloc(100 << 20)])))
    await expect(readBlend(bomb)).rejects.toMatchObject({ code: 'scene-invalid' })
  })

  it('tells a missing file, a folder, an empty file and a picture apart from a scene', async () => {
    await expect(readBlend(join(temp.path, 'no.blend'))).rejects.toMatchObject({ code: 'scene-missing' })
    await expect(readBlend(temp.path)).rejects.toMatchObject({ code: 'scene-missing' })
    const file = join(temp.path, 'odd.blend')
    for (const content of ['', 'BLENDER', 'BLENDER-x304', '\x89PNG\r\n\x1a\n']) {
      writeFileSync(file, content, 'latin1')
      await expect(readBlend(file)).rejects.toMatchObject({ code: 'scene-invalid' })
    }
  })
})

describe('what a scene orders', () => {
  const facts: SceneFacts = {
    name: 'Shot',
    engine: 'CYCLES',
    frameStart: 1,
    frameEnd: 10,
    frameStep: 1,
    fps: 24,
    width: 1920,
    height: 1080,
    percentage: 50,
    border: false,
    format: 'PNG',
    colorMode: 'RGBA',
    colorDepth: '16',
    movie: false,
    output: '',
    motionBlur: false,
    simplify: false,
    multiview: false,
    camera: 'A',
    cameras: ['A', 'B'],
    markers: [],
    layers: [
      { name: 'On', use: true, passes: ['combined'], aovs: [] },
      { name: 'Off', use: false, passes: [], aovs: [] },
    ],
    compositor: { used: false, wide: [], fileOutputs: 0 },
    sequencer: false,
    eeveeSamples: 64,
    viewTransform: 'Filmic',
    cycles: {
      samples: 128,
      use_adaptive_sampling: true,
      time_limit: 0,
      seed: 3,
      use_animated_seed: true,
      use_denoising: false,
      denoiser: 'OPENIMAGEDENOISE',
      shading_system: false,
      sample_offset: 0,
    },
  }

  it('takes size, layers and sampling from the file', () => {
    expect(renderSpecOf(facts, 304)).toMatchObject({
      softwareVersion: '3.4',
      viewLayers: ['On'],
      camera: 'A',
      samples: 128,
      adaptive: true,
      seed: 3,
      animatedSeed: true,
      output: { format: 'PNG', width: 960, height: 540, colorMode: 'RGBA', bitDepth: 16 },
    })
  })

  it('leaves the camera to the timeline when markers switch it', () => {
    expect(renderSpecOf({ ...facts, markers: [{ frame: 5, camera: 'B' }] }, 304).camera).toBe('')
    expect(renderSpecOf({ ...facts, markers: [{ frame: 5, camera: 'B' }] }, 304, { camera: 'B' }).camera).toBe('B')
  })

  it('renders frames where the file asks for a movie', () => {
    expect(renderSpecOf({ ...facts, format: 'FFMPEG', movie: true }, 304).output).toMatchObject({ format: 'PNG', bitDepth: 8 })
  })

  it('names camera, samples and format that cannot be had', () => {
    expect(() => renderSpecOf(facts, 304, { camera: 'C' })).toThrow(/options\.camera.*A, B/)
    expect(() => renderSpecOf(facts, 304, { samples: 0 })).toThrow(/options\.samples/)
    expect(() => renderSpecOf(facts, 304, { format: 'BMP' as 'PNG' })).toThrow(/options\.format/)
    expect(() => renderSpecOf({ ...facts, camera: null }, 304)).toThrow(/no camera/)
  })

  it('chooses crops only where a crop is the same as the picture', () => {
    const denoised = { ...facts, cycles: { ...facts.cycles!, use_denoising: true } }
    const blurred = { ...facts, compositor: { used: true, wide: ['BLUR'], fileOutputs: 0 } }
    expect(checkClassOf(facts, 'JPEG')).toBe('crop')
    for (const scene of [denoised, blurred]) {
      expect(checkClassOf(scene, 'PNG')).toBe('sidecar')
      expect(checkClassOf(scene, 'OPEN_EXR')).toBe('sidecar')
      expect(checkClassOf(scene, 'JPEG')).toBe('replica')
    }
    expect(checkClassOf({ ...blurred, sequencer: true }, 'PNG')).toBe('replica')
    expect(checkClassOf({ ...facts, engine: 'BLENDER_EEVEE' }, 'PNG')).toBe('replica')
  })
})

describe.skipIf(!hasBlender)('inspecting with Blender', { timeout: 120_000 }, () => {
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
