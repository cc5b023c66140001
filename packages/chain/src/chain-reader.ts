import type { Address, Bytes32, LedgerEvent } from '@pictor/core/contract'
import { isPictorError } from '@pictor/core/contract'
import { escrowCommitment, hashTerms, ZERO_HASH } from '@pictor/core/proof'
import { applyLog, emptyView, type JobView } from './job-view.ts'
import { logReader, type ChainLog } from './logs.ts'
import { pause } from './pause.ts'
import { faultOf, nodeLies, type Rpc } from './rpc.ts'
import { escrowAbi, tokenAbi } from './wire.ts'

/** Applies a log; a node whose logs contradict each other is not believed. @throws ledger-unreachable */
export function applied(view: JobView, log: ChainLog): LedgerEvent[] {
  try {
    return applyLog(view, log)
  } catch (cause) {
    throw Object.assign(nodeLies('eth_getLogs', `logs of job ${view.job} that do not fit together`), { cause })
  }
}

/** What is known for good of a job: its logs up to a block, and the last block at which they were found to be all. */
interface KnownLogs {
  upTo: number
  checked: number
  readonly logs: ChainLog[]
}

/**
 * Makes sure that logs are all that there are: what they come to must be what the escrow says of the job at the same block. Nodes do leave out logs, when their index lags
 * or their answer was cut, and what is left out would never be told. @throws ledger-unreachable
 */
function requireSlot(view: JobView, answer: string, block: number): void {
  const { opening, money } = view
  // Before the escrow was deployed there is neither a job nor a log.
  if (answer === '0x' && !opening) return
  if (answer.length !== 2 + 7 * 64) throw nodeLies('eth_call', `${answer.length / 2 - 1} bytes for a job`)
  const [commitment, farmLocked, checkLocked, batches, status, , head] = escrowAbi.decodeFunctionResult('jobs', answer)
  const told = [
    opening ? escrowCommitment(hashTerms(opening.terms), opening.setRoot, opening.drawn) : ZERO_HASH,
    money.head,
    money.locked,
    BigInt(view.batches.size),
    view.isReady,
    view.isCanceled,
  ]
  const bits = Number(status)
  const held = [commitment, head, farmLocked + checkLocked, batches, (bits & READY) !== 0, (bits & CANCELED) !== 0]
  if (told.some((one, i) => one !== held[i]))
    throw nodeLies('eth_getLogs', `not all logs of job ${view.job} up to block ${block}`, NOT_ALL)
}

/** Status bits of a job (EscrowBase.sol). */
const READY = 2
const CANCELED = 4

