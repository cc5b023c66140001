import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Address, CallContext, LedgerAction, LedgerEvent } from '@pictor/core/contract'
import { isPictorError } from '@pictor/core/contract'
import { batchHash, ESCROW_JOBS_SLOT, hashTerms, privateKeySigner } from '@pictor/core/proof'
import { Interface, Wallet } from 'ethers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { contracts, devAccounts, escrowLayout, evmLedger, startAnvil, type EvmProvider } from '../src/index.ts'
import { escrowAbi, readTerms, tokenAbi } from '../src/wire.ts'
import { devWorld, type DevWorld } from './dev-world.ts'
import { keyOf, makeScenario, type Scenario } from './scenario.ts'

let world: DevWorld
beforeAll(async () => {
  world = await devWorld()
})
afterAll(() => world.stop())
beforeEach(async () => {
  await world.reset()
  await world.fund(creator.address)
})

const creator = devAccounts[0]!
/** How long a condition may take on a busy machine. */
const WAIT_MS = 60_000
let keys = 0
const ctx = (key = `key ${++keys}`): CallContext => ({ key })

async function scenario(run = 'client', tasks = 1, terms = {}): Promise<Scenario> {
  const { escrow, token } = world.deployment
  const domain = { name: 'Pictor', version: '1', chainId: 31_337, verifyingContract: escrow } as const
  return makeScenario({ domain, token, creator: creator.address, nowS: await world.nowS(), run, tasks, terms })
}

const ledgerOn = (options: Partial<Parameters<typeof evmLedger>[0]> = {}) =>
  evmLedger({
    rpcUrl: world.rpcUrl,
    escrow: world.deployment.escrow,
    signer: new Wallet(creator.privateKey),
    timeoutMs: 120_000,
    ...options,
  })

