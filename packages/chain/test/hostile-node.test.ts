// Nodes that lie, lag, talk nonsense or serve another chain: nothing is believed that cannot be true, and nothing is skipped for good.
import { createServer, type Server } from 'node:http'
import type { CallContext, LedgerAction } from '@pictor/core/contract'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { devAccounts, evmLedger, type EvmTransaction } from '../src/index.ts'
import { escrowAbi } from '../src/wire.ts'
import { devWorld, type DevWorld } from './dev-world.ts'
import { makeScenario, type Scenario } from './scenario.ts'

const creator = devAccounts[0]!
let world: DevWorld
beforeAll(async () => {
  world = await devWorld()
})
afterAll(() => world.stop())
beforeEach(async () => {
  await world.reset()
  await world.fund(creator.address)
})

let keys = 0
const ctx = (): CallContext => ({ key: `hostile ${++keys}` })

async function scenario(run: string): Promise<Scenario> {
  const { escrow, token } = world.deployment
  const domain = { name: 'Pictor', version: '1', chainId: 31_337, verifyingContract: escrow } as const
  return makeScenario({ domain, token, creator: creator.address, nowS: await world.nowS(), run, tasks: 1, terms: {} })
}

const ledgerOn = (options: Partial<Parameters<typeof evmLedger>[0]> = {}) =>
  evmLedger({
    rpcUrl: world.rpcUrl,
    escrow: world.deployment.escrow,
    signer: new Wallet(creator.privateKey),
    timeoutMs: 3000,
    rpcTimeoutMs: 2000,
    ...options,
  })

type Lie = (method: string, result: unknown) => unknown
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections()
})

