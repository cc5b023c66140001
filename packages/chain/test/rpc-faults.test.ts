// Single faults of providers, each of its own kind: what follows is the right state or a typed error, and money moves once.
import { createServer, type Server } from 'node:http'
import type { CallContext } from '@pictor/core/contract'
import { keccak256, Transaction, Wallet } from 'ethers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { devAccounts, evmLedger, type EvmLedger } from '../src/index.ts'
import { devWorld, FIRST_DOLLARS, type DevWorld } from './dev-world.ts'
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
afterEach(() => world.rpc.call('anvil_dropAllTransactions', []))

let keys = 0
const ctx = (key = `fault ${++keys}`): CallContext => ({ key })

async function scenario(run: string): Promise<Scenario> {
  const { escrow, token } = world.deployment
  const domain = { name: 'Pictor', version: '1', chainId: 31_337, verifyingContract: escrow } as const
  return makeScenario({ domain, token, creator: creator.address, nowS: await world.nowS(), run, tasks: 1, terms: {} })
}
const ledgerOn = (rpcUrl: string, options: Partial<Parameters<typeof evmLedger>[0]> = {}): EvmLedger =>
  evmLedger({ rpcUrl, escrow: world.deployment.escrow, signer: new Wallet(creator.privateKey), ...options })

type Answer = { result?: unknown; error?: unknown }
/** Answers in place of the node; undefined leaves it to the node, whose answer `real` asks for. */
type Instead = (method: string, params: readonly unknown[], real: () => Promise<Answer>) => Promise<Answer | undefined>
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections()
})

async function nodeThat(instead: Instead): Promise<string> {
  const server = createServer((request, response) => {
    ;(async () => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const body = Buffer.concat(parts).toString()
      const { method, params } = JSON.parse(body) as { method: string; params: unknown[] }
      const headers = { 'content-type': 'application/json' }
      const real = async (): Promise<Answer> => (await fetch(world.rpcUrl, { method: 'POST', headers, body })).json() as Answer
      const answer = (await instead(method, params, real)) ?? (await real())
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...answer }))
    })().catch(() => response.destroy())
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** The job is open, once, and its creator paid for it once. */
async function openedOnce(s: Scenario): Promise<void> {
  const ledger = ledgerOn(world.rpcUrl)
  const { events } = await ledger.poll({ job: s.job }, ctx())
  expect(events.map(({ type, status }) => `${type} ${status}`)).toEqual(['opened final'])
  expect((await ledger.money(s.job, ctx())).status).toBe('open')
  const { escrow, token } = world.deployment
  const balance = async (account: string): Promise<bigint> =>
    BigInt(
      await world.rpc.call<string>('eth_call', [
        { to: token, data: `0x70a08231${account.slice(2).padStart(64, '0')}` },
        'latest',
      ]),
    )
  const locked = s.terms.farmBudget + s.terms.checkBudget
  expect([await balance(creator.address), await balance(escrow)]).toEqual([FIRST_DOLLARS - locked, locked])
}

describe('a provider', () => {
  it('that says a nonce too high once leaves a gap: the call ends in time, and repeated with its key it has one effect, also when the gap is filled', async () => {
    const s = await scenario('nonce too high')
    await ledgerOn(world.rpcUrl, { allowance: 'unlimited' }).send(
      { kind: 'withdraw', token: world.deployment.token, to: creator.address },
      ctx(),
    )
    let lies = 1
    const url = await nodeThat(async (method, _params, real) => {
      if (method !== 'eth_getTransactionCount' || lies-- <= 0) return undefined
      const { result } = await real()
      return { result: `0x${(Number(result) + 2).toString(16)}` }
    })
    const opening = (timeoutMs: number) => ledgerOn(url, { timeoutMs }).open(s.terms, s.setRoot, ctx('open'))
    // Nothing is mined behind a gap, so this wait always ends.
    await expect(opening(500)).rejects.toMatchObject({ code: 'ledger-unreachable' })
    await opening(300_000)
    // Whatever still waited behind the gap runs now, and changes nothing.
    const other = await scenario('fills the gap')
    const filling = ledgerOn(world.rpcUrl, { allowance: 'unlimited' })
    await filling.open(other.terms, other.setRoot, ctx())
    await filling.send({ kind: 'cancel', terms: other.terms }, ctx())
    await world.mine(2)
    const { events } = await filling.poll({ job: s.job }, ctx())
    expect(events.map(({ type }) => type)).toEqual(['opened'])
  })

  it('that calls a transaction underpriced gets it with the same nonce and higher fees', async () => {
    const s = await scenario('underpriced')
    const sent: Transaction[] = []
    const url = await nodeThat(async (method, params) => {
      if (method !== 'eth_sendRawTransaction') return undefined
      sent.push(Transaction.from(params[0] as string))
      return sent.length <= 2 ? { error: { code: -32_000, message: 'replacement transaction underpriced' } } : undefined
    })
    await ledgerOn(url).open(s.terms, s.setRoot, ctx())
    await openedOnce(s)
    const [first, second, third] = sent
    expect([second!.nonce, third!.nonce]).toEqual([first!.nonce, first!.nonce])
    expect(second!.maxFeePerGas! * 100n).toBeGreaterThanOrEqual(first!.maxFeePerGas! * 112n)
    expect(third!.maxPriorityFeePerGas! * 100n).toBeGreaterThanOrEqual(second!.maxPriorityFeePerGas! * 112n)
  })

  it('that shows a receipt of success for a transaction that is in no block is not believed: it is sent again', async () => {
    const s = await scenario('false receipt')
    let swallowed: string | undefined
    let shown = 0
    const url = await nodeThat(async (method, params, real) => {
      if (method === 'eth_sendRawTransaction' && swallowed === undefined) {
        swallowed = keccak256(params[0] as string)
        return { result: swallowed }
      }
      if (method !== 'eth_getTransactionReceipt' || params[0] !== swallowed || (await real()).result !== null) return undefined
      shown++
      return { result: { transactionHash: swallowed, blockNumber: '0x1', gasUsed: '0x5208', status: '0x1' } }
    })
    await ledgerOn(url, { replaceAfterMs: 100 }).open(s.terms, s.setRoot, ctx())
    expect(shown).toBeGreaterThan(0)
    await openedOnce(s)
  })

  it('behind whose address another chain comes to stand is left out, and nothing is signed for that chain', async () => {
    const s = await scenario('chain changes')
    const ledger = ledgerOn(world.rpcUrl)
    await ledger.open(s.terms, s.setRoot, ctx())
    const before = await ledger.poll({ job: s.job }, ctx())
    await world.rpc.call('anvil_setChainId', [1])
    try {
      await expect(ledger.send({ kind: 'cancel', terms: s.terms }, ctx('cancel'))).rejects.toMatchObject({
        code: 'invalid-input',
        details: { path: 'chainId' },
      })
      await expect(ledger.poll({ job: s.job, cursor: before.cursor }, ctx())).rejects.toMatchObject({ code: 'invalid-input' })
    } finally {
      await world.rpc.call('anvil_setChainId', [31_337])
    }
    await ledger.send({ kind: 'cancel', terms: s.terms }, ctx('cancel'))
    const { events } = await ledger.poll({ job: s.job, cursor: before.cursor }, ctx())
    expect(events.map(({ type }) => type)).toEqual(['canceled'])
  })
})
