import type { Address, Bytes32, FundingRequest } from '@pictor/core/contract'
import { isPictorError, PictorError } from '@pictor/core/contract'
import { pause } from './pause.ts'
import { refusalOf } from './refusal.ts'
import type { EvmProvider } from './rpc.ts'
import { WAIT_MS, requireCreator, walletOf, type Ask, type WalletOptions } from './wallet.ts'
import { tokenAbi } from './wire.ts'

/** What `FundingRequest.payload` holds for a chain: calls that the creator's wallet sends, in order. Plain JSON. */
export interface FundingTransactions {
  readonly chainId: number
  readonly from: Address
  readonly transactions: readonly { readonly to: Address; readonly data: string }[]
}

/**
 * Sends what a ledger's `open` asked for through the creator's own wallet: any EIP-1193 provider (`window.ethereum`). The key never leaves the wallet. May be
 * repeated: an allowance that is there is not asked for again. Ask the ledger to `open` once more afterwards: a job that is open awaits nothing.
 * @returns the hashes of the transactions, mined
 * @throws ledger-refused (not-allowed: another account, or the person said no), ledger-unreachable, invalid-input (another chain)
 */
export async function fundWith(provider: EvmProvider, request: FundingRequest, options: WalletOptions = {}): Promise<Bytes32[]> {
  if (request.kind !== 'transaction') throw new PictorError('unsupported', `funding by ${request.kind} needs no transaction`)
  const { chainId, from, transactions } = request.payload as FundingTransactions
  const ask = walletOf(provider, options)
  await requireCreator(ask, from, chainId)
  const hashes: Bytes32[] = []
  for (const { to, data } of transactions) {
    for (const needed of await approvals(ask, from, to, data)) {
      const hash = await ask<Bytes32>('eth_sendTransaction', [{ from, to, data: needed, value: '0x0' }])
      await untilMined(ask, hash, options)
      hashes.push(hash)
    }
  }
  return hashes
}

/** What has to be sent to a contract for `data`: nothing where it approves what is allowed already, zero first where the token changes no allowance that is there (USDT). */
async function approvals(ask: Ask, owner: Address, token: Address, data: string): Promise<readonly string[]> {
  if (!data.startsWith(tokenAbi.getFunction('approve')!.selector)) return [data]
  const [spender, amount] = tokenAbi.decodeFunctionData('approve', data) as unknown as [Address, bigint]
  const question = tokenAbi.encodeFunctionData('allowance', [owner, spender])
  const given = BigInt(await ask<string>('eth_call', [{ to: token, data: question }, 'latest']))
  if (given >= amount) return []
  if (given === 0n) return [data]
  const refused = await ask('eth_estimateGas', [{ from: owner, to: token, data }]).then(
    () => false,
    (error: unknown) => isPictorError(error, 'ledger-refused'),
  )
  return refused ? [tokenAbi.encodeFunctionData('approve', [spender, 0n]), data] : [data]
}

async function untilMined(ask: Ask, hash: Bytes32, options: WalletOptions): Promise<void> {
  const giveUpAtMs = Date.now() + (options.timeoutMs ?? WAIT_MS)
  for (let waitMs = 50; Date.now() < giveUpAtMs; waitMs = Math.min(2 * waitMs, 2000)) {
    const receipt = await ask<{ status: string } | null>('eth_getTransactionReceipt', [hash])
    if (receipt && BigInt(receipt.status) === 1n) return
    if (receipt) throw refusalOf({ code: 0, message: `transaction ${hash} was reverted` }, 'reverted')
    await pause(waitMs, options.signal)
  }
  throw new PictorError('ledger-unreachable', `transaction ${hash} was not mined in time`, { details: { transaction: hash } })
}
