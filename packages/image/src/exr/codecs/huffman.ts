import { ImageError, type ImageErrorWhere } from '../../error.ts'

/** 2^16 values and one symbol that repeats the last value (ImfHuf.cpp). */
const SYMBOLS = 65537
const MAX_LENGTH = 58
/** Codes up to this length are found by one look-up. */
const TABLE_BITS = 12
const SHORT_RUN = 59
const LONG_RUN = 63
const SHORTEST_LONG_RUN = 6

interface Codes {
  readonly lengths: Uint8Array
  /** Symbols ordered by length, then by value. */
  readonly ordered: Uint32Array
  /** By length: first code, number of codes, place of the first in `ordered`. */
  readonly first: Float64Array
  readonly count: Uint32Array
  readonly place: Uint32Array
  /** By the next bits: symbol * 16 + length; 0 where the code is longer. */
  readonly table: Uint32Array
  readonly repeat: number
}

/**
 * Decodes OpenEXR's Huffman coding (as PIZ and DWA use it) into `out`, which it must fill exactly.
 * @throws ImageError `bad-data`, `bad-length`.
 */
export function huffmanDecode(input: Uint8Array, out: Uint16Array, where: ImageErrorWhere): void {
  const bad = (message: string): never => {
    throw new ImageError('bad-data', `Huffman data: ${message}`, where)
  }
  if (input.length < 20) {
    if (out.length === 0 && input.length === 0) return
    bad(`${input.length} bytes are too few for its header`)
  }
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const min = view.getUint32(0, true)
  const max = view.getUint32(4, true)
  const bits = view.getUint32(12, true)
  if (min >= SYMBOLS || max >= SYMBOLS || min > max) bad(`symbols ${min} to ${max} are out of range`)
  const { lengths, end } = readLengths(input, 20, min, max, bad)
  if (bits > (input.length - end) * 8) bad(`${bits} bits do not fit the ${input.length - end} bytes left`)
  decodeBits(input, end, bits, buildCodes(lengths, min, max, bad), out, where)
}

type Bad = (message: string) => never

/** Code lengths of 6 bits each; runs of zero lengths are packed. */
function readLengths(input: Uint8Array, start: number, min: number, max: number, bad: Bad): { lengths: Uint8Array; end: number } {
  const lengths = new Uint8Array(SYMBOLS)
  let at = start
  let held = 0
  let hold = 0
  const take = (count: number): number => {
    while (held < count) {
      if (at >= input.length) bad('the code lengths pass the end')
      hold = ((hold << 8) | input[at++]!) & 0xffffff
      held += 8
    }
    held -= count
    return (hold >>> held) & ((1 << count) - 1)
  }
  for (let symbol = min; symbol <= max; symbol++) {
    const length = take(6)
    if (length < SHORT_RUN) lengths[symbol] = length
    else {
      const run = length === LONG_RUN ? take(8) + SHORTEST_LONG_RUN : length - SHORT_RUN + 2
      if (symbol + run > max + 1) bad('a run of empty codes passes the last symbol')
      symbol += run - 1
    }
  }
  return { lengths, end: at }
}

function buildCodes(lengths: Uint8Array, min: number, max: number, bad: Bad): Codes {
  const count = new Uint32Array(MAX_LENGTH + 1)
  for (let symbol = min; symbol <= max; symbol++) count[lengths[symbol]!]!++
  const total = max - min + 1 - count[0]!
  count[0] = 0
  // Canonical codes: the longest come first, so a code's prefix is below every shorter code.
  const first = new Float64Array(MAX_LENGTH + 2)
  const place = new Uint32Array(MAX_LENGTH + 2)
  let code = 0
  for (let length = MAX_LENGTH; length > 0; length--) {
    first[length] = code
    if (code + count[length]! > 2 ** length) bad(`too many codes of ${length} bits`)
    code = Math.floor((code + count[length]!) / 2)
  }
  for (let length = 1; length <= MAX_LENGTH; length++) place[length + 1] = place[length]! + count[length]!
  const ordered = new Uint32Array(total)
  const next = place.slice()
  const table = new Uint32Array(1 << TABLE_BITS)
  for (let symbol = min; symbol <= max; symbol++) {
    const length = lengths[symbol]!
    if (length === 0) continue
    const index = next[length]!++
    ordered[index] = symbol
    if (length > TABLE_BITS) continue
    const value = first[length]! + index - place[length]!
    const from = value << (TABLE_BITS - length)
    table.fill(symbol * 16 + length, from, from + (1 << (TABLE_BITS - length)))
  }
  return { lengths, ordered, first, count, place, table, repeat: max }
}

function decodeBits(
  input: Uint8Array,
  start: number,
  bits: number,
  codes: Codes,
  out: Uint16Array,
  where: ImageErrorWhere,
): void {
  const { table, first, count, place, ordered, repeat } = codes
  const end = start + Math.ceil(bits / 8)
  let at = start
  let left = bits
  let hold = 0
  let held = 0
  let to = 0
  const bad = (message: string): never => {
    throw new ImageError('bad-data', `Huffman data: ${message}`, where)
  }
  while (left > 0) {
    // Past the end zeros are read; `left` tells whether a code really was there.
    while (held <= 16) {
      hold = (hold << 8) | (at < end ? input[at]! : 0)
      at++
      held += 8
    }
    const entry = table[(hold >>> (held - TABLE_BITS)) & ((1 << TABLE_BITS) - 1)]!
    let symbol = entry >>> 4
    let length = entry & 15
    if (length === 0) {
      // Rare: bit by bit, in floating point since codes may have more than 32 bits.
      let code = (hold >>> (held - TABLE_BITS)) & ((1 << TABLE_BITS) - 1)
      held -= TABLE_BITS
      for (length = TABLE_BITS + 1; length <= MAX_LENGTH; length++) {
        if (held === 0) {
          hold = at < end ? input[at]! : 0
          at++
          held = 8
        }
        held--
        code = code * 2 + ((hold >>> held) & 1)
        const index = code - first[length]!
        if (index >= 0 && index < count[length]!) {
          symbol = ordered[place[length]! + index]!
          break
        }
      }
      if (length > MAX_LENGTH) bad('a code that stands for nothing')
    } else held -= length
    left -= length
    if (symbol !== repeat) {
      if (to >= out.length) bad(`more than the ${out.length} values expected`)
      out[to++] = symbol
      continue
    }
    while (held < 8) {
      hold = (hold << 8) | (at < end ? input[at]! : 0)
      at++
      held += 8
    }
    held -= 8
    left -= 8
    const run = (hold >>> held) & 255
    if (to === 0) bad('a repeat before the first value')
    if (to + run > out.length) bad(`a repeat passes the ${out.length} values expected`)
    out.fill(out[to - 1]!, to, to + run)
    to += run
  }
  if (left < 0) bad('the last code passes the end')
  if (to !== out.length) throw new ImageError('bad-length', `Huffman data holds ${to} values, expected ${out.length}`, where)
}