/** A node that hands questions to the real one and may change what comes back. */
async function nodeThat(lie: Lie): Promise<string> {
  const server = createServer((request, response) => {
    ;(async () => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const body = Buffer.concat(parts).toString()
      const real = await fetch(world.rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      const answer = (await real.json()) as { result?: unknown; error?: unknown }
      const { method } = JSON.parse(body) as { method: string }
      if (!answer.error) answer.result = lie(method, answer.result)
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
    })().catch(() => response.destroy())
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

const on =
  (name: string, change: (result: never) => unknown): Lie =>
  (method, result) =>
    method === name ? change(result as never) : result

describe('a node', () => {
  it('of another chain is left out, also when it is first asked after others failed', async () => {
    let alive = true
    const mortal = await nodeThat((_method, result) => {
      if (alive) return result
      throw new Error('dead')
    })
    const other = await nodeThat(on('eth_chainId', () => '0x1'))
    const s = await scenario('other chain')
    const ledger = ledgerOn({ rpcUrl: [mortal, other, world.rpcUrl], rpcTimeoutMs: 300 })
    await ledger.open(s.terms, s.setRoot, ctx())
    alive = false
    expect((await ledger.money(s.job, ctx())).status).toBe('open')
    const only = ledgerOn({ rpcUrl: [mortal, other], rpcTimeoutMs: 300 })
    await expect(only.money(s.job, ctx())).rejects.toMatchObject({ code: 'invalid-input', details: { path: 'chainId' } })
  })

  it.each([
    ['a block number that is none', on('eth_blockNumber', () => 'banana')],
    ['no block number', on('eth_blockNumber', () => null)],
    ['a block number beyond all chains', on('eth_blockNumber', () => `0x${'f'.repeat(20)}`)],
    ['logs that are no list', on('eth_getLogs', () => ({ length: 0 }))],
    ['logs without a place', on('eth_getLogs', (logs: object[]) => logs.map((log) => ({ ...log, blockNumber: null })))],
  ])('that gives %s counts as one that fails', async (_name, lie) => {
    const s = await scenario('nonsense')
    await ledgerOn().open(s.terms, s.setRoot, ctx())
    const liar = await nodeThat(lie)
    await expect(ledgerOn({ rpcUrl: liar }).money(s.job, ctx())).rejects.toMatchObject({ code: 'ledger-unreachable' })
    expect((await ledgerOn({ rpcUrl: [liar, world.rpcUrl] }).money(s.job, ctx())).status).toBe('open')
  })

  type Log = { address: string; topics: string[]; data: string }
  const dispute = escrowAbi.getEvent('Disputed')!.topicHash
  it.each([
    ['another contract', (log: Log) => ({ ...log, address: `0x${'ab'.repeat(20)}` })],
    ['another job', (log: Log) => ({ ...log, topics: [log.topics[0], `0x${'12'.repeat(32)}`, ...log.topics.slice(2)] })],
    ['data that does not decode', (log: Log) => ({ ...log, data: log.data.slice(0, 66) })],
    ['a dispute of a batch that never was', (log: Log) => ({ ...log, topics: [dispute, log.topics[1]!, log.topics[2]!] })],
  ])('whose logs hold %s is not believed', async (_name, change) => {
    const s = await scenario('logs')
    await ledgerOn().open(s.terms, s.setRoot, ctx())
    const liar = await nodeThat(on('eth_getLogs', (logs: Log[]) => logs.map(change)))
    const ledger = ledgerOn({ rpcUrl: liar })
    await expect(ledger.money(s.job, ctx())).rejects.toMatchObject({ code: 'ledger-unreachable' })
    await expect(ledger.poll({ job: s.job }, ctx())).rejects.toMatchObject({ code: 'ledger-unreachable' })
  })

  it('that lags behind the one which said how long the chain is makes nobody skip its last blocks', async () => {
    const s = await scenario('lags')
    const before = Number(await world.rpc.call<string>('eth_blockNumber', []))
    await ledgerOn().open(s.terms, s.setRoot, ctx())
    let lags = true
    let asked = 0
    // The first answer comes from a node at the head; then one answers that has not seen the opening yet.
    const lagging = await nodeThat((method, result) => {
      if (!lags) return result
      if (method === 'eth_blockNumber' && asked++ > 0) return `0x${before.toString(16)}`
      return method === 'eth_getLogs' ? [] : result
    })
    const ledger = ledgerOn({ rpcUrl: lagging })
    await expect(ledger.poll({ job: s.job }, ctx())).rejects.toMatchObject({ code: 'ledger-unreachable' })
    lags = false
    const { events } = await ledger.poll({ job: s.job }, ctx())
    expect(events.map(({ type }) => type)).toEqual(['opened'])
  })

  it('that leaves out a log is not believed, and nothing is missing for good', async () => {
    const s = await scenario('left out')
    const honest = ledgerOn()
    const send = (action: object) => honest.send({ terms: s.terms, ...action } as LedgerAction, ctx())
    await honest.open(s.terms, s.setRoot, ctx())
    await send({ kind: 'ready', ready: await s.ready() })
    await send({ kind: 'top-up', farmBudget: 5n, checkBudget: 2n })
    await send({ kind: 'lease-key', leaseKey: creator.address })
    const batch = s.batch([s.result(s.leases[0]!)])
    const sets = [{ set: { job: s.job, seq: 0, setRoot: s.setRoot }, leases: s.leases }]
    await send({ kind: 'attest', batch, sets, signatures: await s.signBatch(batch) })
    await send({ kind: 'cancel' })
    await world.mine(1)
    const types = ({ events }: Awaited<ReturnType<typeof honest.poll>>) => events.map(({ type }) => type)
    const all = types(await honest.poll({ job: s.job }, ctx()))
    expect(new Set(all)).toEqual(new Set(['opened', 'ready', 'topped-up', 'lease-key-replaced', 'attested', 'canceled']))
    for (const name of ['JobOpened', 'JobReady', 'ToppedUp', 'LeaseKeyReplaced', 'Attested', 'JobCanceled']) {
      const topic = escrowAbi.getEvent(name)!.topicHash
      let forgets = true
      const liar = await nodeThat(
        on('eth_getLogs', (logs: Log[]) => (forgets ? logs.filter((log) => log.topics[0] !== topic) : logs)),
      )
      const ledger = ledgerOn({ rpcUrl: liar })
      await expect(ledger.poll({ job: s.job }, ctx()), name).rejects.toMatchObject({ code: 'ledger-unreachable' })
      forgets = false
      expect(types(await ledger.poll({ job: s.job }, ctx())), name).toEqual(all)
    }
  })

  it('that shows the receipt of another transaction has not shown that ours was mined', async () => {
    const s = await scenario('receipt')
    const liar = await nodeThat(
      on(
        'eth_getTransactionReceipt',
        (receipt: object | null) => receipt && { ...receipt, transactionHash: `0x${'7'.repeat(64)}` },
      ),
    )
    const opening = ledgerOn({ rpcUrl: liar, allowance: 'unlimited' }).open(s.terms, s.setRoot, ctx())
    await expect(opening).rejects.toMatchObject({ code: 'ledger-unreachable' })
  })

  it('that asks for absurd fees gets no more than the cap', async () => {
    const s = await scenario('fees')
    const greedy = await nodeThat((method, result) => {
      if (method === 'eth_maxPriorityFeePerGas') return `0x${(10n ** 20n).toString(16)}`
      if (method === 'eth_getBlockByNumber') return { ...(result as object), baseFeePerGas: `0x${(10n ** 20n).toString(16)}` }
      return result
    })
    const wallet = new Wallet(creator.privateKey)
    const signed: EvmTransaction[] = []
    const signer = {
      getAddress: () => wallet.getAddress(),
      signTransaction(transaction: EvmTransaction) {
        signed.push(transaction)
        return wallet.signTransaction(transaction)
      },
    }
    await ledgerOn({ rpcUrl: greedy, signer, maxFeePerGas: 5_000_000_000n }).open(s.terms, s.setRoot, ctx())
    expect(signed.length).toBeGreaterThan(0)
    expect(
      signed.every(
        ({ maxFeePerGas, maxPriorityFeePerGas }) => maxFeePerGas <= 5_000_000_000n && maxPriorityFeePerGas <= maxFeePerGas,
      ),
    ).toBe(true)
  })
})

it('a signer that never answers holds up nobody for ever', async () => {
  const s = await scenario('signer')
  const silent = { getAddress: async () => creator.address, signTransaction: () => new Promise<string>(() => {}) }
  const ledger = ledgerOn({ signer: silent, timeoutMs: 300 })
  for (let i = 0; i < 2; i++)
    await expect(ledger.open(s.terms, s.setRoot, ctx())).rejects.toMatchObject({ code: 'ledger-unreachable' })
})
