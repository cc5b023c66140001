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
  let bytes: Uint8Array = file
  for (let times = 1 + draw(4); times > 0; times--) if (bytes.length > 0) bytes = DAMAGES[draw(DAMAGES.length)]!(bytes, draw)
  return png && draw(4) > 0 ? mendPng(bytes) : bytes
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
