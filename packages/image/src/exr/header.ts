import { ImageError } from '../error.ts'
import { checkExpected, checkLimit, type Limits } from '../limits.ts'
import { readAttribute, type AttributeValue, type ExrChannel } from './attributes.ts'
import { createCursor, type Cursor } from './cursor.ts'
import type { Box, ColorSpaceTags } from '../types.ts'

/** Compressions by their number in the file (OpenEXR file layout); HTJ2K is known but not read. */
export const COMPRESSIONS = [
  'none',
  'rle',
  'zips',
  'zip',
  'piz',
  'pxr24',
  'b44',
  'b44a',
  'dwaa',
  'dwab',
  'htj2k256',
  'htj2k32',
] as const

/** Name of an EXR compression. */
export type ExrCompression = (typeof COMPRESSIONS)[number]

/** Tile description of a tiled part. */
export interface TileDescription {
  readonly width: number
  readonly height: number
  readonly levels: 'one' | 'mipmap' | 'ripmap'
  readonly roundUp: boolean
}

/** One part's header. */
export interface ExrHeader {
  readonly index: number
  readonly name?: string
  readonly kind: 'scanline' | 'tiled' | 'deepscanline' | 'deeptile'
  readonly view?: string
  readonly channels: readonly ExrChannel[]
  readonly compression: ExrCompression
  readonly dataWindow: Box
  readonly displayWindow: Box
  readonly width: number
  readonly height: number
  readonly tile?: TileDescription
  readonly chunkCount?: number
  readonly metadata: Readonly<Record<string, string | number>>
  readonly colorSpace: ColorSpaceTags
}

/** All headers, and where the offset tables start. */
export interface ExrHeaders {
  readonly multiPart: boolean
  readonly parts: readonly ExrHeader[]
  readonly tablesAt: number
}

const FLAG_TILED = 0x200
const FLAG_LONG_NAMES = 0x400
const FLAG_DEEP = 0x800
const FLAG_MULTIPART = 0x1000
/** OpenEXR keeps coordinates within half the integer range (ImfHeader.cpp, sanityCheck). */
const MAX_COORDINATE = 2 ** 30
const MAX_PARTS = 1024
const MAX_ATTRIBUTES = 4096

/** Reads the version field and every part's header. @throws ImageError */
export function parseExrHeaders(bytes: Uint8Array, limits: Limits): ExrHeaders {
  const cursor = createCursor(bytes, 4)
  const version = cursor.u32()
  if ((version & 0xff) !== 2 && (version & 0xff) !== 1) {
    throw new ImageError('unsupported', `EXR version ${version & 0xff}, expected 2`, { offset: 4, field: 'version' })
  }
  if ((version & ~(0xff | FLAG_TILED | FLAG_LONG_NAMES | FLAG_DEEP | FLAG_MULTIPART)) !== 0) {
    throw new ImageError('unsupported', `unknown EXR flags ${(version >>> 8).toString(16)}`, { offset: 4, field: 'version' })
  }
  const multiPart = (version & FLAG_MULTIPART) !== 0
  const maxName = version & FLAG_LONG_NAMES ? 255 : 31
  const parts: ExrHeader[] = []
  let channels = 0
  for (;;) {
    if (parts.length >= MAX_PARTS) throw new ImageError('limit', `more than ${MAX_PARTS} parts`)
    const attributes = readAttributes(cursor, parts.length, limits.maxChannels - channels, maxName)
    const part = buildHeader(attributes, parts.length, version, limits)
    parts.push(part)
    channels += part.channels.length
    if (!multiPart) break
    // An empty header ends the list.
    if (bytes[cursor.offset] === 0) {
      cursor.offset++
      break
    }
  }
  const { displayWindow } = parts[0]!
  checkExpected(displayWindow.xMax - displayWindow.xMin + 1, displayWindow.yMax - displayWindow.yMin + 1, limits)
  if (new Set(parts.map((part) => part.name)).size !== parts.length) {
    throw new ImageError('bad-header', 'two parts have the same name', { field: 'name' })
  }
  return { multiPart, parts, tablesAt: cursor.offset }
}

type Attributes = ReadonlyMap<string, { readonly type: string; readonly value: AttributeValue }>

function readAttributes(cursor: Cursor, part: number, maxChannels: number, maxName: number): Attributes {
  const attributes = new Map<string, { type: string; value: AttributeValue }>()
  for (;;) {
    const offset = cursor.offset
    const name = cursor.text(maxName, 'an attribute name')
    if (name === '') return attributes
    if (attributes.size >= MAX_ATTRIBUTES)
      throw new ImageError('limit', `more than ${MAX_ATTRIBUTES} attributes`, { offset, part })
    const type = cursor.text(maxName, `the type of attribute ${name}`)
    const size = cursor.i32()
    if (size < 0) throw new ImageError('bad-header', `attribute ${name} has size ${size}`, { offset, part, field: name })
    const data = cursor.bytes(size)
    try {
      attributes.set(name, { type, value: readAttribute(type, data, name, maxChannels, maxName) })
    } catch (error) {
      // An attribute that ends too early is a header fault, not a truncated file.
      const fault = error as ImageError
      throw new ImageError(
        fault.code === 'truncated' ? 'bad-header' : fault.code,
        `attribute ${name}: ${fault.message}`,
        { offset, part, field: name },
        error,
      )
    }
  }
}

