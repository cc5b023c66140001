import { halfToFloatBits } from '../half.ts'
import { readBands, type ExrBand } from './bands.ts'
import { sampleCount } from './layout.ts'
import { walkExr, type ExrLayout, type ExrPartLayout } from './walk.ts'
import type { Limits } from '../limits.ts'
import type { ChannelInfo, ImageFile, ImageInfo, ImagePart, PartInfo, Plane } from '../types.ts'
import type { ExrHeader } from './header.ts'

/** Headers and every chunk's place, without decompressing. */
export function readExrInfo(bytes: Uint8Array, limits: Limits): ImageInfo {
  return exrInfo(walkExr(bytes, limits))
}

/** The public facts of a walked EXR. */
export function exrInfo(layout: ExrLayout): ImageInfo {
  const main = layout.parts[0]!.header
  return {
    format: 'exr',
    ...displaySize(main),
    bitDepth: bitDepth(main),
    metadata: main.metadata,
    colorSpace: main.colorSpace,
    parts: layout.parts.map(partInfo),
    decodedBytes: layout.decodedBytes,
    warnings: layout.warnings,
  }
}

function displaySize({ displayWindow }: ExrHeader): { width: number; height: number } {
  return { width: displayWindow.xMax - displayWindow.xMin + 1, height: displayWindow.yMax - displayWindow.yMin + 1 }
}

const bitDepth = (header: ExrHeader): number => Math.max(...header.channels.map((channel) => channel.size * 8))

function partInfo({ header, chunkCount }: ExrPartLayout): PartInfo {
  const { tile } = header
  return {
    ...(header.name === undefined ? {} : { name: header.name }),
    kind: header.kind === 'tiled' ? 'tiled' : 'scanline',
    width: header.width,
    height: header.height,
    dataWindow: header.dataWindow,
    displayWindow: header.displayWindow,
    channels: header.channels.map(({ name, type, xSampling, ySampling }): ChannelInfo => ({ name, type, xSampling, ySampling })),
    compression: header.compression,
    chunkCount,
    ...(tile ? { tile: { width: tile.width, height: tile.height, levels: tile.levels } } : {}),
    ...(header.view === undefined ? {} : { view: header.view }),
  }
}

/** Decodes level 0 of every part into planes of floats. */
export function decodeExr(bytes: Uint8Array, limits: Limits): ImageFile {
  const layout = walkExr(bytes, limits)
  const main = layout.parts[0]!.header
  return {
    format: 'exr',
    ...displaySize(main),
    bitDepth: bitDepth(main),
    metadata: main.metadata,
    parts: layout.parts.map((part) => decodePart(bytes, part)),
    colorSpace: main.colorSpace,
    warnings: layout.warnings,
  }
}

function decodePart(file: Uint8Array, part: ExrPartLayout): ImagePart {
  const { header } = part
  const { dataWindow } = header
  const planes = header.channels.map(({ name, type, xSampling, ySampling }): Plane => {
    const columns = sampleCount(xSampling, dataWindow.xMin, dataWindow.xMax)
    const count = columns * sampleCount(ySampling, dataWindow.yMin, dataWindow.yMax)
    return {
      name,
      type,
      data: new Float32Array(count),
      ...(type === 'uint32' ? { uint: new Uint32Array(count) } : {}),
      ...(xSampling > 1 ? { xSampling } : {}),
      ...(ySampling > 1 ? { ySampling } : {}),
    }
  })
  // Bits are moved as integers, so that the payloads of NaNs survive.
  const bits = planes.map((plane) => new Uint32Array(plane.data.buffer))
  const filled = planes.map(() => 0)
  readBands(file, part, (band) => copyBand(band, planes, bits, filled))
  return {
    ...(header.name === undefined ? {} : { name: header.name }),
    width: header.width,
    height: header.height,
    dataWindow,
    displayWindow: header.displayWindow,
    planes,
    compression: header.compression,
  }
}

function copyBand({ block, bytes }: ExrBand, planes: readonly Plane[], bits: readonly Uint32Array[], filled: number[]): void {
  const table = halfToFloatBits()
  let at = 0
  for (let y = block.yMin; y <= block.yMax; y++) {
    for (let index = 0; index < block.channels.length; index++) {
      const { channel, width } = block.channels[index]!
      if (channel.ySampling !== 1 && y % channel.ySampling !== 0) continue
      const to = filled[index]!
      const target = bits[index]!
      if (channel.type === 'half') {
        const row = new Uint16Array(bytes.buffer, bytes.byteOffset + at, width)
        for (let x = 0; x < width; x++) target[to + x] = table[row[x]!]!
      } else {
        const row = alignedWords(bytes, at, width)
        if (channel.type === 'float') target.set(row, to)
        else {
          planes[index]!.uint!.set(row, to)
          planes[index]!.data.set(row, to)
        }
      }
      filled[index] = to + width
      at += width * channel.size
    }
  }
}

/** 32-bit samples of a row; after an odd number of halves they are not aligned and must be copied. */
export function alignedWords(bytes: Uint8Array, at: number, count: number): Uint32Array {
  const start = bytes.byteOffset + at
  return (start & 3) === 0
    ? new Uint32Array(bytes.buffer, start, count)
    : new Uint32Array(new Uint8Array(bytes.subarray(at, at + count * 4)).buffer)
}
