import { ImageError, type ImageErrorWhere } from '../../error.ts'
import { floatBitsToHalf, HALF_INFINITY, halfToFloat, numberToHalf } from '../../half.ts'

/** The coded cosine terms of a chunk; the places move on as blocks are read. */
export interface DctStreams {
  readonly ac: Uint16Array
  readonly dc: Uint16Array
  acAt: number
  dcAt: number
}

/** A channel to fill with halves. */
export interface DctPlane {
  readonly width: number
  readonly rows: number
  /** pLinear: the values are stored as they are. */
  readonly linear: boolean
  readonly out: Uint16Array
}

/** Row-major place of each coefficient in zigzag order (as JPEG, ISO/IEC 10918-1 figure A.6). */
const ZIGZAG: Uint8Array = new Uint8Array([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42,
  49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
])

/**
 * Decodes the blocks of one channel, or of an RGB triple that is coded as Y'CbCr (Rec. 709), into its halves. The DC
 * terms of the channels follow each other plane by plane, the AC terms block by block.
 */
export function decodeDct(planes: readonly DctPlane[], streams: DctStreams, where: ImageErrorWhere): void {
  const { width, rows } = planes[0]!
  const across = Math.ceil(width / 8)
  const down = Math.ceil(rows / 8)
  if (streams.dcAt + planes.length * across * down > streams.dc.length) {
    throw new ImageError('bad-data', 'DWA chunk: too few constant terms', where)
  }
  const blocks = planes.map(() => new Float32Array(64))
  // A triple is always stored with the transfer curve, a single channel only where it is not linear.
  const curve = planes.length === 3 || !planes[0]!.linear ? toLinear() : undefined
  for (let by = 0; by < down; by++) {
    for (let bx = 0; bx < across; bx++) {
      let constant = true
      for (let p = 0; p < planes.length; p++) {
        const dc = streams.dc[streams.dcAt + p * across * down + by * across + bx]!
        const last = readBlock(streams, dc, blocks[p]!, where)
        if (last > 0) constant = false
        inverseDct(blocks[p]!, last)
      }
      if (planes.length === 3) toRgb(blocks[0]!, blocks[1]!, blocks[2]!)
      for (let p = 0; p < planes.length; p++) storeBlock(blocks[p]!, planes[p]!, bx * 8, by * 8, constant, curve)
    }
  }
  streams.dcAt += planes.length * across * down
}

/** Reads one block's terms as floats; returns the zigzag place of the last one that is not zero. */
function readBlock(streams: DctStreams, dc: number, block: Float32Array, where: ImageErrorWhere): number {
  const { ac } = streams
  const values = halfToFloat()
  block.fill(0)
  block[0] = values[dc]!
  let at = streams.acAt
  let last = 0
  for (let place = 1; place < 64; at++) {
    if (at >= ac.length) throw new ImageError('bad-data', 'DWA chunk: too few cosine terms', where)
    const term = ac[at]!
    // 0xff00 ends the block, 0xffnn skips nn zeros.
    if ((term & 0xff00) === 0xff00) place += (term & 0xff) === 0 ? 64 : term & 0xff
    else {
      block[ZIGZAG[place]!] = values[term]!
      last = place++
    }
  }
  streams.acAt = at
  return last
}

const f32 = Math.fround
// Half cosines as the reference writes them in its vector code (internal_dwa_simd.h).
const A = f32(0.3535536)
const B = f32(0.4903927)
const C = f32(0.4619398)
const D = f32(0.4157349)
const E = f32(0.2777855)
const F = f32(0.1913422)
const G = f32(0.09754573)

/** Undoes the 8 x 8 cosine transform: rows, then columns. */
function inverseDct(data: Float32Array, last: number): void {
  if (last === 0) {
    data.fill(f32(f32(data[0]! * A) * A))
    return
  }
  // Rows whose first zigzag place lies behind the last term hold only zeros.
  const rows = last < 2 ? 1 : last < 3 ? 2 : last < 9 ? 3 : last < 10 ? 4 : last < 20 ? 5 : last < 21 ? 6 : last < 35 ? 7 : 8
  for (let row = 0; row < rows; row++) transformRow(data, row * 8)
  for (let column = 0; column < 8; column++) transformColumn(data, column)
}

/**
 * The inverse transform of a row. Here and in the columns, sums are rounded to 32 bits in the order of the reference's AVX
 * code, which most machines run, so that the halves come out alike.
 */
