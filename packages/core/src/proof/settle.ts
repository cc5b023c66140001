import { invalid } from '../contract/error.ts'
import type { Address, LeaseResult, Terms } from '../contract/messages.ts'
import type { PackedBatch } from './batch-read.ts'
import { farmTable, voteTable } from './batch.ts'
import { weightSumOf } from './lease.ts'

/** What one farm of a batch is owed. `gross` = `platform` + `net`; `price - gross` returns to the creator. */
export interface FarmShare {
  readonly farm: Address
  readonly payTo: Address
  /** Sum of the full prices of the farm's leases. */
  readonly price: bigint
  readonly gross: bigint
  readonly platform: bigint
  readonly net: bigint
}

/** A batch in money: the arithmetic of PictorEscrow.sol, used by every ledger. All divisions round down. */
export interface Settlement {
  /** Full prices of all leases. */
  readonly farmReserve: bigint
  /** Check fee of all frames of all leases. */
  readonly checkReserve: bigint
  /** Ascending by farm. */
  readonly farms: readonly FarmShare[]
  /** Ascending by committee index; their sum is `checkReserve`, or 0 when nobody voted. */
  readonly checkers: readonly { readonly checker: Address; readonly amount: bigint }[]
  /** What the creator gets back at release when nothing is disputed. */
  readonly refund: bigint
}

/** The terms that fees and shares are computed from. */
export type FeeTerms = Pick<Terms, 'checkFee' | 'platformFeeBps' | 'checkers'>
interface PayLine {
  readonly farm: Address
  readonly price: bigint
  readonly weightSum: number
  readonly acceptedWeight: number
  readonly frames: number
}

/** Splits a farm's gross pay into the platform's fee (rounded down) and the farm's net, which keeps the remainder. */
export function splitGross(gross: bigint, platformFeeBps: number): { platform: bigint; net: bigint } {
  const platform = (gross * BigInt(platformFeeBps)) / 10_000n
  return { platform, net: gross - platform }
}

/** Gross pay that an arbiter's share in thousandths of the full price comes to, rounded down. */
export function resolvedGross(price: bigint, acceptedPerMille: number): bigint {
  if (!Number.isInteger(acceptedPerMille) || acceptedPerMille < 0 || acceptedPerMille > 1000)
    throw invalid('acceptedPerMille', 'a whole number from 0 to 1000', acceptedPerMille)
  return (price * BigInt(acceptedPerMille)) / 1000n
}

function settle(
  lines: readonly PayLine[],
  payees: readonly { farm: Address; payTo: Address }[],
  voters: readonly { index: number; votes: number }[],
  terms: FeeTerms,
  committee: readonly Address[],
): Settlement {
  const sums = new Map<Address, { price: bigint; gross: bigint }>()
  let frames = 0
  for (const line of lines) {
    const sum = sums.get(line.farm) ?? { price: 0n, gross: 0n }
    sum.price += line.price
    sum.gross += (line.price * BigInt(line.acceptedWeight)) / BigInt(line.weightSum)
    sums.set(line.farm, sum)
    frames += line.frames
  }
  const farms = payees.map(({ farm, payTo }) => {
    const sum = sums.get(farm) ?? { price: 0n, gross: 0n }
    return { farm, payTo, ...sum, ...splitGross(sum.gross, terms.platformFeeBps) }
  })
  const checkReserve = terms.checkFee * BigInt(frames)
  const votes = BigInt(voters.reduce((all, voter) => all + voter.votes, 0))
  const shares = voters.map((voter) => (checkReserve * BigInt(voter.votes)) / votes)
  const dust = checkReserve - shares.reduce((sum, share) => sum + share, 0n)
  const checkers = voters.map((voter, i) => ({ checker: committee[voter.index]!, amount: shares[i]! + (i === 0 ? dust : 0n) }))
  const refund = farms.reduce((sum, farm) => sum + farm.price - farm.gross, 0n) + (voters.length === 0 ? checkReserve : 0n)
  return { farmReserve: farms.reduce((sum, farm) => sum + farm.price, 0n), checkReserve, farms, checkers, refund }
}

/** What a batch reserves and, undisputed, pays. `committee` is left out for jobs that name their checkers. @throws invalid-input */
export function settleBatch(
  results: readonly LeaseResult[],
  terms: FeeTerms,
  committee: readonly Address[] = terms.checkers,
): Settlement {
  const lines = results.map(({ lease, acceptedWeight }) => ({
    farm: lease.farm,
    price: lease.price,
    weightSum: weightSumOf(lease),
    acceptedWeight,
    frames: lease.frames.length,
  }))
  return settle(lines, farmTable(results), voteTable(results, committee), terms, committee)
}

/** The same from a batch that was read back from the chain. */
export function settlePacked(batch: PackedBatch, terms: FeeTerms, committee: readonly Address[] = terms.checkers): Settlement {
  return settle(batch.leases, batch.farms, batch.checkers, terms, committee)
}
