import type { LedgerAction } from '../contract/ledger.ts'
import type { Address, Bytes32, Lease, LeaseResult, LeaseSet, LedgerDomain, Signature, Terms } from '../contract/messages.ts'
import {
  ZERO_ADDRESS,
  ZERO_HASH,
  acceptedWeightOf,
  approveDigest,
  attestItem,
  batchDigest,
  batchHash,
  finalDigest,
  finalItem,
  foldHead,
  hashTerms,
  isSlow,
  jobIdOf,
  leaseKeyDigest,
  leaseKeyItem,
  leaseLeaf,
  leaseSetDigest,
  leaseSetRoot,
  paymentsOf,
  readyDigest,
  refundItem,
  releaseItem,
  requireQuorum,
  requireSigner,
  settleBatch,
} from '../proof/index.ts'
import type { FarmShare, HeadKind } from '../proof/index.ts'
import { type Book, type BookAction, type BookFact, type BookJob, creditOf, jobOf, refused, refusing, statusOf } from './book.ts'
import { checkTerms, windowOf } from './terms.ts'

type Action<K extends LedgerAction['kind']> = Extract<LedgerAction, { kind: K }>

/**
 * What an action does to the book at `nowMs`, as facts that are not yet applied. Checks what an escrow checks, by the same rules.
 * An opening that has happened already gives no facts.
 * @throws ledger-refused with details.reason
 */
export function decide(book: Book, action: BookAction, nowMs: number): BookFact[] {
  const atMs = Math.max(nowMs, book.lastAtMs)
  if (action.kind === 'open') return decideOpen(book, action.terms, action.setRoot, atMs)
  if (action.kind === 'withdraw') {
    const amount = creditOf(book, action.token, action.to)
    if (amount === 0n) return []
    return [{ type: 'withdrawn', job: ZERO_HASH, head: ZERO_HASH, atMs, token: action.token, account: action.to, amount }]
  }
  const id = refusing('terms', () => jobIdOf(book.domain, action.terms.creator, action.terms.runId))
  const job = jobOf(book, id)
  if (refusing('terms', () => hashTerms(action.terms)) !== hashTerms(job.terms))
    throw refused('terms-mismatch', `job ${id} was opened with other terms`)
  const base = { job: id, atMs, head: job.head }
  const nowS = Math.floor(atMs / 1000)
  switch (action.kind) {
    case 'ready':
      return decideReady(book.domain, job, action, base)
    case 'attest':
      return decideAttest(book.domain, job, action, base, nowS)
    case 'approve':
      return decideApprove(book.domain, job, action, base)
    case 'release':
      return decideRelease(job, action.batch, base, nowS)
    case 'final':
      return decideFinal(book.domain, job, action, base)
    case 'refund':
      return decideRefund(job, base, nowS)
    case 'cancel':
      if (job.canceled || job.closed) throw refused('done', `the job is ${statusOf(job)}`)
      return [{ ...base, type: 'canceled' }]
    case 'lease-key':
      return decideLeaseKey(book.domain, job, action, base)
    case 'top-up':
      return decideTopUp(book, job, action, base, nowS)
    case 'dispute':
    case 'resolve':
    case 'claim':
      throw refused('unsupported', `a local book has no arbiter: no ${action.kind}`)
  }
}

interface FactBase {
  readonly job: Bytes32
  readonly atMs: number
  readonly head: Bytes32
}

function fold(base: FactBase, kind: HeadKind, item: Bytes32): FactBase {
  return { ...base, head: foldHead(base.head === ZERO_HASH ? base.job : base.head, kind, item) }
}

