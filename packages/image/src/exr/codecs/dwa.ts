import { ImageError, type ImageErrorWhere } from '../../error.ts'
import { halfToFloatBits } from '../../half.ts'
import { inflateAtMost, inflateExact } from '../../inflate.ts'
import { createCursor } from '../cursor.ts'
import type { Block, BlockChannel } from '../layout.ts'
import { decodeDct, type DctPlane, type DctStreams } from './dct.ts'
import { classifyChannels, LEGACY_RULES, readRules, type Classified } from './dwa-rules.ts'
import { huffmanDecode } from './huffman.ts'
import { scatterPlanes } from './planar.ts'
import { reconstruct } from './predictor.ts'
import { expandRuns } from './rle.ts'

const HEADER_BYTES = 11 * 8

interface Sizes {
  readonly unknownRaw: number
  readonly unknown: number
  readonly ac: number
  readonly dc: number
  readonly runs: number
  readonly runsExpanded: number
  readonly runsRaw: number
  readonly acCount: number
  readonly dcCount: number
  readonly acCoding: number
}

/**
 * Decodes a DWAA or DWAB chunk (ImfDwaCompressor.cpp): colours as 8 x 8 cosine blocks of halves, alpha as run lengths,
 * everything else deflated. Halves come out as from the reference's AVX code; its other code paths differ in last bits.
 */
export function decodeDwa(input: Uint8Array, block: Block, out: Uint8Array, where: ImageErrorWhere): void {
  if (input.length < HEADER_BYTES) throw new ImageError('bad-data', 'DWA chunk: too short for its header', where)
  const cursor = createCursor(input)
  const version = cursor.u64()
  if (version > 2) throw new ImageError('unsupported', `DWA version ${version}, expected 0 to 2`, where)
  const [unknownRaw, unknown, ac, dc, runs, runsExpanded, runsRaw, acCount, dcCount, acCoding] = Array.from({ length: 10 }, () =>
    cursor.u64(),
  )
  const sizes = { unknownRaw, unknown, ac, dc, runs, runsExpanded, runsRaw, acCount, dcCount, acCoding } as Sizes
  const rules = version < 2 ? LEGACY_RULES : readRules(cursor, where)
  if (sizes.unknown + sizes.ac + sizes.dc + sizes.runs > input.length - cursor.offset) {
    throw new ImageError('bad-data', 'DWA chunk: its parts are larger than the chunk', where)
  }
  const classified = classifyChannels(block.channels, rules)
  checkSizes(sizes, block, classified, where)
  const take = (size: number): Uint8Array => cursor.bytes(size)
  const unknownBytes = readUnknown(take(sizes.unknown), sizes.unknownRaw, where)
  const streams: DctStreams = {
    ac: readAc(take(sizes.ac), sizes, where),
    dc: readDc(take(sizes.dc), sizes.dcCount, where),
    acAt: 0,
    dcAt: 0,
  }
  const runBytes = readRuns(take(sizes.runs), sizes, where)
  const planes = new Uint8Array(block.bytes)
  decodeLossy(planes, block, classified, streams, where)
  copyOthers(planes, block, classified, unknownBytes, runBytes)
  scatterPlanes(planes, block, out)
}

/** Every declared size against what the channels can need, before anything is allocated. */
function checkSizes(sizes: Sizes, block: Block, { schemes }: Classified, where: ImageErrorWhere): void {
  const need = { unknown: 0, runs: 0, blocks: 0 }
  block.channels.forEach(({ channel, width, rows }, index) => {
    const scheme = schemes[index]!
    if (scheme === 'unknown') need.unknown += width * rows * channel.size
    else if (scheme === 'rle') need.runs += width * rows * channel.size
    else need.blocks += Math.ceil(width / 8) * Math.ceil(rows / 8)
  })
  const rules: readonly (readonly [string, boolean])[] = [
    ['unclassified bytes', sizes.unknownRaw === need.unknown && sizes.unknown > 0 === need.unknown > 0],
    ['run-length bytes', sizes.runsRaw === need.runs && sizes.runsExpanded <= 2 * need.runs],
    ['cosine blocks', sizes.dcCount === need.blocks],
    ['cosine terms', sizes.acCount <= 63 * need.blocks],
  ]
  const broken = rules.find(([, holds]) => !holds)
  if (broken) throw new ImageError('bad-length', `DWA chunk: the number of ${broken[0]} does not fit the channels`, where)
}