describe('evmLedger', () => {
  it('reads terms back from the log alone, and knows the slot that receipts prove', async () => {
    const s = await scenario()
    const ledger = ledgerOn()
    const { job } = await ledger.open(s.terms, s.setRoot, ctx())
    expect(job).toBe(s.job)
    const logs = await world.rpc.call<{ data: string }[]>('eth_getLogs', [
      { address: world.deployment.escrow, topics: [null, job], fromBlock: '0x0' },
    ])
    const data = `0x${logs[0]!.data.slice(2 + 3 * 64)}`
    expect(hashTerms(readTerms(data))).toBe(hashTerms(s.terms))
    expect(escrowLayout['jobs']).toBe(ESCROW_JOBS_SLOT)
  })

  it('has the checkers of a registry job drawn, tells who they are, and takes what their quorum signs', async () => {
    const { registry, token } = world.deployment
    const registryAbi = new Interface(contracts.CheckerRegistry.abi as never)
    const s = await scenario('drawn', 1, { checkers: [], registryDraw: 5 })
    for (let i = 0; i < 5; i++) {
      const sender = world.senderOf(keyOf('checker', i))
      await world.fund(privateKeySigner(keyOf('checker', i)).address)
      await sender.send({ to: token, data: tokenAbi.encodeFunctionData('approve', [registry, 10n ** 12n]) })
      await sender.send({ to: registry, data: registryAbi.encodeFunctionData('stake', []) })
    }
    // No block that could decide comes by itself here: the first try is left alone with an open job, and the next one goes on.
    await vi.waitFor(async () => {
      const early: unknown = await ledgerOn({ timeoutMs: 500 })
        .open(s.terms, s.setRoot, ctx('open'))
        .catch((error: unknown) => error)
      expect(isPictorError(early, 'ledger-unreachable') && early.details.reason).toBe('not-drawn')
    }, WAIT_MS)
    await world.mine(2)
    const ledger = ledgerOn()
    const { job } = await ledger.open(s.terms, s.setRoot, ctx('open'))
    await ledger.open(s.terms, s.setRoot, ctx('open'))
    const { events } = await ledger.poll({ job }, ctx())
    const committee = s.checkers.map(({ address }) => address)
    expect(events).toMatchObject([{ type: 'opened' }, { type: 'drawn', committee }])

    await ledger.send({ kind: 'ready', terms: s.terms, ready: await s.ready() }, ctx())
    const body = { job, results: s.leases.map((lease) => s.result(lease)), validUntilS: s.terms.attestByS }
    const batch = { ...body, batchHash: batchHash(body, s.terms, committee) }
    const sets = [{ set: { job, seq: 0, setRoot: s.setRoot }, leases: s.leases }]
    await ledger.send({ kind: 'attest', terms: s.terms, batch, sets, signatures: await s.signBatch(batch) }, ctx())
    await world.advance(s.terms.disputeWindowS + 1)
    await ledger.send({ kind: 'release', terms: s.terms, batch: 1 }, ctx())
    for (const { checker } of batch.results[0]!.votes) expect(await ledger.credit(token, checker, ctx())).toBeGreaterThan(0n)
    expect(await ledger.credit(token, s.leases[0]!.payTo, ctx())).toBeGreaterThan(0n)
  })

  it('asks for the creator’s wallet when it does not hold its key', async () => {
    const s = await scenario()
    const { job, awaiting } = await ledgerOn({ signer: new Wallet(devAccounts[3]!.privateKey) }).open(s.terms, s.setRoot, ctx())
    const { transactions } = awaiting!.payload as { transactions: { to: string; data: string }[] }
    const wallet = world.senderOf(creator.privateKey)
    for (const transaction of transactions) await wallet.send(transaction)
    expect((await ledgerOn().money(job, ctx())).status).toBe('open')
  })

  it('names the reason and the contract’s own error of a refusal', async () => {
    const s = await scenario()
    const error: unknown = await ledgerOn()
      .open({ ...s.terms, platformFeeBps: 9999 }, s.setRoot, ctx())
      .catch((e: unknown) => e)
    expect(isPictorError(error, 'ledger-refused') && error.details).toMatchObject({
      reason: 'terms',
      error: 'BadTerms(platformFeeBps)',
      path: 'terms.platformFeeBps',
    })
  })

  it('disputes although others change the batch under every try, as who wants to hold a dispute up would', async () => {
    const s = await scenario('in front', 3)
    const ledger = ledgerOn()
    const send = (action: object) => ledger.send({ terms: s.terms, ...action } as LedgerAction, ctx())
    await ledger.open(s.terms, s.setRoot, ctx())
    const batch = s.batch(s.leases.map((lease) => s.result(lease)))
    const sets = [{ set: { job: s.job, seq: 0, setRoot: s.setRoot }, leases: s.leases }]
    await send({ kind: 'attest', batch, sets, signatures: await s.signBatch(batch) })
    const rivals = [0, 1].map((i) => {
      const signer = world.signerOf(privateKeySigner(keyOf('farm', i)))
      return { farm: privateKeySigner(keyOf('farm', i)).address, ledger: ledgerOn({ signer }) }
    })
    await world.fund(...rivals.map(({ farm }) => farm))
    // Between what the creator's call was made from and its sending, a farm disputes its own share.
    const wallet = new Wallet(creator.privateKey)
    const inFront: EvmProvider = {
      async request({ method, params = [] }) {
        const call = (params as { data?: string }[])[0]?.data ?? ''
        const rival =
          method === 'eth_estimateGas' && call.startsWith(escrowAbi.getFunction('dispute')!.selector) ? rivals.pop() : undefined
        if (rival) {
          const action = { kind: 'dispute', terms: s.terms, batch: 1, farm: rival.farm, reasonHash: s.setRoot } as const
          await rival.ledger.send(action, ctx())
        }
        return world.rpc.call(method, params).catch((error: { fault?: unknown }) => Promise.reject(error.fault ?? error))
      },
    }
    const third = privateKeySigner(keyOf('farm', 2)).address
    const late = evmLedger({ provider: inFront, escrow: world.deployment.escrow, signer: wallet })
    await late.send({ kind: 'dispute', terms: s.terms, batch: 1, farm: third, reasonHash: s.setRoot }, ctx())
    expect(rivals).toEqual([])
    const { events } = await ledger.poll({ job: s.job }, ctx())
    expect(events.flatMap((event) => (event.type === 'disputed' ? [event.farm] : [])).length).toBe(3)
  })

  it('says how a token counts, and nothing of what is none', async () => {
    const decimals = (token: Address) => ledgerOn().decimals!(token, ctx())
    expect(await decimals(world.deployment.token)).toBe(6)
    expect(await decimals(world.deployment.escrow)).toBeUndefined()
    expect(await decimals(creator.address)).toBeUndefined()
  })

  it('says ledger-unreachable when no node answers, and goes on with the next node when one fails', async () => {
    const s = await scenario()
    const error: unknown = await ledgerOn({ rpcUrl: 'http://127.0.0.1:1' })
      .open(s.terms, s.setRoot, ctx())
      .catch((e: unknown) => e)
    expect(isPictorError(error, 'ledger-unreachable')).toBe(true)
    const silent = await listen(() => {})
    const broken = await listen((response) => response.writeHead(503).end('busy'))
    const ledger = ledgerOn({ rpcUrl: ['http://127.0.0.1:1', silent.url, broken.url, world.rpcUrl], rpcTimeoutMs: 300 })
    await ledger.open(s.terms, s.setRoot, ctx())
    expect((await ledger.money(s.job, ctx())).status).toBe('open')
  })

  it('stops waiting when it is aborted', async () => {
    const silent = await listen(() => {})
    const stop = AbortSignal.timeout(100)
    const poll = ledgerOn({ rpcUrl: silent.url }).poll({ job: `0x${'1'.repeat(64)}` }, { key: 'k', signal: stop })
    await expect(poll).rejects.toThrow()
  })

  it('refuses a node of another chain', async () => {
    const error: unknown = await ledgerOn({ chainId: 1 })
      .money(`0x${'1'.repeat(64)}`, ctx())
      .catch((e: unknown) => e)
    expect(isPictorError(error, 'invalid-input') && error.details.path).toBe('chainId')
  })

  it('finds its own transaction again by its key, in another process too', async () => {
    const s = await scenario()
    await ledgerOn().open(s.terms, s.setRoot, ctx('open'))
    await ledgerOn().send({ kind: 'cancel', terms: s.terms }, ctx('cancel'))
    await ledgerOn().send({ kind: 'cancel', terms: s.terms }, ctx('cancel'))
    const other = ledgerOn().send({ kind: 'cancel', terms: s.terms }, ctx('another key'))
    await expect(other).rejects.toMatchObject({ details: { reason: 'done' } })
  })

  it(
    'pipelines hundreds of jobs of one key without a stuck nonce (1,000 by pnpm bench pipeline)',
    { timeout: 300_000 },
    async () => {
      const ledger = ledgerOn({ allowance: 'unlimited' })
      const jobs = await Promise.all(
        Array.from({ length: Number(process.env['PICTOR_JOBS'] ?? 200) }, (_, i) => scenario(`pipeline ${i}`)),
      )
      await Promise.all(jobs.map((s) => ledger.open(s.terms, s.setRoot, ctx())))
      const states = await Promise.all(jobs.map((s) => ledger.money(s.job, ctx())))
      expect(states.every(({ status }) => status === 'open')).toBe(true)
    },
  )

  it('goes on when somebody else used the key’s nonce', async () => {
    const ledger = ledgerOn({ allowance: 'unlimited' })
    const [a, b] = [await scenario('nonce a'), await scenario('nonce b')]
    await ledger.open(a.terms, a.setRoot, ctx())
    await world
      .senderOf(creator.privateKey)
      .send({ to: world.deployment.token, data: tokenAbi.encodeFunctionData('mint', [creator.address, 1]) })
    await ledger.open(b.terms, b.setRoot, ctx())
    expect((await ledger.money(b.job, ctx())).status).toBe('open')
  })
})

