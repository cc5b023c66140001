// Each action has its effect once: after a restart, under one key, and when a runner comes back.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { privateKeySigner } from '@pictor/core/proof'
import { PictorError } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker } from '../src/index.ts'
import { act, checkLease, only } from './job.ts'
import { noiseFarm } from './noise-renderer.ts'
import { honest, open, SCENE, start } from './started.ts'

test('votes survive a restart and are never made twice', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'checker-'))
  try {
    const signer = privateKeySigner(drawnKey())
    const store = join(folder, 'checker.db')
    const secret = drawnKey()
    const first = await start({ signer, secret, store })
    const lease = first.test.lease(1, [1, 2])
    const before = await checkLease(first.checker, first.test, lease, honest([1, 2]))
    await first.checker.close?.()
    const farm = noiseFarm(SCENE)
    const second = createChecker({ signer, secret, store, renderer: farm })
    open.push(second)
    const { job } = first.test
    only(await act(second, { kind: 'check', job, lease, commits: [before.commit] }), 'checked')
    const after = only(await act(second, { kind: 'reveal', job, lease: 1 }), 'votes')
    expect(after.votes).toEqual(before.votes)
    expect(after.seed).toEqual(before.seed)
    expect(farm.rendered).toEqual([])
    const all = await second.poll({ job: job.job }, { key: 'poll' })
    const types = all.events.map((event) => event.type).filter((type) => type !== 'lease-progress')
    expect(types).toEqual(['ready', 'held', 'checked', 'votes', 'checked', 'votes'])
  } finally {
    await Promise.all(open.splice(0).map((checker) => checker.close?.()))
    await rm(folder, { recursive: true })
  }
})

test('the same key has its effect once', async () => {
  const { checker, test } = await start()
  const lease = test.lease(1, [1])
  const action = { kind: 'ready' as const, job: test.job, set: await test.set(0, [lease]), leases: [lease] }
  await act(checker, action, 'same')
  await checker.send(action, { key: 'same' })
  await checker.send(action, { key: 'same' })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect((await checker.poll({ job: test.job.job }, { key: 'poll' })).events).toHaveLength(1)
})

test('a runner that comes back serves its files elsewhere: what was asked before goes on with those', async () => {
  const { checker, test } = await start({ patienceMs: 60_000 })
  const lease = test.lease(1, [1])
  const { job } = test
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, honest(lease.frames))
  let reads = 0
  const gone = async (): Promise<never> => {
    reads++
    throw new PictorError('farm-unreachable', 'the runner was killed')
  }
  const hold = { kind: 'hold', job, lease, commit, farm: lease.farm } as const
  const files = { ...job.files, has: gone, read: gone, path: gone }
  await checker.send({ ...hold, job: { ...job, files } }, { key: 'hold 1' })
  await vi.waitFor(() => expect(reads).toBeGreaterThan(0), 60_000)
  await checker.send(hold, { key: 'hold 1' })
  for (let waits = 0; waits < 6_000; waits++) {
    const { events } = await checker.poll({ job: job.job }, { key: 'poll' })
    expect(events.map(({ type }) => type)).not.toContain('alarm')
    if (events.some(({ type }) => type === 'held')) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect.unreachable('the lease was never held')
})
