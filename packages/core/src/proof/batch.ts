import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, FrameRecord, LeaseResult, Terms } from '../contract/messages.ts'
import { VERDICTS } from '../contract/messages.ts'
import { address20, bytes32, concat, int32, toHex, uint } from './bytes.ts'
import { ZERO_HASH, keccak256, keccakBytes } from './hash.ts'
import { leaseRestHash, weightSumOf } from './lease.ts'
import { merkleRoot } from './merkle.ts'

// The layout of a batch is written down in docs/encodings.md and parsed by PictorEscrow.sol; gas decided it: the blob is calldata, event data and,
// hashed, what the quorum signs.

/** First byte of every blob. */
export const BATCH_VERSION = 1
/** Bits of a blob's second byte. */
export const BATCH_FLAGS = { slow: 1, full: 2 } as const
/** Bytes of one packed frame record. */
export const RECORD_BYTES = 40

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
    Uint8Array.of(BATCH_VERSION, (isSlow(results) ? BATCH_FLAGS.slow : 0) | (full ? BATCH_FLAGS.full : 0)),
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