function buildHeader(attributes: Attributes, index: number, version: number, limits: Limits): ExrHeader {
  const need = <T extends AttributeValue>(name: string, type: string): T => {
    const found = attributes.get(name)
    if (!found || found.type !== type) {
      const message = found ? `attribute ${name} is a ${found.type}, expected ${type}` : `attribute ${name} is missing`
      throw new ImageError('bad-header', message, { part: index, field: name })
    }
    return found.value as T
  }
  const optional = <T extends AttributeValue>(name: string, type: string): T | undefined =>
    attributes.has(name) ? need<T>(name, type) : undefined
  const channels = need<readonly ExrChannel[]>('channels', 'chlist')
  const dataWindow = checkWindow('dataWindow', need<Box>('dataWindow', 'box2i'), index, limits)
  const displayWindow = checkWindow('displayWindow', need<Box>('displayWindow', 'box2i'), index, limits)
  const compression = COMPRESSIONS[need<number>('compression', 'compression')]
  if (!compression) {
    throw new ImageError('unsupported', `compression number ${need<number>('compression', 'compression')} is not known`, {
      part: index,
      field: 'compression',
    })
  }
  const lineOrder = need<number>('lineOrder', 'lineOrder')
  if (lineOrder > 2)
    throw new ImageError('bad-header', `line order is ${lineOrder}, expected 0 to 2`, { part: index, field: 'lineOrder' })
  const name = optional<string>('name', 'string')
  const view = optional<string>('view', 'string')
  const chunkCount = optional<number>('chunkCount', 'int')
  if ((version & FLAG_MULTIPART) !== 0) for (const field of ['name', 'type'] as const) need<string>(field, 'string')
  const kind = partKind(version, optional<string>('type', 'string'), index)
  const tile = kind === 'tiled' ? readTile(need<readonly number[]>('tiles', 'tiledesc'), index) : undefined
  if (tile && channels.some((channel) => channel.xSampling !== 1 || channel.ySampling !== 1)) {
    throw new ImageError('bad-header', 'a tiled part has subsampled channels', { part: index, field: 'channels' })
  }
  return {
    index,
    ...(name === undefined ? {} : { name }),
    kind,
    ...(view === undefined ? {} : { view }),
    channels,
    compression,
    dataWindow,
    displayWindow,
    width: dataWindow.xMax - dataWindow.xMin + 1,
    height: dataWindow.yMax - dataWindow.yMin + 1,
    ...(tile ? { tile } : {}),
    ...(chunkCount === undefined ? {} : { chunkCount }),
    metadata: plainMetadata(attributes),
    colorSpace: colorTags(attributes),
  }
}

function partKind(version: number, type: string | undefined, part: number): ExrHeader['kind'] {
  if (version & (FLAG_MULTIPART | FLAG_DEEP)) {
    if (type === 'scanlineimage') return 'scanline'
    if (type === 'tiledimage') return 'tiled'
    if (type === 'deepscanline') return 'deepscanline'
    if (type === 'deeptile') return 'deeptile'
    throw new ImageError('unsupported', `part type "${type ?? ''}" is not known`, { part, field: 'type' })
  }
  // In a plain single-part file the flag decides; OpenEXR ignores a contradicting type attribute.
  return version & FLAG_TILED ? 'tiled' : 'scanline'
}

function readTile([width, height, mode]: readonly number[], part: number): TileDescription {
  const levels = (['one', 'mipmap', 'ripmap'] as const)[mode! & 15]
  const rounding = mode! >> 4
  if (!levels || rounding > 1 || width! < 1 || height! < 1 || width! > MAX_COORDINATE || height! > MAX_COORDINATE) {
    throw new ImageError('bad-header', `tiles of ${width} x ${height} with mode ${mode} are not valid`, { part, field: 'tiles' })
  }
  return { width: width!, height: height!, levels, roundUp: rounding === 1 }
}

function checkWindow(field: string, box: Box, part: number, limits: Limits): Box {
  const extreme = Math.max(...[box.xMin, box.yMin, box.xMax, box.yMax].map(Math.abs))
  if (box.xMax < box.xMin || box.yMax < box.yMin || extreme >= MAX_COORDINATE) {
    throw new ImageError('bad-header', `${field} (${box.xMin}, ${box.yMin}) to (${box.xMax}, ${box.yMax}) is not valid`, {
      part,
      field,
    })
  }
  checkLimit(`the number of pixels of ${field}`, (box.xMax - box.xMin + 1) * (box.yMax - box.yMin + 1), limits.maxPixels, {
    part,
    field,
  })
  return box
}

function plainMetadata(attributes: Attributes): Record<string, string | number> {
  const metadata: Record<string, string | number> = Object.create(null) as Record<string, string | number>
  for (const [name, { value, type }] of attributes) {
    if (type === 'chlist' || type === 'compression' || type === 'lineOrder' || type === 'tiledesc') continue
    if (typeof value === 'string' || typeof value === 'number') metadata[name] = value
    else if (Array.isArray(value)) metadata[name] = value.join(' ')
    else if (value && 'xMin' in value) metadata[name] = `${value.xMin} ${value.yMin} ${value.xMax} ${value.yMax}`
  }
  return metadata
}

function colorTags(attributes: Attributes): ColorSpaceTags {
  const chromaticities = attributes.get('chromaticities')
  const name = ['colorInteropID', 'oiio:ColorSpace', 'interopID']
    .map((key) => attributes.get(key)?.value)
    .find((value) => typeof value === 'string')
  return {
    ...(Array.isArray(chromaticities?.value) ? { chromaticities: chromaticities.value as readonly number[] } : {}),
    ...(name === undefined ? {} : { name: name as string }),
  }
}
