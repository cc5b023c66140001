import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { farmConformance, type FarmSubject, type SubjectWish } from '@pictor/core/conformance'
import { smallJob } from '../../../packages/core/test/conformance/small-farm.ts'
import { flamencoFarm } from '../src/flamenco-farm.ts'
import { CAPABILITIES, stateOf } from '../src/flamenco-words.ts'
import { flamencoServer } from './flamenco-server.ts'

async function make({ scenario, network }: SubjectWish): Promise<FarmSubject> {
  const local = await mkdtemp(join(tmpdir(), 'pictor-flamenco-'))
  const server = await flamencoServer(local, {
    strangeState: scenario === 'unknown-state',
    aheadMs: scenario === 'skewed-clock' ? 86_400_000 : 0,
  })
  const { job, files } = await smallJob()
  const storage = { farm: '/shared', local }
  return {
    farm: flamencoFarm({ url: server.url, storage, workers: 2, perHostHour: 500_000n, fetch: network.fetch() }),
    job,
    files,
    advance: () => server.tick(),
    async close() {
      await server.close()
      await rm(local, { recursive: true, force: true })
    },
  }
}

describe('Flamenco 3 as a farm keeps the rules', () => {
  const supports = { lane: 'api', capabilities: CAPABILITIES, http: true, scenarios: ['unknown-state', 'skewed-clock'] } as const
  for (const { name, skip, run } of farmConformance({ supports, make }))
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} (${skip})`, run)
})

describe('flamencoFarm', () => {
  it('finds a job that another process created under the same key', async () => {
    const local = await mkdtemp(join(tmpdir(), 'pictor-flamenco-'))
    const server = await flamencoServer(local)
    const { job, files } = await smallJob()
    const adapter = () => flamencoFarm({ url: server.url, storage: { farm: '/shared', local }, workers: 1, perHostHour: 0n })
    const stage = await adapter().stage(job.bundle, files, { key: 's' })
    const base = {
      contract: 0,
      run: 'r',
      id: 1,
      attempt: 1,
      purpose: 'render',
      bundle: job.bundle,
      stage,
      spec: job.render,
    } as const
    const task = { ...base, work: { kind: 'frames', frames: [1, 2] } } as const
    expect(await adapter().submit(task, { key: 'k' })).toEqual(await adapter().submit(task, { key: 'k' }))
    await server.close()
    await rm(local, { recursive: true, force: true })
  })

  it('maps every state of Flamenco’s document, and unknown ones to no end', () => {
    const words = 'under-construction queued requeueing active pause-requested paused cancel-requested canceled completed failed'
    expect(words.split(' ').map(stateOf)).toEqual(
      'submitted queued queued running pausing suspended canceling canceled succeeded failed'.split(' '),
    )
    expect(stateOf('construction-failed')).toBe('submitted')
  })
})
