import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { contracts, evmLedger } from '@pictor/chain'
import { createChecker, settleAlone } from '@pictor/checker'
import { createPictor, usd, type Address, type Bytes32, type Checker, type Ledger, type LedgerEvent } from '@pictor/core'
import { leaseSetRoot, privateKeySigner, verifyReceipt } from '@pictor/core/proof'
import { Interface } from 'ethers'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { devWorld, type DevWorld } from '../../chain/test/dev-world.ts'
import { act, makeJob, only } from '../../checker/test/job.ts'
import { noiseFarm, renderNoise } from '../../checker/test/noise-renderer.ts'
import { followNamings } from '../src/commands/checker-namings.ts'
import { blender, blenderReason, makeScene, temporaryFolder } from './cli.ts'

const registryAbi = new Interface(contracts.CheckerRegistry.abi as never)
const tokenAbi = new Interface(contracts.DevUsd.abi as never)
const STAKED = 5
const DRAWN = 3
const NOISE = { width: 160, height: 96, samples: 8, seed: 1 }

let world: DevWorld
const creator = privateKeySigner(drawnKey())
const keys = Array.from({ length: STAKED }, () => drawnKey())
const closing: (() => unknown)[] = []

beforeAll(async () => {
  world = await devWorld()
  const { registry, token } = world.deployment
  for (const key of keys) {
    const { address } = privateKeySigner(key)
    await world.fund(address)
    const sender = world.senderOf(key)
    await sender.send({ to: token, data: tokenAbi.encodeFunctionData('approve', [registry, 10n ** 12n]) })
    await sender.send({ to: registry, data: registryAbi.encodeFunctionData('stake', []) })
  }
  await world.fund(creator.address)
  // A draw is decided by blocks that nobody's transaction makes.
  await world.rpc.call('evm_setIntervalMining', [1])
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => world.stop())

function ledgerOf(signer?: { readonly address: Address }): Ledger {
  const { escrow } = world.deployment
  return evmLedger({
    rpcUrl: world.rpcUrl,
    escrow,
    timeoutMs: 120_000,
    ...(signer ? { signer: world.signerOf(signer as never) } : {}),
  })
}

const eventsOf = async (ledger: Ledger, job: Bytes32): Promise<readonly LedgerEvent[]> =>
  (await ledger.poll({ job }, { key: 'test' })).events

function committeeIn(events: readonly LedgerEvent[]): readonly Address[] {
  const drawn = events.find((event) => event.type === 'drawn')
  if (drawn?.type !== 'drawn') throw new Error(`nobody was drawn: ${events.map(({ type }) => type).join()}`)
  return drawn.committee
}

describe.skipIf(!blender)('a job whose checkers the registry draws', () => {
  if (!blender) console.log(`registry-checkers.test.ts is skipped: ${blenderReason}`)

  it('is ordered, rendered, checked, attested and paid, and its receipt names those who were drawn', async () => {
    const folder = temporaryFolder()
    closing.push(() => folder.remove())
    makeScene(join(folder.path, 'cube.blend'), 'bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))')
    const farmKey = privateKeySigner(drawnKey())
    // The farm knows of the draw by the ledger alone.
    const farm = selfHosted({
      id: 'studio',
      threadsPerSlot: 1,
      workDir: join(folder.path, 'farm'),
      signer: farmKey,
      ledger: ledgerOf(),
      price: { perHostHour: 1_800_000n },
    })
    const renderers = keys.map((_, i) =>
      selfHosted({ id: `renderer-${i}`, threadsPerSlot: 1, workDir: join(folder.path, `renderer-${i}`) }),
    )
    const checkers: Checker[] = keys.map((key, i) =>
      createChecker({ signer: privateKeySigner(key), secret: key, renderer: renderers[i]!, ledger: ledgerOf() }),
    )
    const ledger = ledgerOf(creator)
    const pictor = createPictor({
      inspector: blendInspector({}),
      farms: [farm],
      checkers,
      registryDraw: DRAWN,
      signer: creator,
      ledger,
      token: world.deployment.token,
      disputeWindowS: 0,
      dataDir: join(folder.path, 'state'),
    })
    closing.push(
      () => farm.close?.(),
      () => Promise.all(renderers.map((one) => one.close?.())),
      () => Promise.all(checkers.map((one) => one.close?.())),
      () => pictor.close(),
    )
    const plans = await pictor.plan({ scene: join(folder.path, 'cube.blend'), frames: '1-3', deadline: '30m', budget: usd('1') })
    const run = await pictor.submit(plans.cheapest, { outDir: join(folder.path, 'out'), batchWaitMs: 500 })
    const { outcome } = await run.done()
    expect(outcome).toBe('done')
    expect(readdirSync(join(folder.path, 'out')).filter((name) => name.endsWith('.png'))).toHaveLength(3)

    const { job, terms } = await pictor.material(run.id)
    expect([terms.checkers, terms.registryDraw, terms.quorum]).toEqual([[], DRAWN, 2])
    const events = await eventsOf(ledger, job)
    const committee = committeeIn(events)
    expect(committee).toHaveLength(DRAWN)
    const paid = events.flatMap((event) => (event.type === 'released' ? event.paid : []))
    expect(paid.filter(({ role }) => role === 'farm').map(({ account }) => account)).toContain(farmKey.address)
    const earning = paid.filter(({ role, amount }) => role === 'checker' && amount > 0n)
    expect(earning.length).toBeGreaterThanOrEqual(terms.quorum)
    for (const { account } of earning) expect(committee).toContain(account)
    expect(await ledger.credit(terms.token, farmKey.address, { key: 'credit' })).toBeGreaterThan(0n)

    const receipt = await pictor.receipt(run.id)
    expect(receipt.committee).toEqual(committee)
    const { blockHash } = receipt.anchor as { readonly blockHash: Bytes32 }
    const trust = { trustedBlockHash: blockHash, trustedEscrow: world.deployment.escrow }
    const { broken, answer } = verifyReceipt(receipt, trust)
    expect(broken).toBeUndefined()
    expect(answer).toBe('anchored')
    const stranger = { ...receipt, committee: [...committee.slice(1), privateKeySigner(drawnKey()).address].sort() }
    expect(verifyReceipt(stranger, trust)).toMatchObject({ answer: 'broken' })
  })
})

it('the checkers of a job whose creator vanished before the draw are drawn by a checker, once, whoever else tries', async () => {
  const { token, escrow, chainId, fromBlock } = world.deployment
  const ledger = ledgerOf(creator)
  const nowS = await world.nowS()
  const times = { deadlineAtS: nowS + 3600, attestByS: nowS + 7200, refundAfterS: nowS + 20_000 }
  const { job, lease } = await makeJob([], {
    domain: ledger.domain,
    terms: {
      creator: creator.address,
      token,
      arbiter: creator.address,
      registryDraw: DRAWN,
      quorum: 2,
      runId: `0x${'cd'.repeat(32)}`,
      ...times,
    },
  })
  const vanishing = new AbortController()
  const opening = ledger.open(job.terms, leaseSetRoot([lease(1, [1])]), { key: 'vanish', signal: vanishing.signal })
  opening.catch(() => {})
  let events: readonly LedgerEvent[] = []
  while (!events.some(({ type }) => type === 'opened')) events = await eventsOf(ledgerOf(), job.job)
  vanishing.abort()
  await expect(opening).rejects.toThrow()
  expect((await eventsOf(ledgerOf(), job.job)).map(({ type }) => type)).toEqual(['opened'])

  const said: { readonly type?: string; readonly job?: string; readonly committee?: readonly Address[] }[] = []
  const context = { emit: (value: object) => void said.push(value), screen: { log: () => {} } } as never
  const chain = { rpcUrl: world.rpcUrl, escrow, chainId, fromBlock }
  const checkers = keys.slice(0, 2).map((key) => privateKeySigner(key))
  for (const checker of checkers) {
    const { draw } = evmLedger({ ...chain, timeoutMs: 120_000, signer: world.signerOf(checker) })
    const namings = followNamings(chain, checker.address, new Set(), context, draw)
    closing.push(() => namings.close())
  }
  const drawn = () => said.filter((one) => one.type === 'drawn' && one.job === job.job)
  await vi.waitFor(() => expect(drawn()).toHaveLength(2), 120_000)
  events = await eventsOf(ledgerOf(), job.job)
  expect(events.map(({ type }) => type)).toEqual(['opened', 'drawn'])
  for (const { committee } of drawn()) expect(committee).toEqual(committeeIn(events))
  expect(drawn()).toHaveLength(2)
  const named = said.filter((one) => one.type === 'named' && one.job === job.job).length
  expect(named).toBe(checkers.filter(({ address }) => committeeIn(events).includes(address)).length)
})

it('checkers that the registry drew settle alone what a simulated runner left behind, and who was not drawn is never ready', async () => {
  const ledger = ledgerOf(creator)
  const { token } = world.deployment
  const signers = keys.map((key) => privateKeySigner(key))
  const nowS = await world.nowS()
  const times = { deadlineAtS: nowS + 3600, attestByS: nowS + 7200, refundAfterS: nowS + 20_000 }
  const test = await makeJob([], {
    domain: ledger.domain,
    terms: { creator: creator.address, token, arbiter: creator.address, registryDraw: DRAWN, quorum: 2, ...times },
  })
  const { job } = test
  const lease = test.lease(1, [1, 2])
  const checkers = signers.map((signer) =>
    createChecker({
      signer,
      secret: drawnKey(),
      renderer: noiseFarm(NOISE),
      sampling: { full: 0 },
      ledger: ledgerOf(),
      patienceMs: 500,
    }),
  )
  closing.push(() => Promise.all(checkers.map((one) => one.close?.())))
  await ledger.open(job.terms, leaseSetRoot([lease]), { key: 'open' })
  const committee = committeeIn(await eventsOf(ledger, job.job))
  expect(committee).toEqual([...committee].sort())
  for (const address of committee) expect(signers.map((one) => one.address)).toContain(address)

  const set = await test.set(0, [lease])
  const commit = await test.commit(lease, new Map(lease.frames.map((frame) => [frame, renderNoise(frame, NOISE)])))
  const drawn = checkers.filter(({ address }) => committee.includes(address))
  for (const checker of checkers) {
    const said = await act(checker, { kind: 'ready', job, set, leases: [lease] })
    if (drawn.includes(checker)) only(said, 'ready')
    else expect(only(said, 'alarm').reason).toBe('not-a-checker')
  }
  for (const checker of drawn) only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')

  // The runner is gone. Each of the drawn knows the others, and those who were not drawn.
  for (const checker of drawn) {
    const peers = checkers.filter((one) => one !== checker)
    const posting = ledgerOf(signers.find(({ address }) => address === checker.address))
    const settling = settleAlone({
      checker,
      peers,
      ledger: posting,
      files: test.files,
      silentMs: 0,
      graceMs: 300,
      turnMs: 3000,
      everyMs: 100,
    })
    closing.push(() => settling.close())
  }
  const events = await vi.waitFor(
    async () => {
      const found = await eventsOf(ledger, job.job)
      expect(found.map(({ type }) => type)).toContain('released')
      return found
    },
    { timeout: 120_000, interval: 100 },
  )
  const paid = events.flatMap((event) => (event.type === 'released' ? event.paid : []))
  expect(paid.find(({ role }) => role === 'farm')).toMatchObject({ account: lease.payTo, amount: lease.price })
  for (const { account } of paid.filter(({ role }) => role === 'checker')) expect(committee).toContain(account)
})
