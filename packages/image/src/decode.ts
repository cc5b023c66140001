import { ImageError } from './error.ts'
import { readBands } from './exr/bands.ts'
import { decodeExr, exrInfo, readExrInfo } from './exr/decode.ts'
import { walkExr } from './exr/walk.ts'
import { withDefaults } from './limits.ts'
import { decodePng, notePaletteFault, pngInfo, readPngInfo } from './png/decode.ts'
import { readPngRaster } from './png/rows.ts'
import { walkPng } from './png/walk.ts'
import { sniffFormat } from './sniff.ts'
import type { DecodeLimits, ImageFile, ImageInfo } from './types.ts'

/** Tells PNG from EXR, and refuses everything else with a reason. @throws ImageError `empty`, `not-an-image`, `unsupported`. */
export function requireReadable(bytes: Uint8Array): 'png' | 'exr' {
  if (bytes.length === 0) throw new ImageError('empty', 'the file is empty')
  const format = sniffFormat(bytes)
  if (format === 'png' || format === 'exr') return format
  if (format === 'unknown') {
    const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.length)).toString('latin1')
    throw new ImageError(
      'not-an-image',
      `the file starts with ${JSON.stringify(start)}, the signature of no known picture format`,
      { offset: 0 },
    )
  }
  throw new ImageError('unsupported', `${format} is read by decodeWithSharp only, which needs the optional package sharp`)
}

/**
 * Reads headers and walks the whole structure (chunks, CRCs, offset tables, all resolution levels) without decoding pixels.
 * @throws ImageError
 */
export function readImageInfo(bytes: Uint8Array, limits: DecodeLimits = {}): ImageInfo {
  const full = withDefaults(limits)
  return requireReadable(bytes) === 'png' ? readPngInfo(bytes, full) : readExrInfo(bytes, full)
}

/**
 * Decodes a PNG or EXR to planes of floats.
 * @throws ImageError whose `code` says what is wrong and whose `where` says where.
 * @example
 * const image = decodeImage(await readFile('frame_0001.png'), { expected: { width: 1920, height: 1080 } })
 */
export function decodeImage(bytes: Uint8Array, limits: DecodeLimits = {}): ImageFile {
  const full = withDefaults(limits)
  return requireReadable(bytes) === 'png' ? decodePng(bytes, full) : decodeExr(bytes, full)
}

/**
 * Makes sure that every pixel of a PNG or EXR can be read, and keeps none: in the memory of the file and (EXR) one band of rows or (PNG) the inflated picture.
 * @throws ImageError as {@link decodeImage} does
 */
export function verifyImage(bytes: Uint8Array, limits: DecodeLimits = {}): ImageInfo {
  const full = withDefaults(limits)
  if (requireReadable(bytes) === 'png') {
    const layout = walkPng(bytes, full)
    notePaletteFault(layout, readPngRaster(layout).badIndex)
    return pngInfo(layout)
  }
  const layout = walkExr(bytes, full)
  for (const part of layout.parts) readBands(bytes, part, () => {})
  return exrInfo(layout)
}
