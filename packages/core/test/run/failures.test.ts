import { describe, expect, it } from 'vitest'
import { PictorError, type Farm, type FailureClass } from '../../src/contract/index.ts'
import type { JobResult } from '../../src/run/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'

/**
 * What each class of failure leads to, decided here and not read from the code: who is to blame, and how often one lease is tried at a farm that always fails with it.
 * `once`: another try there is pointless. `twice`: the lease's tries are used up. `while it can`: no try is used up, so it goes on as long as the lease has time.
 */
const DECIDED: Readonly<
  Record<FailureClass, readonly [blame: 'farm' | 'customer' | 'network' | 'nobody', tries: 'once' | 'twice' | 'while it can']>
> = {
  auth: ['customer', 'once'],
  quota: ['customer', 'while it can'],
  payment: ['customer', 'once'],
  capacity: ['farm', 'while it can'],
  license: ['farm', 'while it can'],
  asset: ['customer', 'once'],
  scene: ['customer', 'once'],
  'out-of-memory': ['customer', 'once'],
  'device-fault': ['farm', 'twice'],
  timeout: ['farm', 'twice'],
  stalled: ['farm', 'twice'],
  preempted: ['nobody', 'while it can'],
  'bad-output': ['farm', 'twice'],
  transfer: ['network', 'while it can'],
  'rate-limit': ['nobody', 'while it can'],
  protocol: ['farm', 'once'],
}

interface Seen {
  readonly result: JobResult
  /** Submits of the first lease at the farm that fails. */
  readonly tries: number
  readonly strikes: number
}

/** A job of two farms, one of which fails with the class: at the submit, or while it renders. */
async function jobWith(failure: FailureClass, when: 'submit' | 'render'): Promise<Seen> {
  const faults = when === 'render' ? { faults: { taskFails: 1, taskFailClass: [failure] } } : {}
  const world = simulatedWorld({
    name: `${failure} ${when}`,
    frames: 4,
    farms: [
      { id: 'bad', slots: 1, msPerWork: 1_000, ...faults },
      { id: 'good', slots: 1, msPerWork: 1_000 },
    ],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { leaseMs: 4_000, graceMs: 300_000, options: { hedge: false } },
  })
  // By key: one try may ask again with the same key, with a stage that is made anew.
  const keys = new Set<string>()
  const real = world.farms.get('bad')!
  const bad: Farm = {
    ...real,
    async submit(task, ctx) {
      if (task.id === 1) keys.add(ctx.key)
      if (when === 'submit')
        throw new PictorError('farm-refused', `refused: ${failure}`, { details: { class: failure, retryAfterMs: 2_000 } })
      return real.submit(task, ctx)
    },
  }
  const runner = world.runner('a', { farms: (id) => (id === 'bad' ? bad : world.farms.get(id)) })
  const run = await runner.submit(world.order)
  let result: JobResult | undefined
  void run.done().then((end) => (result = end))
  expect(await world.clock.run(() => result !== undefined, { maxSteps: 200_000 })).toBe(true)
  const { strikes, standing } = await runner.farm('bad')
  await runner.close()
  return { result: result!, tries: keys.size, strikes: strikes + (standing === 'trusted' ? 0 : 1) }
}

describe.each(['submit', 'render'] as const)('a farm that fails at the %s', (when) => {
  it.each(Object.entries(DECIDED) as [FailureClass, (typeof DECIDED)[FailureClass]][])(
    'with %s: %j; its frames come from elsewhere',
    async (failure, [blame, expected]) => {
      const { result, tries, strikes } = await jobWith(failure, when)
      expect({ outcome: result.outcome, farms: new Set(result.frames.map((frame) => frame.farm)) }).toEqual({
        outcome: 'done',
        farms: new Set(['good']),
      })
      if (expected === 'once') expect(tries).toBe(1)
      else if (expected === 'twice') expect(tries).toBe(2)
      else expect(tries).toBeGreaterThan(2)
      expect(strikes > 0).toBe(blame === 'farm')
    },
  )
})

describe('a job that gives frames up', () => {
  it('says that the budget does not pay the farm that would take them', async () => {
    const world = simulatedWorld({
      name: 'no money for a second time',
      frames: 6,
      farms: [
        { id: 'cheat', slots: 1, msPerWork: 1_000, dishonest: 1 },
        { id: 'honest', slots: 1, msPerWork: 1_000 },
      ],
      checkers: [{ id: 'a', pollMs: 500 }],
      quorum: 1,
      deadlineMs: 3_600_000,
      order: { headroomPerMille: 1_000 },
    })
    const runner = world.runner('a')
    const run = await runner.submit(world.order)
    let message: string | undefined
    run.on('job-end', (event) => void (message = event.message))
    let ended = false
    const done = run.done().finally(() => (ended = true))
    expect(await world.clock.run(() => ended, { maxSteps: 200_000 })).toBe(true)
    expect((await done).outcome).toBe('partial')
    expect(message).toBe('no farm takes them: what is left of the budget does not pay honest for them')
    await runner.close()
  })
})
