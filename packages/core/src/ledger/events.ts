import type { LedgerEvent } from '../contract/ledger.ts'
import { hashTerms } from '../proof/terms.ts'
import type { BookFact } from './book.ts'

/** The public events of one fact; `id` is its place in the ledger's order. An approval has none: what it allows is a release. */
export function eventsOfFact(fact: BookFact, id: string): LedgerEvent[] {
  const base = { id, job: fact.job, atMs: fact.atMs, status: 'final' as const, head: fact.head }
  switch (fact.type) {
    case 'opened': {
      const { creator, farmBudget, checkBudget } = fact.terms
      return [
        { ...base, type: 'opened', creator, farmBudget, checkBudget, setRoot: fact.setRoot, termsHash: hashTerms(fact.terms) },
      ]
    }
    case 'attested': {
      const { batch, batchHash, leases, farmReserve, checkReserve, releaseAtS, records } = fact
      const reserved = farmReserve + checkReserve
      return [{ ...base, type: 'attested', batch, batchHash, leases, reserved, releaseAtS, ...(records ? { records } : {}) }]
    }
    case 'released':
      return [{ ...base, type: 'released', batch: fact.batch, paid: fact.paid, refunded: fact.refunded }]
    case 'withdrawn':
      return [{ ...base, type: 'withdrawn', account: fact.account, amount: fact.amount }]
    case 'approved':
      return []
    default:
      return [{ ...fact, ...base }]
  }
}