function transformRow(d: Float32Array, at: number): void {
  const [x1, x3, x5, x7] = [d[at + 1]!, d[at + 3]!, d[at + 5]!, d[at + 7]!]
  const a0 = f32(d[at]! * A)
  const a4 = f32(d[at + 4]! * A)
  const c2 = f32(d[at + 2]! * C)
  const f2 = f32(d[at + 2]! * F)
  const c6 = f32(d[at + 6]! * C)
  const f6 = f32(d[at + 6]! * F)
  const even0 = f32(f32(a0 + c2) + f32(a4 + f6))
  const even1 = f32(f32(a0 + f2) - f32(a4 + c6))
  const even2 = f32(f32(a0 - f2) + f32(c6 - a4))
  const even3 = f32(f32(a0 - c2) + f32(a4 - f6))
  const odd0 = f32(f32(f32(x1 * B) + f32(x3 * D)) + f32(f32(x5 * E) + f32(x7 * G)))
  const odd1 = f32(f32(f32(x1 * D) - f32(x3 * G)) - f32(f32(x5 * B) + f32(x7 * E)))
  const odd2 = f32(f32(f32(x1 * E) - f32(x3 * B)) + f32(f32(x5 * G) + f32(x7 * D)))
  const odd3 = f32(f32(f32(x1 * G) - f32(x3 * E)) + f32(f32(x5 * D) - f32(x7 * B)))
  storeEight(d, at, 1, even0, even1, even2, even3, odd0, odd1, odd2, odd3)
}

/** The inverse transform of a column: the same sums, grouped otherwise. */
function transformColumn(d: Float32Array, at: number): void {
  const [x1, x3, x5, x7] = [d[at + 8]!, d[at + 24]!, d[at + 40]!, d[at + 56]!]
  const a0 = f32(d[at]! * A)
  const a4 = f32(d[at + 32]! * A)
  const outer = f32(f32(d[at + 16]! * C) + f32(d[at + 48]! * F))
  const inner = f32(f32(d[at + 16]! * F) - f32(d[at + 48]! * C))
  const sum = f32(a0 + a4)
  const difference = f32(a0 - a4)
  const odd0 = f32(f32(f32(x1 * B) + f32(x3 * D)) + f32(f32(x5 * E) + f32(x7 * G)))
  const odd1 = f32(f32(f32(x1 * D) - f32(f32(x3 * G) + f32(x5 * B))) - f32(x7 * E))
  const odd2 = f32(f32(f32(f32(x1 * E) - f32(x3 * B)) + f32(x5 * G)) + f32(x7 * D))
  const odd3 = f32(f32(f32(x1 * G) + f32(x5 * D)) - f32(f32(x3 * E) + f32(x7 * B)))
  storeEight(
    d,
    at,
    8,
    f32(sum + outer),
    f32(difference + inner),
    f32(difference - inner),
    f32(sum - outer),
    odd0,
    odd1,
    odd2,
    odd3,
  )
}

function storeEight(
  d: Float32Array,
  at: number,
  step: number,
  even0: number,
  even1: number,
  even2: number,
  even3: number,
  odd0: number,
  odd1: number,
  odd2: number,
  odd3: number,
): void {
  d[at] = even0 + odd0
  d[at + step] = even1 + odd1
  d[at + 2 * step] = even2 + odd2
  d[at + 3 * step] = even3 + odd3
  d[at + 4 * step] = even3 - odd3
  d[at + 5 * step] = even2 - odd2
  d[at + 6 * step] = even1 - odd1
  d[at + 7 * step] = even0 - odd0
}

/** Y'CbCr of Rec. 709 to RGB, in place. */
function toRgb(first: Float32Array, second: Float32Array, third: Float32Array): void {
  for (let i = 0; i < 64; i++) {
    const y = first[i]!
    const cb = second[i]!
    const cr = third[i]!
    first[i] = y + f32(f32(1.5747) * cr)
    second[i] = f32(f32(f32(cb * f32(-0.1873)) + y) + f32(cr * f32(-0.4682)))
    third[i] = f32(f32(1.8556) * cb) + y
  }
}

function storeBlock(
  block: Float32Array,
  plane: DctPlane,
  x: number,
  y: number,
  constant: boolean,
  curve: Uint16Array | undefined,
): void {
  const right = Math.min(8, plane.width - x)
  const down = Math.min(8, plane.rows - y)
  const bits = new Uint32Array(block.buffer)
  const convert = (place: number): number => {
    const half = floatBitsToHalf(bits[place]!)
    return curve ? curve[half]! : half
  }
  const first = convert(0)
  for (let row = 0; row < down; row++) {
    const to = (y + row) * plane.width + x
    if (constant) plane.out.fill(first, to, to + right)
    else for (let column = 0; column < right; column++) plane.out[to + column] = convert(row * 8 + column)
  }
}

let linear: Uint16Array | undefined

/** The inverse of DWA's transfer curve: power 2.2 up to 1, exponential above (internal_dwa_table_init.c). */
function toLinear(): Uint16Array {
  if (linear) return linear
  linear = new Uint16Array(65536)
  const values = halfToFloat()
  for (let bits = 1; bits < 65536; bits++) {
    if ((bits & HALF_INFINITY) === HALF_INFINITY) continue
    const size = Math.abs(values[bits]!)
    const power = size <= 1 ? size ** f32(2.2) : f32(9.02501329156) ** (size - 1)
    linear[bits] = numberToHalf(values[bits]! < 0 ? -power : power)
  }
  return linear
}
