import type { Address, Batch, CheckerJob, LeaseResult, Ready, SeedReveal, Vote } from '@pictor/core/contract'
import { batchHash, leaseLeaf, leaseResultOf, verifyReady, verifySeed, verifyVote } from '@pictor/core/proof'
import { refuse } from './refusal.ts'
import { committeeOf, type JobState } from './state.ts'

/** A batch to sign, with all votes and seeds it rests on. */
export interface BatchRequest {
  readonly job: CheckerJob
  readonly batch: Batch
  readonly votes: readonly Vote[]
  readonly seeds: readonly SeedReveal[]
  /** What the other checkers' seeds are held against. */
  readonly readies?: readonly Ready[]
}

/**
 * Whether a batch follows from votes that this checker can verify: every vote signed by a checker of the job, its own votes unchanged, every lease known and whole,
 * every record what the fixed rule makes of the votes, the hash over all of it.
 * @throws checker-refused or signature-invalid
 */
export function inspectBatch(state: JobState, request: BatchRequest, self: Address, nowMs: number): void {
  const { job, batch, votes } = request
  const committee = committeeOf(state, job.terms)
  if (batch.job !== job.job) throw refuse('batch-of-other-job', `the batch belongs to ${batch.job}`)
  if (batch.validUntilS * 1000 <= nowMs) throw refuse('batch-expired', 'the time in which the batch may be posted has passed')
  if (batch.results.length === 0) throw refuse('empty-batch', 'the batch holds no lease')
  for (const [i, vote] of votes.entries()) {
    if (vote.job !== job.job) throw refuse('vote-of-other-job', `vote ${i} belongs to another job`)
    if (!committee.includes(vote.checker))
      throw refuse('not-a-checker', `vote ${i} is by ${vote.checker}, who is no checker of this job`)
    verifyVote(job.domain, vote, `votes[${i}]`)
  }
  const seen = new Set<number>()
  for (const result of batch.results) {
    if (seen.has(result.lease.id)) throw refuse('lease-again', `lease ${result.lease.id} appears twice in the batch`)
    seen.add(result.lease.id)
    inspectResult(state, request, result, self)
  }
  const hash = batchHash(batch, job.terms, committee)
  if (hash !== batch.batchHash) throw refuse('batch-hash', `the results hash to ${hash}, the batch says ${batch.batchHash}`)
}

function inspectResult(state: JobState, request: BatchRequest, result: LeaseResult, self: Address): void {
  const { job, votes } = request
  const { lease } = result
  const known = state.leases[lease.id]
  if (!known || leaseLeaf(known.lease) !== leaseLeaf(lease) || known.seq !== result.seq)
    throw refuse('lease-unknown', `lease ${lease.id} is in no set that this checker is ready for`)
  const ours = votes.filter((vote) => vote.lease === lease.id)
  requireOwnVotes(state, ours, lease.id, self)
  const voters = new Set(ours.map((vote) => vote.checker))
  // Frames without votes are unsure, and paid unless somebody objects: nobody may choose that for a lease that q checkers could have looked at.
  if (state.commits[lease.id] && voters.size < job.terms.quorum)
    throw refuse(
      'votes-missing',
      `lease ${lease.id} needs votes of ${job.terms.quorum} checkers, shown are those of ${voters.size}`,
    )
  for (const checker of voters) requireSeed(state, request, known.seq, lease.id, checker, self)
  const merged = leaseResultOf({
    lease,
    seq: known.seq,
    commits: state.commits[lease.id] ?? [],
    votes: ours,
    quorum: job.terms.quorum,
  })
  for (const [i, record] of merged.records.entries()) {
    const given = result.records[i]
    if (!given || !sameRecord(record, given)) {
      throw refuse(
        'record-differs',
        `frame ${record.frame} of lease ${lease.id}: the votes make it ${record.verdict}, the batch says ${given?.verdict ?? 'nothing'}`,
      )
    }
  }
  if (result.records.length !== merged.records.length)
    throw refuse('record-differs', `lease ${lease.id} has ${merged.records.length} frames, the batch ${result.records.length}`)
  const accepted = lease.frames.reduce(
    (sum, _frame, i) => sum + (result.records[i]!.verdict === 'refuse' ? 0 : lease.weights[i]!),
    0,
  )
  if (accepted !== result.acceptedWeight)
    throw refuse('weight-differs', `lease ${lease.id}: weight ${accepted} is accepted, the batch says ${result.acceptedWeight}`)
  const counts = (rows: LeaseResult['votes']): string =>
    rows
      .map((row) => `${row.checker}:${row.count}`)
      .sort()
      .join()
  if (counts(result.votes) !== counts(merged.votes))
    throw refuse('votes-differ', `lease ${lease.id}: the batch counts other votes than were given`)
}

/** A batch that changes this checker's own votes is not one to sign. One that was made before they came is: any q of the m who reveal decide (PROTOCOL.md, 5). */
function requireOwnVotes(state: JobState, votes: readonly Vote[], lease: number, self: Address): void {
  const own = state.cast[lease]?.votes ?? []
  const given = votes.filter((vote) => vote.checker === self)
  const text = (vote: Vote): string =>
    [vote.frame, vote.part, vote.outputHash, vote.verdict, vote.checked, vote.score, vote.cropsHash].join()
  const mine = new Set(own.map(text))
  if (given.length === 0) return
  if (given.length !== own.length || given.some((vote) => !mine.has(text(vote)))) {
    throw refuse('own-votes', `the votes on lease ${lease} are not those that this checker gave`)
  }
}

/**
 * What a checker voted rests on draws from a seed that its Ready committed to before there was anything to draw from: who reveals another one has chosen its samples.
 */
function requireSeed(
  state: JobState,
  { job, seeds, readies = [] }: BatchRequest,
  seq: number,
  lease: number,
  checker: Address,
  self: Address,
): void {
  const seed = seeds.find((one) => one.lease === lease && one.checker === checker)
  if (!seed) throw refuse('seed-missing', `${checker} voted on lease ${lease}, and its seed is not shown`)
  const differs = `the seed of lease ${lease} is not the one that the Ready of ${checker} committed to`
  if (checker === self) {
    if (state.cast[lease]?.seed.seed !== seed.seed) throw refuse('seed-differs', differs)
    return
  }
  const ready = readies.find((one) => one.checker === checker && one.seq === seq)
  if (!ready) throw refuse('ready-missing', `the Ready of ${checker} for lease set ${seq} is not shown: its seed proves nothing`)
  verifyReady(job.domain, ready)
  const { setRoot } = state.sets[seq]!.set
  if (ready.job !== job.job || ready.setRoot !== setRoot)
    throw refuse('ready-of-other-set', `the Ready of ${checker} is not about lease set ${seq} of this job`)
  if (!verifySeed(ready.seedRoot, seed)) throw refuse('seed-differs', differs)
}

type Record = LeaseResult['records'][number]

/** Equal in every field. */
function sameRecord(merged: Record, given: Record): boolean {
  return (
    merged.verdict === given.verdict &&
    merged.frame === given.frame &&
    merged.part === given.part &&
    merged.outputHash === given.outputHash &&
    merged.completedAtMs === given.completedAtMs &&
    merged.checked === given.checked &&
    merged.score === given.score
  )
}
