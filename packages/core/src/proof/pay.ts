import type { Address, LeaseResult, Terms } from '../contract/messages.ts'
import { type Settlement, settleBatch } from './settle.ts'

/** Who may be paid by a release; the order is the wire code (0..2). */
export type PaymentRole = 'farm' | 'checker' | 'platform'
export const PAYMENT_ROLES: readonly PaymentRole[] = ['farm', 'checker', 'platform']

/** One line of a release, as the ledger's event lists it and the head folds it. */
export interface Payment {
  readonly account: Address
  readonly role: PaymentRole
  readonly amount: bigint
}

/**
 * What one lease pays when it is settled in a batch of its own (docs/encodings.md, "Pay of a batch"). Leases that share a batch are rounded together: use
 * `settleBatch` for a whole batch.
 * @throws invalid-input
 */
export function payOf(result: LeaseResult, terms: Pick<Terms, 'checkFee' | 'platformFeeBps' | 'checkers'>): Settlement {
  return settleBatch([result], terms)
}

/** The payments of a release, as the escrow lists them: farms in order of address to their payees, checkers in order of the committee, then the platform if it earns. */
export function paymentsOf(settlement: Pick<Settlement, 'farms' | 'checkers'>, platform: Address): Payment[] {
  const fee = settlement.farms.reduce((sum, farm) => sum + farm.platform, 0n)
  return [
    ...settlement.farms.map(({ payTo, net }) => ({ account: payTo, role: 'farm' as const, amount: net })),
    ...settlement.checkers.map(({ checker, amount }) => ({ account: checker, role: 'checker' as const, amount })),
    ...(fee > 0n ? [{ account: platform, role: 'platform' as const, amount: fee }] : []),
  ]
}
