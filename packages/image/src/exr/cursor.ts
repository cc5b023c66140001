import { ImageError } from '../error.ts'

/** Reads little-endian fields one after another and refuses to pass its end. */
export interface Cursor {
  offset: number
  readonly end: number
  u8(): number
  u32(): number
  i32(): number
  f32(): number
  f64(): number
  /** An unsigned 64-bit integer; above 2^53 it is only approximate, which every limit then refuses. */
  u64(): number
  bytes(length: number): Uint8Array
  /** A zero-terminated string of at most `max` bytes, as Latin-1 or UTF-8. */
  text(max: number, what: string): string
}

/** Starts reading `bytes` at `offset`, up to `end`. */
export function createCursor(bytes: Uint8Array, offset = 0, end: number = bytes.length): Cursor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const take = (length: number): number => {
    const at = cursor.offset
    if (length < 0 || at + length > end) {
      throw new ImageError('truncated', `expected ${length} more bytes at ${at}, ${Math.max(0, end - at)} are left`, {
        offset: at,
      })
    }
    cursor.offset = at + length
    return at
  }
  const cursor: Cursor = {
    offset,
    end,
    u8: () => view.getUint8(take(1)),
    u32: () => view.getUint32(take(4), true),
    i32: () => view.getInt32(take(4), true),
    f32: () => view.getFloat32(take(4), true),
    f64: () => view.getFloat64(take(8), true),
    u64: () => {
      const at = take(8)
      return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
    },
    bytes: (length) => {
      const at = take(length)
      return bytes.subarray(at, at + length)
    },
    text: (max, what) => {
      const start = cursor.offset
      const limit = Math.min(end, start + max + 1)
      const zero = bytes.subarray(start, limit).indexOf(0)
      if (zero < 0) {
        if (limit === end) throw new ImageError('truncated', `the file ends inside ${what}`, { offset: start })
        throw new ImageError('bad-header', `${what} is longer than ${max} bytes`, { offset: start })
      }
      cursor.offset = start + zero + 1
      return Buffer.from(bytes.buffer, bytes.byteOffset + start, zero).toString('utf8')
    },
  }
  return cursor
}
