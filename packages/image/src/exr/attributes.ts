import { ImageError } from '../error.ts'
import { createCursor, type Cursor } from './cursor.ts'
import type { Box, ChannelInfo } from '../types.ts'

/** A channel of an EXR header. */
export interface ExrChannel extends ChannelInfo {
  readonly type: 'half' | 'float' | 'uint32'
  /** B44 and DWA treat the samples as perceptually linear. */
  readonly linear: boolean
  /** Bytes of a sample. */
  readonly size: 2 | 4
}

/** Values read from attributes, by attribute type. */
export type AttributeValue = string | number | Box | readonly ExrChannel[] | readonly number[] | undefined

const CHANNEL_TYPES = ['uint32', 'half', 'float'] as const
/** Longest string kept in metadata. */
const MAX_TEXT = 4096

/** Reads an attribute's value by its type's name; undefined for types that are only skipped. @throws ImageError */
export function readAttribute(
  type: string,
  data: Uint8Array,
  field: string,
  maxChannels: number,
  maxName: number,
): AttributeValue {
  const cursor = createCursor(data)
  const size = FIXED_SIZES[type]
  if (size !== undefined && data.length !== size) {
    throw new ImageError('bad-header', `attribute ${field} of type ${type} has ${data.length} bytes, expected ${size}`, { field })
  }
  if (type === 'chlist') return readChannels(cursor, maxChannels, maxName)
  if (type === 'string') return Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, MAX_TEXT)).toString('utf8')
  return READERS[type]?.(cursor)
}

const floats =
  (count: number) =>
  (cursor: Cursor): string =>
    Array.from({ length: count }, () => cursor.f32()).join(' ')
const ints =
  (count: number) =>
  (cursor: Cursor): string =>
    Array.from({ length: count }, () => cursor.i32()).join(' ')

const READERS: Readonly<Record<string, (cursor: Cursor) => AttributeValue>> = {
  int: (cursor) => cursor.i32(),
  float: (cursor) => cursor.f32(),
  double: (cursor) => cursor.f64(),
  compression: (cursor) => cursor.u8(),
  lineOrder: (cursor) => cursor.u8(),
  envmap: (cursor) => cursor.u8(),
  box2i: readBox,
  box2f: floats(4),
  v2i: ints(2),
  v2f: floats(2),
  v3i: ints(3),
  v3f: floats(3),
  m33f: floats(9),
  m44f: floats(16),
  rational: (cursor) => `${cursor.i32()}/${cursor.u32()}`,
  timecode: (cursor) => `${hex(cursor.u32())} ${hex(cursor.u32())}`,
  keycode: ints(7),
  chromaticities: (cursor) => Array.from({ length: 8 }, () => cursor.f32()),
  tiledesc: (cursor) => [cursor.u32(), cursor.u32(), cursor.u8()],
  stringvector: (cursor) => {
    const items: string[] = []
    while (cursor.offset < cursor.end && items.length < 256) items.push(Buffer.from(cursor.bytes(cursor.i32())).toString('utf8'))
    return items.join(', ').slice(0, MAX_TEXT)
  },
}

const FIXED_SIZES: Readonly<Record<string, number>> = {
  int: 4,
  float: 4,
  double: 8,
  compression: 1,
  lineOrder: 1,
  envmap: 1,
  box2i: 16,
  box2f: 16,
  v2i: 8,
  v2f: 8,
  v3i: 12,
  v3f: 12,
  m33f: 36,
  m44f: 64,
  rational: 8,
  timecode: 8,
  keycode: 28,
  chromaticities: 32,
  tiledesc: 9,
}

const hex = (value: number): string => value.toString(16).padStart(8, '0')

function readBox(cursor: Cursor): Box {
  return { xMin: cursor.i32(), yMin: cursor.i32(), xMax: cursor.i32(), yMax: cursor.i32() }
}

function readChannels(cursor: Cursor, maxChannels: number, maxName: number): readonly ExrChannel[] {
  const channels: ExrChannel[] = []
  const seen = new Set<string>()
  const bad = (message: string): never => {
    throw new ImageError('bad-header', message, { field: 'channels' })
  }
  for (;;) {
    const name = cursor.text(maxName, 'a channel name')
    if (name === '') break
    if (channels.length >= maxChannels) throw new ImageError('limit', `more than ${maxChannels} channels`, { field: 'channels' })
    const type = CHANNEL_TYPES[cursor.i32()]
    const linear = cursor.u8()
    cursor.bytes(3)
    const xSampling = cursor.i32()
    const ySampling = cursor.i32()
    if (!type) return bad(`channel ${name} has an unknown pixel type`)
    if (xSampling < 1 || ySampling < 1) bad(`channel ${name} has sampling ${xSampling} x ${ySampling}, expected 1 or more`)
    if (seen.has(name)) bad(`channel ${name} appears twice`)
    seen.add(name)
    channels.push({ name, type, linear: linear !== 0, size: type === 'half' ? 2 : 4, xSampling, ySampling })
  }
  if (cursor.offset !== cursor.end) bad(`${cursor.end - cursor.offset} bytes follow the channel list`)
  if (channels.length === 0) bad('the channel list is empty')
  return channels
}
