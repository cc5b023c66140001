import { crc32, deflateSync } from 'node:zlib'
import { ImageError } from '../error.ts'

/** Options of {@link encodePng}. */
export interface EncodePngOptions {
  /** Entries written as tEXt chunks (Latin-1), or iTXt where a value needs UTF-8. */
  readonly text?: Readonly<Record<string, string>>
  /** zlib level 0 to 9; default 6. */
  readonly level?: number
  /** Row filter: 0 none, 1 sub, 2 up; default 2, which suits rendered pictures. */
  readonly filter?: 0 | 1 | 2
}

const COLOR_TYPE = { 1: 0, 3: 2, 4: 6 } as const

/**
 * Writes a PNG of interleaved samples: gray, RGB or RGBA, 8 bits from a Uint8Array or 16 from a Uint16Array.
 * @throws ImageError `bad-argument` where `data` has another length than width * height * channels.
 * @example
 * const bytes = encodePng(2, 1, 3, new Uint8Array([255, 0, 0, 0, 0, 255]))
 */
export function encodePng(
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  data: Uint8Array | Uint16Array,
  options: EncodePngOptions = {},
): Uint8Array {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new ImageError('bad-argument', `a picture of ${width} x ${height} has no pixels`)
  }
  if (data.length !== width * height * channels) {
    throw new ImageError('bad-argument', `expected ${width * height * channels} samples, found ${data.length}`)
  }
  const bits = data instanceof Uint16Array ? 16 : 8
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([bits, COLOR_TYPE[channels], 0, 0, 0], 8)
  const picture = filterRows(data, width * channels, height, channels, options.filter ?? 2)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    ...Object.entries(options.text ?? {}).map(([key, value]) => textChunk(key, value)),
    pngChunk('IDAT', deflateSync(picture, { level: options.level ?? 6 })),
    pngChunk('IEND', new Uint8Array(0)),
  ])
}

function filterRows(
  data: Uint8Array | Uint16Array,
  rowSamples: number,
  height: number,
  channels: number,
  filter: 0 | 1 | 2,
): Uint8Array {
  const size = data.BYTES_PER_ELEMENT
  const stride = rowSamples * size
  const plain =
    size === 1
      ? (data as Uint8Array)
      : Buffer.from(Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).swap16()
  const out = Buffer.alloc(height * (stride + 1))
  for (let y = 0; y < height; y++) {
    const to = y * (stride + 1) + 1
    const from = y * stride
    out[to - 1] = filter
    const back = filter === 1 ? channels * size : filter === 2 ? stride : 0
    for (let i = 0; i < stride; i++) {
      const before = back === 0 || (filter === 1 ? i < back : y === 0) ? 0 : plain[from + i - back]!
      out[to + i] = plain[from + i]! - before
    }
  }
  return out
}

/** One PNG chunk: length, type, data, CRC. */
export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12 + data.length)
  out.writeUInt32BE(data.length, 0)
  out.write(type, 4, 'latin1')
  out.set(data, 8)
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length)
  return out
}

function textChunk(key: string, value: string): Uint8Array {
  if (!/^[\x20-\x7e]{1,79}$/.test(key))
    throw new ImageError('bad-argument', `text keyword "${key}" is not 1 to 79 printable characters`)
  // eslint-disable-next-line no-control-regex
  const latin = /^[\x01-\xff]*$/.test(value)
  return latin
    ? pngChunk('tEXt', Buffer.concat([Buffer.from(`${key}\0`, 'latin1'), Buffer.from(value, 'latin1')]))
    : pngChunk('iTXt', Buffer.concat([Buffer.from(`${key}\0\0\0\0\0`, 'latin1'), Buffer.from(value, 'utf8')]))
}