describe('on a chain that is slow or changes its mind', () => {
  afterEach(async () => {
    await world.rpc.call('evm_setAutomine', [true])
    await world.rpc.call('anvil_dropAllTransactions', [])
  })

  it('replaces a transaction that is stuck, with a higher fee and the same nonce', async () => {
    const s = await scenario('stuck')
    const ledger = ledgerOn({ allowance: 'unlimited', replaceAfterMs: 300 })
    const first = await scenario('first')
    await ledger.open(first.terms, first.setRoot, ctx())
    await world.rpc.call('evm_setAutomine', [false])
    const opening = ledger.open(s.terms, s.setRoot, ctx())
    await vi.waitFor(async () => {
      const transactions = await world.pending()
      expect(transactions.length).toBe(1)
      expect(BigInt(transactions[0]!.maxPriorityFeePerGas)).toBeGreaterThan(1_100_000_000n)
    }, WAIT_MS)
    await world.mine(1)
    await opening
    expect((await ledger.money(s.job, ctx())).status).toBe('open')
  })

  it('waits for its own transaction that another process left in the pool', async () => {
    const s = await scenario('pool')
    const ledger = ledgerOn({ allowance: 'unlimited' })
    await ledger.open(s.terms, s.setRoot, ctx())
    await world.rpc.call('evm_setAutomine', [false])
    await vi.waitFor(async () => {
      const impatient = ledgerOn({ timeoutMs: 200 }).send({ kind: 'cancel', terms: s.terms }, ctx('cancel'))
      await expect(impatient).rejects.toMatchObject({ code: 'ledger-unreachable' })
      expect(await world.pending()).toHaveLength(1)
    }, WAIT_MS)
    const again = ledgerOn().send({ kind: 'cancel', terms: s.terms }, ctx('cancel'))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await world.mine(1)
    await again
    const { events } = await ledger.poll({ job: s.job }, ctx())
    expect(events.filter(({ type }) => type === 'canceled').length).toBe(1)
  })

  it('tells an event as tentative, takes it back when a fork drops it, and tells it again', async () => {
    const s = await scenario('reorg')
    const ledger = ledgerOn({ confirmations: 3 })
    await ledger.open(s.terms, s.setRoot, ctx())
    const first = await ledger.poll({ job: s.job }, ctx())
    expect(first.events.map(({ type, status }) => `${type} ${status}`)).toEqual(['opened tentative'])
    expect((await ledger.money(s.job, ctx())).status).toBe('none')
    await world.rpc.call('anvil_reorg', [2, []])
    const second = await ledger.poll({ job: s.job, cursor: first.cursor }, ctx())
    expect(second.events.map(({ type, status }) => `${type} ${status}`)).toEqual(['opened reverted'])
    await world.mine(5)
    expect((await ledger.money(s.job, ctx())).status).toBe('none')
    await ledger.open(s.terms, s.setRoot, ctx())
    const seen: LedgerEvent[] = []
    let cursor = second.cursor
    for (let i = 0; i < 3; i++) {
      const page = await ledger.poll({ job: s.job, cursor }, ctx())
      seen.push(...page.events)
      cursor = page.cursor
      await world.mine(3)
    }
    expect(seen.map(({ status }) => status)).toEqual(['tentative', 'final'])
    expect(seen[0]!.id).toBe(seen[1]!.id)
    expect((await ledger.money(s.job, ctx())).status).toBe('open')
  })
})

