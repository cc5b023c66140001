import { invalid } from '../contract/error.ts'

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const UTF8 = new TextEncoder()

/** `0x` and two lower-case hex digits a byte. */
export function toHex(bytes: Uint8Array): `0x${string}` {
  let text = '0x'
  for (const byte of bytes) text += HEX[byte]
  return text as `0x${string}`
}

/** Bytes of a `0x` hex text of any even length. @throws invalid-input naming `path` */
export function fromHex(hex: string, path = 'hex'): Uint8Array {
  if (typeof hex !== 'string' || hex.length % 2 !== 0 || !/^0x[0-9a-f]*$/i.test(hex))
    throw invalid(path, '0x and hex digits', hex)
  const bytes = new Uint8Array((hex.length - 2) / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = nibble(hex.charCodeAt(2 + 2 * i)) * 16 + nibble(hex.charCodeAt(3 + 2 * i))
  return bytes
}

/** Value of a hex digit's character code: digits, then letters of either case. */
function nibble(code: number): number {
  return code <= 57 ? code - 48 : (code & 0xdf) - 55
}

/** Exactly 32 bytes. @throws invalid-input naming `path` */
export function bytes32(hex: string, path: string): Uint8Array {
  if (typeof hex !== 'string' || !/^0x[0-9a-f]{64}$/.test(hex)) throw invalid(path, '0x and 64 lower-case hex digits', hex)
  return fromHex(hex, path)
}

/** Exactly 20 bytes. @throws invalid-input naming `path` */
export function address20(hex: string, path: string): Uint8Array {
  if (typeof hex !== 'string' || !/^0x[0-9a-f]{40}$/.test(hex)) throw invalid(path, '0x and 40 lower-case hex digits', hex)
  return fromHex(hex, path)
}

/** An unsigned integer in big-endian order, `size` bytes wide. @throws invalid-input naming `path` when it does not fit */
export function uint(value: bigint | number, size: number, path: string): Uint8Array {
  const bytes = new Uint8Array(size)
  // Most values are small numbers; bigint arithmetic would be the slowest part of hashing a frame.
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && (size > 6 || value < 256 ** size)) {
    for (let i = size - 1, rest = value; rest > 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256
    return bytes
  }
  if (typeof value !== 'bigint' || value < 0n || value >> BigInt(size * 8) !== 0n)
    throw invalid(path, `a whole number of at most ${size * 8} bits`, value)
  for (let i = size - 1, rest = value; rest > 0n; i--, rest >>= 8n) bytes[i] = Number(rest & 255n)
  return bytes
}

/** A signed 32-bit integer in two's complement, `size` bytes wide. @throws invalid-input naming `path` when it does not fit */
export function int32(value: number, size: 4 | 32, path: string): Uint8Array {
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31)
    throw invalid(path, 'a whole number of 32 bits with sign', value)
  const bytes = new Uint8Array(size).fill(value < 0 ? 255 : 0)
  new DataView(bytes.buffer).setInt32(size - 4, value)
  return bytes
}

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return UTF8.encode(text)
}

/** All parts in one piece. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Unsigned order of two equally long byte strings: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
