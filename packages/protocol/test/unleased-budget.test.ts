import { Network } from '@pictor/core/conformance'
import type { Farm, Task } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { expect, it } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { smallFarm, smallTask } from '../../core/test/conformance/small-farm.ts'
import { unleasedBudget } from '../src/index.ts'
import { dressed } from './lease.ts'

it('renders so much without a lease in an hour and no more, whatever it is called, and leased work all the time', async () => {
  const { farm, job, files } = await smallFarm({ scenario: 'plain', network: new Network() })
  const stage = await farm.stage(job.bundle, files, { key: 's' })
  let nowMs = 0
  let broken = false
  const flaky: Farm = {
    ...farm,
    submit: (task, ctx) => (broken ? Promise.reject(new Error('away')) : farm.submit(task, ctx)),
  }
  const budget = unleasedBudget(flaky, { framesPerHour: 2, now: () => nowMs })
  const task = smallTask(job, stage, [1])
  let keys = 0
  const submit = (fields: Partial<Task>, key = `k${keys++}`) => budget.submit({ ...task, purpose: 'probe', ...fields }, { key })
  const refused = { code: 'farm-refused', details: { reason: 'unleased-budget' } }

  // A quarter of the pixels at half of the samples, four frames: half a frame. Repeated with its key it counts once.
  const quarter = { window: { resolutionPct: 50, samples: 8 }, work: { kind: 'frames', frames: [1, 2, 3, 4] } } as const
  for (let i = 0; i < 3; i++) await submit(quarter, 'quarter')
  await submit({ purpose: 'check' })
  // What the farm itself did not take counts nothing.
  broken = true
  for (let i = 0; i < 5; i++) await expect(submit(quarter)).rejects.toThrow('away')
  broken = false
  await expect(submit({})).rejects.toMatchObject(refused)
  await expect(submit({ window: { resolutionPct: 100, samples: 64 } })).rejects.toMatchObject(refused)
  await submit(quarter)
  await expect(submit({ window: { region: { x: 0, y: 0, width: 1, height: 1 } } })).rejects.toMatchObject(refused)
  expect(await budget.submit(await dressed(privateKeySigner(drawnKey()), task), { key: 'leased' })).toHaveProperty('ref')
  nowMs += 3_600_000
  await submit({})
  expect(() => unleasedBudget(farm, { framesPerHour: Number.NaN })).toThrow(/framesPerHour/)
})