/** Reads the escrow's state and logs. "Final" is the newest block less the confirmations. */
export interface ChainReader {
  readonly confirmations: number
  latestBlock(signal?: AbortSignal): Promise<number>
  /** A block is known to be there, by a receipt in it: what does not have it yet is old. */
  saw(block: number): void
  finalBlock(signal?: AbortSignal): Promise<number>
  /** Time of the newest block, seconds. */
  nowS(signal?: AbortSignal): Promise<number>
  /** Logs of a job up to a block; those of final blocks are asked for once. */
  logs(job: Bytes32, toBlock: number, signal?: AbortSignal): Promise<readonly ChainLog[]>
  /** Has the logs of a job read anew: the escrow said something that does not fit to them. */
  forget(job: Bytes32): void
  viewNow(job: Bytes32, signal?: AbortSignal): Promise<JobView>
  viewFinal(job: Bytes32, signal?: AbortSignal): Promise<JobView>
  credit(token: Address, account: Address, at: 'latest' | 'final', signal?: AbortSignal): Promise<bigint>
  allowance(token: Address, owner: Address, spender: Address, signal?: AbortSignal): Promise<bigint>
  bondFor(token: Address, price: bigint, signal?: AbortSignal): Promise<bigint>
  /** What the token says of itself, undefined when it says nothing that can be one. */
  decimals(token: Address, signal?: AbortSignal): Promise<number | undefined>
  hasCode(account: Address, signal?: AbortSignal): Promise<boolean>
  gasOf(transaction: Bytes32, signal?: AbortSignal): Promise<bigint>
  /**
   * Whether a transaction of `from` whose data ends with `tail` succeeded: one that left a log with these topics lately, or one in the pool, which is waited
   * for.
   */
  wasSent(
    from: Address,
    tail: string,
    topics: readonly (string | null)[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<boolean>
}

const hex = (value: number): string => `0x${value.toString(16)}`
const NOT_ALL = 'not-all-logs'
/** How often logs are read that do not come to what the escrow says. */
const FIT_TRIES = 3
/** How often a height that was left behind must be said. */
const LOWER_TRIES = 4
/** How far back a transaction is searched by its key: a day of Ethereum's blocks. */
const SEARCH_BLOCKS = 7200

export function createChainReader(rpc: Rpc, escrow: Address, confirmations: number, fromBlock: number): ChainReader {
  const source = logReader(rpc, escrow)
  const knownLogs = new Map<Bytes32, KnownLogs>()
  const gas = new Map<Bytes32, bigint>()
  const code = new Map<Address, boolean>()

  let highest = 0
  /** A height below one that was seen is a node that lags, more often than a fork: it is believed when it is said again and again. */
  const latestBlock = async (signal?: AbortSignal): Promise<number> => {
    for (let tries = 1; ; tries++) {
      const at = Number(await rpc.call<string>('eth_blockNumber', [], signal))
      if (at >= highest || tries === LOWER_TRIES) return (highest = at)
      await pause(20 * tries, signal)
    }
  }
  const finalBlock = async (signal?: AbortSignal): Promise<number> => Math.max(0, (await latestBlock(signal)) - confirmations)
  const read = async (to: Address, data: string, block: string, signal?: AbortSignal): Promise<bigint> =>
    BigInt(await rpc.call<string>('eth_call', [{ to, data }, block], signal))

  /** The escrow's own word on a job at a block. A node that does not have the block gives none. */
  const slotOf = async (job: Bytes32, block: number, signal?: AbortSignal): Promise<string> => {
    try {
      const call = { to: escrow, data: escrowAbi.encodeFunctionData('jobs', [job]) }
      return await rpc.call<string>('eth_call', [call, hex(block)], signal)
    } catch (error) {
      throw faultOf(error) ? nodeLies('eth_call', `no state of block ${block}`) : error
    }
  }

  /** A node shows a block, its logs and its state one after another: what does not fit together now may do so in a moment. */
  const logs: ChainReader['logs'] = async (job, toBlock, signal) => {
    for (let tries = 1; ; tries++)
      try {
        return await readLogs(job, toBlock, signal)
      } catch (error) {
        if (!isPictorError(error, 'ledger-unreachable') || error.details['reason'] !== NOT_ALL || tries === FIT_TRIES) throw error
        await pause(50 * tries, signal)
      }
  }

  const readLogs: ChainReader['logs'] = async (job, toBlock, signal) => {
    const final = Math.max(0, toBlock - confirmations)
    // Without confirmations the newest block may still be another one tomorrow.
    const keep = confirmations > 0 ? final : final - 1
    let known = knownLogs.get(job)
    if (!known) knownLogs.set(job, (known = { upTo: fromBlock - 1, checked: fromBlock - 1, logs: [] }))
    const from = known.upTo
    const fresh = await source.read([null, job] as never, from + 1, toBlock, signal)
    // Another node than the one that said how long the chain is may have answered, and know less of it: its silence about the last blocks means nothing.
    if ((await latestBlock(signal)) < toBlock)
      throw nodeLies('eth_getLogs', `logs up to a block that it does not have, ${toBlock}`)
    // Another call may have brought the same logs in the meantime: each counts once.
    const all = [...known.logs.filter((log) => log.blockNumber <= Math.min(from, toBlock)), ...fresh]
    // What is told as final must be all that there is, and once: kept logs are never asked for again. Those that are not kept yet are looked at each time.
    if (final > known.checked || keep < final || fresh.length > 0) {
      const slot = await slotOf(job, final, signal)
      try {
        requireSlot(
          viewOf(
            job,
            all.filter((log) => log.blockNumber <= final),
          ),
          slot,
          final,
        )
      } catch (error) {
        knownLogs.delete(job)
        throw error
      }
      known.checked = Math.max(known.checked, final)
    }
    if (keep > known.upTo) {
      const { upTo } = known
      known.logs.push(...fresh.filter((log) => log.blockNumber > upTo && log.blockNumber <= keep))
      known.upTo = keep
    }
    return all
  }
  const viewOf = (job: Bytes32, told: readonly ChainLog[]): JobView => {
    const result = emptyView(job)
    for (const log of told) applied(result, log)
    return result
  }
  const view = async (job: Bytes32, toBlock: number, signal?: AbortSignal): Promise<JobView> =>
    viewOf(job, await logs(job, toBlock, signal))

  /** The transaction among the latest blocks, or waiting for one, that carries the tail. */
  const findSent = async (
    from: Address,
    tail: string,
    topics: readonly (string | null)[],
    signal?: AbortSignal,
  ): Promise<string | undefined> => {
    type Block = { transactions: readonly { hash: string; from: string; input: string }[] }
    const match = (block: Block | null): string | undefined =>
      block?.transactions.find((tx) => tx.from.toLowerCase() === from && tx.input.endsWith(tail))?.hash
    const waiting = match(await rpc.call<Block | null>('eth_getBlockByNumber', ['pending', true], signal))
    if (waiting) return waiting
    const latest = await latestBlock(signal)
    const seen = new Set<string>()
    for (const log of (await source.read(topics, Math.max(fromBlock, latest - SEARCH_BLOCKS), latest, signal)).reverse()) {
      if (seen.has(log.transactionHash)) continue
      seen.add(log.transactionHash)
      const tx = await rpc.call<{ from: string; input: string } | null>('eth_getTransactionByHash', [log.transactionHash], signal)
      if (tx && tx.from.toLowerCase() === from && tx.input.endsWith(tail)) return log.transactionHash
    }
    return undefined
  }

  return {
    confirmations,
    latestBlock,
    saw: (block) => void (highest = Math.max(highest, block)),
    finalBlock,
    logs,
    async nowS(signal) {
      return Number((await rpc.call<{ timestamp: string }>('eth_getBlockByNumber', ['latest', false], signal)).timestamp)
    },
    forget: (job) => void knownLogs.delete(job),
    viewNow: async (job, signal) => view(job, await latestBlock(signal), signal),
    viewFinal: async (job, signal) => view(job, await finalBlock(signal), signal),
    async credit(token, account, at, signal) {
      const data = escrowAbi.encodeFunctionData('creditOf', [token, account])
      return read(escrow, data, at === 'latest' ? 'latest' : hex(await finalBlock(signal)), signal)
    },
    allowance: (token, owner, spender, signal) =>
      read(token, tokenAbi.encodeFunctionData('allowance', [owner, spender]), 'latest', signal),
    bondFor: (token, price, signal) => read(escrow, escrowAbi.encodeFunctionData('bondFor', [token, price]), 'latest', signal),
    async decimals(token, signal) {
      try {
        const answer = await rpc.call<string>(
          'eth_call',
          [{ to: token, data: tokenAbi.encodeFunctionData('decimals') }, 'latest'],
          signal,
        )
        return answer.length === 66 && BigInt(answer) < 256n ? Number(answer) : undefined
      } catch (error) {
        if (faultOf(error)) return undefined
        throw error
      }
    },
    async hasCode(account, signal) {
      let known = code.get(account)
      if (known === undefined)
        code.set(account, (known = (await rpc.call<string>('eth_getCode', [account, 'latest'], signal)) !== '0x'))
      return known
    },
    async gasOf(transaction, signal) {
      let used = gas.get(transaction)
      if (used === undefined) {
        const receipt = await rpc.call<{ gasUsed: string } | null>('eth_getTransactionReceipt', [transaction], signal)
        used = BigInt(receipt?.gasUsed ?? 0)
        if (gas.size > 10_000) gas.clear()
        gas.set(transaction, used)
      }
      return used
    },
    async wasSent(from, tail, topics, timeoutMs, signal) {
      const hash = await findSent(from, tail, topics, signal)
      if (!hash) return false
      for (const giveUpAtMs = Date.now() + timeoutMs; Date.now() < giveUpAtMs;) {
        const receipt = await rpc.call<{ status: string } | null>('eth_getTransactionReceipt', [hash], signal)
        if (receipt) return BigInt(receipt.status) === 1n
        await pause(500, signal)
      }
      return false
    },
  }
}