function readUnknown(input: Uint8Array, size: number, where: ImageErrorWhere): Uint8Array {
  return size === 0 ? new Uint8Array(0) : inflateExact(input, size, where).bytes
}

function readAc(input: Uint8Array, { acCount, acCoding }: Sizes, where: ImageErrorWhere): Uint16Array {
  if (acCount === 0) return new Uint16Array(0)
  if (acCoding === 0) {
    // A repeat of 255 values takes at least nine bits.
    if (acCount > input.length * 8 * 29)
      throw new ImageError('bad-length', 'DWA chunk: too few bytes for its cosine terms', where)
    const terms = new Uint16Array(acCount)
    huffmanDecode(input, terms, where)
    return terms
  }
  if (acCoding !== 1)
    throw new ImageError('bad-data', `DWA chunk: coding ${acCoding} of the cosine terms, expected 0 or 1`, where)
  return new Uint16Array(Uint8Array.from(inflateExact(input, acCount * 2, where).bytes).buffer)
}

function readDc(input: Uint8Array, count: number, where: ImageErrorWhere): Uint16Array {
  const values = new Uint16Array((count + 1) & ~1)
  if (count > 0) reconstruct(inflateExact(input, count * 2, where).bytes, new Uint8Array(values.buffer))
  return values.subarray(0, count)
}

function readRuns(input: Uint8Array, { runsRaw, runsExpanded }: Sizes, where: ImageErrorWhere): Uint8Array {
  if (runsRaw === 0) return new Uint8Array(0)
  const packed = inflateAtMost(input, runsExpanded, where).bytes
  if (packed.length !== runsExpanded || runsRaw > packed.length * 64) {
    throw new ImageError('bad-length', `DWA chunk: ${packed.length} bytes of runs, expected ${runsExpanded}`, where)
  }
  const raw = new Uint8Array(runsRaw)
  expandRuns(packed, raw, where)
  return raw
}

/** Start of each channel's plane. */
function planeStarts(channels: readonly BlockChannel[]): readonly number[] {
  let start = 0
  return channels.map(({ channel, width, rows }) => {
    const at = start
    start += width * rows * channel.size
    return at
  })
}

function decodeLossy(
  planes: Uint8Array,
  block: Block,
  { schemes, triples }: Classified,
  streams: DctStreams,
  where: ImageErrorWhere,
): void {
  const starts = planeStarts(block.channels)
  const halves = (index: number): DctPlane => {
    const { channel, width, rows } = block.channels[index]!
    return { width, rows, linear: channel.linear, out: new Uint16Array(width * rows) }
  }
  const store = (index: number, { out }: DctPlane): void => {
    const { channel } = block.channels[index]!
    if (channel.size === 2) planes.set(new Uint8Array(out.buffer), starts[index]!)
    else {
      // Float channels are coded as halves too.
      const table = halfToFloatBits()
      planes.set(new Uint8Array(Uint32Array.from(out, (half) => table[half]!).buffer), starts[index]!)
    }
  }
  const groups = [
    ...triples,
    ...schemes.flatMap((scheme, index) => (scheme === 'dct' && !triples.some((t) => t.includes(index)) ? [[index]] : [])),
  ]
  for (const group of groups) {
    const targets = group.map(halves)
    decodeDct(targets, streams, where)
    group.forEach((index, place) => store(index, targets[place]!))
  }
}

function copyOthers(planes: Uint8Array, block: Block, { schemes }: Classified, unknown: Uint8Array, runs: Uint8Array): void {
  const starts = planeStarts(block.channels)
  let unknownAt = 0
  let runsAt = 0
  block.channels.forEach(({ channel, width, rows }, index) => {
    const samples = width * rows
    const start = starts[index]!
    if (schemes[index] === 'unknown') {
      planes.set(unknown.subarray(unknownAt, unknownAt + samples * channel.size), start)
      unknownAt += samples * channel.size
    } else if (schemes[index] === 'rle') {
      // All lowest bytes first, then the next ones.
      for (let byte = 0; byte < channel.size; byte++, runsAt += samples) {
        for (let i = 0; i < samples; i++) planes[start + i * channel.size + byte] = runs[runsAt + i]!
      }
    }
  })
}
