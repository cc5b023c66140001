import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Checker, LedgerEvent } from '@pictor/core/contract'
import { hashTerms, leaseSetRoot, privateKeySigner } from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'
import { checkerMetrics, createChecker } from '../src/index.ts'
import { act, makeJob, only, type TestJob } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }

/** Waits for the lease to be told in this state. */
async function told(checker: Checker, test: TestJob, state: string) {
  for (let i = 0; i < 6_000; i++) {
    const { events } = await checker.poll({ job: test.job.job }, { key: 'poll' })
    const found = events.find((event) => event.type === 'lease-progress' && event.state === state)
    if (found?.type === 'lease-progress') return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`never told as ${state}`)
}

test('a lease is told as it renders, stalls, goes on, and is late', async () => {
  const metrics = checkerMetrics()
  const signer = privateKeySigner(drawnKey())
  let nowMs = Date.now()
  const checker = createChecker({
    signer,
    secret: drawnKey(),
    renderer: noiseFarm(SCENE),
    now: () => nowMs,
    watchMs: 5,
    onEvent: (_job, event) => metrics.note(event),
  })
  const test = await makeJob([signer])
  const { job } = test
  const lease = test.lease(1, [1, 2, 3], { commitByS: Math.floor(nowMs / 1000) + 600 })
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const hold = async (frame: number, index: number): Promise<void> => {
    const commit = await test.commit(lease, new Map([[frame, renderNoise(frame, SCENE)]]), index, nowMs)
    only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
  }
  await hold(1, 0)
  expect(await told(checker, test, 'rendering')).toMatchObject({ held: 1, frames: 3 })
  nowMs += 90_000
  expect((await told(checker, test, 'stalled')).message).toMatch(/1 of 3 frames are held; nothing was completed for 90 s/)
  nowMs += 600_000
  expect((await told(checker, test, 'late')).message).toContain('earns nothing')
  expect(metrics.text()).toContain('pictor_checker_lease_reports_total{state="late"} 1')
  await checker.close?.()
})

test('what was told before a restart is not told again', async () => {
  const signer = privateKeySigner(drawnKey())
  const store = join(mkdtempSync(join(tmpdir(), 'watch-')), 'checker.db')
  const test = await makeJob([signer])
  const { job } = test
  const lease = test.lease(1, [1])
  const first = createChecker({ signer, renderer: noiseFarm(SCENE), store, watchMs: 5 })
  only(await act(first, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, new Map([[1, renderNoise(1, SCENE)]]))
  only(await act(first, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
  await told(first, test, 'committed')
  await first.close?.()
  const second = createChecker({ signer, renderer: noiseFarm(SCENE), store, watchMs: 5 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  const { events } = await second.poll({ job: job.job }, { key: 'poll' })
  expect(events.filter((event) => event.type === 'lease-progress')).toHaveLength(1)
  await second.close?.()
})

test.each([
  ['open by these terms', {}, undefined, 'ready'],
  ['open a little later', {}, 3, 'ready'],
  ['never open', {}, Infinity, 'not-open'],
  ['open by other terms', { termsHash: `0x${'12'.repeat(32)}` }, undefined, 'terms'],
  ['open with another lease set', { setRoot: `0x${'12'.repeat(32)}` }, undefined, 'set-root'],
  ['canceled', { canceled: true }, undefined, 'closed'],
  ['on another ledger', { chainId: 5 }, undefined, 'other-ledger'],
] as const)('a job that is %s on the ledger', async (_name, fields, afterPolls, expected) => {
  const signer = privateKeySigner(drawnKey())
  const test = await makeJob([signer])
  const { job } = test
  const lease = test.lease(1, [1])
  const base = { job: job.job, atMs: Date.now(), status: 'final' as const }
  const { creator, farmBudget, checkBudget } = job.terms
  const opened: LedgerEvent = {
    ...base,
    id: '1',
    type: 'opened',
    creator,
    farmBudget,
    checkBudget,
    setRoot: 'setRoot' in fields ? fields.setRoot : leaseSetRoot([lease]),
    termsHash: 'termsHash' in fields ? fields.termsHash : hashTerms(job.terms),
  }
  let polls = 0
  const ledger = {
    domain: 'chainId' in fields ? { ...job.domain, chainId: fields.chainId } : job.domain,
    async poll() {
      const canceled: LedgerEvent[] = 'canceled' in fields ? [{ ...base, id: '2', type: 'canceled' }] : []
      return { events: ++polls > (afterPolls ?? 0) ? [opened, ...canceled] : [], cursor: String(polls), waitMs: 0 }
    },
  }
  const checker = createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(SCENE), ledger, patienceMs: 2_000 })
  const events = await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] })
  const last = events.at(-1)!
  expect(last.type === 'alarm' ? last.reason : last.type).toBe(expected)
  await checker.close?.()
})
