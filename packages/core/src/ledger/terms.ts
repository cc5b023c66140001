import type { Terms } from '../contract/messages.ts'
import { ZERO_ADDRESS } from '../proof/index.ts'
import { refused } from './book.ts'

/** The long window of a batch with frames that no comparison of renders has confirmed: 72 hours (PROTOCOL.md, 8). */
export const SLOW_WINDOW_S: number = 72 * 3600
/** The most a platform may take: 30 %. */
export const MAX_FEE_BPS = 3000
/** The most checkers a job may have. */
export const MAX_COMMITTEE = 32

/** How long a batch waits, in seconds; a job without a window (development) has none for slow batches either. */
export function windowOf(terms: Terms, slow: boolean): number {
  return slow && terms.disputeWindowS > 0 ? Math.max(terms.disputeWindowS, SLOW_WINDOW_S) : terms.disputeWindowS
}

/** The rules for terms that every ledger has. A chain adds least gaps, an allowed token and an arbiter. @throws ledger-refused terms, naming the field */
export function checkTerms(terms: Terms, nowS: number): void {
  const need = (holds: boolean, field: keyof Terms, expected: string): void => {
    if (!holds)
      throw refused('terms', `terms.${field}: expected ${expected}, found ${String(terms[field])}`, { path: `terms.${field}` })
  }
  const members = terms.registryDraw || terms.checkers.length
  const total = terms.farmBudget + terms.checkBudget
  const ascending = terms.checkers.every((checker, i) => checker > (terms.checkers[i - 1] ?? ZERO_ADDRESS))
  need(total > 0n && total < 2n ** 96n, 'farmBudget', 'budgets of more than 0 and less than 2^96 together')
  need(terms.creator !== ZERO_ADDRESS, 'creator', 'an account')
  need(terms.leaseKey !== ZERO_ADDRESS, 'leaseKey', 'a key')
  need(terms.registryDraw === 0 || terms.checkers.length === 0, 'registryDraw', '0 where checkers are named')
  need(members <= MAX_COMMITTEE && ascending, 'checkers', `at most ${MAX_COMMITTEE} addresses, strictly ascending`)
  need(terms.quorum <= members && 2 * terms.quorum > members, 'quorum', `more than half of ${members}`)
  need(terms.platformFeeBps <= MAX_FEE_BPS, 'platformFeeBps', `0..${MAX_FEE_BPS}`)
  need(terms.platformFeeBps === 0 || terms.platform !== ZERO_ADDRESS, 'platform', 'an account where there is a fee')
  need(terms.deadlineAtS > nowS, 'deadlineAtS', `a time after ${nowS}`)
  need(terms.attestByS > terms.deadlineAtS, 'attestByS', 'a time after deadlineAtS')
  need(terms.claimTimeS > 0, 'claimTimeS', 'more than 0')
  need(
    terms.refundAfterS > terms.attestByS + terms.claimTimeS && terms.refundAfterS >= terms.attestByS + windowOf(terms, true),
    'refundAfterS',
    'a time after attestByS + claimTimeS and after the longest window',
  )
}
