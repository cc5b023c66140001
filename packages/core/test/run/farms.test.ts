import { describe, expect, it } from 'vitest'
import {
  FAILED_QUARANTINE_MS,
  farmHealthMachine,
  REFUSED_QUARANTINE_MS,
  standingOf,
  type FarmHealthInput,
  type FarmHealthState,
} from '../../src/job/index.ts'
import type { JobResult, JobRun, Runner } from '../../src/run/index.ts'
import { simulatedWorld, virtualClock, type SimulatedFarmOptions, type World } from '../../src/simulate/index.ts'
import { memoryStore } from '../../src/store/index.ts'

const MINUTE = 60_000

function tell(state: FarmHealthState, input: FarmHealthInput, atMs: number): string {
  const { facts, refused } = farmHealthMachine.accept(state, input, atMs)
  for (const fact of facts) farmHealthMachine.evolve(state, fact)
  return refused?.reason ?? facts.map((fact) => fact.t).join(' ')
}
const refusedFrame = (task: number): FarmHealthInput => ({ type: 'incident', run: '0xaa', task, kind: 'refused', message: 'bad' })
const failedLease = (task: number): FarmHealthInput => ({ type: 'incident', run: '0xaa', task, kind: 'failed', message: 'lost' })
const accepted: FarmHealthInput = { type: 'accepted', run: '0xaa', task: 99 }

describe('a farm over all jobs', () => {
  it('is quarantined for a refused frame, comes back on probation, and is trusted again after an accepted lease', () => {
    const farm = farmHealthMachine.empty('one')
    expect(standingOf(farm, 0)).toBe('trusted')
    expect(tell(farm, refusedFrame(1), 1_000)).toBe('incident quarantined')
    expect(tell(farm, refusedFrame(1), 2_000)).toBe('the incident is known')
    expect(tell(farm, accepted, 3_000)).toMatch(/wait for the end/)
    expect(standingOf(farm, 999 + REFUSED_QUARANTINE_MS)).toBe('quarantined')
    expect(standingOf(farm, 1_000 + REFUSED_QUARANTINE_MS)).toBe('probation')
    expect(tell(farm, accepted, 2_000 + REFUSED_QUARANTINE_MS)).toBe('trusted')
    expect(standingOf(farm, 2_000 + REFUSED_QUARANTINE_MS)).toBe('trusted')
  })

  it('waits twice as long each time that it fails on probation, whatever the kind of incident', () => {
    const farm = farmHealthMachine.empty('one')
    let at = 0
    const waits: number[] = []
    for (let task = 1; task <= 8; task++) {
      tell(farm, task === 1 ? refusedFrame(task) : failedLease(task), at)
      waits.push((farm.quarantine!.untilMs - at) / MINUTE)
      at = farm.quarantine!.untilMs
    }
    expect(waits).toEqual([60, 20, 40, 80, 160, 320, 640, 1_280])
  })

  it('bears two failures in separate minutes but not three, and forgets them when a lease is accepted', () => {
    const farm = farmHealthMachine.empty('one')
    for (let task = 1; task <= 20; task++) tell(farm, failedLease(task), 0)
    expect(farm.strikes).toBe(1)
    expect(tell(farm, failedLease(30), 2 * MINUTE)).toBe('incident')
    expect(tell(farm, accepted, 3 * MINUTE)).toBe('trusted')
    expect(tell(farm, failedLease(31), 4 * MINUTE)).toBe('incident')
    expect(tell(farm, failedLease(32), 6 * MINUTE)).toBe('incident')
    expect(tell(farm, failedLease(33), 8 * MINUTE)).toBe('incident quarantined')
    expect(farm.quarantine).toMatchObject({ untilMs: 8 * MINUTE + FAILED_QUARANTINE_MS })
    expect(tell(farm, { type: 'trust', reason: 'their disk was replaced' }, 9 * MINUTE)).toBe('trusted')
  })
})

it('hears what was posted to its journal while a dead process held it, although nobody tells it anything more', async () => {
  const at = simulatedWorld({ name: 'posted', frames: 1, farms: [{ id: 'one' }], checkers: [{ id: 'a' }], quorum: 1 })
  const dead = at.runner('dead')
  await dead.quarantineFarm('one', 'to hold the journal', at.clock.now() + 1)
  const heir = at.runner('heir')
  void heir.start()
  await heir.quarantineFarm('one', 'bad frames', at.clock.now() + 60 * MINUTE)
  expect((await heir.farm('one')).reason).not.toBe('bad frames')
  // Nobody renews the dead one's claim of 30 s.
  await at.clock.run(() => false, { untilMs: at.clock.now() + MINUTE, maxSteps: 10_000 })
  expect(await heir.farm('one')).toMatchObject({ standing: 'quarantined', reason: 'bad frames' })
  await Promise.all([heir.close(), at.clock.run(() => false, { untilMs: at.clock.now() + MINUTE, maxSteps: 10_000 })])
})

