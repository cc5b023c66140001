import { crc32 } from 'node:zlib'
import { ImageError } from '../error.ts'
import { checkLimit, type Limits } from '../limits.ts'
import { inflatedLength, parsePngHeader, pngChannels, type PngHeader } from './header.ts'
import { createPngMetadata, type PngMetadata } from './metadata.ts'
import type { ChannelInfo } from '../types.ts'

/** Everything a PNG holds, with the pixels still compressed. */
export interface PngLayout {
  readonly header: PngHeader
  /** RGB triples, for colour type palette. */
  readonly palette?: Uint8Array
  /** Payload of tRNS: alphas of palette entries, or the one transparent colour. */
  readonly transparency?: Uint8Array
  readonly idat: readonly Uint8Array[]
  readonly channels: readonly ChannelInfo[]
  /** Bytes of the inflated picture, filter bytes included. */
  readonly inflatedBytes: number
  /** Bytes of all samples once expanded. */
  readonly decodedBytes: number
  readonly metadata: PngMetadata
}

/** Far above any writer's (8 KiB of data a chunk would make 2 GiB), so that a file of empty chunks costs no time. */
const MAX_CHUNKS = 1 << 18

interface WalkState {
  header?: PngHeader
  palette?: Uint8Array
  transparency?: Uint8Array
  readonly idat: Uint8Array[]
  previous: string
  ended: boolean
}

/**
 * Walks every chunk of a PNG: lengths inside the file, CRCs, order, and the critical chunks' contents. Pixels stay compressed.
 * @throws ImageError `truncated`, `bad-crc`, `bad-order`, `bad-header`, `unsupported`, `limit`, `size-mismatch`.
 */
export function walkPng(bytes: Uint8Array, limits: Limits): PngLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const state: WalkState = { idat: [], previous: '', ended: false }
  const metadata = createPngMetadata()
  let offset = 8
  for (let count = 1; !state.ended; count++) {
    checkLimit('the number of chunks', count, MAX_CHUNKS, { offset })
    const { type, data, next } = readChunk(bytes, view, offset)
    takeChunk(state, type, data, offset, limits)
    metadata.read(type, data)
    state.previous = type
    offset = next
  }
  const { header, idat } = state
  if (!header || idat.length === 0) throw new ImageError('bad-order', 'the file has no IDAT chunk, so no picture')
  if (header.colorType === 'palette' && !state.palette) throw new ImageError('bad-order', 'a palette picture has no PLTE chunk')
  if (offset < bytes.length) {
    metadata.warnings.push({ code: 'trailing-bytes', message: `${bytes.length - offset} bytes follow the IEND chunk` })
  }
  const channels = pngChannels(header, state.transparency !== undefined)
  const decodedBytes = header.width * header.height * channels.length * (header.bitDepth === 16 ? 2 : 1)
  checkLimit('the decoded size in bytes', decodedBytes, limits.maxBytes)
  checkLimit('the number of channels', channels.length, limits.maxChannels)
  return {
    header,
    ...(state.palette ? { palette: state.palette } : {}),
    ...(state.transparency ? { transparency: state.transparency } : {}),
    idat,
    channels,
    inflatedBytes: inflatedLength(header),
    decodedBytes,
    metadata,
  }
}

function readChunk(bytes: Uint8Array, view: DataView, offset: number): { type: string; data: Uint8Array; next: number } {
  if (offset + 12 > bytes.length) {
    throw new ImageError('truncated', `the file ends at byte ${bytes.length}, before its IEND chunk`, { offset })
  }
  const length = view.getUint32(offset)
  const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8))
  if (!/^[A-Za-z]{4}$/.test(type)) throw new ImageError('bad-header', 'a chunk type is not four letters', { offset })
  const end = offset + 8 + length
  if (end + 4 > bytes.length) {
    throw new ImageError('truncated', `chunk ${type} declares ${length} bytes, the file has ${bytes.length - offset - 8} left`, {
      offset,
      chunk: type,
    })
  }
  const found = crc32(bytes.subarray(offset + 4, end))
  const declared = view.getUint32(end)
  if (found !== declared) {
    throw new ImageError('bad-crc', `chunk ${type} has CRC ${hex(found)}, declared ${hex(declared)}`, { offset, chunk: type })
  }
  return { type, data: bytes.subarray(offset + 8, end), next: end + 4 }
}

const hex = (value: number): string => value.toString(16).padStart(8, '0')

function takeChunk(state: WalkState, type: string, data: Uint8Array, offset: number, limits: Limits): void {
  const where = { offset, chunk: type }
  const order = (message: string): never => {
    throw new ImageError('bad-order', message, where)
  }
  if (!state.header && type !== 'IHDR') order(`the first chunk is ${type}, expected IHDR`)
  switch (type) {
    case 'IHDR':
      if (state.header) order('a second IHDR chunk')
      state.header = parsePngHeader(data, limits)
      return
    case 'PLTE':
      if (state.palette || state.idat.length > 0 || state.transparency) order('PLTE must come once, before tRNS and IDAT')
      if (state.header!.colorType.startsWith('gray')) order('a gray picture must not have a PLTE chunk')
      if (data.length === 0 || data.length % 3 !== 0 || data.length > 768) {
        throw new ImageError('bad-header', `PLTE has ${data.length} bytes, expected 3 to 768 in threes`, where)
      }
      if (state.header!.colorType === 'palette' && data.length / 3 > 1 << state.header!.bitDepth) {
        throw new ImageError('bad-header', `PLTE has ${data.length / 3} entries for ${state.header!.bitDepth} bits`, where)
      }
      state.palette = data
      return
    case 'tRNS':
      if (state.transparency || state.idat.length > 0) order('tRNS must come once, before IDAT')
      state.transparency = checkTransparency(state, data, where)
      return
    case 'IDAT':
      if (state.idat.length > 0 && state.previous !== 'IDAT') order('IDAT chunks are not consecutive')
      state.idat.push(data)
      return
    case 'IEND':
      if (data.length > 0) throw new ImageError('bad-header', `IEND has ${data.length} bytes, expected none`, where)
      state.ended = true
      return
    default:
      // Bit 5 of the first letter: clear means critical.
      if ((type.charCodeAt(0) & 32) === 0) throw new ImageError('unsupported', `unknown critical chunk ${type}`, where)
  }
}

function checkTransparency(state: WalkState, data: Uint8Array, where: { offset: number; chunk: string }): Uint8Array {
  const { colorType } = state.header!
  if (colorType === 'palette' && !state.palette) throw new ImageError('bad-order', 'tRNS before PLTE', where)
  const valid =
    colorType === 'palette'
      ? data.length > 0 && data.length <= state.palette!.length / 3
      : data.length === { gray: 2, rgb: 6, 'gray-alpha': -1, rgba: -1 }[colorType]
  if (!valid) throw new ImageError('bad-header', `tRNS of ${data.length} bytes does not fit colour type ${colorType}`, where)
  return data
}
