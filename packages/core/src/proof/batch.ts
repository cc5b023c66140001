import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, FrameRecord, LeaseResult, Terms, Verdict } from '../contract/messages.ts'
import { VERDICTS } from '../contract/messages.ts'
import { address20, bytes32, concat, int32, toHex, uint } from './bytes.ts'
import { ZERO_HASH, keccak256, keccakBytes } from './hash.ts'
import { leaseRestHash, weightSumOf } from './lease.ts'
import { merkleRoot } from './merkle.ts'

// The layout of a batch is written down in docs/encodings.md and parsed by PictorEscrow.sol; gas decided it: the blob is calldata, event data and,
// hashed, what the quorum signs.

const VERSION = 1
const SLOW = 1
const FULL = 2
/** Bytes of one packed frame record. */
export const RECORD_BYTES = 40

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
  readonly checkers: readonly { readonly index: number; readonly votes: number }[]
  readonly leases: readonly PackedLease[]
  /** Full mode: the records of all leases in order; `part` is unknown to the blob and read as 0, scores are quantised to tens. */
  readonly records?: readonly FrameRecord[]
}

/** Results in the order of the blob: by lease set, then by lease id. */
export function orderResults(results: readonly LeaseResult[]): LeaseResult[] {
  return [...results].sort((a, b) => a.seq - b.seq || a.lease.id - b.lease.id)
}

function recordFlags(record: FrameRecord): number {
  if (!Number.isInteger(record.score) || record.score < 0 || record.score > 1000)
    throw invalid('record.score', 'a whole number from 0 to 1000', record.score)
  return (record.checked ? 128 : 0) | Math.floor(record.score / 10)
}

function isMissing(record: FrameRecord): boolean {
  return record.outputHash === ZERO_HASH
}

/**
 * Leaf of one frame's record in a batch's `recordsRoot`: the same in both record modes, so one frame can be proven either way.
 * The completion time of a missing frame (zero hash) counts as 0, the score is quantised to tens.
 */
export function recordLeaf(job: Bytes32, lease: number, record: FrameRecord): Bytes32 {
  return keccak256(
    concat(
      Uint8Array.of(5),
      bytes32(job, 'job'),
      uint(lease, 4, 'lease.id'),
      int32(record.frame, 4, 'record.frame'),
      bytes32(record.outputHash, 'record.outputHash'),
      uint(isMissing(record) ? 0 : record.completedAtMs, 8, 'record.completedAtMs'),
      Uint8Array.of(VERDICTS.indexOf(record.verdict), recordFlags(record)),
    ),
  )
}

/** Leaves of all records of a batch in blob order: what `recordsRoot` is built over and single frames are proven with. */
export function recordLeaves(job: Bytes32, results: readonly LeaseResult[]): Bytes32[] {
  return orderResults(results).flatMap((result) => result.records.map((record) => recordLeaf(job, result.lease.id, record)))
}

function checkResult(result: LeaseResult): void {
  const { lease, records } = result
  const path = `lease ${lease.id}`
  if (records.length !== lease.frames.length || records.some((record, i) => record.frame !== lease.frames[i]))
    throw invalid(`${path}.records`, 'one record for each frame of the lease, in its order', records.length)
  const odd = records.find((record) => isMissing(record) && record.verdict !== 'refuse')
  if (odd) throw invalid(`${path}.records`, 'a missing frame (zero hash) to be refused', odd.verdict)
  const weightSum = weightSumOf(lease)
  if (result.acceptedWeight < 0 || result.acceptedWeight > weightSum)
    throw invalid(`${path}.acceptedWeight`, `0..${weightSum}`, result.acceptedWeight)
}

/** Farms of a batch, ascending, each with its one payee. @throws invalid-input when a farm has two payees (put its leases in two batches) */
export function farmTable(results: readonly LeaseResult[]): { farm: Address; payTo: Address }[] {
  const table = new Map<Address, Address>()
  for (const { lease } of results) {
    const known = table.get(lease.farm)
    if (known !== undefined && known !== lease.payTo)
      throw invalid('lease.payTo', `one payee a farm in a batch (${known})`, lease.payTo)
    table.set(lease.farm, lease.payTo)
  }
  return [...table].map(([farm, payTo]) => ({ farm, payTo })).sort((a, b) => (a.farm < b.farm ? -1 : 1))
}

/** Votes of a batch by committee index, ascending, without zeros. @throws invalid-input for a voter outside the committee */
export function voteTable(results: readonly LeaseResult[], committee: readonly Address[]): { index: number; votes: number }[] {
  const votes = new Map<number, number>()
  for (const { checker, count } of results.flatMap((result) => result.votes)) {
    const index = committee.indexOf(checker)
    if (index < 0) throw invalid('votes.checker', 'a checker of the job', checker)
    if (count > 0) votes.set(index, (votes.get(index) ?? 0) + count)
  }
  return [...votes].map(([index, count]) => ({ index, votes: count })).sort((a, b) => a.index - b.index)
}

/** Whether a batch needs the long window: something was accepted that no render comparison has confirmed. */
export function isSlow(results: readonly LeaseResult[]): boolean {
  return results.some(
    ({ lease, records, acceptedWeight }) =>
      acceptedWeight > 0 && (lease.checkClass === 'file-only' || records.some((record) => record.verdict === 'unsure')),
  )
}

