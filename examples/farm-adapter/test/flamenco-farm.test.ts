import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { farmConformance } from '@pictor/core/conformance'
import { smallJob } from '../../../packages/core/test/conformance/small-farm.ts'
import { flamencoFarm } from '../src/flamenco-farm.ts'
import { stateOf } from '../src/flamenco-words.ts'
import { conformance } from './conformance.ts'
import { flamencoServer } from './flamenco-server.ts'

describe('Flamenco 3 as a farm keeps the rules', () => {
  for (const { name, skip, run } of farmConformance(conformance))
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
      contract: 1,
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
