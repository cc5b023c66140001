import type { Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { JobMoney, Ledger, LedgerAction, LedgerEvent } from '../contract/ledger.ts'
import type { Address, Bytes32, LeaseResult, LedgerDomain, Terms } from '../contract/messages.ts'
import { systemClock } from '../run/clock.ts'
import type { JobProofs } from '../run/proofs.ts'
import { simulatedAddress, textHash } from './keys.ts'
import { simulatedProofs } from './proofs.ts'
import { seededRandom } from './random.ts'

export interface LedgerFaults {
  readonly callFails?: number
  readonly replyLost?: number
  readonly eventTwice?: number
  /** An action is taken and lost before it is recorded. */
  readonly forgets?: number
  /** An event is seen, undone by a reorganisation, and becomes final later. */
  readonly reorgs?: number
}

export interface SimulatedLedgerOptions {
  readonly clock?: Clock
  readonly seed?: number
  readonly proofs?: JobProofs
  readonly faults?: LedgerFaults
  /** From an action until its event is final (0). */
  readonly finalityMs?: number
  readonly pollMs?: number
  /** Keep only totals: for millions of frames. */
  readonly lean?: boolean
}

interface Book {
  readonly terms: Terms
  readonly events: LedgerEvent[]
  readonly settled: Set<number>
  readonly batches: {
    results: readonly Pick<LeaseResult, 'lease' | 'acceptedWeight' | 'votes'>[]
    reserved: bigint
    released: boolean
  }[]
  readonly batchHashes: Set<string>
  readonly earned: Map<string, number>
  ready: boolean
  locked: bigint
  pending: bigint
  released: bigint
  refunded: bigint
  status: JobMoney['status']
}

/** A ledger in memory that pays by the protocol's rules and remembers everything that it was asked to do wrong. */
export interface SimulatedLedger extends Ledger {
  /** Attempts to break a rule: two settlements of a lease, a frame that earns twice, money beyond the budget. Empty in a correct run. */
  readonly violations: string[]
  /** Sums of a job; `locked + pending + released + refunded` is what was deposited at every step. */
  total(job: Bytes32): JobMoney
}

export function simulatedLedger(options: SimulatedLedgerOptions = {}): SimulatedLedger {
  const clock = options.clock ?? systemClock()
  const proofs = options.proofs ?? simulatedProofs()
  const random = seededRandom(options.seed ?? 1)
  const faults = options.faults ?? {}
  const domain: LedgerDomain = { name: 'Pictor', version: '1', chainId: 0, verifyingContract: simulatedAddress('ledger') }
  const books = new Map<Bytes32, Book>()
  const credits = new Map<Address, bigint>()
  const violations: string[] = []
  const refused = (reason: string): PictorError => new PictorError('ledger-refused', reason, { details: { reason } })
  const unreachable = (): PictorError => new PictorError('ledger-unreachable', 'the simulated ledger did not answer')

  type Draft = LedgerEvent extends infer E ? (E extends LedgerEvent ? Omit<E, 'id' | 'job' | 'atMs' | 'status'> : never) : never
  const record = (job: Bytes32, book: Book, draft: Draft): void => {
    const event = {
      ...draft,
      id: String(book.events.length + 1),
      job,
      atMs: clock.now() + (options.finalityMs ?? 0),
      status: 'final',
    } as LedgerEvent
    if (random.chance(faults.reorgs ?? 0)) {
      const atMs = clock.now()
      book.events.push(
        { ...event, id: `${event.id}-a`, atMs, status: 'tentative' },
        { ...event, id: `${event.id}-a`, atMs, status: 'reverted' },
      )
    }
    book.events.push(event)
    if (random.chance(faults.eventTwice ?? 0)) book.events.push(event)
    const sum = book.locked + book.pending + book.released + book.refunded
    if (sum !== book.terms.farmBudget + book.terms.checkBudget) violations.push(`${job}: ${sum} is not what was deposited`)
  }
  const credit = (account: Address, amount: bigint): void => void credits.set(account, (credits.get(account) ?? 0n) + amount)

  function perform(action: LedgerAction): void {
    if (action.kind === 'withdraw') return
    const job = proofs.jobId(domain, action.terms)
    const book = books.get(job)
    if (!book) throw refused('no such job')
    const { terms } = book
    switch (action.kind) {
      case 'ready': {
        if (book.ready) return
        if (action.ready.length < terms.quorum || !action.ready.every((one) => proofs.verifyReady(domain, one)))
          throw refused('no quorum')
        book.ready = true
        return record(job, book, { type: 'ready', seq: 0, seedRoot: action.ready[0]!.seedRoot })
      }
      case 'attest': {
        const { batch } = action
        if (book.batchHashes.has(batch.batchHash)) return
        if (!book.ready) throw refused('not ready')
        if (book.status !== 'open') throw refused(book.status)
        if (clock.now() > terms.attestByS * 1000) throw refused('too late')
        const good = action.signatures.filter(
          (one) => terms.checkers.includes(one.checker) && proofs.verifyBatchSignature(domain, batch, one),
        )
        if (new Set(good.map((one) => one.checker)).size < terms.quorum) throw refused('no quorum')
        const reserved = batch.results.reduce(
          (sum, { lease }) => sum + lease.price + terms.checkFee * BigInt(lease.frames.length),
          0n,
        )
        if (batch.results.some(({ lease }) => book.settled.has(lease.id))) {
          violations.push(`${job}: a lease is settled twice`)
          throw refused('settled')
        }
        if (reserved > book.locked) {
          violations.push(`${job}: attested beyond the budget`)
          throw refused('budget')
        }
        for (const { lease, records } of batch.results) {
          book.settled.add(lease.id)
          if (options.lean) continue
          for (const one of records) {
            if (one.verdict === 'refuse') continue
            const before = book.earned.get(`${one.frame}/${one.part}`)
            if (before !== undefined) violations.push(`${job}: frame ${one.frame} earns under leases ${before} and ${lease.id}`)
            book.earned.set(`${one.frame}/${one.part}`, lease.id)
          }
        }
        book.batchHashes.add(batch.batchHash)
        book.batches.push({
          results: batch.results.map(({ lease, acceptedWeight, votes }) => ({ lease, acceptedWeight, votes })),
          reserved,
          released: false,
        })
        book.locked -= reserved
        book.pending += reserved
        return record(job, book, {
          type: 'attested',
          batch: book.batches.length,
          batchHash: batch.batchHash,
          leases: batch.results.map(({ lease }) => lease.id),
          reserved,
          releaseAtS: Math.ceil(clock.now() / 1000) + terms.disputeWindowS,
        })
      }
      case 'release': {
        const batch = book.batches[action.batch - 1]
        if (!batch) throw refused('no such batch')
        if (batch.released) return
        batch.released = true
        const totals = new Map<
          string,
          { readonly account: Address; readonly role: 'farm' | 'checker' | 'platform'; amount: bigint }
        >()
        const pay = (account: Address, role: 'farm' | 'checker' | 'platform', amount: bigint): void => {
          const total = totals.get(`${role} ${account}`)
          if (total) total.amount += amount
          else totals.set(`${role} ${account}`, { account, role, amount })
        }
        for (const { lease, acceptedWeight, votes } of batch.results) {
          const weightSum = lease.weights.reduce((sum, weight) => sum + weight, 0)
          const gross = (lease.price * BigInt(acceptedWeight)) / BigInt(weightSum)
          const platform = (gross * BigInt(terms.platformFeeBps)) / 10_000n
          if (gross > 0n) pay(lease.payTo, 'farm', gross - platform)
          if (platform > 0n) pay(terms.platform, 'platform', platform)
          const fee = terms.checkFee * BigInt(lease.frames.length)
          const count = votes.reduce((sum, vote) => sum + vote.count, 0)
          for (const { checker, count: own } of votes) pay(checker, 'checker', (fee * BigInt(own)) / BigInt(count))
        }
        const paid = [...totals.values()]
        if (options.lean) batch.results = []
        const sum = paid.reduce((total, one) => total + one.amount, 0n)
        const refunded = batch.reserved - sum
        for (const one of paid) credit(one.account, one.amount)
        credit(terms.creator, refunded)
        book.pending -= batch.reserved
        book.released += sum
        book.refunded += refunded
        return record(job, book, { type: 'released', batch: action.batch, paid, refunded })
      }
      case 'final': {
        if (book.status === 'finalized') return
        const good = action.signatures.filter(
          (one) => terms.checkers.includes(one.checker) && proofs.verifyFinalSignature(domain, job, action.keep, one),
        )
        if (new Set(good.map((one) => one.checker)).size < terms.quorum) throw refused('no quorum')
        const attested = book.batches.reduce((sum, batch) => sum + batch.reserved, 0n)
        if (action.keep < attested) violations.push(`${job}: final keeps less than was attested`)
        return close(job, book, book.locked - (action.keep - attested), 'finalized', action.keep)
      }
      case 'refund': {
        if (book.status === 'closed') return
        if (clock.now() < terms.refundAfterS * 1000) throw refused('too early')
        return close(job, book, book.locked, 'closed')
      }
      default:
        throw refused(`${action.kind} is not simulated`)
    }
  }

  function close(job: Bytes32, book: Book, amount: bigint, status: 'finalized' | 'closed', keep = 0n): void {
    book.status = status
    book.locked -= amount
    book.refunded += amount
    credit(book.terms.creator, amount)
    record(job, book, status === 'closed' ? { type: 'refunded', amount } : { type: 'finalized', keep, refunded: amount })
  }

  const money = (job: Bytes32): JobMoney => {
    const book = books.get(job)
    const zero = {
      deposited: 0n,
      locked: 0n,
      pending: 0n,
      released: 0n,
      refunded: 0n,
      head: textHash(job),
      status: 'none' as const,
    }
    if (!book) return zero
    const { locked, pending, released, refunded, status, terms } = book
    return { deposited: terms.farmBudget + terms.checkBudget, locked, pending, released, refunded, head: textHash(job), status }
  }
  const faulty = <T>(effect: () => T): T => {
    if (random.chance(faults.callFails ?? 0)) throw unreachable()
    const result = effect()
    if (random.chance(faults.replyLost ?? 0)) throw unreachable()
    return result
  }

  return {
    contract: 1,
    supports: { custody: false, disputes: false, claims: false, bonds: false, slashing: false, approveEarly: false },
    domain,
    label: 'simulated ledger in memory, custody: none',
    violations,
    total: money,
    async open(terms, setRoot) {
      return faulty(() => {
        const job = proofs.jobId(domain, terms)
        if (!books.has(job)) {
          const locked = terms.farmBudget + terms.checkBudget
          const book: Book = {
            terms,
            events: [],
            settled: new Set(),
            batches: [],
            batchHashes: new Set(),
            earned: new Map(),
            ready: false,
            locked,
            pending: 0n,
            released: 0n,
            refunded: 0n,
            status: 'open',
          }
          books.set(job, book)
          record(job, book, {
            type: 'opened',
            creator: terms.creator,
            farmBudget: terms.farmBudget,
            checkBudget: terms.checkBudget,
            setRoot,
          })
        }
        return { job }
      })
    },
    async send(action) {
      faulty(() => {
        if (!random.chance(faults.forgets ?? 0)) perform(action)
      })
    },
    async poll(query) {
      return faulty(() => {
        const all = books.get(query.job)?.events ?? []
        const events: LedgerEvent[] = []
        let at = Number(query.cursor ?? 0)
        while (at < all.length && all[at]!.atMs <= clock.now()) events.push(all[at++]!)
        return { events, cursor: String(at), waitMs: options.pollMs ?? 100 }
      })
    },
    money: async (job) => money(job),
    credit: async (_token, account) => credits.get(account) ?? 0n,
    evidence: async (job) => ({ simulated: true, job }),
  }
}