function packRecords(result: LeaseResult, baseTimeMs: number): Uint8Array {
  const bytes = new Uint8Array(result.records.length * RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  const baseFrame = result.lease.frames[0] ?? 0
  for (const [i, record] of result.records.entries()) {
    const at = i * RECORD_BYTES
    const dtMs = isMissing(record) ? 0 : record.completedAtMs - baseTimeMs
    const offset = record.frame - baseFrame
    if (dtMs < 0 || dtMs >= 2 ** 32)
      throw invalid('record.completedAtMs', 'times within 2^32 ms of each other (use record mode root)', dtMs)
    if (offset < 0 || offset > 0xffff)
      throw invalid('record.frame', 'frames within 65,535 of each other (use record mode root)', offset)
    bytes.set(bytes32(record.outputHash, 'record.outputHash'), at)
    view.setUint32(at + 32, dtMs)
    view.setUint16(at + 36, offset)
    view.setUint8(at + 38, VERDICTS.indexOf(record.verdict))
    view.setUint8(at + 39, recordFlags(record))
  }
  return bytes
}

function packLease({ lease, acceptedWeight }: LeaseResult, farmIndex: number, full: boolean): Uint8Array {
  const path = `lease ${lease.id}`
  return concat(
    uint(lease.id, 4, `${path}.id`),
    uint(farmIndex, 1, `${path}.farm`),
    uint(lease.price, 12, `${path}.price`),
    uint(weightSumOf(lease), 4, `${path}.weights`),
    uint(acceptedWeight, 4, `${path}.acceptedWeight`),
    uint(lease.frames.length, 2, `${path}.frames`),
    bytes32(leaseRestHash(lease), `${path}.restHash`),
    full ? int32(lease.frames[0] ?? 0, 4, `${path}.frames[0]`) : new Uint8Array(0),
  )
}

function packSet(results: readonly LeaseResult[], farms: readonly Address[], full: boolean): Uint8Array {
  for (let i = 1; i < results.length; i++)
    if (results[i]!.lease.id === results[i - 1]!.lease.id) throw invalid('results', 'each lease once', results[i]!.lease.id)
  return concat(
    uint(results[0]!.seq, 4, 'result.seq'),
    uint(results.length, 2, 'results.length'),
    ...results.map((result) => packLease(result, farms.indexOf(result.lease.farm), full)),
  )
}

/**
 * Packs a batch into the blob that is hashed, signed by the quorum, sent to the chain and found in its event. `committee` is left out for jobs that
 * name their checkers.
 * @throws invalid-input naming the field that cannot be packed
 */
export function encodeBatch(
  batch: { readonly job: Bytes32; readonly results: readonly LeaseResult[] },
  terms: Pick<Terms, 'recordMode' | 'checkers'>,
  committee: readonly Address[] = terms.checkers,
): Uint8Array {
  if (batch.results.length === 0) throw invalid('results', 'at least one lease', 0)
  const results = orderResults(batch.results)
  for (const result of results) checkResult(result)
  const full = terms.recordMode === 'full'
  const farms = farmTable(results)
  const voters = voteTable(results, committee)
  const seqs = [...new Set(results.map((result) => result.seq))]
  const sets = seqs.map((seq) => results.filter((result) => result.seq === seq))
  const times = results.flatMap((result) =>
    result.records.filter((record) => !isMissing(record)).map((record) => record.completedAtMs),
  )
  const baseTimeMs = times.reduce((least, time) => Math.min(least, time), times[0] ?? 0)
  return concat(
    Uint8Array.of(VERSION, (isSlow(results) ? SLOW : 0) | (full ? FULL : 0)),
    uint(baseTimeMs, 6, 'record.completedAtMs'),
    bytes32(merkleRoot(recordLeaves(batch.job, results)), 'recordsRoot'),
    uint(farms.length, 1, 'farms.length'),
    ...farms.flatMap(({ farm, payTo }) => [address20(farm, 'lease.farm'), address20(payTo, 'lease.payTo')]),
    uint(voters.length, 1, 'voters.length'),
    ...voters.flatMap(({ index, votes }) => [uint(index, 1, 'committee'), uint(votes, 4, 'votes')]),
    uint(sets.length, 1, 'sets.length'),
    ...sets.map((set) =>
      packSet(
        set,
        farms.map(({ farm }) => farm),
        full,
      ),
    ),
    ...(full ? results.map((result) => packRecords(result, baseTimeMs)) : []),
  )
}

/** What a quorum signs for: keccak256 of {@link encodeBatch}. */
export function batchHash(
  batch: { readonly job: Bytes32; readonly results: readonly LeaseResult[] },
  terms: Pick<Terms, 'recordMode' | 'checkers'>,
  committee: readonly Address[] = terms.checkers,
): Bytes32 {
  return toHex(keccakBytes(encodeBatch(batch, terms, committee)))
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

/** Reads a blob back. @throws invalid-input when it is no batch, or does not end where it should */
export function decodeBatch(blob: Uint8Array): PackedBatch {
  const { take, int, skipTo } = reader(blob)
  const version = int(1, 'version')
  if (version !== VERSION) throw invalid('blob.version', `${VERSION}`, version)
  const flags = int(1, 'flags')
  if (flags > 3) throw invalid('blob.flags', '0..3', flags)
  const full = (flags & FULL) !== 0
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
  const records = full
    ? leases.flatMap(({ frames, baseFrame }) =>
        Array.from({ length: frames }, () => readRecord(take(RECORD_BYTES, 'record'), baseTimeMs, baseFrame!)),
      )
    : undefined
  if (skipTo() !== blob.length) throw invalid('blob', `${skipTo()} bytes`, blob.length)
  return {
    slow: (flags & SLOW) !== 0,
    recordMode: full ? 'full' : 'root',
    baseTimeMs,
    recordsRoot,
    checkers,
    leases,
    ...(records ? { records } : {}),
  }
}
