import { isPictorError, type Address } from '@pictor/core/contract'
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
  const running = new Set<Promise<unknown>>()
  let lock: Promise<unknown> = Promise.resolve()
  const allow = async (token: Address, amount: bigint, signal?: AbortSignal): Promise<void> => {
    const given = await reader.allowance(token, sender.address, escrow, signal)
    if (given >= amount + inFlight) return
    const approve = (value: bigint) =>
      sender.send({ to: token, data: tokenAbi.encodeFunctionData('approve', [escrow, value]) }, signal)
    try {
      await approve(mode === 'unlimited' ? MAX_ALLOWANCE : amount + inFlight)
    } catch (error) {
      if (given === 0n || !isPictorError(error, 'ledger-refused')) throw error
      // USDT and others change an allowance to and from zero only. Calls that are under way need what is there.
      await Promise.allSettled(running)
      await approve(0n)
      await approve(mode === 'unlimited' ? MAX_ALLOWANCE : amount)
    }
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
    const sending = sender.send(call, signal)
    running.add(sending)
    try {
      return await sending
    } finally {
      running.delete(sending)
      inFlight -= takes
    }
  }
}
