import { describe, expect, it } from 'vitest'
import { PictorError } from '../../src/contract/index.ts'
import { createRunner, type JobResult, type RunnerOptions } from '../../src/run/index.ts'
import { checkJournal, checkResult } from '../../src/simulate/chaos-checks.ts'
import { simulatedWorld, type World } from '../../src/simulate/index.ts'
import { simulatedProcess, type ProcessFate } from '../../src/simulate/process.ts'

const HOUR = 3_600_000

/** A short job at two farms, with snapshots after every few facts. */
function shortJob(name: string): World {
  return simulatedWorld({
    name,
    frames: 4,
    farms: [
      { id: 'one', slots: 1, msPerWork: 1_000, pollMs: 1_000 },
      { id: 'two', slots: 1, msPerWork: 1_500, pollMs: 1_000 },
    ],
    checkers: [{ id: 'a', pollMs: 500, faults: {} }],
    quorum: 1,
    ledger: { pollMs: 500 },
    deadlineMs: 12 * HOUR,
    order: { leaseMs: 2_000, graceMs: 4 * HOUR, options: { hedge: false } },
    tuning: { claimMs: 5_000, snapshotFacts: 6, stallMs: 6 * HOUR },
  })
}

interface Trial {
  readonly broken: readonly string[]
  readonly calls: number
  readonly died: boolean
}

/** Runs the job in a process with the fate and, when it dies, in one that follows; then looks at everything that must hold. */
async function trial(world: World, fate: ProcessFate): Promise<Trial> {
  const first = simulatedProcess(world.ports('first'), fate)
  let result: JobResult | undefined
  const run = (options: RunnerOptions): void => {
    const runner = createRunner(options)
    void (async () => {
      const own = await runner.submit(world.order)
      void runner.start()
      result = await own.done()
    })().catch(() => {})
  }
  run(first.options)
  const ended = (): boolean => result !== undefined
  await world.clock.run(() => ended() || first.dead, { maxSteps: 20_000 })
  if (!ended()) {
    const second = simulatedProcess(world.ports('second'), {})
    run(second.options)
    await world.clock.run(ended, { maxSteps: 50_000 })
  }
  const broken = await everything(world, result)
  return { broken, calls: first.calls, died: first.dead }
}

async function everything(world: World, result: JobResult | undefined): Promise<string[]> {
  if (result === undefined) return ['the job never ended']
  const broken: string[] = []
  await checkJournal(world, broken)
  await checkResult(world, result, broken)
  broken.push(...world.ledger.violations)
  if (result.outcome !== 'done') broken.push(`it ended as ${result.outcome}`)
  for (const farm of world.farms.values()) {
    for (const [attempt, times] of farm.stats.tasksByAttempt) if (times > 1) broken.push(`${attempt} was ordered ${times} times`)
    for (const [frame, times] of farm.stats.renders) if (times > 1) broken.push(`${frame} was rendered ${times} times`)
  }
  return broken
}

describe('a process that dies', () => {
  // Calls go to the store, farms, checkers, the ledger and the artifacts: dying before and after each of them is dying before an effect, between an effect and its
  // commit, and after a commit.
  it('at any call of a short job, before or after its effect, loses nothing, pays nothing twice and orders nothing twice', async () => {
    const { calls, broken } = await trial(shortJob('alive'), {})
    expect(broken).toEqual([])
    expect(calls).toBeGreaterThan(80)
    const failed: string[] = []
    let deaths = 0
    for (let call = 1; call <= calls; call++)
      for (const effect of ['before', 'after'] as const) {
        const report = await trial(shortJob(`dies ${call} ${effect}`), { killAtCall: call, effect })
        if (report.died) deaths++
        if (report.broken.length > 0) failed.push(`${effect} call ${call}: ${report.broken.join('; ')}`)
      }
    expect(failed).toEqual([])
    expect(deaths).toBeGreaterThan(1.9 * calls)
  })
})

describe('a runner', () => {
  it('goes on where it was when a full disk has room again', async () => {
    const world = shortJob('full disk')
    const { store } = world
    let full = false
    let refused = 0
    const runner = world.runner('a', {
      store: {
        ...store,
        append: async (...all) => {
          if (!full) return store.append(...all)
          refused++
          throw new PictorError('store-failed', 'database or disk is full')
        },
      },
    })
    const run = await runner.submit(world.order)
    let result: JobResult | undefined
    void run.done().then((end) => (result = end))
    const ended = (): boolean => result !== undefined
    for (let n = 0; !ended() && n < 400; n++) {
      full = n % 4 === 2
      await world.clock.run(ended, { untilMs: world.clock.now() + 1_000, maxSteps: 5_000 })
      if (!ended()) world.clock.jump(1)
    }
    expect(refused).toBeGreaterThan(2)
    expect(await everything(world, result)).toEqual([])
    await runner.close()
  })

  it.each([HOUR, -HOUR])('bears a clock that is set by %d ms in the middle of a job', async (ms) => {
    const world = shortJob(`clock ${ms}`)
    const runner = world.runner('a')
    const run = await runner.submit(world.order)
    let result: JobResult | undefined
    void run.done().then((end) => (result = end))
    await world.clock.run(() => run.state().framesRendered > 0, { maxSteps: 5_000 })
    world.clock.jump(ms)
    await world.clock.run(() => result !== undefined, { maxSteps: 50_000 })
    expect(await everything(world, result)).toEqual([])
    await runner.close()
  })
})
