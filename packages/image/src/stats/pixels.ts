import { HALF_INFINITY, numberToHalf } from '../half.ts'
import { scanShorts, TILE } from '../simd/scan-shorts.ts'
import { scratchOf } from '../simd/scratch.ts'
import type { PixelType } from '../types.ts'
import type { RowPlane } from './accumulate.ts'

/** Counts black and magenta pixels of rows of a colour picture. */
export interface PixelCounter {
  readonly black: number
  readonly magenta: number
  add(colors: readonly RowPlane[]): void
}

/** Starts counting; `type` is that of all colour planes, `linear` whether they are EXR. */
export function createPixelCounter(type: PixelType): PixelCounter {
  const counts = { black: 0, magenta: 0 }
  const classify = type === 'float' || type === 'uint32' ? classifyNumbers : createIntegerClassifier(type)
  return {
    get black() {
      return counts.black
    },
    get magenta() {
      return counts.magenta
    },
    add: ([r, g = r, b = r]) => classify(r!, g!, b!, counts),
  }
}

type Counts = { black: number; magenta: number }
type Classifier = (r: RowPlane, g: RowPlane, b: RowPlane, counts: Counts) => void

/** EXR thresholds on linear floats. Written so that NaN is neither black nor magenta. */
function classifyNumbers(r: RowPlane, g: RowPlane, b: RowPlane, counts: Counts): void {
  for (let i = 0; i < r.count; i++) {
    const red = r.samples[r.at + i * r.stride]!
    const green = g.samples[g.at + i * g.stride]!
    const blue = b.samples[b.at + i * b.stride]!
    if (Math.abs(red) < 1e-3 && Math.abs(green) < 1e-3 && Math.abs(blue) < 1e-3) counts.black++
    else if (green < 0.05 && red > 0.4 && blue > 0.4) counts.magenta++
  }
}

/** The same comparisons on stored integers; halves are compared by their bits, which order like the numbers. */
function createIntegerClassifier(type: PixelType): Classifier {
  const half = type === 'half'
  const scale = type === 'uint16' ? 65535 : 255
  const sign = half ? 0x8000 : 0
  const magnitude = half ? 0x7fff : 0xffff
  const blackEnd = half ? numberToHalf(1e-3) : Math.floor(scale / 255) + 1
  const lowEnd = half ? numberToHalf(0.05) : Math.ceil(0.12 * scale)
  const high = half ? numberToHalf(0.4) : Math.floor(0.7 * scale)
  const top = half ? HALF_INFINITY : 0xffff
  return (r, g, b, counts) => {
    if (half && countVectors(r, g, b, counts, { blackEnd, lowEnd, high, top })) return
    const [rs, gs, bs] = [r.samples as Uint16Array, g.samples as Uint16Array, b.samples as Uint16Array]
    const stride = g.stride
    const [red0, blue0] = [r.at - g.at, b.at - g.at]
    const end = g.at + g.count * stride
    let black = 0
    let magenta = 0
    for (let i = g.at; i < end; i += stride) {
      const green = gs[i]!
      // Most pixels have some green: one comparison settles them.
      if (green >= lowEnd && (green & sign) === 0) continue
      const red = rs[red0 + i]!
      const blue = bs[blue0 + i]!
      if ((green & magnitude) < blackEnd && (red & magnitude) < blackEnd && (blue & magnitude) < blackEnd) black++
      else if (red > high && red <= top && blue > high && blue <= top && (green & magnitude) <= top) magenta++
    }
    counts.black += black
    counts.magenta += magenta
  }
}

/** The same by the kernel, where the row is in its memory and of whole vectors; false where it is not. */
function countVectors(
  r: RowPlane,
  g: RowPlane,
  b: RowPlane,
  counts: Counts,
  { blackEnd, lowEnd, high, top }: Readonly<Record<'blackEnd' | 'lowEnd' | 'high' | 'top', number>>,
): boolean {
  const scratch = scratchOf(g.samples)
  if (!scratch || r.count % 8 !== 0 || r.stride !== 1) return false
  const totals = new Uint32Array(scratch.memory.buffer, 0, 2).fill(0)
  const [red, green, blue] = [r, g, b].map((plane) => plane.samples.byteOffset + 2 * plane.at) as [number, number, number]
  scratch.kernels.countHalves(red, green, blue, green + 2 * r.count, 0, blackEnd, lowEnd, high, top + 1)
  counts.black += totals[0]!
  counts.magenta += totals[1]!
  return true
}

