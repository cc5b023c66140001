import type { Address } from '../contract/messages.ts'
import { begin, finish } from './machine.ts'
import { askReady } from './job-sets.ts'
import { askFinal, isClosed, maybeEvidence } from './job-settle.ts'
import type { JobStreamState, LedgerEventJson } from './job-state.ts'

const amount = (value: unknown): bigint => BigInt(typeof value === 'string' || typeof value === 'number' ? value : 0)

/** The job has its money and its checkers. */
function opened(state: JobStreamState): void {
  finish(state.agenda, 'open')
  const set = state.sets[0]!
  if (set.phase === 'readying') askReady(state, set)
  if (state.phase === 'settling') askFinal(state)
}

/** There is nothing left to refund. */
function closeRefund(state: JobStreamState): void {
  if (!isClosed(state)) return
  finish(state.agenda, 'refund')
  finish(state.agenda, 'timer/refund')
}

/** What a final event of the ledger changes: the only place where money moves in the state. */
export function evolveLedger(state: JobStreamState, event: LedgerEventJson, atMs: number): void {
  const { agenda, money } = state
  state.ledgerEvents.push(event)
  switch (event.type) {
    case 'opened': {
      state.job = event['job'] as `0x${string}`
      money.locked = amount(event['farmBudget']) + amount(event['checkBudget'])
      state.phase = 'readying'
      // Checkers of a registry are still to be drawn, and the opening is gone on with until they are.
      return state.order!.terms.registryDraw === 0 ? opened(state) : undefined
    }
    case 'drawn':
      state.order = { ...state.order!, checkers: event['committee'] as readonly Address[] }
      return opened(state)
    case 'ready':
      state.readyPosted = true
      return finish(agenda, 'post-ready')
    case 'attested': {
      const batch = state.batches.find((one) => one.hash === event['batchHash'])!
      batch.phase = 'attested'
      batch.number = event['batch'] as number
      for (const id of batch.leases) {
        const row = state.rows.get(id)!
        if (row.phase !== 'kept') state.openRows--
        row.phase = 'attested'
        state.farms.get(row.farm)!.spent += row.earned
        money.live -= row.price
        money.liveCheck -= row.checkFee
        money.attested += row.price
        money.attestedCheck += row.checkFee
        money.pending += row.price + row.checkFee
      }
      finish(agenda, `attest/${batch.n}`)
      closeRefund(state)
      return begin(agenda, {
        id: `release/${batch.n}`,
        kind: 'release',
        n: batch.n,
        notBeforeAtMs: Number(event['releaseAtS']) * 1000,
      })
    }
    case 'released': {
      const batch = state.batches.find((one) => one.number === event['batch'])!
      batch.phase = 'released'
      for (const id of batch.leases) {
        const row = state.rows.get(id)!
        money.pending -= row.price + row.checkFee
      }
      const paid = event['paid'] as readonly { readonly amount: unknown }[]
      money.paid += paid.reduce((sum, one) => sum + amount(one.amount), 0n)
      money.refunded += amount(event['refunded'])
      finish(agenda, `release/${batch.n}`)
      return maybeEvidence(state)
    }
    case 'finalized':
    case 'refunded': {
      const returned = amount(event.type === 'finalized' ? event['refunded'] : event['amount'])
      money.refunded += returned
      state.final.returned += returned
      state.final.done = true
      finish(agenda, 'final')
      for (const checker of state.order!.checkers) finish(agenda, `sign-final/${checker}`)
      closeRefund(state)
      return maybeEvidence(state)
    }
    case 'topped-up':
      money.locked += amount(event['farmBudget']) + amount(event['checkBudget'])
      return
    default:
      // Readers of the ledger keep what they do not know for the receipt.
      void atMs
      return
  }
}
