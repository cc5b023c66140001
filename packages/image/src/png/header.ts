import { ImageError } from '../error.ts'
import { checkExpected, checkLimit, type Limits } from '../limits.ts'
import type { ChannelInfo, ColorType } from '../types.ts'

/** Fields of IHDR (PNG specification, third edition, 11.2.1). */
export interface PngHeader {
  readonly width: number
  readonly height: number
  readonly bitDepth: 1 | 2 | 4 | 8 | 16
  readonly colorType: ColorType
  readonly interlaced: boolean
  /** Samples of a pixel as stored: a palette index counts one. */
  readonly storedChannels: number
}

const COLOR_TYPES: Readonly<
  Record<number, { readonly name: ColorType; readonly channels: number; readonly depths: readonly number[] }>
> = {
  0: { name: 'gray', channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { name: 'rgb', channels: 3, depths: [8, 16] },
  3: { name: 'palette', channels: 1, depths: [1, 2, 4, 8] },
  4: { name: 'gray-alpha', channels: 2, depths: [8, 16] },
  6: { name: 'rgba', channels: 4, depths: [8, 16] },
}

/** Reads and judges IHDR. @throws ImageError `bad-header`, `limit`, `size-mismatch`. */
export function parsePngHeader(data: Uint8Array, limits: Limits): PngHeader {
  const bad = (field: string, message: string): never => {
    throw new ImageError('bad-header', message, { chunk: 'IHDR', field })
  }
  if (data.length !== 13) bad('length', `IHDR has ${data.length} bytes, expected 13`)
  const view = new DataView(data.buffer, data.byteOffset, 13)
  const width = view.getUint32(0)
  const height = view.getUint32(4)
  // 2^31 - 1 is the specification's largest.
  if (width === 0 || width > 0x7fffffff) bad('width', `width is ${width}, expected 1 to 2147483647`)
  if (height === 0 || height > 0x7fffffff) bad('height', `height is ${height}, expected 1 to 2147483647`)
  const bitDepth = view.getUint8(8)
  const color = COLOR_TYPES[view.getUint8(9)]
  if (!color) return bad('colorType', `colour type is ${view.getUint8(9)}, expected 0, 2, 3, 4 or 6`)
  if (!color.depths.includes(bitDepth)) {
    bad('bitDepth', `bit depth is ${bitDepth}, colour type ${color.name} allows ${color.depths.join(', ')}`)
  }
  if (view.getUint8(10) !== 0) bad('compression', `compression method is ${view.getUint8(10)}, expected 0`)
  if (view.getUint8(11) !== 0) bad('filter', `filter method is ${view.getUint8(11)}, expected 0`)
  const interlace = view.getUint8(12)
  if (interlace > 1) bad('interlace', `interlace method is ${interlace}, expected 0 or 1`)
  checkExpected(width, height, limits)
  checkLimit('the number of pixels', width * height, limits.maxPixels, { chunk: 'IHDR' })
  return {
    width,
    height,
    bitDepth: bitDepth as PngHeader['bitDepth'],
    colorType: color.name,
    interlaced: interlace === 1,
    storedChannels: color.channels,
  }
}

/** Bytes of one filtered row without its filter byte, for `width` pixels. */
export function rowBytes(header: PngHeader, width: number): number {
  return Math.ceil((width * header.storedChannels * header.bitDepth) / 8)
}

/** One of the seven reduced pictures of Adam7, or the whole picture. */
export interface PngPass {
  readonly xStart: number
  readonly yStart: number
  readonly xStep: number
  readonly yStep: number
  readonly width: number
  readonly height: number
}

// PNG specification 8.2: start and step of the seven passes.
const ADAM7: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
]

/** The passes of a picture in file order, empty ones left out. */
export function pngPasses({ width, height, interlaced }: PngHeader): readonly PngPass[] {
  if (!interlaced) return [{ xStart: 0, yStart: 0, xStep: 1, yStep: 1, width, height }]
  return ADAM7.map(([xStart, yStart, xStep, yStep]) => ({
    xStart,
    yStart,
    xStep,
    yStep,
    width: Math.ceil((width - xStart) / xStep),
    height: Math.ceil((height - yStart) / yStep),
  })).filter((pass) => pass.width > 0 && pass.height > 0)
}

/** Exact length of the inflated picture: each row of each pass with its filter byte. */
export function inflatedLength(header: PngHeader): number {
  return pngPasses(header).reduce((sum, pass) => sum + pass.height * (1 + rowBytes(header, pass.width)), 0)
}

/** Channels after palettes and transparency are expanded; depths below 8 become 8. */
export function pngChannels(header: PngHeader, hasTransparency: boolean): readonly ChannelInfo[] {
  const type = header.bitDepth === 16 ? 'uint16' : 'uint8'
  const gray = header.colorType === 'gray' || header.colorType === 'gray-alpha'
  const alpha = header.colorType === 'gray-alpha' || header.colorType === 'rgba' || hasTransparency
  const names = [...(gray ? ['Y'] : ['R', 'G', 'B']), ...(alpha ? ['A'] : [])]
  return names.map((name) => ({ name, type, xSampling: 1, ySampling: 1 }))
}
