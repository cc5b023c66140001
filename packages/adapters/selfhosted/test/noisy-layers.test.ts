import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundleManifest, Farm, RenderSpec, Task } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'
import { decodeImage, encodeExr, encodePng, pixelHash } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blendInspector, selfHosted } from '../src/index.ts'
import { LAYERS_TAG, tagLayers } from '../src/tasks/noisy-layers.ts'
import { TINY, buildScenes, bundleOf, bytesOf, finish, hasBlender, stateOf, taskMaker, tempFolder } from './support.ts'

const temp = tempFolder()
afterAll(temp.remove)
const hash = `0x${'ab'.repeat(32)}` as const

describe('the hash of the layers in a picture', () => {
  it.each([
    [
      'PNG',
      () =>
        encodePng(
          5,
          3,
          3,
          Uint8Array.from({ length: 45 }, (_, i) => i * 5),
        ),
    ],
    [
      'OPEN_EXR',
      () => encodeExr(5, 40, [{ name: 'R', type: 'half', data: Float32Array.from({ length: 200 }, (_, i) => i / 7) }]),
    ],
  ])('is read back from %s, and no pixel changes', async (format, encode) => {
    const path = join(temp.path, `tagged-${format}`)
    const before = decodeImage(encode())
    writeFileSync(path, encode())
    await tagLayers(path, format, hash)
    const after = decodeImage(readFileSync(path))
    expect(after.metadata[LAYERS_TAG]).toBe(hash)
    expect(after.warnings).toEqual(before.warnings)
    expect(pixelHash(after)).toBe(pixelHash(before))
  })
})

