import { isPictorError, PictorError } from '../contract/error.ts'
import type { JobMoney, LedgerAction, LedgerRefusal } from '../contract/ledger.ts'
import type { Address, Bytes32, FrameRecord, LedgerDomain, Terms } from '../contract/messages.ts'
import { type FarmShare, type Payment, ZERO_HASH } from '../proof/index.ts'

// The arithmetic of the local ledger: what is in the book, and how a fact changes it. No I/O, no clock, no signature: `rules.ts` decides, this only adds up.

/** What moves the book: an opening or an action of the port. */
export type BookAction = { readonly kind: 'open'; readonly terms: Terms; readonly setRoot: Bytes32 } | LedgerAction

/** What was decided, with every amount, so that replaying needs no rule. */
export type BookFact = { readonly job: Bytes32; readonly atMs: number; readonly head: Bytes32 } & (
  | { readonly type: 'opened'; readonly terms: Terms; readonly setRoot: Bytes32 }
  | { readonly type: 'ready'; readonly seq: number; readonly seedRoot: Bytes32; readonly checker: Address }
  | {
      readonly type: 'attested'
      readonly batch: number
      readonly batchHash: Bytes32
      readonly leases: readonly number[]
      readonly farmReserve: bigint
      readonly checkReserve: bigint
      readonly farms: readonly FarmShare[]
      readonly checkers: readonly { readonly checker: Address; readonly amount: bigint }[]
      readonly feeRefund: bigint
      readonly releaseAtS: number
      readonly records?: readonly FrameRecord[]
    }
  | { readonly type: 'approved'; readonly batch: number }
  | {
      readonly type: 'released'
      readonly batch: number
      readonly paid: readonly Payment[]
      readonly refunded: bigint
      /** Farms that must still wait. */
      readonly waiting: readonly Address[]
    }
  | { readonly type: 'finalized'; readonly keep: bigint; readonly refunded: bigint }
  | { readonly type: 'refunded'; readonly amount: bigint }
  | { readonly type: 'canceled' }
  | { readonly type: 'lease-key-replaced'; readonly leaseKey: Address }
  | { readonly type: 'topped-up'; readonly farmBudget: bigint; readonly checkBudget: bigint }
  | { readonly type: 'withdrawn'; readonly token: Address; readonly account: Address; readonly amount: bigint }
)

/** An attested batch: what it still has to release, pinned when it was attested. */
export interface BookBatch {
  readonly batchHash: Bytes32
  readonly releaseAtS: number
  farms: readonly FarmShare[]
  checkers: readonly { readonly checker: Address; readonly amount: bigint }[]
  feeRefund: bigint
  approved: boolean
  released: boolean
}

/** One job. `lockedFarm + lockedCheck + pending + released + refunded = deposited` after every fact. */
export interface BookJob {
  readonly terms: Terms
  readonly setRoot: Bytes32
  /** That of the terms, until the creator replaces it. */
  leaseKey: Address
  /** Keys that were replaced; none comes back. */
  readonly retiredKeys: Set<Address>
  deposited: bigint
  lockedFarm: bigint
  lockedCheck: bigint
  pending: bigint
  released: bigint
  refunded: bigint
  head: Bytes32
  ready: boolean
  canceled: boolean
  finalized: boolean
  closed: boolean
  readonly settled: Set<number>
  readonly batches: BookBatch[]
}

/** The whole book. */
export interface Book {
  readonly domain: LedgerDomain
  /** Most that may be deposited and not refunded over all jobs. */
  readonly limit: bigint | undefined
  readonly jobs: Map<Bytes32, BookJob>
  /** Debts by `token/account`. */
  readonly credits: Map<string, bigint>
  committed: bigint
  lastAtMs: number
}

/** A book without entries. */
export function emptyBook(domain: LedgerDomain, limit?: bigint): Book {
  return { domain, limit, jobs: new Map(), credits: new Map(), committed: 0n, lastAtMs: 0 }
}

/** A `ledger-refused` error with its reason. */
export function refused(reason: LedgerRefusal, message: string, details: Readonly<Record<string, unknown>> = {}): PictorError {
  return new PictorError('ledger-refused', `${reason}: ${message}`, { details: { reason, ...details } })
}

/** Runs `check` and turns what it throws about signatures and values into a refusal with `reason`. */
export function refusing<T>(reason: LedgerRefusal, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (isPictorError(error, 'signature-invalid') || isPictorError(error, 'invalid-input'))
      throw refused(reason, error.message, error.details)
    throw error
  }
}

/** The job, or a refusal. @throws ledger-refused unknown-job */
export function jobOf(book: Book, job: Bytes32): BookJob {
  const found = book.jobs.get(job)
  if (!found) throw refused('unknown-job', `this book has no job ${job}`)
  return found
}

