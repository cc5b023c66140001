import { invalid } from '../contract/error.ts'
import type { FrameRecord, Lease } from '../contract/messages.ts'
import { leaseAcceptDigest, leaseSetDigest } from './digests.ts'
import { ZERO_HASH } from './hash.ts'
import { leaseLeaf, leaseSetRoot } from './lease.ts'
import type { Receipt } from './receipt.ts'
import { verifySeed } from './seed.ts'
import { requireSigner, verifyCommit, verifyReady, verifyVote } from './sign.ts'
import { badSignature } from './signature.ts'
import { jobIdOf, quoteHashOf, specHashOf } from './terms.ts'
import { mergeVotes } from './votes.ts'

// The checks of a receipt's signed messages. Each throws invalid-input or signature-invalid naming the part that does not hold.

/** The lease of a set, or a refusal. */
export function leaseIn(receipt: Receipt, seq: number, id: number, path: string): Lease {
  const lease = receipt.sets.find(({ set }) => set.seq === seq)?.leases.find((lease) => lease.id === id)
  if (!lease) throw invalid(path, `a lease of set ${seq}`, id)
  return lease
}

function anyLease(receipt: Receipt, id: number, path: string): Lease {
  for (const { leases } of receipt.sets) for (const lease of leases) if (lease.id === id) return lease
  throw invalid(path, 'a lease of the receipt', id)
}

/** The job follows from domain and terms; custody and committee from the same. */
export function checkJob(receipt: Receipt): void {
  const { domain, terms, committee } = receipt
  const job = jobIdOf(domain, terms.creator, terms.runId)
  if (receipt.job !== job) throw invalid('job', `${job}, by domain and terms`, receipt.job)
  const custody = domain.chainId === 0 ? 'none' : 'escrow'
  if (receipt.custody !== custody) throw invalid('custody', custody, receipt.custody)
  if (terms.registryDraw === 0 && committee.join() !== terms.checkers.join())
    throw invalid('committee', 'the checkers of the terms', committee)
  if (terms.registryDraw !== 0 && committee.length !== terms.registryDraw)
    throw invalid('committee', `${terms.registryDraw} drawn checkers`, committee)
}

/** What the terms' hashes stand for, where the receipt brings it. */
export function checkDocuments({ terms, spec, quote }: Receipt): void {
  if (spec !== undefined && specHashOf(spec as never) !== terms.specHash)
    throw invalid('spec', `hash ${terms.specHash}`, 'another')
  if (quote !== undefined && quoteHashOf(quote) !== terms.quoteHash) throw invalid('quote', `hash ${terms.quoteHash}`, 'another')
}

/** Lease sets: roots over their leases, later ones signed by the leaseKey, each seq and lease id once. */
export function checkSets({ domain, terms, job, sets }: Receipt): void {
  const seen = new Set<number>()
  for (const [i, { set, leases }] of sets.entries()) {
    const path = `sets[${i}]`
    if (i === 0 ? set.seq !== 0 : set.seq <= sets[i - 1]!.set.seq)
      throw invalid(`${path}.set.seq`, 'sets ascending from 0', set.seq)
    if (set.job !== job) throw invalid(`${path}.set.job`, job, set.job)
    if (leaseSetRoot(leases) !== set.setRoot) throw invalid(`${path}.set.setRoot`, 'the root over the leases', set.setRoot)
    if (set.seq > 0 || set.signature)
      requireSigner(leaseSetDigest(domain, set), set.signature ?? '0x', terms.leaseKey, `${path}.set.signature`)
    for (const { id } of leases) {
      if (seen.has(id)) throw invalid(`${path}.leases`, 'each lease id once', id)
      seen.add(id)
    }
  }
  if (sets.length === 0) throw invalid('sets', 'at least set 0', sets)
}

/** Readies: of the committee, for sets and bundle of this job, each checker once a set. */
export function checkReady(receipt: Receipt): void {
  const seen = new Set<string>()
  for (const [i, ready] of receipt.ready.entries()) {
    const path = `ready[${i}]`
    const set = receipt.sets.find(({ set }) => set.seq === ready.seq)?.set
    if (ready.job !== receipt.job || ready.setRoot !== set?.setRoot || ready.bundleRoot !== receipt.terms.bundleRoot)
      throw invalid(path, "this job's set and bundle", `set ${ready.seq}`)
    if (!receipt.committee.includes(ready.checker)) throw invalid(`${path}.checker`, 'a checker of the job', ready.checker)
    if (seen.has(`${ready.seq}/${ready.checker}`)) throw invalid(path, 'one Ready a checker and set', ready.checker)
    seen.add(`${ready.seq}/${ready.checker}`)
    verifyReady(receipt.domain, ready, path)
  }
}

