import { PictorError } from '@pictor/core/contract'
import { Transaction } from 'ethers'
import { pause } from './pause.ts'
import { refusalOf } from './refusal.ts'
import { faultOf, untilAborted, type Rpc } from './rpc.ts'

/** A transaction as it is handed to a signer: EIP-1559, complete. */
export interface EvmTransaction {
  readonly type: 2
  readonly chainId: number
  readonly nonce: number
  readonly to: string | null
  readonly data: string
  readonly value: bigint
  readonly gasLimit: bigint
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** Signs transactions; an ethers `Wallet` satisfies it. The key never leaves it. */
export interface EvmSigner {
  getAddress(): Promise<string>
  signTransaction(transaction: EvmTransaction): Promise<string>
}

/** What the chain says about a mined transaction. */
export interface Receipt {
  readonly transactionHash: `0x${string}`
  readonly blockNumber: number
  readonly gasUsed: bigint
  readonly ok: boolean
  readonly contractAddress?: string
}

export interface SendOptions {
  /** Longest wait for a receipt. */
  readonly timeoutMs: number
  /** A transaction without a receipt after this time is sent again with the same nonce and a higher fee. */
  readonly replaceAfterMs: number
  /** The most that is offered for one gas, in wei. Default 300 gwei: a node that lies about fees costs at most this times the gas cap. */
  readonly maxFeePerGas?: bigint
  /** First pause between two looks for a receipt; it doubles up to 2 s. */
  readonly pollMs: number
}

/** The most gas one transaction may have since Osaka (EIP-7825). */
export const GAS_CAP = 16_777_216n

const DEFAULT_MAX_FEE = 300_000_000_000n

interface Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** Sends the transactions of one key pipelined: the next is sent while the last one is waited for. Calls that need an order wait for each other. */
export interface Sender {
  readonly address: `0x${string}`
  /** @throws ledger-refused with the contract's reason, ledger-unreachable when the outcome is not known in time (repeating the action is safe) */
  send(call: { readonly to: string | null; readonly data: string }, signal?: AbortSignal): Promise<Receipt>
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

async function feesNow(rpc: Rpc, most: bigint, signal?: AbortSignal): Promise<Fees> {
  const block = await rpc.call<{ baseFeePerGas?: string }>('eth_getBlockByNumber', ['latest', false], signal)
  let tip = 1_000_000_000n
  try {
    tip = BigInt(await rpc.call<string>('eth_maxPriorityFeePerGas', [], signal))
  } catch (error) {
    if (!faultOf(error)) throw error
  }
  // Twice the base fee survives six full blocks in a row (EIP-1559 raises it by at most 12.5 % a block).
  const all = 2n * BigInt(block.baseFeePerGas ?? '0x0') + tip
  return { maxFeePerGas: least(all, most), maxPriorityFeePerGas: least(tip, most) }
}

/** A node takes a replacement only with both fees at least a tenth higher; an eighth leaves room. */
function raised(old: Fees, now: Fees, most: bigint): Fees {
  const more = (a: bigint, b: bigint): bigint => least(a + a / 8n + 1n > b ? a + a / 8n + 1n : b, most)
  return {
    maxFeePerGas: more(old.maxFeePerGas, now.maxFeePerGas),
    maxPriorityFeePerGas: more(old.maxPriorityFeePerGas, now.maxPriorityFeePerGas),
  }
}

const NONCE_LOST = /nonce (is )?too low|nonce too high|NONCE_EXPIRED|OldNonce|invalid nonce/i
const KNOWN = /already known|already imported|known transaction/i
const UNDERPRICED = /underpriced|fee too low|max fee per gas less than block base fee/i

/** A sender for one key. Use one for each key in a process: it counts the nonces itself. */
export function createSender(rpc: Rpc, signer: EvmSigner, address: `0x${string}`, chainId: number, options: SendOptions): Sender {
  const most = options.maxFeePerGas ?? DEFAULT_MAX_FEE
  let next: number | undefined
  let inFlight = 0
  let queue: Promise<unknown> = Promise.resolve()

  const pendingNonce = async (signal?: AbortSignal): Promise<number> =>
    Number(await rpc.call<string>('eth_getTransactionCount', [address, 'pending'], signal))

  const receiptOf = async (hash: string, signal?: AbortSignal): Promise<Receipt | undefined> => {
    const found = await rpc.call<{
      transactionHash: `0x${string}`
      blockNumber: string
      gasUsed: string
      status: string
      contractAddress?: string | null
    } | null>('eth_getTransactionReceipt', [hash], signal)
    // A node that answers with the receipt of another transaction knows nothing about this one.
    if (found?.transactionHash.toLowerCase() !== hash) return undefined
    // Nor does one whose block is without it, as caches are that kept the receipt of a block which a fork dropped.
    const block = await rpc.call<{ transactions: readonly string[] } | null>(
      'eth_getBlockByNumber',
      [found.blockNumber, false],
      signal,
    )
    if (!block?.transactions.some((one) => one.toLowerCase() === hash)) return undefined
    return {
      transactionHash: found.transactionHash,
      blockNumber: Number(found.blockNumber),
      gasUsed: BigInt(found.gasUsed),
      ok: BigInt(found.status) === 1n,
      ...(found.contractAddress ? { contractAddress: found.contractAddress } : {}),
    }
  }

  const estimate = async (call: { to: string | null; data: string }, signal?: AbortSignal): Promise<bigint> => {
    try {
      const params = [{ from: address, ...(call.to ? { to: call.to } : {}), data: call.data }, 'pending']
      const gas = BigInt(await rpc.call<string>('eth_estimateGas', params, signal))
      if (gas > GAS_CAP) throw refusalOf({ code: 0, message: `needs ${gas} gas, a transaction has at most ${GAS_CAP}` }, 'limit')
      const withRoom = gas + gas / 5n + 10_000n
      return withRoom > GAS_CAP ? GAS_CAP : withRoom
    } catch (error) {
      const found = faultOf(error)
      throw found ? refusalOf(found) : error
    }
  }

  /** The signer may be a person or a machine elsewhere; nothing waits for it for ever, since the next transaction of the key waits behind. */
  const signed = async (tx: EvmTransaction, signal?: AbortSignal): Promise<string> => {
    const limit = AbortSignal.timeout(options.timeoutMs)
    try {
      return await untilAborted(signer.signTransaction(tx), signal ? AbortSignal.any([signal, limit]) : limit)
    } catch (error) {
      if (!limit.aborted) throw error
      throw new PictorError('ledger-unreachable', `the signer of ${address} did not answer within ${options.timeoutMs} ms`)
    }
  }

  const submit = async (tx: EvmTransaction, signal?: AbortSignal): Promise<{ hash: string; lost: boolean; cheap: boolean }> => {
    const raw = await signed(tx, signal)
    const hash = Transaction.from(raw).hash!
    try {
      await rpc.call<string>('eth_sendRawTransaction', [raw], signal)
      return { hash, lost: false, cheap: false }
    } catch (error) {
      const found = faultOf(error)
      if (!found) throw error
      if (KNOWN.test(found.message)) return { hash, lost: false, cheap: false }
      // A node that is asked a second time, since its first answer was lost, may have mined this very transaction.
      if (NONCE_LOST.test(found.message)) return { hash, lost: !(await receiptOf(hash, signal)), cheap: false }
      if (UNDERPRICED.test(found.message)) return { hash, lost: false, cheap: true }
      throw refusalOf(found)
    }
  }

  /** Takes the next nonce and sends; a nonce that somebody else used meanwhile is read anew. */
  const start = async (
    call: { to: string | null; data: string },
    gasLimit: bigint,
    offered: Fees,
    signal?: AbortSignal,
  ): Promise<{ tx: EvmTransaction; hash: string }> => {
    let fees = offered
    for (let tries = 0; ; tries++) {
      const pending = await pendingNonce(signal)
      // With nothing in flight the node's count is right: a fork may have taken transactions back.
      const nonce = next === undefined || tries > 0 || inFlight === 0 || next < pending ? pending : next
      const tx: EvmTransaction = { type: 2, chainId, nonce, to: call.to, data: call.data, value: 0n, gasLimit, ...fees }
      const { hash, lost, cheap } = await submit(tx, signal)
      if (!lost && !cheap) {
        next = nonce + 1
        inFlight++
        return { tx, hash }
      }
      next = undefined
      if (cheap) fees = raised(fees, await feesNow(rpc, most, signal), most)
      if (tries === 5) throw refusalOf({ code: 0, message: `nonce ${nonce} of ${address} is taken again and again` }, 'nonce')
    }
  }

  /** Waits for any of the hashes of one nonce; after a while the fee is raised. A reorganisation that drops it is cured by sending it again. */
  const finish = async (first: EvmTransaction, firstHash: string, signal?: AbortSignal): Promise<Receipt> => {
    let tx = first
    const hashes = [firstHash]
    const giveUpAtMs = Date.now() + options.timeoutMs
    let replaceAtMs = Date.now() + options.replaceAfterMs
    for (let waitMs = options.pollMs; Date.now() < giveUpAtMs; waitMs = Math.min(2 * waitMs, 2000)) {
      for (const hash of hashes) {
        const receipt = await receiptOf(hash, signal)
        if (receipt) return receipt
      }
      if (Date.now() >= replaceAtMs) {
        const more = raised(tx, await feesNow(rpc, most, signal), most)
        if (more.maxFeePerGas > tx.maxFeePerGas) tx = { ...tx, ...more }
        const { hash, lost } = await submit(tx, signal)
        if (!lost && !hashes.includes(hash)) hashes.push(hash)
        replaceAtMs = Date.now() + options.replaceAfterMs
      }
      await pause(waitMs, signal)
    }
    // The next transaction must not wait behind this one for ever: read the count anew.
    next = undefined
    throw new PictorError('ledger-unreachable', `transaction ${hashes.at(-1)} was not mined within ${options.timeoutMs} ms`, {
      details: { transaction: hashes.at(-1), hint: 'it may still be mined; repeat the call with the same key' },
    })
  }

  return {
    address,
    async send(call, signal) {
      // Only the nonce needs its turn; what can be asked before is asked before.
      const [gasLimit, fees] = await Promise.all([estimate(call, signal), feesNow(rpc, most, signal)])
      const started = queue.then(() => start(call, gasLimit, fees, signal))
      queue = started.catch(() => undefined)
      const { tx, hash } = await started
      const receipt = await finish(tx, hash, signal).finally(() => inFlight--)
      if (receipt.ok) return receipt
      // The chain moved between estimate and block: ask for the reason against the present state.
      await estimate(call, signal)
      throw refusalOf({ code: 0, message: `transaction ${receipt.transactionHash} was reverted` }, 'reverted')
    },
  }
}
