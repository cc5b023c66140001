import type { FrameReport } from '../contract/checker.ts'
import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, Commit, FrameRecord, Lease, LeaseResult, Verdict, Vote } from '../contract/messages.ts'
import { ZERO_HASH } from './hash.ts'
import { outputsInOrder } from './output.ts'

/** A report with the checker that made it. */
export type CheckerReport = FrameReport & { readonly checker: Address }

/** Two votes of one checker that contradict each other: enough to slash it. */
export interface Equivocation {
  readonly checker: Address
  readonly first: Vote
  readonly second: Vote
}

const subjectOf = (vote: Pick<Vote, 'frame' | 'part' | 'outputHash'>): string => `${vote.frame}/${vote.part}/${vote.outputHash}`

/**
 * The first two votes of one checker about the same bytes of one (job, lease, frame, part), both `checked`, with different verdicts. Signatures are not looked at;
 * `verifyVote` does that.
 */
export function findEquivocation(votes: readonly Vote[]): Equivocation | undefined {
  const seen = new Map<string, Vote>()
  for (const vote of votes) {
    if (!vote.checked) continue
    const key = `${vote.checker}/${vote.job}/${vote.lease}/${subjectOf(vote)}`
    const first = seen.get(key)
    if (!first) seen.set(key, vote)
    else if (first.verdict !== vote.verdict) return { checker: vote.checker, first, second: vote }
  }
  return undefined
}

/**
 * The one verdict that follows from the votes on one frame: accept if `quorum` accept, refuse if `quorum` refuse, else unsure. Where refusing checkers made renders
 * of their own, at least two of them (one, where the quorum is one) must have got the same picture; otherwise nobody knows which render is right and the frame is
 * unsure. The picture is the `cropsHash` of their signed votes: who passes the votes on can neither hide that renders disagree nor make it up.
 */
function mergeVerdict(votes: readonly Vote[], quorum: number): Verdict {
  if (votes.filter((vote) => vote.verdict === 'accept').length >= quorum) return 'accept'
  const refusals = votes.filter((vote) => vote.verdict === 'refuse')
  if (refusals.length < quorum) return 'unsure'
  const agreeing = new Map<Bytes32, number>()
  for (const { cropsHash } of refusals) if (cropsHash !== ZERO_HASH) agreeing.set(cropsHash, (agreeing.get(cropsHash) ?? 0) + 1)
  return agreeing.size === 0 || Math.max(...agreeing.values()) >= Math.min(2, quorum) ? 'refuse' : 'unsure'
}

/**
 * One record a committed output, ascending by (frame, part), by the fixed rule of the protocol: verdict by quorum, `checked` when any vote compared renders, the lowest
 * revealed score, hash and completion time as the farm committed to them. A frame without votes is unsure with score 0.
 * Votes on other bytes than the committed ones do not count.
 * @throws invalid-input when an output appears twice or a checker voted twice on one output
 */
export function mergeVotes(votes: readonly Vote[], quorum: number, commits: readonly Commit[]): FrameRecord[] {
  if (!Number.isInteger(quorum) || quorum < 1) throw invalid('quorum', 'a whole number from 1', quorum)
  const lease = commits[0]?.lease
  for (const [i, commit] of commits.entries())
    if (commit.lease !== lease || commit.job !== commits[0]!.job)
      throw invalid(`commits[${i}]`, `commitments of lease ${lease}`, commit.lease)
  const bySubject = new Map<string, Map<Address, Vote>>()
  for (const [i, vote] of votes.entries()) {
    if (vote.lease !== lease || vote.job !== commits[0]?.job) continue
    const subject = bySubject.get(subjectOf(vote)) ?? new Map<Address, Vote>()
    if (subject.has(vote.checker)) throw invalid(`votes[${i}]`, 'one vote a checker and frame', vote.checker)
    bySubject.set(subjectOf(vote), subject.set(vote.checker, vote))
  }
  return outputsInOrder(commits.flatMap((commit) => commit.outputs)).map((output) => {
    const cast = [...(bySubject.get(subjectOf(output))?.values() ?? [])]
    return {
      frame: output.frame,
      part: output.part,
      outputHash: output.outputHash,
      completedAtMs: output.completedAtMs,
      verdict: mergeVerdict(cast, quorum),
      checked: cast.some((vote) => vote.checked),
      score: cast.length === 0 ? 0 : Math.min(...cast.map((vote) => vote.score)),
    }
  })
}

/** Sum of the weights of the lease's frames that are not refused: unsure frames are paid unless somebody disputes. */
export function acceptedWeightOf(lease: Lease, records: readonly FrameRecord[]): number {
  const refused = new Set(records.filter((record) => record.verdict === 'refuse').map((record) => record.frame))
  return lease.frames.reduce((sum, frame, i) => sum + (refused.has(frame) ? 0 : lease.weights[i]!), 0)
}

/** The record of a frame that nobody delivered. */
export function missingRecord(frame: number, part: number): FrameRecord {
  return { frame, part, outputHash: ZERO_HASH, completedAtMs: 0, verdict: 'refuse', checked: false, score: 0 }
}

/**
 * A lease as it is attested: a record for each of its frames (those without a commitment refused with a zero hash), the accepted weight, and how many of the counted
 * votes each checker gave, in order of address.
 * @throws invalid-input when a commitment names a frame that the lease does not have
 */
export function leaseResultOf(input: {
  readonly lease: Lease
  readonly seq: number
  readonly commits: readonly Commit[]
  readonly votes: readonly Vote[]
  readonly quorum: number
}): LeaseResult {
  const { lease, seq, commits, votes, quorum } = input
  const merged = new Map(mergeVotes(votes, quorum, commits).map((record) => [record.frame, record]))
  for (const record of merged.values())
    if (record.part !== lease.part || !lease.frames.includes(record.frame))
      throw invalid('commits', `frames of lease ${lease.id}`, `frame ${record.frame} part ${record.part}`)
  const records = lease.frames.map((frame) => merged.get(frame) ?? missingRecord(frame, lease.part))
  const counts = new Map<Address, number>()
  for (const vote of votes)
    if (vote.lease === lease.id && merged.get(vote.frame)?.outputHash === vote.outputHash && vote.part === lease.part)
      counts.set(vote.checker, (counts.get(vote.checker) ?? 0) + 1)
  const byAddress = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([checker, count]) => ({ checker, count }))
  return { lease, seq, records, acceptedWeight: acceptedWeightOf(lease, records), votes: byAddress }
}
