import type { Area, Picture } from '../compare/picture.ts'

/** What is kept of a frame to compare it with its neighbours: a few numbers a block and some pixels, below 1 MB whatever the picture's size. */
export interface FrameFeatures {
  readonly width: number
  readonly height: number
  /** Whether `samples` are linear scene values. */
  readonly hdr: boolean
  /** Side of a block, pixels; the last column and row of blocks take what is left. */
  readonly side: number
  readonly columns: number
  readonly rows: number
  /** Share of the pixels that the figures of blocks rest on: 1, or less above Full HD. */
  readonly share: number
  /** Per block, mean of each colour plane in the domain of {@link Picture.colour}. */
  readonly means: readonly Float64Array[]
  /** Per block, mean squared difference of pixels one apart (horizontal and vertical, all planes): noise and texture. */
  readonly near: Float64Array
  /** The same for pixels two apart. White noise has `near` = `far`; smeared noise has less at one pixel than at two. */
  readonly far: Float64Array
  /** Per block, 1 where all its pixels are exactly alike in every plane: nothing was rendered there, or the scene is flat. */
  readonly blank: Uint8Array
  /** Isolated pixels, far brighter than the four beside them, in the plane that has most. Above Full HD, of every sixteenth row. */
  readonly hot: number
  /** Every `step`-th pixel of every `step`-th row of each plane, in the domain of {@link Picture.raw}. */
  readonly step: number
  readonly samples: readonly Float32Array[]
}

/** Blocks have 16 pixels to a side up to Full HD, and as many more as keep their number. */
const SIDE = 16
const FULL_HD = 1920 * 1080
/** About so many pixels are kept as they are. */
const SAMPLES = 1 << 14

/** Takes a picture's rows from the top down. */
export interface FeatureMeter {
  /** Whether the coming row's `target`s are looked at. */
  readonly wants: boolean
  /** Where to write plane `plane` of the coming row, in the domain of {@link Picture.colour}. */
  target(plane: number): Float32Array
  /** Takes the row that was written; `raw` gives a pixel as {@link Picture.raw} holds it. */
  next(raw: (plane: number, x: number) => number): void
  finish(): FrameFeatures
}

/** Above Full HD, blocks are large enough to be told by the first 3 rows of every 16, which cost a fifth of the time. */
const [BAND, LOOKED_AT] = [16, 3]

/** Side of the blocks of a picture of this many pixels. */
const blockSide = (pixels: number): number => SIDE * Math.max(1, Math.round(Math.sqrt(pixels / FULL_HD)))

/** Starts measuring a picture for the sequence checks. */
export function featureMeter(width: number, height: number, planes: number, hdr: boolean): FeatureMeter {
  const side = blockSide(width * height)
  const columns = Math.max(1, Math.floor(width / side))
  const rows = Math.max(1, Math.floor(height / side))
  const step = Math.max(1, Math.floor(Math.sqrt((width * height) / SAMPLES)))
  const across = Math.ceil(width / step)
  const each = <T>(make: () => T): T[] => Array.from({ length: planes }, make)
  const sums: Sums = {
    side,
    columns,
    width,
    means: each(() => new Float64Array(columns * rows)),
    first: each(() => new Float32Array(columns * rows)),
    near: new Float64Array(columns * rows),
    far: new Float64Array(columns * rows),
    blank: new Uint8Array(columns * rows).fill(1),
  }
  const samples = each(() => new Float32Array(across * Math.ceil(height / step)))
  // Three rows take turns: a pixel is compared with those one and two below it.
  const ring = Array.from({ length: 3 }, () => each(() => new Float32Array(width)))
  let y = 0
  const rowAt = (at: number): readonly Float32Array[] => ring[at % 3]!
  const all = side === SIDE
  const hot = each(() => 0)
  const looked = (at: number): boolean => all || at % BAND < LOOKED_AT
  const counted = new Float64Array(rows)
  const blockRow = (at: number): number => Math.min(rows - 1, Math.floor(at / side))
  return {
    get wants() {
      return looked(y)
    },
    target: (plane) => rowAt(y)[plane]!,
    next: (raw) => {
      if (y % step === 0) {
        const from = (y / step) * across
        samples.forEach((kept, plane) => {
          for (let i = 0; i < across; i++) kept[from + i] = raw(plane, i * step)
        })
      }
      if (looked(y)) {
        const row = blockRow(y)
        addLevels(sums, rowAt(y), row, counted[row] === 0)
        counted[row]!++
      }
      if (y >= 2 && (all || y % BAND === LOOKED_AT - 1)) {
        addPairs(sums, rowAt(y - 2), rowAt(y - 1), rowAt(y), blockRow(y - 2))
        for (let c = 0; c < planes; c++) hot[c]! += hotPixels(rowAt(y - 2)[c]!, rowAt(y - 1)[c]!, rowAt(y)[c]!)
      }
      y++
    },
    finish: () => {
      const { means, near, far, blank } = sums
      for (let block = 0; block < columns * rows; block++) {
        const area = blockArea({ width, height, side, columns, rows }, block)
        const pixels = area.width * counted[Math.floor(block / columns)]!
        for (const mean of means) mean[block] = mean[block]! / pixels
        const pairs = 2 * planes * (all ? pixels : pixels / LOOKED_AT)
        near[block] = near[block]! / pairs
        far[block] = far[block]! / pairs
      }
      const share = all ? 1 : LOOKED_AT / BAND
      return { width, height, hdr, side, columns, rows, share, means, near, far, blank, hot: Math.max(...hot), step, samples }
    },
  }
}