/** Follows rows and squares of equal or zero colours. */
export interface RowWatcher {
  add(colors: readonly RowPlane[]): void
  finish(): {
    constantRows: number
    zeroRows: number
    zeroTiles: number
    tiles: number
    unfinishedRows: { top: number; bottom: number }
  }
}

/** Starts watching a picture of `width` columns. */
export function createRowWatcher(width: number, type: PixelType): RowWatcher {
  const columns = Math.ceil(width / TILE)
  // The sign bit does not count: a negative zero is zero.
  const mask = type === 'half' ? 0x7fff : type === 'float' ? 0x7fffffff : -1
  const used = new Uint8Array(columns)
  let [rows, constantRows, zeroRows, zeroTiles, tiles, top, bottom] = [0, 0, 0, 0, 0, 0, 0]
  let previous = ''
  let allUsed = false
  const closeTiles = (): void => {
    for (let column = 0; column < columns; column++) if (used[column] === 0) zeroTiles++
    tiles += columns
    used.fill(0)
    allUsed = false
  }
  return {
    add: (colors) => {
      let zero = true
      let constant = true
      // Below a row of squares that all hold something, a row that holds something and varies has no more to tell.
      allUsed ||= !used.includes(0)
      if (allUsed && varies(colors[0]!, mask)) constant = zero = false
      else
        for (const plane of colors) {
          const row = scanRow(plane, mask, used)
          if (!row.zero) zero = false
          if (!row.constant) constant = false
        }
      if (constant) constantRows++
      if (zero) zeroRows++
      const value = constant ? colors.map((plane) => plane.samples[plane.at]).join() : ''
      bottom = constant ? (value === previous ? bottom + 1 : 1) : 0
      if (bottom === rows + 1) top = bottom
      previous = value
      if (++rows % TILE === 0) closeTiles()
    },
    finish: () => {
      if (rows % TILE !== 0) closeTiles()
      return { constantRows, zeroRows, zeroTiles, tiles, unfinishedRows: { top, bottom } }
    },
  }
}

/** Whether a few samples of a row show already that it varies and is not zero. */
function varies({ samples: stored, at, stride, count }: RowPlane, mask: number): boolean {
  const samples = stored instanceof Float32Array ? floatBits(stored) : stored
  const first = samples[at]!
  const step = Math.max(1, count >> 4) * stride
  for (let i = at + step; i < at + count * stride; i += step) {
    if (samples[i] !== first) return ((samples[i]! | first) & mask) !== 0
  }
  return false
}

/** Marks the squares in which the row has anything but zeros, and tells whether all its samples are equal or zero. */
function scanRow(row: RowPlane, mask: number, used: Uint8Array): { zero: boolean; constant: boolean } {
  const { at, stride, count } = row
  if (row.samples instanceof Uint16Array && stride === 1) {
    const found = scanShorts(row.samples, at, count, mask, used)
    if (found) return found
  }
  const samples = row.samples instanceof Float32Array ? floatBits(row.samples) : row.samples
  const first = samples[at]!
  const end = at + count * stride
  let differs = 0
  let any = 0
  let tile = 0
  for (let from = at; from < end; from += TILE * stride, tile++) {
    const to = Math.min(end, from + TILE * stride)
    let bits = 0
    for (let i = from; i < to; i += stride) {
      const value = samples[i]!
      bits |= value
      differs |= value ^ first
    }
    if ((bits & mask) !== 0) {
      used[tile] = 1
      any = 1
    }
  }
  return { zero: any === 0, constant: differs === 0 }
}

const floatBits = (floats: Float32Array): Uint32Array => new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
