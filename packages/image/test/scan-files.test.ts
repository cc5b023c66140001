import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { decodeWithSharp, encodePng, isImageError, scanFiles, scanImage, type Sharp } from '../src/index.ts'

const path = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

it('scans paths and bytes on threads, in the order given, with faults as results', async () => {
  const png = encodePng(3, 2, 3, new Uint8Array(18))
  const inputs = [path('zip.exr'), png, path('no-such-file.png'), new Uint8Array(0), path('piz.exr'), png.subarray(0, 40)]
  const results = await scanFiles(inputs, { threads: 2 })
  expect(results.map((result) => (result.ok ? result.stats.format : result.error.code))).toEqual([
    'exr',
    'png',
    'unreadable',
    'empty',
    'exr',
    'truncated',
  ])
  expect(results[1]).toEqual({ ok: true, stats: scanImage(png) })
  expect(results.every((result) => result.ok || isImageError(result.error))).toBe(true)
})

it('applies limits in the threads, ends slow files, and stops on a signal', async () => {
  const [limited] = await scanFiles([path('zip.exr')], { threads: 1, maxPixels: 10 })
  expect(limited).toMatchObject({ ok: false, error: { code: 'limit' } })
  const [slow] = await scanFiles([path('zip.exr')], { threads: 1, timeoutMs: 0 })
  expect(slow).toMatchObject({ ok: false, error: { code: 'unreadable' } })
  const reason = new Error('enough')
  await expect(scanFiles([path('zip.exr')], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  await expect(scanFiles([path('zip.exr')], { threads: 0 })).rejects.toMatchObject({ code: 'bad-argument' })
  expect(await scanFiles([])).toEqual([])
})

it('hands JPEG, WebP and TIFF to the sharp that is passed, and says when there is none', async () => {
  const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)
  const sharp: Sharp = (_, { limitInputPixels }) => {
    const pipeline: ReturnType<Sharp> = {
      metadata: async () => ({ width: 2, height: 1, depth: 'uchar' }),
      toColourspace: () => pipeline,
      raw: () => pipeline,
      toBuffer: async () => {
        if (limitInputPixels < 2) throw new Error('Input image exceeds pixel limit')
        return { data: Uint8Array.of(0, 51, 255, 255, 51, 0), info: { width: 2, height: 1, channels: 3 } }
      },
    }
    return pipeline
  }
  const image = await decodeWithSharp(jpeg, { sharp })
  expect(image).toMatchObject({ format: 'jpeg', width: 2, height: 1, bitDepth: 8 })
  expect([...image.parts[0]!.planes[1]!.data]).toEqual([Math.fround(0.2), Math.fround(0.2)])
  await expect(decodeWithSharp(jpeg, { sharp, maxPixels: 1 })).rejects.toMatchObject({ code: 'limit' })
  await expect(decodeWithSharp(jpeg, { sharp, expected: { width: 9, height: 9 } })).rejects.toMatchObject({
    code: 'size-mismatch',
  })
  await expect(decodeWithSharp(encodePng(1, 1, 1, new Uint8Array(1)), { sharp })).rejects.toMatchObject({ code: 'not-an-image' })
  if (!installed) await expect(decodeWithSharp(jpeg)).rejects.toThrow(/npm install sharp/)
})

// sharp is optional and not among our dependencies: this runs where somebody installed it.
const installed = await import('sharp' as string).then(
  () => true,
  () => false,
)
if (!installed) console.log('skipped: sharp is not installed, so 16-bit TIFF is not read through it')
it.skipIf(!installed)('keeps all 16 bits of a TIFF', async () => {
  const image = await decodeWithSharp(tiff16([1000, 2001, 60000, 65535, 0, 3]))
  expect(image).toMatchObject({ format: 'tiff', width: 2, height: 1, bitDepth: 16 })
  expect(image.parts[0]!.planes.map(({ data }) => [...data].map((v) => Math.round(v * 65535)))).toEqual([
    [1000, 65535],
    [2001, 0],
    [60000, 3],
  ])
})

/** A TIFF of 2 x 1 RGB pixels (TIFF 6.0, baseline, little-endian). */
function tiff16(samples: readonly number[]): Uint8Array {
  const entries = [
    [256, 2],
    [257, 1],
    [258, 16],
    [259, 1],
    [262, 2],
    [273, 8],
    [277, 3],
    [278, 1],
    [279, 12],
    [284, 1],
  ]
  const at = 8 + 12 + 8
  const file = Buffer.alloc(at + 2 + 12 * entries.length + 4)
  file.write('II', 0, 'latin1')
  file.writeUInt16LE(42, 2)
  file.writeUInt32LE(at, 4)
  samples.forEach((value, i) => file.writeUInt16LE(value, 8 + 2 * i))
  for (const i of [0, 1, 2]) file.writeUInt16LE(16, 20 + 2 * i)
  file.writeUInt16LE(entries.length, at)
  entries.forEach(([tag, value], i) => {
    const entry = at + 2 + 12 * i
    file.writeUInt16LE(tag!, entry)
    file.writeUInt16LE(3, entry + 2)
    file.writeUInt32LE(tag === 258 ? 3 : 1, entry + 4)
    file.writeUInt32LE(tag === 258 ? 20 : value!, entry + 8)
  })
  return file
}
