import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, Lease, Vote } from '../contract/messages.ts'
import type { RateQuote } from '../contract/rate.ts'
import { leaseAcceptDigest, leaseSetDigest } from './digests.ts'
import { ZERO_HASH } from './hash.ts'
import { leaseLeaf, leaseSetRoot } from './lease.ts'
import { verifyRate } from './rate.ts'
import type { Receipt, ReceiptResult } from './receipt.ts'
import { verifySeed } from './seed.ts'
import { requireSigner, verifyCommit, verifyReady, verifyVote } from './sign.ts'
import { badSignature, recoverAddress } from './signature.ts'
import { jobIdOf, quoteHashOf, specHashOf } from './terms.ts'
import { mergeVotes } from './votes.ts'

// The checks of a receipt's signed messages. Each throws invalid-input or signature-invalid naming the part that does not hold.

/** The lease of a set, or a refusal. */
export function leaseIn(receipt: Receipt, seq: number, id: number, path: string): Lease {
  const lease = receipt.sets.find(({ set }) => set.seq === seq)?.leases.find((lease) => lease.id === id)
  if (!lease) throw invalid(path, `a lease of set ${seq}`, id)
  return lease
}

function leasesById(receipt: Receipt): (id: number, path: string) => Lease {
  const byId = new Map(receipt.sets.flatMap(({ leases }) => leases.map((lease) => [lease.id, lease])))
  return (id, path) => {
    const lease = byId.get(id)
    if (!lease) throw invalid(path, 'a lease of the receipt', id)
    return lease
  }
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
  checkRates(quote)
}

/** Rates in the quotes, by their quoters' signatures. Whether a quoter is to be trusted is for who reads the receipt. */
function checkRates(document: unknown): void {
  const quotes = (document as { quotes?: unknown } | undefined)?.quotes
  for (const [i, one] of (Array.isArray(quotes) ? (quotes as { rate?: RateQuote }[]) : []).entries()) {
    const { rate } = one ?? {}
    const path = `quote.quotes[${i}].rate`
    // In JSON amounts are strings of digits.
    const amount = (name: 'fromAmount' | 'toAmount'): bigint => {
      const text = String(rate![name])
      if (!/^\d{1,78}$/.test(text)) throw invalid(`${path}.${name}`, 'a positive amount', rate![name])
      return BigInt(text)
    }
    if (rate) verifyRate({ ...rate, fromAmount: amount('fromAmount'), toAmount: amount('toAmount') }, {}, path)
  }
}

/**
 * The leaseKeys that may have signed a set: those in force at the steps that use it, or any that ever was where no step does and for set 0, which the opening binds. The ledger demands the key's
 * signature each time a set is used, so the steps, which the head binds, tell which key counted when.
 */
function leaseKeysOf({ terms, sets, steps }: Receipt): (seq: number) => readonly Address[] {
  const all: Address[] = [terms.leaseKey]
  const used = new Map<number, Address[]>()
  for (const step of steps) {
    if (step.kind === 'lease-key') all.push(step.leaseKey)
    const seqs =
      step.kind === 'attest'
        ? step.results.map(({ seq }) => seq)
        : step.kind === 'claim'
          ? sets.filter(({ leases }) => leases.some(({ id }) => id === step.lease)).map(({ set }) => set.seq)
          : []
    for (const seq of seqs) used.set(seq, [...(used.get(seq) ?? []), all.at(-1)!])
  }
  return (seq) => (seq === 0 ? all : (used.get(seq) ?? all))
}

