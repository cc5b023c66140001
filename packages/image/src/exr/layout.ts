import { ImageError } from '../error.ts'
import type { ExrChannel } from './attributes.ts'
import type { ExrCompression, ExrHeader } from './header.ts'

/** Rows that one compressed chunk of a scanline part holds (OpenEXR file layout; DWAB and HTJ2K256: 256). */
export const LINES_PER_CHUNK: Readonly<Record<ExrCompression, number>> = {
  none: 1,
  rle: 1,
  zips: 1,
  zip: 16,
  piz: 32,
  pxr24: 16,
  b44: 32,
  b44a: 32,
  dwaa: 32,
  dwab: 256,
  htj2k256: 256,
  htj2k32: 32,
}

/** Samples of a subsampled channel between two coordinates, both included: those at multiples of the sampling. */
export function sampleCount(sampling: number, min: number, max: number): number {
  return sampling === 1 ? max - min + 1 : Math.max(0, Math.floor(max / sampling) - Math.ceil(min / sampling) + 1)
}

/** A channel's share of a block of rows. */
export interface BlockChannel {
  readonly channel: ExrChannel
  /** Samples of a row that has any. */
  readonly width: number
  /** Rows that have samples. */
  readonly rows: number
}

/** A rectangle of pixels that is compressed as one: a chunk of scanlines, or a tile. Absolute coordinates. */
export interface Block {
  readonly yMin: number
  readonly yMax: number
  readonly channels: readonly BlockChannel[]
  /** Bytes of all samples in the file's own layout: row by row, channel by channel. */
  readonly bytes: number
}

/** Describes the block of a part between these coordinates. */
export function createBlock(channels: readonly ExrChannel[], xMin: number, xMax: number, yMin: number, yMax: number): Block {
  let bytes = 0
  const parts = channels.map((channel): BlockChannel => {
    const width = sampleCount(channel.xSampling, xMin, xMax)
    const rows = sampleCount(channel.ySampling, yMin, yMax)
    bytes += width * rows * channel.size
    return { channel, width, rows }
  })
  return { yMin, yMax, channels: parts, bytes }
}

/** One resolution level of a tiled part. */
export interface Level {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly tilesX: number
  readonly tilesY: number
}

/** Levels of a tiled part in the order of the offset table: level 0 first. */
export function tileLevels(header: ExrHeader): readonly Level[] {
  const tile = header.tile!
  const level = (x: number, y: number): Level => {
    const width = levelSize(header.width, x, tile.roundUp)
    const height = levelSize(header.height, y, tile.roundUp)
    return { x, y, width, height, tilesX: Math.ceil(width / tile.width), tilesY: Math.ceil(height / tile.height) }
  }
  if (tile.levels === 'one') return [level(0, 0)]
  if (tile.levels === 'mipmap') {
    const count = levelCount(Math.max(header.width, header.height), tile.roundUp)
    return Array.from({ length: count }, (_, index) => level(index, index))
  }
  const across = levelCount(header.width, tile.roundUp)
  const down = levelCount(header.height, tile.roundUp)
  return Array.from({ length: across * down }, (_, index) => level(index % across, Math.floor(index / across)))
}

const levelCount = (size: number, roundUp: boolean): number =>
  (roundUp ? Math.ceil(Math.log2(size)) : Math.floor(Math.log2(size))) + 1

const levelSize = (size: number, level: number, roundUp: boolean): number =>
  Math.max(1, roundUp ? Math.ceil(size / 2 ** level) : Math.floor(size / 2 ** level))

/** Number of chunks that a part's offset table must list. @throws ImageError `bad-header` where `chunkCount` differs. */
export function chunkTotal(header: ExrHeader): number {
  const total =
    header.kind === 'tiled'
      ? tileLevels(header).reduce((sum, level) => sum + level.tilesX * level.tilesY, 0)
      : Math.ceil(header.height / LINES_PER_CHUNK[header.compression])
  if (header.chunkCount !== undefined && header.chunkCount !== total) {
    throw new ImageError('bad-header', `chunkCount is ${header.chunkCount}, the windows need ${total}`, {
      part: header.index,
      field: 'chunkCount',
    })
  }
  return total
}
