import { deflateSync } from 'node:zlib'
import { ImageError } from '../error.ts'
import { floatBitsToHalf } from '../half.ts'
import type { Box } from '../types.ts'

/** A channel to write. */
export interface ExrPlane {
  readonly name: string
  readonly type: 'half' | 'float'
  /** width * height values, row by row. */
  readonly data: Float32Array
}

/** Options of {@link encodeExr}. */
export interface EncodeExrOptions {
  /** Default 'zip'. */
  readonly compression?: 'none' | 'zips' | 'zip'
  /** Default: the whole picture at (0, 0). */
  readonly dataWindow?: Box
  readonly displayWindow?: Box
  /** Written as string, float, or (whole numbers) int attributes. */
  readonly attributes?: Readonly<Record<string, string | number>>
}

const LINES = { none: 1, zips: 1, zip: 16 } as const
const NUMBERS = { none: 0, zips: 2, zip: 3 } as const

/**
 * Writes a single-part scanline OpenEXR of half or float channels.
 * @throws ImageError `bad-argument` where a plane or the data window does not fit the size.
 * @example
 * const bytes = encodeExr(2, 1, [{ name: 'Y', type: 'half', data: new Float32Array([0.5, 2]) }])
 */
export function encodeExr(
  width: number,
  height: number,
  planes: readonly ExrPlane[],
  options: EncodeExrOptions = {},
): Uint8Array {
  const compression = options.compression ?? 'zip'
  const dataWindow = options.dataWindow ?? { xMin: 0, yMin: 0, xMax: width - 1, yMax: height - 1 }
  if (dataWindow.xMax - dataWindow.xMin + 1 !== width || dataWindow.yMax - dataWindow.yMin + 1 !== height) {
    throw new ImageError('bad-argument', `the data window is not ${width} x ${height}`)
  }
  if (!(width > 0 && height > 0) || planes.length === 0)
    throw new ImageError('bad-argument', 'a picture needs pixels and channels')
  for (const { name, data } of planes) {
    if (data.length !== width * height)
      throw new ImageError('bad-argument', `channel ${name} has ${data.length} values, expected ${width * height}`)
    if (name.length === 0 || name.length > 255)
      throw new ImageError('bad-argument', `channel name "${name}" has no 1 to 255 characters`)
  }
  // The file lists channels by name, in byte order.
  const sorted = planes.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const header = encodeHeader(
    sorted,
    dataWindow,
    options.displayWindow ?? dataWindow,
    NUMBERS[compression],
    options.attributes ?? {},
  )
  const lines = LINES[compression]
  const chunks: Uint8Array[] = []
  for (let y = 0; y < height; y += lines) {
    chunks.push(encodeChunk(sorted, width, y, Math.min(height, y + lines), dataWindow.yMin + y, compression !== 'none'))
  }
  const table = Buffer.alloc(chunks.length * 8)
  let offset = header.length + table.length
  chunks.forEach((chunk, index) => {
    table.writeBigUInt64LE(BigInt(offset), index * 8)
    offset += chunk.length
  })
  return Buffer.concat([header, table, ...chunks])
}

function encodeHeader(
  planes: readonly ExrPlane[],
  dataWindow: Box,
  displayWindow: Box,
  compression: number,
  attributes: Readonly<Record<string, string | number>>,
): Uint8Array {
  const longNames = [...planes.map((plane) => plane.name), ...Object.keys(attributes)].some((name) => name.length > 31)
  const list = planes.map(({ name, type }) => Buffer.concat([text(name), int32(type === 'half' ? 1 : 2, 0, 1, 1)]))
  const box = ({ xMin, yMin, xMax, yMax }: Box): Uint8Array => int32(xMin, yMin, xMax, yMax)
  return Buffer.concat([
    Buffer.from([0x76, 0x2f, 0x31, 0x01]),
    int32(2 | (longNames ? 0x400 : 0)),
    attribute('channels', 'chlist', Buffer.concat([...list, Buffer.alloc(1)])),
    attribute('compression', 'compression', Buffer.from([compression])),
    attribute('dataWindow', 'box2i', box(dataWindow)),
    attribute('displayWindow', 'box2i', box(displayWindow)),
    attribute('lineOrder', 'lineOrder', Buffer.alloc(1)),
    attribute('pixelAspectRatio', 'float', float32(1)),
    attribute('screenWindowCenter', 'v2f', float32(0, 0)),
    attribute('screenWindowWidth', 'float', float32(1)),
    ...Object.entries(attributes).map(([name, value]) =>
      typeof value === 'string'
        ? attribute(name, 'string', Buffer.from(value, 'utf8'))
        : Number.isInteger(value) && Math.abs(value) < 2 ** 31
          ? attribute(name, 'int', int32(value))
          : attribute(name, 'float', float32(value)),
    ),
    Buffer.alloc(1),
  ])
}

function encodeChunk(
  planes: readonly ExrPlane[],
  width: number,
  from: number,
  to: number,
  y: number,
  deflate: boolean,
): Uint8Array {
  const rowBytes = planes.reduce((sum, plane) => sum + width * (plane.type === 'half' ? 2 : 4), 0)
  const raw = Buffer.alloc(rowBytes * (to - from))
  let at = 0
  for (let row = from; row < to; row++) {
    for (const { type, data } of planes) {
      const bits = new Uint32Array(data.buffer, data.byteOffset + row * width * 4, width)
      for (let x = 0; x < width; x++)
        at = type === 'half' ? raw.writeUInt16LE(floatBitsToHalf(bits[x]!), at) : raw.writeUInt32LE(bits[x]!, at)
    }
  }
  const packed = deflate ? deflateSync(splitBytes(raw)) : raw
  const data = packed.length < raw.length ? packed : raw
  return Buffer.concat([int32(y, data.length), data])
}

/** Even bytes first, then odd ones, each as the difference to the one before plus 128. */
function splitBytes(raw: Uint8Array): Uint8Array {
  const half = (raw.length + 1) >> 1
  const out = new Uint8Array(raw.length)
  for (let i = 0; i < raw.length; i++) out[(i & 1 ? half : 0) + (i >> 1)] = raw[i]!
  for (let i = out.length - 1; i > 0; i--) out[i] = out[i]! - out[i - 1]! + 128
  return out
}

const attribute = (name: string, type: string, data: Uint8Array): Uint8Array =>
  Buffer.concat([text(name), text(type), int32(data.length), data])
const text = (value: string): Uint8Array => Buffer.from(`${value}\0`, 'utf8')
const int32 = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer)
const float32 = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer)
