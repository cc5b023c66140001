// A thousand jobs of one key at once; for client.test.ts (fewer) and `pnpm bench pipeline`.
import type { Address } from '@pictor/core/contract'
import { Wallet } from 'ethers'
import { deploy, devAccounts, evmLedger, startAnvil, type EvmProvider } from '../src/index.ts'
import { httpRpc } from '../src/rpc.ts'
import { tokenAbi } from '../src/wire.ts'
import { makeScenario } from './scenario.ts'

export interface PipelineResult {
  readonly transactions: number
  readonly wallS: number
  /** CPU time of the client. */
  readonly cpuMs: number
  /** Questions to the node. */
  readonly calls: number
}

const creator = devAccounts[0]!

/** Opens and cancels `jobs` jobs at once; every one must have both transactions, in nonces without a gap. */
export async function pipeline(jobs: number, blockTimeS?: number): Promise<PipelineResult> {
  const chain = await startAnvil(blockTimeS === undefined ? {} : { blockTimeS })
  try {
    const node = httpRpc([chain.rpcUrl])
    let calls = 0
    const provider: EvmProvider = {
      request({ method, params = [] }) {
        calls++
        return node.call(method, params)
      },
    }
    const signer = new Wallet(creator.privateKey)
    const { escrow, token } = await deploy({ provider, signer, token: 'usd', minGapS: 60, minBond: 1000n })
    const [, minter] = devAccounts
    const mint = tokenAbi.encodeFunctionData('mint', [creator.address, 10n ** 15n])
    await node.call('eth_sendTransaction', [{ from: minter!.address, to: token, data: mint }])
    const ledger = evmLedger({ provider, escrow, signer, allowance: 'unlimited', timeoutMs: 600_000 })
    const nowS = Number((await node.call<{ timestamp: string }>('eth_getBlockByNumber', ['latest', false])).timestamp)
    const domain = { name: 'Pictor', version: '1', chainId: chain.chainId, verifyingContract: escrow } as const
    const one = (i: number) =>
      makeScenario({ domain, token, creator: creator.address as Address, nowS, run: `pipeline ${i}`, tasks: 1, terms: {} })
    const scenarios = await Promise.all(Array.from({ length: jobs }, (_, i) => one(i)))
    const nonce = async (tag: string) => Number(await node.call<string>('eth_getTransactionCount', [creator.address, tag]))
    const before = await nonce('latest')
    calls = 0
    const startedAtMs = performance.now()
    const cpu = process.cpuUsage()
    await Promise.all(
      scenarios.map(async (s, i) => {
        await ledger.open(s.terms, s.setRoot, { key: `open ${i}` })
        await ledger.send({ kind: 'cancel', terms: s.terms }, { key: `cancel ${i}` })
      }),
    )
    const wallS = (performance.now() - startedAtMs) / 1000
    const { user, system } = process.cpuUsage(cpu)
    const callsMade = calls
    const states = await Promise.all(scenarios.map((s) => ledger.money(s.job, { key: 'money' })))
    const canceled = states.filter(({ status }) => status === 'canceled').length
    const [latest, pending] = [await nonce('latest'), await nonce('pending')]
    // One approve, then an opening and a cancel for each job.
    if (canceled !== jobs || latest !== pending || latest - before !== 2 * jobs + 1)
      throw new Error(`${canceled} of ${jobs} jobs went through, nonces ${before} to ${latest}, ${pending - latest} stuck`)
    return { transactions: latest - before, wallS, cpuMs: (user + system) / 1e3, calls: callsMade }
  } finally {
    await chain.stop()
  }
}