function decideOpen(book: Book, terms: Terms, setRoot: Bytes32, atMs: number): BookFact[] {
  const job = refusing('terms', () => jobIdOf(book.domain, terms.creator, terms.runId))
  const hash = refusing('terms', () => hashTerms(terms))
  const known = book.jobs.get(job)
  if (known) {
    if (hashTerms(known.terms) === hash && known.setRoot === setRoot) return []
    throw refused('terms-mismatch', `job ${job} is open with other terms or another lease set 0`)
  }
  checkTerms(terms, Math.floor(atMs / 1000))
  if (terms.token !== ZERO_ADDRESS)
    throw refused('terms', 'a local book keeps no token: expected the zero address', { path: 'terms.token' })
  if (terms.registryDraw !== 0)
    throw refused('unsupported', 'a local book has no registry that draws checkers', { path: 'terms.registryDraw' })
  requireLimit(book, terms.farmBudget + terms.checkBudget)
  // The book keeps these terms: the caller's object may change later.
  return [{ type: 'opened', job, atMs, head: ZERO_HASH, terms: structuredClone(terms), setRoot }]
}

function requireLimit(book: Book, more: bigint): void {
  if (book.limit !== undefined && book.committed + more > book.limit)
    throw refused('limit', `the budget limit is ${book.limit}, ${book.committed} is in use`, {
      limit: book.limit,
      used: book.committed,
    })
}

function requireOpen(job: BookJob): void {
  if (statusOf(job) !== 'open') throw refused('closed', `the job is ${statusOf(job)}`)
}

function requireSet(domain: LedgerDomain, job: BookJob, id: Bytes32, set: LeaseSet): void {
  if (set.job !== id) throw refused('lease-set', `the set belongs to job ${set.job}`)
  if (set.seq === 0 && set.setRoot !== job.setRoot)
    throw refused('lease-set', 'set 0 is not the one that the job was opened with')
  if (set.seq > 0)
    refusing('lease-set', () => requireSigner(leaseSetDigest(domain, set), set.signature ?? '0x', job.leaseKey, 'set.signature'))
}

function requireSignatures(
  digest: Bytes32,
  signatures: readonly { readonly checker: Address; readonly signature: `0x${string}` }[],
  terms: Terms,
): void {
  refusing('signature', () => requireQuorum(digest, signatures, terms.checkers, 0, 'signatures'))
  if (signatures.length < terms.quorum)
    throw refused('quorum', `expected ${terms.quorum} checkers, found ${signatures.length}`, { quorum: terms.quorum })
}

function decideReady(domain: LedgerDomain, job: BookJob, action: Action<'ready'>, base: FactBase): BookFact[] {
  requireOpen(job)
  if (job.ready) throw refused('done', 'the job is recorded as ready')
  const first = action.ready[0]
  for (const ready of action.ready) {
    if (ready.job !== base.job || ready.bundleRoot !== job.terms.bundleRoot || ready.seq !== 0 || ready.setRoot !== job.setRoot)
      throw refused('lease-set', 'a Ready speaks of another job, bundle or set than the opened ones')
    requireReadySignature(domain, job.terms, ready)
  }
  if (new Set(action.ready.map(({ checker }) => checker)).size !== action.ready.length)
    throw refused('signature', 'a checker is ready twice')
  if (!first || action.ready.length < job.terms.quorum)
    throw refused('quorum', `expected ${job.terms.quorum} checkers, found ${action.ready.length}`)
  return action.ready.map(({ seq, seedRoot, checker }) => ({ ...base, type: 'ready', seq, seedRoot, checker }))
}

function requireReadySignature(domain: LedgerDomain, terms: Terms, ready: Action<'ready'>['ready'][number]): void {
  refusing('signature', () => requireQuorum(readyDigest(domain, ready), [ready], terms.checkers, 1, 'ready'))
}

