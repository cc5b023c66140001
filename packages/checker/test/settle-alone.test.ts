import { afterEach, expect, test } from 'vitest'
import { localLedger } from '@pictor/core'
import type { Checker, CheckerEvent, Ledger, Lease } from '@pictor/core/contract'
import { leaseSetRoot, privateKeySigner } from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker, settleAlone, type LocalChecker, type Peer, type SettlingAlone } from '../src/index.ts'
import { act, makeJob, only, type TestJob } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface World {
  readonly checkers: readonly LocalChecker[]
  readonly test: TestJob
  readonly ledger: Ledger
  readonly leases: readonly Lease[]
  events(): ReturnType<typeof all>
}

async function all(ledger: Ledger, { job }: TestJob) {
  return (await ledger.poll({ job: job.job }, { key: 'test' })).events
}

/** Two leases of one farm, held by all of three checkers; then the runner is gone. Frame 3 was rendered with a quarter of the samples. */
async function abandoned(): Promise<World> {
  const ledger = localLedger({ signer: privateKeySigner(drawnKey()), path: ':memory:' })
  closing.push(() => ledger.close?.())
  const signers = [1, 2, 3].map(() => privateKeySigner(drawnKey()))
  const checkers = signers.map((signer) =>
    createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(SCENE), sampling: { full: 0 }, ledger }),
  )
  for (const checker of checkers) closing.push(() => checker.close?.())
  const test = await makeJob(signers, { domain: ledger.domain })
  const { job } = test
  const leases = [test.lease(1, [1, 2, 3]), test.lease(2, [4])]
  await ledger.open(job.terms, leaseSetRoot(leases), { key: 'open' })
  const set = await test.set(0, leases)
  const picture = (frame: number): Uint8Array => renderNoise(frame, frame === 3 ? { ...SCENE, seed: 5, samples: 2 } : SCENE)
  const commits = await Promise.all(
    leases.map((lease) => test.commit(lease, new Map(lease.frames.map((frame) => [frame, picture(frame)])))),
  )
  for (const checker of checkers) {
    only(await act(checker, { kind: 'ready', job, set, leases }), 'ready')
    for (const [i, lease] of leases.entries())
      only(await act(checker, { kind: 'hold', job, lease, commit: commits[i]!, farm: lease.farm }), 'held')
  }
  return { checkers, test, ledger, leases, events: () => all(ledger, test) }
}

function settle(
  { test, ledger }: World,
  checker: LocalChecker,
  peers: readonly Peer[],
  more: { silentMs?: number; canPost?: boolean } = {},
): SettlingAlone {
  const options = { silentMs: 0, graceMs: 300, turnMs: 50, everyMs: 20, ...more }
  const settling = settleAlone({ checker, peers, ledger, files: test.files, ...options })
  closing.push(() => settling.close())
  return settling
}

async function until(world: World, type: string, count: number): Promise<void> {
  for (let i = 0; i < 6_000; i++) {
    if ((await world.events()).filter((event) => event.type === type).length >= count) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`no ${count} ${type}: ${JSON.stringify((await world.events()).map((event) => event.type))}`)
}

test('two of three checkers bring a job to its payment whose runner vanished', async () => {
  const world = await abandoned()
  const [a, b, c] = world.checkers as [LocalChecker, LocalChecker, LocalChecker]
  await c.close?.()
  settle(world, a, [b, c])
  settle(world, b, [a, c])
  await until(world, 'released', 2)
  const events = await world.events()
  expect(events.filter(({ type }) => type === 'ready').length).toBe(2)
  const batches = events.flatMap((event) => (event.type === 'attested' ? [event.leases] : []))
  expect(batches.toSorted()).toEqual([[1], [2]])
  const records = events.flatMap((event) => (event.type === 'attested' ? (event.records ?? []) : []))
  expect(Object.fromEntries(records.map(({ frame, verdict }) => [frame, verdict]))).toMatchObject({ 3: 'refuse', 4: 'accept' })
  // Three of four frames, and the check fees of two checkers.
  const { terms } = world.test.job
  expect(await world.ledger.credit(terms.token, world.leases[0]!.payTo, { key: 'credit' })).toBeGreaterThanOrEqual(3000n)
  for (const { address } of [a, b]) expect(await world.ledger.credit(terms.token, address, { key: 'credit' })).toBeGreaterThan(0n)
})

test('as long as the runner is heard of, nothing is revealed and nothing posted', async () => {
  const world = await abandoned()
  const [a, b, c] = world.checkers as [LocalChecker, LocalChecker, LocalChecker]
  for (const checker of [a, b, c])
    settle(
      world,
      checker,
      [a, b, c].filter((one) => one !== checker),
      { silentMs: 60_000 },
    )
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect((await world.events()).map(({ type }) => type)).toEqual(['opened'])
  const types = (await a.poll({ job: world.test.job.job }, { key: 'test' })).events.map(({ type }) => type)
  expect(types).not.toContain('votes')
})

test('a peer that reveals another seed than its Ready committed to makes no quorum', async () => {
  const world = await abandoned()
  const [a, b, c] = world.checkers as [LocalChecker, LocalChecker, LocalChecker]
  await c.close?.()
  const chosen = (event: CheckerEvent): CheckerEvent =>
    event.type === 'votes' ? { ...event, seed: { ...event.seed, seed: `0x${'07'.repeat(32)}` } } : event
  const cheating: Peer = {
    address: b.address,
    poll: async (query, ctx) => {
      const page = await b.poll(query, ctx)
      return { ...page, events: page.events.map(chosen) }
    },
  }
  settle(world, a, [cheating, c])
  settle(world, b, [a, c], { canPost: false })
  await seen(b, world, 'votes')
  await seen(a, world, 'votes')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect((await world.events()).map(({ type }) => type)).toEqual(['opened'])
})

async function seen(checker: Checker, { test: { job } }: World, type: CheckerEvent['type']): Promise<void> {
  for (let i = 0; i < 6_000; i++) {
    if ((await checker.poll({ job: job.job }, { key: 'test' })).events.some((event) => event.type === type)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`no ${type} of ${checker.address}`)
}

test('a frame that was committed in two leases earns in one of them', async () => {
  const world = await abandoned()
  const [a, b, c] = world.checkers as [LocalChecker, LocalChecker, LocalChecker]
  const { test } = world
  const { job } = test
  // The same frame again: a hedge of lease 2, which its farm committed to as well before the runner told anybody which of them won.
  const hedge = test.lease(3, [4], { hedgeOf: 2 })
  const commit = await test.commit(hedge, new Map([[4, renderNoise(4, SCENE)]]))
  const set = await test.set(1, [hedge])
  for (const checker of [a, b, c]) {
    only(await act(checker, { kind: 'ready', job, set, leases: [hedge] }), 'ready')
    only(await act(checker, { kind: 'hold', job, lease: hedge, commit, farm: hedge.farm }), 'held')
  }
  for (const checker of [a, b, c])
    settle(
      world,
      checker,
      [a, b, c].filter((one) => one !== checker),
    )
  await until(world, 'released', 2)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const batches = (await world.events()).flatMap((event) => (event.type === 'attested' ? [event.leases] : []))
  expect(batches.toSorted()).toEqual([[1], [2]])
})
