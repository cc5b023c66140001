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
  const installed = await import('sharp' as string).then(
    () => true,
    () => false,
  )
  if (!installed) await expect(decodeWithSharp(jpeg)).rejects.toThrow(/npm install sharp/)
})