function decideAttest(domain: LedgerDomain, job: BookJob, action: Action<'attest'>, base: FactBase, nowS: number): BookFact[] {
  const { terms } = job
  const { batch } = action
  if (job.closed) throw refused('closed', 'the job is closed')
  if (nowS > terms.attestByS) throw refused('too-late', `attestations ended at ${terms.attestByS}`)
  if (nowS > batch.validUntilS) throw refused('too-late', `the batch was valid until ${batch.validUntilS}`)
  if (batch.job !== base.job) throw refused('batch-hash', `the batch belongs to job ${batch.job}`)
  for (const result of batch.results) requireLease(job, action.sets, result)
  for (const { set, leases } of action.sets) {
    requireSet(domain, job, base.job, set)
    if (refusing('lease-set', () => leaseSetRoot(leases)) !== set.setRoot)
      throw refused('lease-set', `the leases are not those of set ${set.seq}`)
  }
  if (new Set(batch.results.map(({ lease }) => lease.id)).size !== batch.results.length)
    throw refused('settled', 'a lease stands twice in the batch')
  if (refusing('lease', () => batchHash(batch, terms)) !== batch.batchHash)
    throw refused('batch-hash', 'it does not cover these results')
  requireSignatures(batchDigest(domain, batch), action.signatures, terms)
  const { farmReserve, checkReserve, farms, checkers } = settleBatch(batch.results, terms)
  requireBudget(job, farmReserve, checkReserve)
  const number = job.batches.length + 1
  return [
    {
      ...fold(base, 'attest', attestItem(number, batch.batchHash)),
      type: 'attested',
      batch: number,
      batchHash: batch.batchHash,
      leases: batch.results.map(({ lease }) => lease.id),
      farmReserve,
      checkReserve,
      farms,
      checkers,
      feeRefund: checkers.length === 0 ? checkReserve : 0n,
      releaseAtS: nowS + windowOf(terms, isSlow(batch.results)),
      ...(terms.recordMode === 'full' ? { records: batch.results.flatMap(({ records }) => records) } : {}),
    },
  ]
}

function requireLease(job: BookJob, sets: Action<'attest'>['sets'], result: LeaseResult): void {
  const { lease, records } = result
  const leaf = refusing('lease', () => leaseLeaf(lease))
  const set = sets.find(({ set }) => set.seq === result.seq)
  if (!set) throw refused('lease-set', `set ${result.seq} of lease ${lease.id} is missing`)
  const listed = set.leases.find(({ id }: Lease) => id === lease.id)
  if (!listed || refusing('lease-set', () => leaseLeaf(listed)) !== leaf)
    throw refused('lease', `lease ${lease.id} is not in set ${result.seq}`, { lease: lease.id })
  if (job.settled.has(lease.id)) throw refused('settled', `lease ${lease.id} is settled`, { lease: lease.id })
  if (lease.price > job.terms.frameCap * BigInt(lease.frames.length))
    throw refused('frame-cap', `lease ${lease.id} costs more than ${job.terms.frameCap} a frame`, { lease: lease.id })
  // An escrow sees weights as a hash only and trusts the quorum here; the book has them and need not.
  if (result.acceptedWeight !== acceptedWeightOf(lease, records) || records.some(({ part }) => part !== lease.part))
    throw refused('lease', `accepted weight and parts of lease ${lease.id} do not follow from its records`, { lease: lease.id })
}

function requireBudget(job: BookJob, farm: bigint, check: bigint): void {
  if (job.finalized) {
    const left = job.lockedFarm + job.lockedCheck
    if (farm + check > left) throw refused('farm-budget', `Final kept ${left}, the batch needs ${farm + check}`)
    return
  }
  if (farm > job.lockedFarm) throw refused('farm-budget', `${job.lockedFarm} is left for farms, the batch needs ${farm}`)
  if (check > job.lockedCheck) throw refused('check-budget', `${job.lockedCheck} is left for checkers, the batch needs ${check}`)
}

function batchOf(job: BookJob, number: number): BookJob['batches'][number] {
  const batch = job.batches[number - 1]
  if (!batch) throw refused('unknown-batch', `the job has ${job.batches.length} batches, no batch ${number}`)
  if (batch.released) throw refused('done', `batch ${number} is released`)
  return batch
}

/** The book's own key speaks for its app; a creator with another key must have signed. */
function requireCreator(domain: LedgerDomain, job: BookJob, signature: Signature | undefined, digest: () => Bytes32): void {
  if (signature === undefined && job.terms.creator === domain.verifyingContract) return
  refusing('signature', () => requireSigner(digest(), signature ?? '0x', job.terms.creator, 'signature'))
}

function decideApprove(domain: LedgerDomain, job: BookJob, action: Action<'approve'>, base: FactBase): BookFact[] {
  batchOf(job, action.batch)
  requireCreator(domain, job, action.signature, () => approveDigest(domain, base.job, action.batch))
  return [{ ...base, type: 'approved', batch: action.batch }]
}

