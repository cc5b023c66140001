import { expect, it } from 'vitest'
import { createChainReader } from '../src/chain-reader.ts'
import type { Rpc } from '../src/rpc.ts'

const ESCROW = `0x${'12'.repeat(20)}` as const
const JOB = `0x${'34'.repeat(32)}` as const

/** A node at block 10 with one log of the job in each of blocks 3 and 9, whose answers take turns. */
const rpc: Rpc = {
  async call<T>(method: string, params: readonly unknown[]) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (method === 'eth_blockNumber') return '0xa' as T
    // The escrow's seven words on a job that it does not have: these logs say nothing of one.
    if (method === 'eth_call') return `0x${'00'.repeat(7 * 32)}` as T
    const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }]
    const logs = [3, 9].filter((block) => block >= Number(fromBlock) && block <= Number(toBlock))
    return logs.map((block) => ({
      address: ESCROW,
      topics: ['0x01', JOB],
      data: '0x',
      blockNumber: `0x${block.toString(16)}`,
      blockHash: `0x${block}`,
      transactionHash: `0x${block}`,
      logIndex: '0x0',
      blockTimestamp: '0x1',
    })) as T
  },
}

it('gives every log once, however many ask for them at the same time', async () => {
  const reader = createChainReader(rpc, ESCROW, 0, 0)
  const blocks = async (): Promise<number[]> => (await reader.logs(JOB, 10)).map(({ blockNumber }) => blockNumber)
  for (let round = 0; round < 2; round++)
    expect(await Promise.all([blocks(), blocks(), blocks()])).toEqual([
      [3, 9],
      [3, 9],
      [3, 9],
    ])
})