describe.skipIf(!hasBlender)('layers beside frames that are denoised or composited', () => {
  let farm: Farm
  let scene: Awaited<ReturnType<typeof bundleOf>>
  const spec: RenderSpec = { ...TINY, checkClass: 'sidecar' }
  beforeAll(async () => {
    buildScenes(temp.path)
    scene = await bundleOf(temp.path, 'blurred.blend')
    farm = selfHosted({ id: 'layers', workDir: join(temp.path, 'farm'), threadsPerSlot: 1 })
  })
  afterAll(() => farm.close?.())

  /** The bundle with a file of layers added, as a checker stages it. */
  const withLayers = async (layers: Uint8Array): Promise<BundleManifest> => {
    const file = { path: '_layers/frame.exr', ...(await scene.files.put(layers)) }
    const files = [...scene.bundle.files, file]
    return { root: bundleRoot(files), entry: scene.bundle.entry, files }
  }
  const composite = async (layers: Uint8Array, frame: number, key: string, change: Partial<Task> = {}) => {
    const bundle = await withLayers(layers)
    const task = await taskMaker(farm, scene.files, bundle)
    const ext = { layersFrom: '_layers/frame.exr' }
    const ref = await farm.submit(
      task({ bundle, spec, purpose: 'check', work: { kind: 'frames', frames: [frame] }, ext, ...change }),
      { key },
    )
    return { ref, events: await finish(farm, ref) }
  }

  it('gives the class sidecar to a scene whose compositor blurs', async () => {
    const found = await blendInspector().inspect(join(temp.path, 'blurred.blend'), {}, { key: 'look' })
    expect(found.spec.checkClass).toBe('sidecar')
    expect(found.warnings.map((one) => one.code)).toContain('layers-checked')
  })

  it.each([
    ['PNG', 8, 'RGB'],
    ['OPEN_EXR', 32, 'RGBA'],
  ] as const)(
    'are delivered with a %s frame, equal to what the scene renders, and give the frame again',
    async (format, bitDepth, colorMode) => {
      const output = { ...TINY.output, format, bitDepth, colorMode }
      const task = await taskMaker(farm, scene.files, scene.bundle)
      const frames = [2, 5]
      const ref = await farm.submit(task({ spec: { ...spec, output }, work: { kind: 'frames', frames } }), {
        key: `sidecar ${format}`,
      })
      const events = await finish(farm, ref)
      const found = events.flatMap((event) =>
        event.type === 'output' && event.output.task.ref === ref.ref ? [event.output] : [],
      )
      expect(found.map((one) => `${one.frame} ${one.layer}`)).toEqual(['2 noisy', '2 ', '5 noisy', '5 '])
      const bytes = async (frame: number, layer: string) =>
        await bytesOf(
          farm,
          events.filter((event) => event.type === 'output' && event.output.layer === layer),
          ref,
          frame,
        )
      for (const frame of frames) {
        const picture = decodeImage(await bytes(frame, ''))
        expect(picture.metadata[LAYERS_TAG]).toBe(found.find((one) => one.frame === frame && one.layer === 'noisy')!.hash)
        const again = await composite(await bytes(frame, 'noisy'), frame, `again ${format} ${frame}`, {
          spec: { ...spec, output },
        })
        expect(stateOf(again.events, again.ref)).toBe('succeeded')
        expect(pixelHash(decodeImage(await bytesOf(farm, again.events, again.ref, frame)))).toBe(pixelHash(picture))
      }
      // The layers of frame 2 are not those of frame 5, nor does its blur fit.
      const other = await composite(await bytes(2, 'noisy'), 5, `other ${format}`, { spec: { ...spec, output } })
      expect(pixelHash(decodeImage(await bytesOf(farm, other.events, other.ref, 5)))).not.toBe(
        pixelHash(decodeImage(await bytes(5, ''))),
      )
      // A crop of the layers, rendered as a checker would.
      const region = { x: 6, y: 4, width: 12, height: 9 }
      const layersOnly = {
        ...spec,
        output: { ...TINY.output, format: 'OPEN_EXR_MULTILAYER', bitDepth: 32, colorMode: 'RGBA' } as const,
      }
      const crop = await farm.submit(
        task({ spec: layersOnly, purpose: 'check', work: { kind: 'frames', frames: [2] }, window: { region } }),
        { key: `crop ${format}` },
      )
      const own = decodeImage(await bytesOf(farm, await finish(farm, crop), crop, 2))
      const layers = decodeImage(await bytes(2, 'noisy'))
      const plane = (image: typeof own, name: string) =>
        image.parts.flatMap((part) => part.planes).find((one) => one.name === name)!
      for (const name of ['ViewLayer.Combined.R', 'ViewLayer.Combined.B'])
        for (let y = 0; y < region.height; y++)
          for (let x = 0; x < region.width; x++)
            expect(plane(own, name).data[y * region.width + x]).toBe(
              plane(layers, name).data[(y + region.y) * layers.width + x + region.x],
            )
      // Rendering goes on as if nothing had been composited from files in between.
      const after = await farm.submit(task({ spec: { ...spec, output }, work: { kind: 'frames', frames: [2] } }), {
        key: `after ${format}`,
      })
      const afterEvents = await finish(farm, after)
      expect(
        pixelHash(
          decodeImage(
            await bytesOf(
              farm,
              afterEvents.filter((e) => e.type === 'output' && e.output.layer === ''),
              after,
              2,
            ),
          ),
        ),
      ).toBe(pixelHash(decodeImage(await bytes(2, ''))))
    },
  )

  it('refuses layers that are no file of the bundle, and a file that is none', async () => {
    const task = await taskMaker(farm, scene.files, scene.bundle)
    const work = { kind: 'frames', frames: [1] } as const
    for (const layersFrom of ['../secret.exr', '/etc/passwd', 'none.exr', 3])
      await expect(
        farm.submit(task({ spec, purpose: 'check', work, ext: { layersFrom } }), { key: `${layersFrom}` }),
      ).rejects.toMatchObject({
        code: 'invalid-input',
        details: { path: 'task.ext.layersFrom' },
      })
    const broken = await composite(Buffer.from('no picture'), 1, 'broken')
    expect(stateOf(broken.events, broken.ref)).toBe('failed')
    const wrong = await composite(
      encodeExr(32, 24, [{ name: 'R', type: 'float', data: new Float32Array(32 * 24) }]),
      1,
      'without layers',
    )
    expect(stateOf(wrong.events, wrong.ref)).toBe('failed')
  })
})