/** Jobs that follow each other on one store and one clock; what a farm does may change between them. */
function jobs() {
  const [store, clock] = [memoryStore(), virtualClock()]
  const job = (name: string, farms: readonly SimulatedFarmOptions[]): World =>
    simulatedWorld({
      name,
      frames: 12,
      farms,
      checkers: [{ id: 'a', pollMs: 500 }],
      quorum: 1,
      order: { leaseMs: 2_000, options: { hedge: false } },
      store,
      clock,
    })
  const done = async (world: World, runner: Runner): Promise<JobResult> => {
    const run: JobRun = await runner.submit(world.order)
    let result: JobResult | undefined
    void run.done().then((end) => (result = end))
    expect(await clock.run(() => result !== undefined, { maxSteps: 200_000 })).toBe(true)
    return result!
  }

  return { job, done, clock }
}
const farm = (id: string, more: Partial<SimulatedFarmOptions> = {}): SimulatedFarmOptions => ({
  id,
  slots: 1,
  msPerWork: 1_000,
  ...more,
})

describe('a quarantined farm', () => {
  it('gets no lease of later jobs, after a restart neither; then one at a time until one is accepted', async () => {
    const { job, done, clock } = jobs()
    const first = job('first', [farm('bad', { dishonest: 1 }), farm('good')])
    const one = first.runner('one')
    expect((await done(first, one)).outcome).toBe('done')
    expect(first.farms.get('bad')!.stats.framesRendered).toBeGreaterThan(0)
    expect(await one.farm('bad')).toMatchObject({ standing: 'quarantined', reason: expect.stringMatching(/was refused/) })
    expect(await one.farm('good')).toMatchObject({ standing: 'trusted' })
    await one.close()

    const second = job('second', [farm('bad'), farm('good')])
    const two = second.runner('two')
    const result = await done(second, two)
    expect({ outcome: result.outcome, bad: second.farms.get('bad')!.stats.framesRendered }).toEqual({ outcome: 'done', bad: 0 })
    expect(new Set(result.frames.map((frame) => frame.farm))).toEqual(new Set(['good']))

    clock.jump((await two.farm('bad')).untilMs! - clock.now())
    expect((await two.farm('bad')).standing).toBe('probation')
    const third = job('third', [farm('bad', { slots: 4 }), farm('good')])
    await two.close()
    const three = third.runner('three')
    let most = 0
    const live = (): number => [...third.farms.get('bad')!.stats.tasksByKey].length
    const run = await three.submit(third.order)
    while ((await three.farm('bad')).standing === 'probation' && run.state().phase !== 'ended') {
      await clock.run(() => false, { maxSteps: 1 })
      if ((await three.farm('bad')).standing === 'probation') most = Math.max(most, live())
    }
    expect(most).toBe(1)
    expect((await three.farm('bad')).standing).toBe('trusted')
    await three.close()
  })

  it('holds up a job that has no other farm until its quarantine is over, and the job ends done', async () => {
    const { job, done, clock } = jobs()
    const only = job('only', [farm('one')])
    const runner = only.runner('a')
    await runner.quarantineFarm('one', 'their power is being repaired', clock.now() + 30 * MINUTE)
    const from = clock.now()
    expect((await done(only, runner)).outcome).toBe('done')
    expect(clock.now() - from).toBeGreaterThan(30 * MINUTE)
    await runner.close()
  })

  it('is trusted again when a person says so, from another process too: its word goes through the inbox of the runner that keeps the journal', async () => {
    const { job, clock } = jobs()
    const world = job('shared', [farm('one')])
    const [keeper, other] = [world.runner('keeper'), world.runner('other')]
    await keeper.quarantineFarm('one', 'looked odd', clock.now() + 60 * MINUTE)
    await keeper.start()
    expect(await other.farms()).toMatchObject([{ farm: 'one', standing: 'quarantined', reason: 'looked odd' }])
    await other.trustFarm('one', 'it is fine')
    await clock.run(() => false, { untilMs: clock.now() + 5_000 })
    expect((await keeper.farm('one')).standing).toBe('trusted')
    await Promise.all([keeper.close(), other.close()])
    expect((await world.runner('later').farm('one')).standing).toBe('trusted')
  })

  it('is told of a silence that lasts, and of its end', async () => {
    const { job, clock } = jobs()
    const from = clock.now() + 8_000
    const world = job('silent', [farm('one', { msPerWork: 5_000, downAtMs: [{ from, to: from + 5 * MINUTE }] })])
    const runner = world.runner('a')
    const run = await runner.submit(world.order)
    await clock.run(() => false, { untilMs: from + 3 * MINUTE })
    expect((await runner.farm('one')).downSinceMs).toBeGreaterThan(from)
    await clock.run(() => run.state().phase === 'ended', { maxSteps: 100_000 })
    expect((await runner.farm('one')).downSinceMs).toBeUndefined()
    await runner.close()
  })
})