/** Applies a fact; total over all facts ever written. */
export function evolve(book: Book, fact: BookFact): void {
  book.lastAtMs = Math.max(book.lastAtMs, fact.atMs)
  if (fact.type === 'withdrawn') {
    addCredit(book, fact.token, fact.account, -fact.amount)
    return
  }
  if (fact.type === 'opened') {
    book.jobs.set(fact.job, openedJob(fact.terms, fact.setRoot))
    book.committed += fact.terms.farmBudget + fact.terms.checkBudget
    return
  }
  const job = jobOf(book, fact.job)
  job.head = fact.head
  switch (fact.type) {
    case 'ready':
      job.ready = true
      return
    case 'attested':
      return evolveAttested(job, fact)
    case 'approved':
      job.batches[fact.batch - 1]!.approved = true
      return
    case 'released':
      return evolveReleased(book, job, fact)
    case 'finalized':
    case 'refunded':
      return evolveReturned(book, job, fact)
    case 'canceled':
      job.canceled = true
      return
    case 'lease-key-replaced':
      job.retiredKeys.add(job.leaseKey)
      job.leaseKey = fact.leaseKey
      return
    case 'topped-up':
      job.deposited += fact.farmBudget + fact.checkBudget
      job.lockedFarm += fact.farmBudget
      job.lockedCheck += fact.checkBudget
      book.committed += fact.farmBudget + fact.checkBudget
  }
}

function openedJob(terms: Terms, setRoot: Bytes32): BookJob {
  return {
    terms,
    setRoot,
    leaseKey: terms.leaseKey,
    retiredKeys: new Set(),
    deposited: terms.farmBudget + terms.checkBudget,
    lockedFarm: terms.farmBudget,
    lockedCheck: terms.checkBudget,
    pending: 0n,
    released: 0n,
    refunded: 0n,
    head: ZERO_HASH,
    ready: false,
    canceled: false,
    finalized: false,
    closed: false,
    settled: new Set(),
    batches: [],
  }
}

function evolveAttested(job: BookJob, fact: BookFact & { type: 'attested' }): void {
  const { batchHash, farmReserve, checkReserve, farms, checkers, feeRefund, releaseAtS } = fact
  // After a Final only one sum is left, because `keep` is one sum.
  job.lockedFarm -= job.finalized ? farmReserve + checkReserve : farmReserve
  job.lockedCheck -= job.finalized ? 0n : checkReserve
  job.pending += farmReserve + checkReserve
  for (const lease of fact.leases) job.settled.add(lease)
  job.batches.push({ batchHash, releaseAtS, farms, checkers, feeRefund, approved: false, released: false })
}

function evolveReleased(book: Book, job: BookJob, fact: BookFact & { type: 'released' }): void {
  const batch = job.batches[fact.batch - 1]!
  batch.farms = batch.farms.filter(({ farm }) => fact.waiting.includes(farm))
  batch.checkers = []
  batch.feeRefund = 0n
  batch.released = batch.farms.length === 0
  const paid = fact.paid.reduce((sum, { amount }) => sum + amount, 0n)
  job.pending -= paid + fact.refunded
  job.released += paid
  job.refunded += fact.refunded
  book.committed -= fact.refunded
  for (const { account, amount } of fact.paid) addCredit(book, job.terms.token, account, amount)
  addCredit(book, job.terms.token, job.terms.creator, fact.refunded)
}

function evolveReturned(book: Book, job: BookJob, fact: BookFact & { type: 'finalized' | 'refunded' }): void {
  const amount = fact.type === 'finalized' ? fact.refunded : fact.amount
  job.lockedFarm += job.lockedCheck - amount
  job.lockedCheck = 0n
  job.refunded += amount
  if (fact.type === 'finalized') job.finalized = true
  else job.closed = true
  book.committed -= amount
  addCredit(book, job.terms.token, job.terms.creator, amount)
}

function addCredit(book: Book, token: Address, account: Address, amount: bigint): void {
  const key = `${token}/${account}`
  const next = (book.credits.get(key) ?? 0n) + amount
  if (next === 0n) book.credits.delete(key)
  else book.credits.set(key, next)
}

/** The one word for a job's state. */
export function statusOf(job: BookJob): JobMoney['status'] {
  return job.closed ? 'closed' : job.finalized ? 'finalized' : job.canceled ? 'canceled' : 'open'
}

/** What the book owes an account. */
export function creditOf(book: Book, token: Address, account: Address): bigint {
  return book.credits.get(`${token}/${account}`) ?? 0n
}

/** Where a job's money stands; all zero for an unknown job. */
export function moneyOf(book: Book, id: Bytes32): JobMoney {
  const job = book.jobs.get(id)
  if (!job) return { deposited: 0n, locked: 0n, pending: 0n, released: 0n, refunded: 0n, head: ZERO_HASH, status: 'none' }
  const { deposited, pending, released, refunded, head } = job
  return { deposited, locked: job.lockedFarm + job.lockedCheck, pending, released, refunded, head, status: statusOf(job) }
}
