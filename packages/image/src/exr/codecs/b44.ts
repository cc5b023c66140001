import { ImageError, type ImageErrorWhere } from '../../error.ts'
import { HALF_INFINITY, halfToFloat, numberToHalf } from '../../half.ts'
import { scatterPlanes } from './planar.ts'
import type { Block } from '../layout.ts'

/**
 * Decodes a B44 or B44A chunk (ImfB44Compressor.cpp): halves in blocks of 4 x 4 pixels, 14 bytes each, or 3 where all
 * are equal; other types are stored as they are.
 */
export function decodeB44(input: Uint8Array, block: Block, out: Uint8Array, where: ImageErrorWhere): void {
  const planes = new Uint8Array(block.bytes)
  const square = new Uint16Array(16)
  let from = 0
  let start = 0
  for (const { channel, width, rows } of block.channels) {
    const bytes = width * rows * channel.size
    if (channel.type !== 'half') {
      need(input, from, bytes, where)
      planes.set(input.subarray(from, from + bytes), start)
      from += bytes
    } else {
      const plane = new Uint16Array(planes.buffer, start, width * rows)
      const table = channel.linear ? linearTable() : undefined
      for (let y = 0; y < rows; y += 4) {
        for (let x = 0; x < width; x += 4) {
          need(input, from, 3, where)
          // A shift of 13 or more marks a block of equal values.
          const short = input[from + 2]! >= 13 << 2
          if (!short) need(input, from, 14, where)
          if (short) square.fill(ordered((input[from]! << 8) | input[from + 1]!))
          else unpack14(input, from, square)
          from += short ? 3 : 14
          copySquare(square, plane, x, y, width, rows, table)
        }
      }
    }
    start += bytes
  }
  if (from !== input.length) throw new ImageError('bad-length', `${input.length - from} bytes follow the B44 blocks`, where)
  scatterPlanes(planes, block, out)
}

function need(input: Uint8Array, from: number, length: number, where: ImageErrorWhere): void {
  if (from + length > input.length) throw new ImageError('bad-data', 'B44 blocks pass the end of the chunk', where)
}

function copySquare(
  square: Uint16Array,
  plane: Uint16Array,
  x: number,
  y: number,
  width: number,
  rows: number,
  table?: Uint16Array,
): void {
  const right = Math.min(4, width - x)
  const down = Math.min(4, rows - y)
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < right; column++) {
      const value = square[row * 4 + column]!
      plane[(y + row) * width + x + column] = table ? table[value]! : value
    }
  }
}

/** From the ordering that sorts like the numbers back to half bits. */
const ordered = (value: number): number => (value & 0x8000 ? value & 0x7fff : ~value & 0xffff)

/** Six-bit differences: down the first column, then along the rows from column to column. */
function unpack14(b: Uint8Array, at: number, s: Uint16Array): void {
  const shift = b[at + 2]! >> 2
  const bias = 0x20 << shift
  let bit = 22
  const next = (): number => {
    const byte = at + (bit >> 3)
    const value = (((b[byte]! << 8) | (b[byte + 1] ?? 0)) >> (10 - (bit & 7))) & 63
    bit += 6
    return (value << shift) - bias
  }
  s[0] = (b[at]! << 8) | b[at + 1]!
  for (let row = 1; row < 4; row++) s[row * 4] = s[row * 4 - 4]! + next()
  for (let column = 1; column < 4; column++) {
    for (let row = 0; row < 4; row++) s[row * 4 + column] = s[row * 4 + column - 1]! + next()
  }
  for (let i = 0; i < 16; i++) s[i] = ordered(s[i]!)
}

let linear: Uint16Array | undefined

/** exp(x / 8) for channels stored as logarithms (ImfB44Compressor.cpp, `convertToLinear`). */
function linearTable(): Uint16Array {
  if (linear) return linear
  linear = new Uint16Array(65536)
  const floats = halfToFloat()
  for (let bits = 0; bits < 65536; bits++) {
    const value = floats[bits]!
    if ((bits & HALF_INFINITY) === HALF_INFINITY) linear[bits] = 0
    else if (value >= 8 * Math.log(65504)) linear[bits] = 0x7bff
    else linear[bits] = numberToHalf(Math.exp(value / 8))
  }
  return linear
}
