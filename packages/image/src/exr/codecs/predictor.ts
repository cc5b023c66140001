import { placeInput, scratchOf, type Scratch } from '../../simd/scratch.ts'

/**
 * Undoes OpenEXR's byte predictor and its splitting into halves (ImfZip.cpp, `Zip::uncompress`): byte i is the previous
 * byte plus the stored one minus 128, then the first half of the bytes holds the even positions of the output and the
 * second half the odd ones.
 *
 * Runs on both halves at once, four bytes of each in one 32-bit word: the even and odd bytes of a word are summed in
 * 16-bit lanes, which cannot overflow, so the serial chain is one addition for four bytes. `out` must be aligned to 4.
 */
export function reconstruct(stored: Uint8Array, out: Uint8Array): void {
  const length = stored.length
  const half = (length + 1) >> 1
  const scratch = scratchOf(out)
  if (scratch && length >= 64) {
    reconstructVectors(scratch, stored, out)
    return
  }
  const low = wordsOf(stored, 0, half)
  const high = wordsOf(stored, half, length)
  const target = new Uint32Array(out.buffer, out.byteOffset, length >> 2)
  const words = (length >> 1) >> 2
  // Xor with 128 is minus 128 in a byte; the first byte is stored as it is, so its chain starts at 128.
  let lowCarry = 128
  let highCarry = (128 + byteSum(low, stored, half)) & 255
  for (let i = 0; i < words; i++) {
    const a = low[i]! ^ 0x80808080
    const b = high[i]! ^ 0x80808080
    const aEven = a & 0x00ff00ff
    const bEven = b & 0x00ff00ff
    const aPair = aEven + ((a >>> 8) & 0x00ff00ff)
    const bPair = bEven + ((b >>> 8) & 0x00ff00ff)
    const aBase = Math.imul(lowCarry, 0x10001) + (aPair << 16)
    const bBase = Math.imul(highCarry, 0x10001) + (bPair << 16)
    const aOdd = aPair + aBase
    const bOdd = bPair + bBase
    lowCarry = (aOdd >>> 16) & 255
    highCarry = (bOdd >>> 16) & 255
    const even = ((aEven + aBase) & 0x00ff00ff) | (((bEven + bBase) & 0x00ff00ff) << 8)
    const odd = (aOdd & 0x00ff00ff) | ((bOdd & 0x00ff00ff) << 8)
    target[2 * i] = (even & 0xffff) | (odd << 16)
    target[2 * i + 1] = (even >>> 16) | (odd & 0xffff0000)
  }
  finish(stored, out, words * 4, lowCarry, highCarry)
}

/** The same by the kernel of 16 bytes at a time, where `out` lies in its memory. */
function reconstructVectors(scratch: Scratch, stored: Uint8Array, out: Uint8Array): void {
  const half = (stored.length + 1) >> 1
  const whole = (stored.length >> 1) & ~15
  const at = placeInput(scratch, out, stored)
  let sum = scratch.kernels.byteSum(at, at + whole) + 128 * (1 + half)
  for (let i = whole; i < half; i++) sum += stored[i]!
  scratch.kernels.reconstruct(at, at + whole, at + half, out.byteOffset, 128, sum & 255)
  finish(stored, out, whole, out[2 * whole - 2]!, out[2 * whole - 1]!)
}

/** Byte by byte from place `from` of each half, given the last byte of either. */
function finish(stored: Uint8Array, out: Uint8Array, from: number, lowCarry: number, highCarry: number): void {
  const half = (stored.length + 1) >> 1
  let low = lowCarry
  let high = highCarry
  for (let i = from; i < half; i++) {
    low = (low + stored[i]! + 128) & 255
    out[2 * i] = low
    if (half + i < stored.length) {
      high = (high + stored[half + i]! + 128) & 255
      out[2 * i + 1] = high
    }
  }
}

/** The whole words between two byte positions; copied where they do not start on a word. */
function wordsOf(bytes: Uint8Array, from: number, to: number): Uint32Array {
  const count = (to - from) >> 2
  const start = bytes.byteOffset + from
  if ((start & 3) === 0) return new Uint32Array(bytes.buffer, start, count)
  return new Uint32Array(new Uint8Array(bytes.subarray(from, from + count * 4)).buffer)
}

/** The last byte of the first half after its predictor is undone, less the start of its chain, modulo 256. */
function byteSum(words: Uint32Array, bytes: Uint8Array, half: number): number {
  let lanes = 0
  let sum = 0
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    // Each lane grows by at most 510, so 64 words stay inside 31 bits.
    lanes += (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)
    if ((i & 63) === 63) {
      sum += (lanes & 0xffff) + (lanes >>> 16)
      lanes = 0
    }
  }
  sum += (lanes & 0xffff) + (lanes >>> 16)
  for (let i = words.length * 4; i < half; i++) sum += bytes[i]!
  // Every byte carries minus 128.
  return (sum + 128 * (half & 1)) & 255
}