/** Everybody once the window is over; before it, in an approved batch, the checkers and the farms that were accepted in full (the others may still object). */
function decideRelease(job: BookJob, number: number, base: FactBase, nowS: number): BookFact[] {
  const { releaseAtS, farms, checkers, feeRefund, approved } = batchOf(job, number)
  const due = nowS >= releaseAtS
  const goes = (share: FarmShare): boolean => due || (approved && share.gross === share.price)
  const going = farms.filter(goes)
  if ((!due && !approved) || (going.length === 0 && farms.length > 0))
    throw refused('too-early', `batch ${number} waits until ${releaseAtS}`, { releaseAtS })
  const paid = paymentsOf({ farms: going, checkers }, job.terms.platform)
  const refunded = going.reduce((sum, { price, gross }) => sum + price - gross, feeRefund)
  const sum = paid.reduce((total, { amount }) => total + amount, 0n)
  const waiting = farms.filter((share) => !goes(share)).map(({ farm }) => farm)
  return [
    { ...fold(base, 'release', releaseItem(number, sum, refunded)), type: 'released', batch: number, paid, refunded, waiting },
  ]
}

function decideFinal(domain: LedgerDomain, job: BookJob, action: Action<'final'>, base: FactBase): BookFact[] {
  if (job.finalized || job.closed) throw refused('done', `the job is ${statusOf(job)}`)
  const locked = job.lockedFarm + job.lockedCheck
  const digest = refusing('keep', () => finalDigest(domain, base.job, action.keep))
  requireSignatures(digest, action.signatures, job.terms)
  const attested = job.deposited - locked
  if (action.keep < attested) throw refused('keep', `${attested} is attested, keep is ${action.keep}`)
  if (action.keep > job.deposited) throw refused('keep', `${job.deposited} was deposited, keep is ${action.keep}`)
  const amount = job.deposited - action.keep
  return [{ ...fold(base, 'final', finalItem(action.keep, amount)), type: 'finalized', keep: action.keep, refunded: amount }]
}

function decideRefund(job: BookJob, base: FactBase, nowS: number): BookFact[] {
  if (job.closed) throw refused('done', 'the job is refunded')
  if (nowS < job.terms.refundAfterS) throw refused('too-early', `refunds begin at ${job.terms.refundAfterS}`)
  const amount = job.lockedFarm + job.lockedCheck
  return [{ ...fold(base, 'refund', refundItem(amount)), type: 'refunded', amount }]
}

function decideLeaseKey(domain: LedgerDomain, job: BookJob, action: Action<'lease-key'>, base: FactBase): BookFact[] {
  const { leaseKey, signature } = action
  requireCreator(domain, job, signature, () => leaseKeyDigest(domain, base.job, leaseKey))
  if (leaseKey === job.leaseKey) throw refused('done', `${leaseKey} is the leaseKey already`)
  // The creator's word for it is public and names no order: a thief could bring back the key that he stole.
  if (job.retiredKeys.has(leaseKey)) throw refused('not-allowed', `${leaseKey} was replaced before and never counts again`)
  return [{ ...fold(base, 'lease-key', leaseKeyItem(leaseKey)), type: 'lease-key-replaced', leaseKey }]
}

function decideTopUp(book: Book, job: BookJob, action: Action<'top-up'>, base: FactBase, nowS: number): BookFact[] {
  const { farmBudget, checkBudget } = action
  requireOpen(job)
  if (nowS > job.terms.deadlineAtS) throw refused('too-late', `top-ups ended at the deadline ${job.terms.deadlineAtS}`)
  if (farmBudget < 0n || checkBudget < 0n) throw refused('terms', 'a top-up takes nothing back', { path: 'farmBudget' })
  if (job.deposited + farmBudget + checkBudget >= 2n ** 96n)
    throw refused('terms', 'budgets within 96 bits', { path: 'farmBudget' })
  requireLimit(book, farmBudget + checkBudget)
  return [{ ...base, type: 'topped-up', farmBudget, checkBudget }]
}
