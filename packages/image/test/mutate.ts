import { deflateSync, inflateSync } from 'node:zlib'
import { pngChunk } from '../src/png/encode.ts'

/** Draws whole numbers below a bound; the same seed gives the same numbers on every machine. */
export type Draw = (below: number) => number

/** A 32-bit xorshift generator. */
export function createDraw(seed: number): Draw {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return Math.floor(((state >>> 0) / 2 ** 32) * below)
  }
}

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff]
const WORDS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x10000, 0x40000000, 255, 65535]

/** One kind of damage to bytes; returns new bytes. */
type Damage = (bytes: Uint8Array, draw: Draw) => Uint8Array

const edit = (change: (bytes: Uint8Array, at: number, draw: Draw) => void): Damage => {
  return (bytes, draw) => {
    const copy = Uint8Array.from(bytes)
    // Half of the damage goes to the front, where the headers are.
    const reach = draw(2) === 0 ? Math.min(copy.length, 600) : copy.length
    if (reach > 8) change(copy, draw(reach - 8), draw)
    return copy
  }
}

const DAMAGES: readonly Damage[] = [
  edit((bytes, at, draw) => (bytes[at]! ^= 1 << draw(8))),
  edit((bytes, at, draw) => (bytes[at] = EXTREMES[draw(EXTREMES.length)]!)),
  edit((bytes, at, draw) => (bytes[at] = draw(256))),
  edit((bytes, at, draw) => new DataView(bytes.buffer).setUint32(at, WORDS[draw(WORDS.length)]!, draw(2) === 0)),
  edit((bytes, at, draw) => new DataView(bytes.buffer).setUint32(at, draw(2 ** 32), true)),
  edit((bytes, at, draw) => bytes.fill(draw(2) * 255, at, at + draw(64))),
  edit((bytes, at, draw) => bytes.copyWithin(at, draw(bytes.length), draw(bytes.length))),
  (bytes, draw) => bytes.slice(0, draw(bytes.length + 1)),
  (bytes, draw) => {
    const at = draw(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(draw(bytes.length), draw(bytes.length)), bytes.subarray(at)])
  },
  (bytes, draw) => {
    const at = draw(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + draw(40))])
  },
]

/** Damages a file in one to four ways. A damaged PNG mostly gets its checksums mended, or nothing behind them would be reached. */
export function mutate(file: Uint8Array, draw: Draw): Uint8Array {
  const png = file[0] === 0x89
  if (png && draw(3) === 0) return mutatePngPicture(file, draw)
  if (!png && draw(3) === 0) return mutateExrStructure(file, draw)
  let bytes: Uint8Array = file
  for (let times = 1 + draw(4); times > 0; times--) if (bytes.length > 0) bytes = DAMAGES[draw(DAMAGES.length)]!(bytes, draw)
  return png && draw(4) > 0 ? mendPng(bytes) : bytes
}

/** Where an EXR's first header keeps its attributes' values, and where the header ends; as far as it can be walked. */
function exrAttributes(bytes: Uint8Array): {
  readonly at: ReadonlyMap<string, { from: number; size: number }>
  readonly end: number
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found = new Map<string, { from: number; size: number }>()
  const textEnd = (from: number): number => bytes.indexOf(0, from)
  let at = 8
  while (at < bytes.length && bytes[at] !== 0) {
    const nameEnd = textEnd(at)
    const typeEnd = textEnd(nameEnd + 1)
    if (nameEnd < 0 || typeEnd < 0 || typeEnd + 5 > bytes.length) break
    const size = view.getInt32(typeEnd + 1, true)
    found.set(Buffer.from(bytes.subarray(at, nameEnd)).toString('latin1'), { from: typeEnd + 5, size })
    at = typeEnd + 5 + size
  }
  return { at: found, end: at + 1 }
}

/** Sizes that overflow 32 bits when multiplied, and their neighbours. */
const COORDINATES = [-1, 0, 1, 2 ** 30, 2 ** 30 - 1, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31), 65535, 46341]

