import { ImageError } from './error.ts'
import { alignedWords } from './exr/decode.ts'
import { exrInfo } from './exr/decode.ts'
import { readBands, type ExrBand } from './exr/bands.ts'
import { walkExr } from './exr/walk.ts'
import { hashPartHeader, startPixelHash } from './hash.ts'
import { withDefaults } from './limits.ts'
import { notePaletteFault, pngInfo } from './png/decode.ts'
import { readPngRaster } from './png/rows.ts'
import { walkPng } from './png/walk.ts'
import { requireReadable } from './decode.ts'
import { createPartAccumulator, type PartAccumulator } from './stats/part.ts'
import type { RowPlane } from './stats/accumulate.ts'
import type { ImageStats, PictureRow } from './stats/types.ts'
import type { DecodeLimits, ImageInfo } from './types.ts'

/**
 * Reads a PNG or EXR once: full structural walk, decompression, statistics and the canonical pixel hash, in the memory of
 * the file and (EXR) one band of rows or (PNG) the inflated picture.
 * `onRow` sees the rows of each part's picture as they pass, for statistics of the caller's own.
 * @throws ImageError for anything that keeps a pixel from being read.
 * @example
 * const stats = scanImage(await readFile('frame_0001.exr'))
 * if (stats.parts[0].planes.some((plane) => plane.nan > 0)) console.log('NaN in the picture')
 */
export function scanImage(bytes: Uint8Array, limits: DecodeLimits = {}, onRow?: OnRow): ImageStats {
  return requireReadable(bytes) === 'png' ? scanPng(bytes, limits, onRow) : scanExr(bytes, limits, onRow)
}

/** Takes the rows of a picture as they pass. */
export type OnRow = (row: PictureRow) => void

function scanPng(bytes: Uint8Array, limits: DecodeLimits, onRow?: OnRow): ImageStats {
  const layout = walkPng(bytes, withDefaults(limits))
  const raster = readPngRaster(layout)
  notePaletteFault(layout, raster.badIndex)
  return scanRaster(pngInfo(layout), raster, onRow)
}

/** A picture in memory, pixels interleaved: row y starts at `offset + y * rowStride`. */
export interface Raster {
  readonly samples: Uint8Array | Uint16Array | Float32Array
  readonly offset: number
  readonly rowStride: number
  readonly channels: number
}

/** Statistics of a picture in memory. */
export function scanRaster(info: ImageInfo, raster: Raster, onRow?: OnRow): ImageStats {
  const part = info.parts[0]!
  const hash = startPixelHash()
  hashPartHeader(hash, part.dataWindow, part.channels)
  const accumulator = createPartAccumulator(part, part.channels, onRow && ((row) => onRow({ part: 0, ...row })))
  const { samples, channels } = raster
  for (let y = 0; y < part.height; y++) {
    const start = raster.offset + y * raster.rowStride
    hash.update(samples.subarray(start, start + part.width * channels))
    accumulator.addRow(part.channels.map((_, index) => ({ samples, at: start + index, stride: channels, count: part.width })))
  }
  return statsOf(info, [accumulator], hash.digest('hex'))
}

function scanExr(bytes: Uint8Array, limits: DecodeLimits, onRow?: OnRow): ImageStats {
  const layout = walkExr(bytes, withDefaults(limits))
  const info = exrInfo(layout)
  const hash = startPixelHash()
  const accumulators = layout.parts.map((part, index) => {
    const facts = info.parts[index]!
    hashPartHeader(hash, facts.dataWindow, facts.channels)
    const accumulator = createPartAccumulator(facts, facts.channels, onRow && ((row) => onRow({ part: index, ...row })))
    readBands(bytes, part, (band) => {
      hash.update(band.bytes)
      addBand(accumulator, band)
    })
    return accumulator
  })
  return statsOf(info, accumulators, hash.digest('hex'))
}

function addBand(accumulator: PartAccumulator, { block, bytes }: ExrBand): void {
  let at = 0
  // Samples have two or four bytes, so a half always starts at an even place.
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1)
  for (let y = block.yMin; y <= block.yMax; y++) {
    accumulator.addRow(
      block.channels.map(({ channel, width }): RowPlane | undefined => {
        if (channel.ySampling !== 1 && y % channel.ySampling !== 0) return undefined
        const from = at
        at += width * channel.size
        if (channel.type === 'half') {
          return { samples: halves, at: from >> 1, stride: 1, count: width }
        }
        const words = alignedWords(bytes, from, width)
        const samples = channel.type === 'float' ? new Float32Array(words.buffer, words.byteOffset, width) : words
        return { samples, at: 0, stride: 1, count: width }
      }),
    )
  }
}

function statsOf(info: ImageInfo, accumulators: readonly PartAccumulator[], pixelHash: string): ImageStats {
  const { format, width, height, bitDepth, colorType } = info
  const parts = accumulators.map((accumulator) => accumulator.finish())
  if (parts.length === 0) throw new ImageError('bad-header', 'the file has no part')
  return { format, width, height, bitDepth, ...(colorType ? { colorType } : {}), info, parts, pixelHash }
}