/** Measures a picture that is in memory. */
export function measurePicture({ width, height, colour, raw, hdr }: Picture): FrameFeatures {
  const meter = featureMeter(width, height, colour.length, hdr)
  for (let from = 0; from < width * height; from += width) {
    colour.forEach((plane, c) => meter.target(c).set(plane.subarray(from, from + width)))
    meter.next((c, x) => raw[c]![from + x]!)
  }
  return meter.finish()
}

/** The pixels of a block. */
export function blockArea(
  { width, height, side, columns, rows }: Pick<FrameFeatures, 'width' | 'height' | 'side' | 'columns' | 'rows'>,
  block: number,
): Area {
  const [column, row] = [block % columns, Math.floor(block / columns)]
  const [x, y] = [column * side, row * side]
  return { x, y, width: column === columns - 1 ? width - x : side, height: row === rows - 1 ? height - y : side }
}

interface Sums extends Pick<FrameFeatures, 'side' | 'columns' | 'width' | 'means' | 'near' | 'far' | 'blank'> {
  /** The first pixel of each block. */
  readonly first: readonly Float32Array[]
}

function addLevels(
  { side, columns, width, means, first, blank }: Sums,
  row: readonly Float32Array[],
  at: number,
  starts: boolean,
): void {
  for (let c = 0; c < row.length; c++) {
    const plane = row[c]!
    const mean = means[c]!
    const levels = first[c]!
    for (let column = 0; column < columns; column++) {
      const block = at * columns + column
      const from = column * side
      const to = column === columns - 1 ? width : from + side
      if (starts) levels[block] = plane[from]!
      mean[block] = mean[block]! + sumOf(plane, from, to)
      if (blank[block] && !allAre(plane, from, to, levels[block]!)) blank[block] = 0
    }
  }
}

/** Four sums take turns, so that no addition waits for the one before. */
function sumOf(plane: Float32Array, from: number, to: number): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  let i = from
  for (; i + 3 < to; i += 4) {
    a += plane[i]!
    b += plane[i + 1]!
    c += plane[i + 2]!
    d += plane[i + 3]!
  }
  for (; i < to; i++) a += plane[i]!
  return a + b + (c + d)
}

function allAre(plane: Float32Array, from: number, to: number, level: number): boolean {
  for (let i = from; i < to; i++) if (plane[i] !== level) return false
  return true
}

/** Pairs to the right stay inside a block, those below may leave it; each counts for the block of its first pixel. */
function addPairs(
  { side, columns, width, near, far }: Sums,
  row: readonly Float32Array[],
  below: readonly Float32Array[],
  below2: readonly Float32Array[],
  at: number,
): void {
  for (let c = 0; c < row.length; c++) {
    const p = row[c]!
    const q = below[c]!
    const r = below2[c]!
    for (let column = 0; column < columns; column++) {
      const from = column * side
      const to = (column === columns - 1 ? width : from + side) - 2
      let n1 = 0
      let n2 = 0
      for (let i = from; i < to; i++) {
        const v = p[i]!
        const right = v - p[i + 1]!
        const right2 = v - p[i + 2]!
        const down = v - q[i]!
        const down2 = v - r[i]!
        n1 += right * right + down * down
        n2 += right2 * right2 + down2 * down2
      }
      const block = at * columns + column
      near[block] = near[block]! + n1
      far[block] = far[block]! + n2
    }
  }
}

/** A firefly is brighter than the pixels beside it by this much of the range. */
const HOT = 0.25

/** Pixels of `row` that stand out from the four beside them. */
function hotPixels(above: Float32Array, row: Float32Array, below: Float32Array): number {
  let hot = 0
  for (let i = 1; i < row.length - 1; i++) {
    const rest = row[i]! - HOT
    if (rest > below[i]! && rest > above[i]! && rest > row[i - 1]! && rest > row[i + 1]!) hot++
  }
  return hot
}

/** Whether two frames can be compared block by block. */
export function sameGrid(a: FrameFeatures, b: FrameFeatures): boolean {
  return a.width === b.width && a.height === b.height && a.means.length === b.means.length
}

/** Root mean square difference of block means: how much the content changed. */
export function contentDistance(a: FrameFeatures, b: FrameFeatures): number {
  let sum = 0
  let count = 0
  for (let c = 0; c < a.means.length; c++) {
    const p = a.means[c]!
    const q = b.means[c]!
    for (let i = 0; i < p.length; i++) sum += (p[i]! - q[i]!) ** 2
    count += p.length
  }
  return Math.sqrt(sum / count)
}

/** The middle of a list, and its standard error by the median absolute deviation (1.2533 x 1.4826 MAD / sqrt n, for a normal middle). */
export function median(values: readonly number[]): { readonly middle: number; readonly error: number } {
  if (values.length === 0) return { middle: 0, error: Infinity }
  const middle = half(values)
  return { middle, error: (1.2533 * 1.4826 * half(values.map((value) => Math.abs(value - middle)))) / Math.sqrt(values.length) }
}

function half(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  const at = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[at]! : (sorted[at - 1]! + sorted[at]!) / 2
}
