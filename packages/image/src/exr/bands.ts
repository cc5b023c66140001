import { bandBuffer } from '../simd/scratch.ts'
import { decodeChunk } from './codecs/index.ts'
import { createBlock, LINES_PER_CHUNK, type Block } from './layout.ts'
import type { ExrPartLayout } from './walk.ts'

/**
 * Some rows of a part in the file's own layout: row by row, channel by channel, little-endian samples. `bytes` is reused
 * for the next band.
 */
export interface ExrBand {
  readonly block: Block
  readonly bytes: Uint8Array
}

/**
 * Decodes a part's level 0 band by band from the top down, whatever the order in the file, in one band's memory.
 * @throws ImageError `bad-data`, `bad-length`.
 */
export function readBands(file: Uint8Array, part: ExrPartLayout, take: (band: ExrBand) => void): void {
  if (part.header.kind === 'tiled') readTileBands(file, part, take)
  else readScanlineBands(file, part, take)
}

function chunkOf(file: Uint8Array, part: ExrPartLayout, index: number): Uint8Array {
  const start = part.starts[index]!
  return file.subarray(start, start + part.sizes[index]!)
}

function readScanlineBands(file: Uint8Array, part: ExrPartLayout, take: (band: ExrBand) => void): void {
  const { header } = part
  const { dataWindow, channels, compression } = header
  const lines = LINES_PER_CHUNK[compression]
  let buffer: Uint8Array = new Uint8Array(0)
  for (let index = 0; index < part.starts.length; index++) {
    const yMin = dataWindow.yMin + index * lines
    const block = createBlock(channels, dataWindow.xMin, dataWindow.xMax, yMin, Math.min(dataWindow.yMax, yMin + lines - 1))
    if (buffer.length < block.bytes) buffer = bandBuffer(block.bytes)
    const bytes = buffer.subarray(0, block.bytes)
    decodeChunk(compression, chunkOf(file, part, index), block, bytes, { part: header.index, chunk: index, row: index * lines })
    take({ block, bytes })
  }
}

function readTileBands(file: Uint8Array, part: ExrPartLayout, take: (band: ExrBand) => void): void {
  const { header } = part
  const { dataWindow, channels, compression } = header
  const tile = header.tile!
  const tilesX = Math.ceil(header.width / tile.width)
  const tilesY = Math.ceil(header.height / tile.height)
  const pixelBytes = channels.reduce((sum, channel) => sum + channel.size, 0)
  const tileBytes = Math.min(tile.width, header.width) * Math.min(tile.height, header.height) * pixelBytes
  const tileBuffer = new Uint8Array(tileBytes)
  const buffer = bandBuffer(header.width * Math.min(tile.height, header.height) * pixelBytes)
  for (let ty = 0; ty < tilesY; ty++) {
    const yMin = dataWindow.yMin + ty * tile.height
    const yMax = Math.min(dataWindow.yMax, yMin + tile.height - 1)
    const block = createBlock(channels, dataWindow.xMin, dataWindow.xMax, yMin, yMax)
    const bytes = buffer.subarray(0, block.bytes)
    for (let tx = 0; tx < tilesX; tx++) {
      const xMin = dataWindow.xMin + tx * tile.width
      const xMax = Math.min(dataWindow.xMax, xMin + tile.width - 1)
      const tileBlock = createBlock(channels, xMin, xMax, yMin, yMax)
      const tileOut = tileBuffer.subarray(0, tileBlock.bytes)
      const index = ty * tilesX + tx
      const where = { part: header.index, chunk: index, row: ty * tile.height }
      decodeChunk(compression, chunkOf(file, part, index), tileBlock, tileOut, where)
      placeTile(tileOut, tileBlock, bytes, block, tx * tile.width)
    }
    take({ block, bytes })
  }
}

/** Copies a tile's rows into the rows of its band. */
function placeTile(tile: Uint8Array, tileBlock: Block, band: Uint8Array, block: Block, left: number): void {
  let from = 0
  let row = 0
  for (let y = block.yMin; y <= block.yMax; y++) {
    let to = row
    for (let index = 0; index < block.channels.length; index++) {
      const { channel, width } = block.channels[index]!
      const bytes = tileBlock.channels[index]!.width * channel.size
      band.set(tile.subarray(from, from + bytes), to + left * channel.size)
      from += bytes
      to += width * channel.size
    }
    row = to
  }
}
