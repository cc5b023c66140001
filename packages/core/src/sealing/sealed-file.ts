import { createHash } from 'node:crypto'
import { invalid, PictorError } from '../contract/error.ts'
import type { Address, Bytes32 } from '../contract/messages.ts'
import type { SealKey } from '../contract/sealing.ts'
import { fromHex, toHex } from '../proof/bytes.ts'
import { decryptOnce, derive, encryptStream, openEnvelope, sealTo } from './envelope.ts'

const MAGIC = Buffer.from('PICTSEA1', 'latin1')
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

/** The encrypted file: head, AES-256-GCM bound to it, tag. The same bytes every time, so that a broken download goes on where it was. */
export async function* sealedFile(
  head: Buffer,
  fileKey: Uint8Array,
  plain: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield head
  yield* encryptStream(fileKey, plain, head)
}

/** Bytes that sealing adds to an output. */
export const sealOverhead = (head: Buffer): number => head.length + 16

function headOf(sealed: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const from = MAGIC.length + 4
  const length = bytes.length >= from && bytes.subarray(0, MAGIC.length).equals(MAGIC) ? bytes.readUInt32BE(MAGIC.length) : -1
  if (length < 0 || length > MAX_HEAD_BYTES || from + length + 16 > bytes.length)
    throw invalid('sealed', 'a sealed file', 'other bytes')
  return bytes.subarray(0, from + length)
}

/** The lease's secret, as the farm gave it to this checker. @throws invalid-input, signature-invalid */
export function readLeaseSecret(
  sealed: Uint8Array,
  { job, lease, checker }: { readonly job: Bytes32; readonly lease: number; readonly checker: Address },
  secret: Uint8Array,
): Buffer {
  const head = headOf(sealed)
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
 * The output in a sealed file.
 * @throws signature-invalid when the key is not the file's, or when what is in it is not the output that was committed to
 */
export function unseal(sealed: Uint8Array, fileKey: Uint8Array, outputHash: Bytes32): Buffer {
  const head = headOf(sealed)
  const plain = decryptOnce(fileKey, sealed.subarray(head.length), head)
  const found = `0x${createHash('sha256').update(plain).digest('hex')}`
  if (found !== outputHash)
    throw new PictorError('signature-invalid', `the sealed file holds ${found}, the commitment is to ${outputHash}`, {
      details: { path: 'sealed', expected: outputHash, found },
    })
  return plain
}