/** Lease sets: roots over their leases, later ones signed by the leaseKey of their time, each seq and lease id once. */
export function checkSets(receipt: Receipt): void {
  const { domain, job, sets } = receipt
  const seen = new Set<number>()
  const keysOf = leaseKeysOf(receipt)
  for (const [i, { set, leases }] of sets.entries()) {
    const path = `sets[${i}]`
    if (i === 0 ? set.seq !== 0 : set.seq <= sets[i - 1]!.set.seq)
      throw invalid(`${path}.set.seq`, 'sets ascending from 0', set.seq)
    if (set.job !== job) throw invalid(`${path}.set.job`, job, set.job)
    if (leaseSetRoot(leases) !== set.setRoot) throw invalid(`${path}.set.setRoot`, 'the root over the leases', set.setRoot)
    if (set.seq > 0 || set.signature) {
      const keys = keysOf(set.seq)
      const signer = recoverAddress(leaseSetDigest(domain, set), set.signature ?? '0x', `${path}.set.signature`)
      if (!keys.includes(signer)) throw badSignature(`${path}.set.signature`, `expected ${keys.join(' or ')}, found ${signer}`)
    }
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

/** Every attested lease with where it stands. */
function* resultsOf(receipt: Receipt): Generator<{ result: ReceiptResult; path: string }> {
  for (const [i, step] of receipt.steps.entries())
    if (step.kind === 'attest')
      for (const [j, result] of step.results.entries()) yield { result, path: `steps[${i}].results[${j}]` }
}

/** Commitments of the leases' farms; every delivered frame of a lease with commitments is among them, with its time and hash. */
export function checkCommits(receipt: Receipt): void {
  const outputs = new Map<string, { outputHash: string; completedAtMs: number }>()
  const committed = new Set<number>()
  const leaseOf = leasesById(receipt)
  for (const [i, commit] of receipt.commits.entries()) {
    const path = `commits[${i}]`
    const lease = leaseOf(commit.lease, `${path}.lease`)
    if (commit.job !== receipt.job) throw invalid(`${path}.job`, receipt.job, commit.job)
    verifyCommit(receipt.domain, commit, lease.farm, path)
    committed.add(lease.id)
    for (const output of commit.outputs) {
      const key = `${lease.id}/${output.frame}/${output.part}`
      if (outputs.has(key)) throw invalid(`${path}.outputs`, 'each frame once a lease', output.frame)
      outputs.set(key, output)
    }
  }
  for (const { result, path } of resultsOf(receipt)) {
    if (!committed.has(result.lease)) continue
    for (const [k, record] of result.records.entries()) {
      if (record.outputHash === ZERO_HASH) continue
      const output = outputs.get(`${result.lease}/${record.frame}/${record.part}`)
      if (output?.outputHash !== record.outputHash || output.completedAtMs !== record.completedAtMs)
        throw invalid(`${path}.records[${k}]`, 'hash and time that the farm committed to', record.outputHash)
    }
  }
}

/** Votes of the committee; where a lease's votes are there, its records follow from them. */
export function checkVotes(receipt: Receipt): void {
  const { domain, terms, job, committee } = receipt
  const byLease = new Map<number, Vote[]>()
  const leaseOf = leasesById(receipt)
  for (const [i, vote] of receipt.votes.entries()) {
    const path = `votes[${i}]`
    if (vote.job !== job) throw invalid(`${path}.job`, job, vote.job)
    if (!committee.includes(vote.checker)) throw invalid(`${path}.checker`, 'a checker of the job', vote.checker)
    leaseOf(vote.lease, `${path}.lease`)
    verifyVote(domain, vote, path)
    const votes = byLease.get(vote.lease)
    if (votes) votes.push(vote)
    else byLease.set(vote.lease, [vote])
  }
  for (const { result, path } of resultsOf(receipt)) {
    const votes = byLease.get(result.lease)
    if (votes) checkMerge(job, result, votes, terms.quorum, path)
  }
}

function checkMerge(job: Bytes32, { lease, records }: ReceiptResult, votes: readonly Vote[], quorum: number, path: string): void {
  const outputs = records.filter(({ outputHash }) => outputHash !== ZERO_HASH)
  const commit = { job, lease, index: 0, outputRoot: ZERO_HASH, outputs, signature: '0x' as const }
  const merged = new Map(mergeVotes(votes, quorum, [commit]).map((record) => [record.frame, record]))
  for (const [k, record] of records.entries()) {
    const byVotes = merged.get(record.frame)
    if (!byVotes || record.outputHash === ZERO_HASH) continue
    const at = `${path}.records[${k}]`
    if (byVotes.verdict !== record.verdict) throw invalid(`${at}.verdict`, `${byVotes.verdict}, by the votes`, record.verdict)
    if (Math.floor(byVotes.score / 10) * 10 !== record.score)
      throw invalid(`${at}.score`, `${byVotes.score}, by the votes`, record.score)
    if (byVotes.checked !== record.checked) throw invalid(`${at}.checked`, `${byVotes.checked}, by the votes`, record.checked)
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
