import { isPictorError } from '../contract/error.ts'
import type { JobResult } from '../run/job-view.ts'
import { createRunner } from '../run/runner.ts'
import type { JobRun, Runner } from '../run/types.ts'
import { checkJournal, checkResult } from './chaos-checks.ts'
import { chaosWorld } from './chaos-world.ts'
import { type ProcessFate, type SimulatedProcess, simulatedProcess } from './process.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** What one seeded job did, and every rule that it broke. */
export interface ChaosReport {
  readonly seed: number
  /** Empty when every invariant held. */
  readonly broken: readonly string[]
  readonly outcome: string
  readonly frames: number
  readonly delivered: number
  readonly kills: number
  readonly facts: number
  /** Virtual time from submit to the end. */
  readonly tookMs: number
  /** Hash over all facts in order: the same seed gives the same trace. */
  readonly trace: string
}

/** Runs one seeded job with everything that can go wrong, and checks every promise. */
export async function chaosJob(
  seed: number,
  options: { readonly createRunner?: typeof createRunner; readonly onWorld?: (world: World) => void } = {},
): Promise<ChaosReport> {
  const { world, random, fair, store, deaths, hangs } = chaosWorld(seed)
  options.onWorld?.(world)
  const { clock } = world
  const startedAtMs = clock.now()
  const make = options.createRunner ?? createRunner
  const broken: string[] = []
  let kills = deaths
  let process: SimulatedProcess
  let runner: Runner
  const at: { run?: JobRun } = {}
  let result: JobResult | undefined
  const fate = (): ProcessFate => {
    const now = clock.now()
    if (random.chance(0.15)) {
      const from = now + random.below(120_000)
      return { stop: { from, to: from + 20_000 + random.below(90_000) } }
    }
    return { killAtCall: 1 + random.below(250), effect: random.pick(['before', 'after']) }
  }
  const start = (n: number): void => {
    process = simulatedProcess(
      { ...world.ports(`runner-${n}`), store },
      { ...(kills > 0 ? fate() : {}), ...(hangs ? { hangs } : {}) },
    )
    runner = make(process.options)
    void (async () => {
      try {
        const own = await submitAgain(runner, world)
        at.run = own
        void runner.start()
        result = await own.done()
      } catch (error) {
        broken.push(`submit: ${(error as Error).message}`)
      }
    })()
  }
  const wishes = fair ? [] : userWishes(random, startedAtMs)
  start(0)
  const limit = world.order.options.giveUpAtMs + 600_000
  const endOf = (): boolean => result !== undefined
  for (let n = 1; !endOf(); n++) {
    const until = Math.min(limit, clock.now() + 45_000)
    await clock.run(() => endOf() || process.dead, { untilMs: until, maxSteps: 100_000 })
    while (wishes.length > 0 && wishes[0]!.atMs <= clock.now() && at.run !== undefined && !process!.dead)
      void wishes.shift()!.act(at.run, runner!)
    if (process!.dead || (kills > 0 && process!.calls > 0 && clock.now() > startedAtMs + 300_000 * n)) {
      process!.kill()
      kills = Math.max(0, kills - 1)
      start(n)
    } else if (!endOf() && clock.now() < until) clock.jump(Math.max(1, until - clock.now()))
    if (clock.now() >= limit) {
      broken.push(
        `not ended by giveUpAt: ${JSON.stringify(at.run?.state(), (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v))}`,
      )
      break
    }
  }
  const { facts, trace } = await checkJournal(world, broken)
  if (result) await checkResult(world, result, broken)
  if (fair && result?.outcome !== 'done') broken.push(`a fair world ended as ${result?.outcome}`)
  if (result?.message?.includes('giveUpAt')) broken.push('it ended only because its time was up')
  broken.push(...world.ledger.violations, ...world.checkers.flatMap((checker) => checker.violations))
  for (const farm of world.farms.values()) {
    const once = farm.stats.tasksByAttempt
    for (const [attempt, count] of once) if (count > 1) broken.push(`${farm.id}: ${attempt} was ordered ${count} times`)
  }
  process!.kill()
  return {
    seed,
    broken,
    outcome: result?.outcome ?? 'none',
    frames: world.order.work.length,
    delivered: result?.frames.length ?? 0,
    kills: deaths,
    facts,
    tookMs: clock.now() - startedAtMs,
    trace,
  }
}

/** Submits as a host does: again when the store did not answer, which is harmless. */
async function submitAgain(runner: Runner, { order, clock }: World): Promise<JobRun> {
  for (;;) {
    try {
      return await runner.submit(order)
    } catch (error) {
      if (!isPictorError(error, 'store-failed')) throw error
      await clock.sleep(5_000)
    }
  }
}

interface Wish {
  readonly atMs: number
  act(run: JobRun, runner: Runner): Promise<void>
}

/** What a user may ask for while the job runs. */
function userWishes(random: Random, startMs: number): Wish[] {
  const quiet = (promise: Promise<unknown>): Promise<void> =>
    promise.then(
      () => {},
      () => {},
    )
  const wishes: Wish[] = []
  if (random.chance(0.1)) {
    const atMs = startMs + random.below(200_000)
    wishes.push(
      { atMs, act: (run) => quiet(run.hold()) },
      { atMs: atMs + random.below(300_000), act: (run) => quiet(run.resume()) },
    )
  }
  if (random.chance(0.1)) wishes.push({ atMs: startMs + random.below(400_000), act: (run) => quiet(run.cancel()) })
  if (random.chance(0.1))
    wishes.push({
      atMs: startMs + random.below(200_000),
      act: (run, runner) => quiet(runner.post(run.id, { priority: 5 }, 'wish')),
    })
  return wishes.sort((a, b) => a.atMs - b.atMs)
}
