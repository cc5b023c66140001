import { invalid } from '../contract/error.ts'
import type { Address, LeaseResult, Terms } from '../contract/messages.ts'
import { weightSumOf } from './lease.ts'

/** What one attested lease moves, in the token's smallest unit. `gross + refund` is the lease's price; the checkers' amounts plus `checkRefund` are its check fees. */
export interface LeasePay {
  /** Farm and platform together: price x accepted weight / weightSum, rounded down. */
  readonly gross: bigint
  readonly platform: bigint
  readonly farm: bigint
  readonly payTo: Address
  /** In order of address; split by votes, rounded down, the remainder to the first. */
  readonly checkers: readonly { readonly checker: Address; readonly amount: bigint }[]
  /** Back to the creator: the price of refused frames. */
  readonly refund: bigint
  /** Back to the creator: check fees of a lease that nobody voted on. */
  readonly checkRefund: bigint
}

/** What a lease reserves when it is attested. */
export function reserveOf(result: Pick<LeaseResult, 'lease'>, terms: Pick<Terms, 'checkFee'>): { price: bigint; check: bigint } {
  return { price: result.lease.price, check: terms.checkFee * BigInt(result.lease.frames.length) }
}

/**
 * What an attested lease pays (docs/encodings.md, "Pay of a released lease").
 * @throws invalid-input when the accepted weight is not within 0..weightSum
 */
export function payOf(result: LeaseResult, terms: Pick<Terms, 'checkFee' | 'platformFeeBps'>): LeasePay {
  const { lease, acceptedWeight } = result
  const weightSum = weightSumOf(lease)
  if (!Number.isInteger(acceptedWeight) || acceptedWeight < 0 || acceptedWeight > weightSum)
    throw invalid('result.acceptedWeight', `a whole number from 0 to ${weightSum}`, acceptedWeight)
  const gross = (lease.price * BigInt(acceptedWeight)) / BigInt(weightSum)
  const platform = (gross * BigInt(terms.platformFeeBps)) / 10_000n
  const fees = reserveOf(result, terms).check
  const checkers = splitByVotes(fees, result.votes)
  return {
    gross,
    platform,
    farm: gross - platform,
    payTo: lease.payTo,
    checkers,
    refund: lease.price - gross,
    checkRefund: checkers.length === 0 ? fees : 0n,
  }
}

function splitByVotes(fees: bigint, votes: LeaseResult['votes']): { checker: Address; amount: bigint }[] {
  const cast = votes.filter((vote) => vote.count > 0).sort((a, b) => (a.checker < b.checker ? -1 : 1))
  const total = BigInt(cast.reduce((sum, vote) => sum + vote.count, 0))
  const shares = cast.map(({ checker, count }) => ({ checker, amount: (fees * BigInt(count)) / total }))
  if (shares.length > 0) shares[0]!.amount += fees - shares.reduce((sum, share) => sum + share.amount, 0n)
  return shares
}
