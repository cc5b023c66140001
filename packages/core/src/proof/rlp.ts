import { invalid } from '../contract/error.ts'
import { concat } from './bytes.ts'

/** A decoded RLP item: a byte string or a list (Ethereum yellow paper, appendix B). */
export type Rlp = Uint8Array | readonly Rlp[]

/** Decodes exactly one item that fills `bytes`. Takes the canonical form only: two encodings of one value would let a byte be changed unseen. @throws invalid-input */
export function decodeRlp(bytes: Uint8Array, path = 'rlp'): Rlp {
  const { item, end } = readItem(bytes, 0, path)
  if (end !== bytes.length) throw invalid(path, `${end} bytes`, bytes.length)
  return item
}

function readItem(bytes: Uint8Array, at: number, path: string): { item: Rlp; end: number } {
  const tag = bytes[at]
  if (tag === undefined) throw invalid(path, `an item at byte ${at}`, 'the end')
  if (tag < 0x80) return { item: bytes.subarray(at, at + 1), end: at + 1 }
  const isList = tag >= 0xc0
  const short = tag - (isList ? 0xc0 : 0x80)
  const { start, length } = short <= 55 ? { start: at + 1, length: short } : readLength(bytes, at + 1, short - 55, path)
  const end = start + length
  if (end > bytes.length) throw invalid(path, `${length} bytes at ${start}`, bytes.length - start)
  if (!isList) {
    if (length === 1 && bytes[start]! < 0x80) throw invalid(path, 'the shortest encoding', `a prefix before byte ${bytes[start]}`)
    return { item: bytes.subarray(start, end), end }
  }
  const items: Rlp[] = []
  for (let next = start; next < end;) {
    const inner = readItem(bytes.subarray(0, end), next, path)
    items.push(inner.item)
    next = inner.end
  }
  return { item: items, end }
}

function readLength(bytes: Uint8Array, at: number, size: number, path: string): { start: number; length: number } {
  let length = 0
  for (let i = 0; i < size; i++) length = length * 256 + (bytes[at + i] ?? 0)
  if (bytes[at] === 0 || length <= 55 || !Number.isSafeInteger(length))
    throw invalid(path, 'a length in its shortest encoding', length)
  return { start: at + size, length }
}

/** Encodes an item. */
export function encodeRlp(item: Rlp): Uint8Array {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && item[0]! < 0x80) return item
    return concat(prefix(item.length, 0x80), item)
  }
  const body = concat(...item.map(encodeRlp))
  return concat(prefix(body.length, 0xc0), body)
}

function prefix(length: number, base: number): Uint8Array {
  if (length <= 55) return Uint8Array.of(base + length)
  const digits: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return Uint8Array.of(base + 55 + digits.length, ...digits)
}
