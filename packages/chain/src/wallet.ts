import type { Address } from '@pictor/core/contract'
import { PictorError } from '@pictor/core/contract'
import { refusalOf } from './refusal.ts'
import { faultOf, providerRpc, type EvmProvider } from './rpc.ts'

export interface WalletOptions {
  readonly signal?: AbortSignal
  /** Longest wait for the person to confirm one request, and for one transaction to be mined. Default 10 minutes. */
  readonly timeoutMs?: number
}

/** {@link WalletOptions.timeoutMs} when left out. */
export const WAIT_MS = 600_000

/** One question to a wallet. */
export type Ask = <T>(method: string, params: readonly unknown[]) => Promise<T>

/** The wallet behind a provider, as far as it is needed. A person confirms, so questions wait longer than those to a node. */
export function walletOf(provider: EvmProvider, options: WalletOptions): Ask {
  const rpc = providerRpc(provider, options.timeoutMs ?? WAIT_MS)
  return async <T>(method: string, params: readonly unknown[]): Promise<T> => {
    try {
      return await rpc.call<T>(method, params, options.signal)
    } catch (error) {
      const fault = faultOf(error)
      if (!fault) throw error
      // EIP-1193: 4001 is the person's own no.
      throw refusalOf(fault, fault.code === 4001 ? 'not-allowed' : undefined)
    }
  }
}

/** Makes sure that the wallet speaks for the creator and for this chain; asks it to switch where it does not. @throws ledger-refused not-allowed, invalid-input */
export async function requireCreator(ask: Ask, from: Address, chainId: number): Promise<void> {
  const accounts = await ask<readonly string[]>('eth_requestAccounts', [])
  if (!Array.isArray(accounts) || !accounts.some((account) => String(account).toLowerCase() === from))
    throw new PictorError('ledger-refused', `the wallet does not hold the creator's account ${from}`, {
      details: { reason: 'not-allowed', accounts },
    })
  const serves = async (): Promise<number> => Number(await ask<string>('eth_chainId', []))
  if ((await serves()) === chainId) return
  await ask('wallet_switchEthereumChain', [{ chainId: `0x${chainId.toString(16)}` }])
  const found = await serves()
  if (found !== chainId)
    throw new PictorError('invalid-input', `expected chain ${chainId}, the wallet is on chain ${found}`, {
      details: { path: 'chainId' },
    })
}