it('a kill -9 between send and receipt never pays twice', async () => {
  const s = await scenario('killed')
  const ledger = ledgerOn({ allowance: 'unlimited' })
  await ledger.open(s.terms, s.setRoot, ctx())
  await world.rpc.call('evm_setAutomine', [false])
  const child = spawn(process.execPath, ['--conditions=source', fileURLToPath(new URL('top-up-child.ts', import.meta.url))], {
    env: {
      PATH: process.env['PATH'],
      TOP_UP: JSON.stringify(
        { rpcUrl: world.rpcUrl, escrow: world.deployment.escrow, key: creator.privateKey, terms: s.terms },
        (_k, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v),
      ),
    },
    stdio: 'inherit',
  })
  await vi.waitFor(async () => expect(await world.pending()).not.toHaveLength(0), WAIT_MS)
  child.kill('SIGKILL')
  const again = ledgerOn().send({ kind: 'top-up', terms: s.terms, farmBudget: 7n, checkBudget: 0n }, ctx('the one top-up'))
  await new Promise((resolve) => setTimeout(resolve, 300))
  await world.rpc.call('evm_setAutomine', [true])
  await world.mine(1)
  await again
  expect((await ledger.money(s.job, ctx())).deposited).toBe(s.terms.farmBudget + s.terms.checkBudget + 7n)
})

it('a development chain keeps its state between runs and ends with its process', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  const dir = await mkdtemp(`${tmpdir()}/pictor-chain-`)
  try {
    const first = await startAnvil({ statePath: `${dir}/state.json` })
    const call = async (url: string, method: string, params: unknown[]) =>
      (
        (await (
          await fetch(url, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
          })
        ).json()) as { result: string }
      ).result
    await call(first.rpcUrl, 'anvil_setBalance', [creator.address, '0x1234'])
    await call(first.rpcUrl, 'evm_mine', [])
    await first.stop()
    const second = await startAnvil({ statePath: `${dir}/state.json` })
    expect(await call(second.rpcUrl, 'eth_getBalance', [creator.address, 'latest'])).toBe('0x1234')
    await second.stop()
    await expect(fetch(second.rpcUrl)).rejects.toThrow()
  } finally {
    await rm(dir, { recursive: true })
  }
})

const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections()
})

async function listen(answer: (response: import('node:http').ServerResponse) => void): Promise<{ url: string }> {
  const server = createServer((_request, response) => answer(response))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}` }
}
