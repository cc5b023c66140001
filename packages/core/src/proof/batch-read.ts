import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, FrameRecord, Verdict } from '../contract/messages.ts'
import { VERDICTS } from '../contract/messages.ts'
import { BATCH_FLAGS, BATCH_VERSION, RECORD_BYTES } from './batch.ts'
import { toHex } from './bytes.ts'
import { ZERO_HASH } from './hash.ts'

/** A lease as the chain sees it in a batch. */
export interface PackedLease {
  readonly id: number
  readonly seq: number
  readonly farm: Address
  readonly payTo: Address
  readonly price: bigint
  readonly weightSum: number
  readonly acceptedWeight: number
  readonly frames: number
  readonly restHash: Bytes32
  /** First frame number; only in full mode. */
  readonly baseFrame?: number
}

/** A batch as it is read back from the blob, which is also the data of the chain's event. */
export interface PackedBatch {
  /** Whether the long window of at least 72 h applies: an accepted frame is `unsure` or was only checked as a file. */
  readonly slow: boolean
  readonly recordMode: 'full' | 'root'
  readonly baseTimeMs: number
  readonly recordsRoot: Bytes32
  /** Ascending by farm. */
  readonly farms: readonly { readonly farm: Address; readonly payTo: Address }[]
  readonly checkers: readonly { readonly index: number; readonly votes: number }[]
  readonly leases: readonly PackedLease[]
  /** Full mode: the records of all leases in order; `part` is unknown to the blob and read as 0, scores are quantised to tens. */
  readonly records?: readonly FrameRecord[]
}

/** Walks over bytes; every read beyond the end is an `invalid-input`. */
function reader(bytes: Uint8Array): {
  skipTo(): number
  take(size: number, path: string): Uint8Array
  int(size: number, path: string): number
} {
  let at = 0
  const take = (size: number, path: string): Uint8Array => {
    if (at + size > bytes.length) throw invalid(`blob.${path}`, `${size} bytes at ${at}`, bytes.length - at)
    at += size
    return bytes.subarray(at - size, at)
  }
  return { take, skipTo: () => at, int: (size, path) => take(size, path).reduce((value, byte) => value * 256 + byte, 0) }
}

function readRecord(bytes: Uint8Array, baseTimeMs: number, baseFrame: number): FrameRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_BYTES)
  const outputHash = toHex(bytes.subarray(0, 32))
  const verdict = VERDICTS[view.getUint8(38)] as Verdict | undefined
  const flags = view.getUint8(39)
  if (!verdict) throw invalid('blob.record.verdict', '0, 1 or 2', view.getUint8(38))
  if ((flags & 127) > 100) throw invalid('blob.record.score', '0..100', flags & 127)
  if (outputHash === ZERO_HASH && (verdict !== 'refuse' || view.getUint32(32) !== 0))
    throw invalid('blob.record', 'a missing frame to be refused and without a time', verdict)
  return {
    frame: baseFrame + view.getUint16(36),
    part: 0,
    outputHash,
    completedAtMs: outputHash === ZERO_HASH ? 0 : baseTimeMs + view.getUint32(32),
    verdict,
    checked: flags >= 128,
    score: (flags & 127) * 10,
  }
}

/**
 * Reads a blob back. The chain does not look into records, so a quorum could have signed ones that nobody can read; `records: 'skip'` reads the money alone.
 * @throws invalid-input when it is no batch, or does not end where it should
 */
export function decodeBatch(blob: Uint8Array, options: { readonly records?: 'read' | 'skip' } = {}): PackedBatch {
  const { take, int, skipTo } = reader(blob)
  const version = int(1, 'version')
  if (version !== BATCH_VERSION) throw invalid('blob.version', `${BATCH_VERSION}`, version)
  const flags = int(1, 'flags')
  if (flags > 3) throw invalid('blob.flags', '0..3', flags)
  const full = (flags & BATCH_FLAGS.full) !== 0
  const baseTimeMs = int(6, 'baseTimeMs')
  const recordsRoot = toHex(take(32, 'recordsRoot'))
  const farms = Array.from({ length: int(1, 'farms') }, () => ({
    farm: toHex(take(20, 'farm')),
    payTo: toHex(take(20, 'payTo')),
  }))
  const checkers = Array.from({ length: int(1, 'checkers') }, () => ({ index: int(1, 'checker'), votes: int(4, 'votes') }))
  const leases: PackedLease[] = []
  for (let sets = int(1, 'sets'); sets > 0; sets--) {
    const seq = int(4, 'seq')
    for (let count = int(2, 'leases'); count > 0; count--) {
      const id = int(4, 'lease.id')
      const farm = farms[int(1, 'lease.farm')]
      if (!farm) throw invalid('blob.lease.farm', `an index below ${farms.length}`, id)
      const price = BigInt(toHex(take(12, 'lease.price')))
      const [weightSum, acceptedWeight, frames] = [int(4, 'weightSum'), int(4, 'acceptedWeight'), int(2, 'frames')]
      const lease = { id, seq, ...farm, price, weightSum, acceptedWeight, frames, restHash: toHex(take(32, 'restHash')) }
      leases.push(full ? { ...lease, baseFrame: int(4, 'baseFrame') | 0 } : lease)
    }
  }
  const rest = leases.reduce((sum, { frames }) => sum + frames * RECORD_BYTES, 0)
  const skip = options.records === 'skip'
  if (full && skip) take(rest, 'records')
  const records =
    full && !skip
      ? leases.flatMap(({ frames, baseFrame }) =>
          Array.from({ length: frames }, () => readRecord(take(RECORD_BYTES, 'record'), baseTimeMs, baseFrame!)),
        )
      : undefined
  if (skipTo() !== blob.length) throw invalid('blob', `${skipTo()} bytes`, blob.length)
  return {
    slow: (flags & BATCH_FLAGS.slow) !== 0,
    recordMode: full ? 'full' : 'root',
    baseTimeMs,
    recordsRoot,
    farms,
    checkers,
    leases,
    ...(records ? { records } : {}),
  }
}