/** Keeps an EXR well formed but for one to three fields that decide sizes and places: windows, codec, tiles, channels, the offset table, chunk leaders. */
function mutateExrStructure(file: Uint8Array, draw: Draw): Uint8Array {
  const bytes = Uint8Array.from(file)
  const view = new DataView(bytes.buffer)
  const { at, end } = exrAttributes(bytes)
  const coordinate = (): number => (draw(2) === 0 ? COORDINATES[draw(COORDINATES.length)]! : draw(4096) - 64)
  const setWord = (where: number, value: number): void => {
    if (where >= 0 && where + 4 <= bytes.length) view.setInt32(where, value | 0, true)
  }
  const table = (): number => end + 8 * draw(64)
  const chunk = (): number => (end + 8 <= bytes.length ? view.getUint32(Math.min(table(), bytes.length - 4), true) : 0)
  const changes = [
    () => setWord((at.get('dataWindow')?.from ?? -9) + 4 * draw(4), coordinate()),
    () => setWord((at.get('displayWindow')?.from ?? -9) + 4 * draw(4), coordinate()),
    () => (bytes[at.get('compression')?.from ?? 0] = draw(14)),
    () => (bytes[at.get('lineOrder')?.from ?? 0] = draw(5)),
    () => setWord((at.get('tiles')?.from ?? -9) + 4 * draw(2), coordinate()),
    () => (bytes[(at.get('tiles')?.from ?? -8) + 8] = draw(40)),
    () => setWord((at.get('channels')?.from ?? -9) + draw(at.get('channels')?.size ?? 1), draw(4)),
    () => setWord(at.get('chunkCount')?.from ?? -9, coordinate()),
    () => setWord(4, view.getInt32(4, true) ^ (1 << (8 + draw(6)))),
    () => setWord(table(), draw(2) === 0 ? chunk() : draw(bytes.length + 16)),
    () => setWord(table() + 4, draw(3)),
    () => setWord(chunk() + 4 * draw(6), draw(2) === 0 ? coordinate() : draw(bytes.length)),
    () => {
      // A stream of zeros that expands a thousandfold, over the data of a chunk.
      const bomb = deflateSync(new Uint8Array(draw(1 << 20)), { level: 9 })
      const from = chunk() + 8
      if (from + bomb.length <= bytes.length) {
        bytes.set(bomb, from)
        setWord(chunk() + 4, bomb.length)
      }
    },
  ]
  for (let times = 1 + draw(3); times > 0; times--) changes[draw(changes.length)]!()
  return bytes
}

interface Chunk {
  readonly type: string
  readonly data: Uint8Array
}

/** Splits a PNG at its declared lengths as far as they hold. */
function pngChunks(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const chunks: Chunk[] = []
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = Math.min(bytes.length - 4, at + 8 + view.getUint32(at))
    chunks.push({ type: Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1'), data: bytes.subarray(at + 8, end) })
    at = end + 4
  }
  return chunks
}

const joinPng = (head: Uint8Array, chunks: readonly Chunk[]): Uint8Array =>
  Buffer.concat([head.subarray(0, 8), ...chunks.map(({ type, data }) => pngChunk(type, data))])

const mendPng = (bytes: Uint8Array): Uint8Array => joinPng(bytes, pngChunks(bytes))

/** Damages filter bytes and pixels inside the compressed picture, or its length, or the header. */
function mutatePngPicture(file: Uint8Array, draw: Draw): Uint8Array {
  const chunks = pngChunks(file)
  const raw = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data)))
  let damaged: Uint8Array = raw
  for (let times = 1 + draw(3); times > 0; times--)
    if (damaged.length > 0) damaged = DAMAGES[draw(DAMAGES.length)]!(damaged, draw)
  const packed = { type: 'IDAT', data: deflateSync(damaged, { level: draw(10) }) }
  const rest = chunks.filter(({ type }) => type !== 'IDAT')
  const changed = rest.map((chunk) =>
    chunk.type === 'IHDR' && draw(3) === 0 ? { type: 'IHDR', data: DAMAGES[draw(4)]!(chunk.data, draw) } : chunk,
  )
  return joinPng(file, [...changed.slice(0, -1), packed, ...changed.slice(-1)])
}
