import { ImageError, type ImageErrorWhere } from '../../error.ts'
import { huffmanDecode } from './huffman.ts'
import { waveletDecode } from './wavelet.ts'
import { scatterPlanes } from './planar.ts'
import type { Block } from '../layout.ts'

const BITMAP_BYTES = 8192

/** Decodes a PIZ chunk (ImfPizCompressor.cpp): a bitmap of the values used, Huffman codes, wavelets, a value table. */
export function decodePiz(input: Uint8Array, block: Block, out: Uint8Array, where: ImageErrorWhere): void {
  const bad = (message: string): never => {
    throw new ImageError('bad-data', `PIZ chunk: ${message}`, where)
  }
  if (input.length < 4) bad('too short')
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const min = view.getUint16(0, true)
  const max = view.getUint16(2, true)
  if (max >= BITMAP_BYTES) bad(`bitmap ends at ${max}, the last possible byte is ${BITMAP_BYTES - 1}`)
  const bitmapBytes = min <= max ? max - min + 1 : 0
  const lengthAt = 4 + bitmapBytes
  if (lengthAt + 4 > input.length) bad('the bitmap passes the end')
  const { table, top } = valueTable(input.subarray(4, 4 + bitmapBytes), min)
  const length = view.getInt32(lengthAt, true)
  if (length < 0 || lengthAt + 4 + length > input.length) bad(`${length} bytes of Huffman data pass the end`)
  const planar = new Uint16Array(block.bytes / 2)
  huffmanDecode(input.subarray(lengthAt + 4, lengthAt + 4 + length), planar, where)
  let start = 0
  for (const { channel, width, rows } of block.channels) {
    const words = channel.size / 2
    for (let word = 0; word < words; word++) waveletDecode(planar, start + word, width, words, rows, width * words, top)
    start += width * rows * words
  }
  for (let i = 0; i < planar.length; i++) planar[i] = table[planar[i]!]!
  scatterPlanes(new Uint8Array(planar.buffer), block, out)
}

/** Values in use by rank; zero is always one of them. `top` is the highest rank. */
function valueTable(bitmap: Uint8Array, min: number): { table: Uint16Array; top: number } {
  const table = new Uint16Array(65536)
  let used = 1
  for (let byte = 0; byte < bitmap.length; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      const value = (min + byte) * 8 + bit
      if (value !== 0 && (bitmap[byte]! >> bit) & 1) table[used++] = value
    }
  }
  return { table, top: used - 1 }
}
