import type { PictureRow } from '@pictor/image'
import { featureMeter, type FeatureMeter, type FrameFeatures } from '../sequence/features.ts'
import { jpegGridMeter, type JpegGrid, type JpegGridMeter } from './jpeg-grid.ts'
import { isLinear, rowEncoder, type RowEncoder } from './rows.ts'

/** What one pass over a frame's picture leaves behind. */
export interface FrameMeasures {
  /** The part that holds the picture. */
  readonly part: number
  readonly features: FrameFeatures
  /** Of 8-bit and 16-bit integer pictures of at least 64 x 64 pixels. */
  readonly jpegGrid?: JpegGrid
  /** Different values of each colour plane, counted up to 301, of pictures with more than 8 bits. */
  readonly distinct?: readonly number[]
}

/** Takes the rows of a scan; only the first part that has a picture counts. */
export interface FrameMeter {
  add(row: PictureRow): void
  /** Undefined where no part held a picture of full size. */
  finish(): FrameMeasures | undefined
}

/** Values are counted up to this and one more. */
export const MOST_DISTINCT = 300

interface Started {
  readonly part: number
  readonly encoder: RowEncoder
  readonly features: FeatureMeter
  readonly grid?: JpegGridMeter
  readonly luma: Float32Array
  readonly seen?: readonly Set<number>[]
}

/** Measures a frame while it is scanned. */
export function frameMeter(): FrameMeter {
  let started: Started | undefined
  return {
    add: (row) => {
      // A subsampled picture has fewer samples than pixels and is not measured.
      if (row.colors[0]!.count !== row.width) return
      started ??= start(row)
      if (started.part !== row.part) return
      addRow(started, row)
    },
    finish: () => {
      if (!started) return undefined
      const { part, features, grid, seen } = started
      return {
        part,
        features: features.finish(),
        ...(grid ? { jpegGrid: grid.finish() } : {}),
        ...(seen ? { distinct: seen.map((values) => values.size) } : {}),
      }
    },
  }
}

function start(row: PictureRow): Started {
  const { part, width, height, type, colors } = row
  const hdr = isLinear(type)
  return {
    part,
    encoder: rowEncoder(row),
    features: featureMeter(width, height, colors.length, hdr),
    ...(!hdr && width >= 64 && height >= 64 ? { grid: jpegGridMeter(width, height) } : {}),
    luma: new Float32Array(hdr ? 0 : width),
    ...(type === 'uint8' ? {} : { seen: colors.map(() => new Set<number>()) }),
  }
}

function addRow({ encoder, features, grid, luma, seen }: Started, row: PictureRow): void {
  const { colors, alpha } = row
  const encoded = colors.map((_, c) => features.target(c))
  if (features.wants || grid?.wants) {
    colors.forEach((plane, c) => encoder.encode(plane, alpha, encoded[c]!))
    if (seen) for (const [c, values] of seen.entries()) countValues(values, encoded[c]!)
  }
  if (grid) grid.next(grid.wants ? lumaOf(encoded, luma) : undefined)
  features.next((c, x) => encoder.raw(colors[c]!, alpha, x))
}

/** Counts by bits: a set of small integers is several times faster than one of floats. */
function countValues(values: Set<number>, row: Float32Array): void {
  const bits = new Int32Array(row.buffer, row.byteOffset, row.length)
  for (let i = 0; i < bits.length && values.size <= MOST_DISTINCT; i++) values.add(bits[i]!)
}

/** Luma in 8-bit levels, Rec. 601 weights as in JFIF. */
function lumaOf([r, g, b]: readonly Float32Array[], into: Float32Array): Float32Array {
  for (let i = 0; i < into.length; i++) into[i] = g && b ? 255 * (0.299 * r![i]! + 0.587 * g[i]! + 0.114 * b[i]!) : 255 * r![i]!
  return into
}
