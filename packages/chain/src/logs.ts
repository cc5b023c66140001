import type { Bytes32 } from '@pictor/core/contract'
import { faultOf, nodeLies, type Rpc } from './rpc.ts'

/** One log of the escrow, as `eth_getLogs` gives it, with its place and time. */
export interface ChainLog {
  readonly topics: readonly string[]
  readonly data: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly transactionHash: Bytes32
  readonly logIndex: number
  readonly atMs: number
}

interface RawLog {
  readonly address: string
  readonly topics: string[]
  readonly data: string
  readonly blockNumber: string
  readonly blockHash: string
  readonly transactionHash: Bytes32
  readonly logIndex: string
  readonly blockTimestamp?: string
}

const hex = (value: number): string => `0x${value.toString(16)}`

/** Reads logs of one contract. Ranges that a node refuses as too long are halved; block times are asked for where the node leaves them out. */
export interface LogReader {
  read(topics: readonly (string | null)[], fromBlock: number, toBlock: number, signal?: AbortSignal): Promise<ChainLog[]>
}

export function logReader(rpc: Rpc, address: string): LogReader {
  const times = new Map<string, number>()
  const timeOf = async (log: RawLog, signal?: AbortSignal): Promise<number> => {
    if (log.blockTimestamp) return Number(log.blockTimestamp) * 1000
    const known = times.get(log.blockHash)
    if (known !== undefined) return known
    const block = await rpc.call<{ timestamp: string }>('eth_getBlockByHash', [log.blockHash, false], signal)
    const atMs = Number(block.timestamp) * 1000
    if (times.size > 10_000) times.clear()
    times.set(log.blockHash, atMs)
    return atMs
  }
  const read: LogReader['read'] = async (topics, fromBlock, toBlock, signal) => {
    if (fromBlock > toBlock) return []
    let raw: RawLog[]
    try {
      raw = await rpc.call<RawLog[]>(
        'eth_getLogs',
        [{ address, topics, fromBlock: hex(fromBlock), toBlock: hex(toBlock) }],
        signal,
      )
    } catch (error) {
      const refusal = faultOf(error)
      if (!refusal) throw error
      if (fromBlock === toBlock) throw nodeLies('eth_getLogs', `no logs of block ${toBlock} (${refusal.message})`)
      const middle = Math.floor((fromBlock + toBlock) / 2)
      const first = await read(topics, fromBlock, middle, signal)
      return [...first, ...(await read(topics, middle + 1, toBlock, signal))]
    }
    const asked = (log: RawLog): boolean =>
      log.address.toLowerCase() === address.toLowerCase() &&
      topics.every((topic, i) => topic === null || topic === log.topics[i]) &&
      Number(log.blockNumber) >= fromBlock &&
      Number(log.blockNumber) <= toBlock
    if (!raw.every(asked)) throw nodeLies('eth_getLogs', 'logs that were not asked for')
    const logs: ChainLog[] = []
    for (const log of raw)
      logs.push({
        topics: log.topics,
        data: log.data,
        blockNumber: Number(log.blockNumber),
        blockHash: log.blockHash,
        transactionHash: log.transactionHash,
        logIndex: Number(log.logIndex),
        atMs: await timeOf(log, signal),
      })
    return logs
  }
  return { read }
}