/** Farms' countersignatures of their leases. */
export function checkAccepts(receipt: Receipt): void {
  for (const [i, { seq, lease: id, signature }] of receipt.accepts.entries()) {
    const lease = leaseIn(receipt, seq, id, `accepts[${i}].lease`)
    const digest = leaseAcceptDigest(receipt.domain, { job: receipt.job, seq, lease: id, leaf: leaseLeaf(lease) })
    requireSigner(digest, signature, lease.farm, `accepts[${i}].signature`)
  }
}

/** Every record of the attested leases with where it stands. */
function* recordsOf(receipt: Receipt): Generator<{ lease: number; record: FrameRecord; path: string }> {
  for (const [i, step] of receipt.steps.entries())
    if (step.kind === 'attest')
      for (const [j, { lease, records }] of step.results.entries())
        for (const [k, record] of records.entries()) yield { lease, record, path: `steps[${i}].results[${j}].records[${k}]` }
}

/** Commitments of the leases' farms; every delivered frame of a lease with commitments is among them, with its time and hash. */
export function checkCommits(receipt: Receipt): void {
  const outputs = new Map<string, { outputHash: string; completedAtMs: number }>()
  const committed = new Set<number>()
  for (const [i, commit] of receipt.commits.entries()) {
    const path = `commits[${i}]`
    const lease = anyLease(receipt, commit.lease, `${path}.lease`)
    if (commit.job !== receipt.job) throw invalid(`${path}.job`, receipt.job, commit.job)
    verifyCommit(receipt.domain, commit, lease.farm, path)
    committed.add(lease.id)
    for (const output of commit.outputs) {
      const key = `${lease.id}/${output.frame}/${output.part}`
      if (outputs.has(key)) throw invalid(`${path}.outputs`, 'each frame once a lease', output.frame)
      outputs.set(key, output)
    }
  }
  for (const { lease, record, path } of recordsOf(receipt)) {
    if (record.outputHash === ZERO_HASH || !committed.has(lease)) continue
    const output = outputs.get(`${lease}/${record.frame}/${record.part}`)
    if (output?.outputHash !== record.outputHash || output.completedAtMs !== record.completedAtMs)
      throw invalid(path, 'hash and time that the farm committed to', record.outputHash)
  }
}

/** Votes of the committee; where a lease's votes are there, its records follow from them (a refusal may have become unsure for want of agreeing replicas). */
export function checkVotes(receipt: Receipt): void {
  const { domain, terms, job, committee } = receipt
  const byLease = new Map<number, Receipt['votes'][number][]>()
  for (const [i, vote] of receipt.votes.entries()) {
    const path = `votes[${i}]`
    if (vote.job !== job) throw invalid(`${path}.job`, job, vote.job)
    if (!committee.includes(vote.checker)) throw invalid(`${path}.checker`, 'a checker of the job', vote.checker)
    anyLease(receipt, vote.lease, `${path}.lease`)
    verifyVote(domain, vote, path)
    byLease.set(vote.lease, [...(byLease.get(vote.lease) ?? []), vote])
  }
  for (const { lease, record, path } of recordsOf(receipt)) {
    const votes = byLease.get(lease)
    if (!votes || record.outputHash === ZERO_HASH) continue
    const commits = [{ job, lease, index: 0, outputRoot: ZERO_HASH, outputs: [record], signature: '0x' as const }]
    const [merged] = mergeVotes(votes, undefined, terms.quorum, commits)
    const agrees = merged!.verdict === record.verdict || (merged!.verdict === 'refuse' && record.verdict === 'unsure')
    if (!agrees) throw invalid(`${path}.verdict`, `${merged!.verdict}, by the votes`, record.verdict)
    if (Math.floor(merged!.score / 10) * 10 !== record.score || merged!.checked !== record.checked)
      throw invalid(path, `score ${merged!.score} and checked ${merged!.checked}, by the votes`, record.score)
  }
}

/** Revealed seeds: those that the checkers' Readies committed to. */
export function checkSeeds(receipt: Receipt): void {
  for (const [i, reveal] of receipt.seeds.entries()) {
    const path = `seeds[${i}]`
    const seq = receipt.sets.find(({ leases }) => leases.some(({ id }) => id === reveal.lease))?.set.seq
    const ready = receipt.ready.find((one) => one.checker === reveal.checker && one.seq === seq)
    if (!ready) throw invalid(`${path}.checker`, "a checker whose Ready covers the lease's set", reveal.checker)
    if (!verifySeed(ready.seedRoot, reveal))
      throw badSignature(path, `it is not the seed that the Ready of ${reveal.checker} committed to`)
  }
}
