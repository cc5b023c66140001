import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { folderArtifacts } from '@pictor/core'
import type { CheckerAction, CheckerEvent } from '@pictor/core/contract'
import { privateKeySigner, verifySeed, verifyVote } from '@pictor/core/proof'
import { httpChecker, shareFiles } from '@pictor/farm-protocol/checker'
import { drawnKey } from '../../../scripts/draws.ts'
import { batchOf, makeJob, only } from './job.ts'
import { insist, plain, startDying } from './kill-service.ts'
import { renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
const folder = mkdtempSync(join(tmpdir(), 'checker-kill-'))
const closing: (() => void)[] = []
afterAll(() => {
  for (const close of closing) close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

test('killed with -9 once at every boundary, a service brings a job to its end, votes once and contradicts itself never', async () => {
  const key = drawnKey()
  const service = await startDying(folder, key)
  closing.push(() => service.stop())
  const share = await shareFiles()
  const { address } = privateKeySigner(key)
  const remote = httpChecker({ url: `http://127.0.0.1:${service.port}`, token: 'a-token-for-tests', address, share })
  const world = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const { job } = world
  const leases = [world.lease(1, [1]), world.lease(2, [2])]
  const ask = (action: CheckerAction, type: CheckerEvent['type'], lease?: number) =>
    insist(remote, action, (event) => event.type === type && (lease === undefined || leaseIn(event) === lease))
  const { ready } = only(await ask({ kind: 'ready', job, set: await world.set(0, leases), leases }, 'ready'), 'ready')
  for (const lease of leases) {
    // The second frame has a quarter of the samples: an alarm, a full render and the statistics lie on its way.
    const cheat = lease.id === 2 ? { samples: 2, seed: 9 } : {}
    const commit = await world.commit(lease, new Map([[lease.id, renderNoise(lease.id, { ...SCENE, ...cheat })]]))
    await ask({ kind: 'hold', job, lease, commit, farm: lease.farm }, 'held', lease.id)
    await ask({ kind: 'check', job, lease, commits: [commit] }, 'checked', lease.id)
    const events = await ask({ kind: 'reveal', job, lease: lease.id }, 'votes', lease.id)
    const { votes, seed } = events.find((event) => event.type === 'votes' && event.lease === lease.id) as VotesEvent
    expect(verifySeed(ready.seedRoot, seed)).toBe(true)
    for (const vote of votes) verifyVote(job.domain, vote)
    const batch = batchOf(world, lease, [commit], votes)
    await insist(
      remote,
      { kind: 'sign-batch', job, batch, votes, seeds: [seed] },
      (event) => event.type === 'batch-signature' && event.batchHash === batch.batchHash,
    )
  }
  const keep = leases.reduce((sum, { price, frames }) => sum + price + BigInt(frames.length) * job.terms.checkFee, 0n)
  const events = await ask({ kind: 'sign-final', job, keep }, 'final-signature')
  await share.close()

  // However often it was asked, what it said is one thing each.
  const said = new Map<string, Set<string>>()
  for (const event of events) {
    if (event.type === 'lease-progress' || event.type === 'checked') continue
    const { atMs: _atMs, ...rest } = event
    const subject = `${event.type} ${leaseIn(event) ?? ''} ${event.type === 'batch-signature' ? event.batchHash : ''}`
    said.set(subject, (said.get(subject) ?? new Set()).add(JSON.stringify(rest, plain)))
  }
  expect([...said].filter(([, words]) => words.size > 1)).toEqual([])
  expect(events.filter(({ type }) => type === 'alarm')).toEqual([])
  const verdicts = events.flatMap((event) =>
    event.type === 'votes' ? event.votes.map((vote) => [vote.frame, vote.verdict]) : [],
  )
  expect(Object.fromEntries(verdicts)).toEqual({ 1: 'accept', 2: 'refuse' })
  const boundaries = service.boundaries()
  expect(service.deaths()).toBe(boundaries.length)
  for (const kind of ['ready', 'held', 'vote', 'batch', 'final'])
    for (const when of ['before', 'after'])
      expect(
        boundaries.some((one) => one.startsWith(`${when} signing ${kind}`)),
        `${when} ${kind}`,
      ).toBe(true)
  expect(boundaries.length).toBeGreaterThanOrEqual(30)
}, 300_000)

type VotesEvent = Extract<CheckerEvent, { type: 'votes' }>

function leaseIn(event: CheckerEvent): number | undefined {
  if (event.type === 'held') return event.held.lease
  return 'lease' in event ? event.lease : undefined
}
