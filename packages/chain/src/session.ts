import type { Address } from '@pictor/core/contract'
import type { ActionCall } from './actions.ts'
import type { ChainReader } from './chain-reader.ts'
import type { Receipt, Sender } from './sender.ts'
import { tokenAbi } from './wire.ts'

const MAX_ALLOWANCE = 2n ** 256n - 1n

/** What a ledger with a signer can do beside reading. */
export interface Session {
  readonly address: Address
  pay(call: ActionCall, token: Address, signal?: AbortSignal): Promise<Receipt>
}

/** Sends calls with the allowance they need, one after another where a call takes money, so that no two share an allowance. */
export function payingSender(sender: Sender, reader: ChainReader, escrow: Address, mode: 'exact' | 'unlimited'): Session['pay'] {
  let inFlight = 0n
  let lock: Promise<unknown> = Promise.resolve()
  const allow = async (token: Address, amount: bigint, signal?: AbortSignal): Promise<void> => {
    const given = await reader.allowance(token, sender.address, escrow, signal)
    if (given >= amount + inFlight) return
    const value = mode === 'unlimited' ? MAX_ALLOWANCE : amount + inFlight
    await sender.send({ to: token, data: tokenAbi.encodeFunctionData('approve', [escrow, value]) }, signal)
  }
  return async (call: ActionCall, token: Address, signal?: AbortSignal): Promise<Receipt> => {
    const takes = call.takes ?? 0n
    if (takes === 0n) return sender.send(call, signal)
    const allowed = lock.then(async () => {
      await allow(token, takes, signal)
      inFlight += takes
    })
    lock = allowed.catch(() => undefined)
    await allowed
    try {
      return await sender.send(call, signal)
    } finally {
      inFlight -= takes
    }
  }
}
