import { ImageError, type ImageErrorWhere } from '../error.ts'
import { checkLimit, type Limits } from '../limits.ts'
import { parseExrHeaders, type ExrHeader } from './header.ts'
import { chunkTotal, createBlock, LINES_PER_CHUNK, tileLevels } from './layout.ts'
import type { ImageWarning } from '../types.ts'

/** Where the compressed bytes of level 0 lie: for chunk i, `starts[i]` and `sizes[i]`. */
export interface ExrPartLayout {
  readonly header: ExrHeader
  readonly starts: Float64Array
  readonly sizes: Float64Array
  /** Chunks of all levels. */
  readonly chunkCount: number
  /** Bytes of level 0's samples. */
  readonly decodedBytes: number
}

/** A walked file: every chunk of every level is inside the file and where the header puts it. */
export interface ExrLayout {
  readonly parts: readonly ExrPartLayout[]
  readonly decodedBytes: number
  readonly warnings: readonly ImageWarning[]
}

/**
 * Walks headers, offset tables and the leader of every chunk, of all levels, without decompressing.
 * @throws ImageError `truncated`, `bad-header`, `bad-data`, `missing-data`, `unsupported`, `limit`, `size-mismatch`.
 */
export function walkExr(bytes: Uint8Array, limits: Limits): ExrLayout {
  const { parts: headers, multiPart, tablesAt } = parseExrHeaders(bytes, limits)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const { kind, compression, index } of headers) {
    if (kind === 'deepscanline' || kind === 'deeptile') {
      throw new ImageError('unsupported', `part ${index} holds deep samples (${kind}), which are not read`, {
        part: index,
        field: 'type',
      })
    }
    if (compression.startsWith('htj2k')) {
      throw new ImageError('unsupported', `compression ${compression} is not read`, { part: index, field: 'compression' })
    }
  }
  const totals = headers.map(chunkTotal)
  const dataAt = tablesAt + 8 * totals.reduce((sum, total) => sum + total, 0)
  if (dataAt > bytes.length) {
    throw new ImageError('truncated', `the offset tables end at byte ${dataAt}, the file at ${bytes.length}`, {
      offset: tablesAt,
    })
  }
  const decodedSizes = headers.map(decodedSize)
  const decodedBytes = decodedSizes.reduce((sum, size) => sum + size, 0)
  checkLimit('the decoded size in bytes', decodedBytes, limits.maxBytes)
  let tableAt = tablesAt
  let used = 0
  const parts = headers.map((header, index): ExrPartLayout => {
    const walker = createChunkWalker(view, header, multiPart, tableAt, dataAt)
    const walked = header.kind === 'tiled' ? walkTiles(walker, header) : walkScanlines(walker, header)
    tableAt += totals[index]! * 8
    used += walker.used()
    return { header, ...walked, chunkCount: totals[index]!, decodedBytes: decodedSizes[index]! }
  })
  const unused = bytes.length - dataAt - used
  // Chunks that share bytes would let a small file cost more work than its size allows.
  if (unused < 0) throw new ImageError('bad-data', 'chunks overlap: together they are larger than the file')
  const message = `${unused} bytes of the file belong to no chunk`
  return { parts, decodedBytes, warnings: unused > 0 ? [{ code: 'unused-bytes', message }] : [] }
}

function decodedSize({ channels, dataWindow }: ExrHeader): number {
  return createBlock(channels, dataWindow.xMin, dataWindow.xMax, dataWindow.yMin, dataWindow.yMax).bytes
}

/** Checks the leader of chunk `index` against `expected` fields and returns where its data starts and how long it is. */
interface ChunkWalker {
  chunk(
    index: number,
    expected: readonly number[],
    names: readonly string[],
    blockBytes: number,
    row: number,
  ): { start: number; size: number }
  /** Bytes of all chunks walked so far, leaders included. */
  used(): number
}

function createChunkWalker(view: DataView, header: ExrHeader, multiPart: boolean, tableAt: number, dataAt: number): ChunkWalker {
  const part = header.index
  let used = 0
  return {
    used: () => used,
    chunk(index, expected, names, blockBytes, row) {
      const offset = view.getUint32(tableAt + index * 8, true) + view.getUint32(tableAt + index * 8 + 4, true) * 2 ** 32
      const where: ImageErrorWhere = { offset, chunk: index, part, row }
      if (offset === 0) throw new ImageError('missing-data', `chunk ${index} of part ${part} was never written`, where)
      const leader = (expected.length + 1 + (multiPart ? 1 : 0)) * 4
      if (offset < dataAt) throw new ImageError('bad-header', `chunk ${index} lies at byte ${offset}, inside the header`, where)
      if (offset + leader > view.byteLength) {
        throw new ImageError('truncated', `chunk ${index} lies at byte ${offset}, the file ends at ${view.byteLength}`, where)
      }
      let at = offset
      if (multiPart) {
        if (view.getInt32(at, true) !== part)
          throw new ImageError('bad-data', `chunk ${index} says part ${view.getInt32(at, true)}`, where)
        at += 4
      }
      for (let i = 0; i < expected.length; i++, at += 4) {
        const found = view.getInt32(at, true)
        if (found !== expected[i]) {
          throw new ImageError('bad-data', `chunk ${index} says ${names[i]} ${found}, expected ${expected[i]}`, where)
        }
      }
      const size = view.getInt32(at, true)
      const start = at + 4
      if (size < 0 || size > blockBytes) {
        throw new ImageError('bad-length', `chunk ${index} has ${size} bytes, its pixels take ${blockBytes}`, where)
      }
      if (start + size > view.byteLength) {
        throw new ImageError(
          'truncated',
          `chunk ${index} needs ${size} bytes, the file has ${view.byteLength - start} left`,
          where,
        )
      }
      used += leader + size
      return { start, size }
    },
  }
}

function walkScanlines(walker: ChunkWalker, header: ExrHeader): { starts: Float64Array; sizes: Float64Array } {
  const { channels, dataWindow } = header
  const lines = LINES_PER_CHUNK[header.compression]
  const count = Math.ceil(header.height / lines)
  const starts = new Float64Array(count)
  const sizes = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    const yMin = dataWindow.yMin + index * lines
    const yMax = Math.min(dataWindow.yMax, yMin + lines - 1)
    const { bytes } = createBlock(channels, dataWindow.xMin, dataWindow.xMax, yMin, yMax)
    const found = walker.chunk(index, [yMin], ['row'], bytes, yMin - dataWindow.yMin)
    starts[index] = found.start
    sizes[index] = found.size
  }
  return { starts, sizes }
}

function walkTiles(walker: ChunkWalker, header: ExrHeader): { starts: Float64Array; sizes: Float64Array } {
  const tile = header.tile!
  const levels = tileLevels(header)
  const kept = levels[0]!.tilesX * levels[0]!.tilesY
  const starts = new Float64Array(kept)
  const sizes = new Float64Array(kept)
  const pixelBytes = header.channels.reduce((sum, channel) => sum + channel.size, 0)
  const names = ['tile x', 'tile y', 'level x', 'level y']
  let index = 0
  for (const level of levels) {
    for (let y = 0; y < level.tilesY; y++) {
      for (let x = 0; x < level.tilesX; x++, index++) {
        const width = Math.min(tile.width, level.width - x * tile.width)
        const height = Math.min(tile.height, level.height - y * tile.height)
        const found = walker.chunk(index, [x, y, level.x, level.y], names, width * height * pixelBytes, y * tile.height)
        if (index < kept) {
          starts[index] = found.start
          sizes[index] = found.size
        }
      }
    }
  }
  return { starts, sizes }
}
