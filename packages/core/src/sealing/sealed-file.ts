import { createHash } from 'node:crypto'
import { invalid, PictorError } from '../contract/error.ts'
import type { Address, Bytes32 } from '../contract/messages.ts'
import type { SealKey } from '../contract/sealing.ts'
import { fromHex, toHex } from '../proof/bytes.ts'
import { CHUNK_BYTES, openChunks, sealChunks, TAG_BYTES } from './chunks.ts'
import { derive, openEnvelope, sealTo } from './envelope.ts'

const MAGIC = Buffer.from('PICTSEA2', 'latin1')
/** A head names at most 32 checkers. */
const MAX_HEAD_BYTES = 1 << 16

/** A lease's own secret, out of the farm's: the same after every restart. */
export function leaseSecretOf(farmSecret: Uint8Array, job: Bytes32, lease: number): Buffer {
  return derive(farmSecret, `pictor lease ${job} ${lease}`)
}

/** The key of one output. Each may be given away without giving away the others. */
export function fileKeyOf(leaseSecret: Uint8Array, outputHash: Bytes32): Buffer {
  return derive(leaseSecret, `pictor file ${outputHash}`)
}

/** Head of every sealed file of a lease: its secret, in an envelope for each checker. */
export function sealHead(farmSecret: Uint8Array, job: Bytes32, lease: number, keys: readonly SealKey[]): Buffer {
  const secret = leaseSecretOf(farmSecret, job, lease)
  const wraps = keys.map(({ checker, publicKey }) => {
    const context = wrapContext(job, lease, checker)
    return [checker, toHex(sealTo(publicKey, secret, context, derive(farmSecret, `${context} ${publicKey}`)))] as const
  })
  const head = Buffer.from(JSON.stringify({ wraps: Object.fromEntries(wraps) }))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([MAGIC, length, head])
}

const wrapContext = (job: Bytes32, lease: number, checker: Address): string => `pictor wrap ${job} ${lease} ${checker}`

/** The key of a file's chunks. It follows from the head, so that nothing opens under another head. */
const chunkKeyOf = (fileKey: Uint8Array, head: Uint8Array): Buffer =>
  derive(fileKey, `pictor chunks ${createHash('sha256').update(head).digest('hex')}`)

/** What to read of an output, and of what that seals to, for the bytes of a sealed file from an offset on. */
export interface SealedPart {
  /** Number of the first chunk that is needed. */
  readonly first: number
  /** Where in the output that chunk begins, bytes. */
  readonly plainOffset: number
  /** Bytes to leave out of what {@link sealedFile} gives. */
  readonly skip: number
}

/** Where a sealed file of `bytes` bytes of output goes on at `offset`; a download that broke off costs one chunk. */
export function sealedPart(head: Buffer, bytes: number, offset: number): SealedPart {
  const last = Math.max(0, Math.ceil(bytes / CHUNK_BYTES) - 1)
  const first = Math.min(last, Math.max(0, Math.floor((offset - head.length) / (CHUNK_BYTES + TAG_BYTES))))
  const before = first === 0 ? 0 : head.length + first * (CHUNK_BYTES + TAG_BYTES)
  return { first, plainOffset: first * CHUNK_BYTES, skip: offset - before }
}

/**
 * The encrypted file: head, then chunks (see {@link sealChunks}). The same bytes every time, so that a broken download goes on where it was. With `first` above 0, the
 * chunks from there on, and no head: `plain` is then what comes from there on.
 */
export async function* sealedFile(
  head: Buffer,
  fileKey: Uint8Array,
  plain: AsyncIterable<Uint8Array>,
  first = 0,
): AsyncGenerator<Uint8Array> {
  if (first === 0) yield head
  yield* sealChunks(chunkKeyOf(fileKey, head), plain, { first })
}

/** Size of the sealed file of an output of `bytes` bytes. */
export const sealedBytes = (head: Buffer, bytes: number): number =>
  head.length + bytes + TAG_BYTES * Math.max(1, Math.ceil(bytes / CHUNK_BYTES))

/** The lease's secret, as the farm gave it to this checker in the head of a sealed file. @throws invalid-input, signature-invalid */
export function readLeaseSecret(
  head: Buffer,
  { job, lease, checker }: { readonly job: Bytes32; readonly lease: number; readonly checker: Address },
  secret: Uint8Array,
): Buffer {
  let wrap: unknown
  try {
    wrap = (JSON.parse(head.toString('utf8', MAGIC.length + 4)) as { wraps?: Record<string, unknown> }).wraps?.[checker]
  } catch {
    throw invalid('sealed.head', 'JSON', 'other bytes')
  }
  if (typeof wrap !== 'string')
    throw invalid('sealed.head.wraps', `one for ${checker}`, 'none: the farm did not seal to this checker')
  const found = openEnvelope(secret, fromHex(wrap as `0x${string}`, 'sealed.head.wraps'), wrapContext(job, lease, checker))
  if (found.length !== 32) throw invalid('sealed.head.wraps', '32 bytes', found.length)
  return found
}

/**
 * The output in a sealed file, as a stream: memory holds a chunk of it. `keyOf` is the file's key, or finds it by the head. What comes out counts only once the stream has
 * ended without an error, since the commitment is to the whole.
 * @throws invalid-input when it is no sealed file; signature-invalid when the key is not the file's, when the file is not whole and as it was, or when what is in it is not the
 * output that was committed to
 */
export async function* unseal(
  sealed: AsyncIterable<Uint8Array>,
  keyOf: Uint8Array | ((head: Buffer) => Uint8Array),
  outputHash: Bytes32,
): AsyncGenerator<Buffer> {
  const source = sealed[Symbol.asyncIterator]()
  try {
    const { head, rest } = await headOf(source)
    const fileKey = typeof keyOf === 'function' ? keyOf(head) : keyOf
    const digest = createHash('sha256')
    for await (const chunk of openChunks(chunkKeyOf(fileKey, head), rest)) {
      digest.update(chunk)
      yield chunk
    }
    const found = `0x${digest.digest('hex')}`
    if (found !== outputHash)
      throw new PictorError('signature-invalid', `the sealed file holds ${found}, the commitment is to ${outputHash}`, {
        details: { path: 'sealed', expected: outputHash, found },
      })
  } finally {
    await source.return?.()
  }
}

/** Reads as much as the head takes. */
async function headOf(source: AsyncIterator<Uint8Array>): Promise<{ head: Buffer; rest: AsyncIterable<Uint8Array> }> {
  let got = Buffer.alloc(0)
  const other = () => invalid('sealed', 'a sealed file', 'other bytes')
  const fill = async (bytes: number): Promise<void> => {
    while (got.length < bytes) {
      const next = await source.next()
      if (next.done) throw other()
      got = Buffer.concat([got, next.value])
    }
  }
  const from = MAGIC.length + 4
  await fill(from)
  const length = got.subarray(0, MAGIC.length).equals(MAGIC) ? got.readUInt32BE(MAGIC.length) : Infinity
  if (length > MAX_HEAD_BYTES) throw other()
  await fill(from + length)
  async function* rest(): AsyncGenerator<Uint8Array> {
    yield got.subarray(from + length)
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
  }
  return { head: got.subarray(0, from + length), rest: rest() }
}
