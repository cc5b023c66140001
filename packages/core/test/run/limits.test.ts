import { describe, expect, it } from 'vitest'
import { PictorError, type Farm, type JobEvent } from '../../src/contract/index.ts'
import type { JobOrder } from '../../src/run/index.ts'
import { simulatedCache } from '../../src/simulate/cache.ts'
import { simulatedOrder, simulatedWorld, type World } from '../../src/simulate/index.ts'

const TUNING = { callsAtOnce: 3, uploadsAtOnce: 1, downloadsAtOnce: 2 }

const world = (name: string, more: Partial<Parameters<typeof simulatedWorld>[0]> = {}): World =>
  simulatedWorld({
    name,
    frames: 40,
    farms: [{ id: 'one', slots: 8, msPerWork: 500 }],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { leaseMs: 1_000 },
    tuning: TUNING,
    ...more,
  })

/** The farm, with every call taking a while and the most calls at once counted. */
function slowed(at: World, farm: Farm): { readonly farm: Farm; readonly most: Record<string, number> } {
  const now: Record<string, number> = {}
  const most: Record<string, number> = {}
  const slow =
    <A extends unknown[], R>(kind: string, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      now[kind] = (now[kind] ?? 0) + 1
      most[kind] = Math.max(most[kind] ?? 0, now[kind])
      await at.clock.sleep(300)
      try {
        return await call(...args)
      } finally {
        now[kind]!--
      }
    }
  return {
    most,
    farm: {
      ...farm,
      stage: slow('stage', farm.stage),
      submit: slow('call', farm.submit),
      set: slow('call', farm.set),
      open: slow('open', farm.open),
    },
  }
}

describe('a farm', () => {
  it('is never asked for more calls, uploads and downloads at once than the limits, over all jobs of a runner', async () => {
    const at = world('limits')
    const { farm, most } = slowed(at, at.farms.get('one')!)
    const runner = at.runner('a', { farms: () => farm })
    const other = (name: string): JobOrder => {
      const { spec, quotes, parties, terms } = at.order
      const bundle = { ...spec.bundle, root: `0x${name.padStart(64, '7')}` as const }
      return simulatedOrder({
        name,
        nowMs: at.clock.now(),
        frames: Array.from({ length: 40 }, (_, i) => i + 1),
        quotes,
        parties,
        checkers: terms.checkers,
        quorum: 1,
        deadlineMs: 3_600_000,
        leaseKey: terms.leaseKey,
        leaseMs: 1_000,
        bundle,
      })
    }
    const runs = await Promise.all([at.order, other('2'), other('3')].map((order) => runner.submit(order)))
    const outcomes: string[] = []
    for (const run of runs) void run.done().then(({ outcome }) => outcomes.push(outcome))
    expect(await at.clock.run(() => outcomes.length === runs.length, { maxSteps: 200_000 })).toBe(true)
    expect(outcomes).toEqual(['done', 'done', 'done'])
    expect(most).toEqual({ call: 3, stage: 1, open: 2 })
    await runner.close()
  })

  it('that threw a staged scene away gets it again, and the job does not notice', async () => {
    const at = world('expired')
    const farm = at.farms.get('one')!
    const { root } = at.order.spec.bundle
    const refused: string[] = []
    const forgetful: Farm = {
      ...farm,
      submit(task, ctx) {
        if (task.stage.ref !== 'old') return farm.submit(task, ctx)
        refused.push(ctx.key)
        throw new PictorError('not-found', 'these files are gone', { details: { path: 'task.stage' } })
      },
    }
    const cache = new Map<string, string>()
    const old = { v: 1, untilMs: at.clock.now() + 3_600_000, value: { farm: 'one', ref: 'old' } }
    cache.set(`stage/one/${root}`, JSON.stringify(old))
    const runner = at.runner('a', { farms: () => forgetful, cache })
    const run = await runner.submit(at.order)
    const failed: JobEvent[] = []
    run.on('task-end', (event) => void (event.outcome === 'failed' && failed.push(event)))
    let outcome: string | undefined
    void run.done().then((done) => (outcome = done.outcome))
    expect(await at.clock.run(() => outcome !== undefined, { maxSteps: 200_000 })).toBe(true)
    expect(outcome).toBe('done')
    expect(refused.length).toBeGreaterThan(0)
    expect(failed).toEqual([])
    expect(cache.get(`stage/one/${root}`)).toMatch(root)
    await runner.close()
  })

  it('is staged again and again by a runner whose cache forgets, and the job does not notice', async () => {
    const at = world('forgetful', { cache: simulatedCache(5, { forgets: 0.5, fails: 0.2, garbage: 0.2, hangs: 0.1 }) })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    let outcome: string | undefined
    void run.done().then((done) => (outcome = done.outcome))
    expect(await at.clock.run(() => outcome !== undefined, { maxSteps: 200_000 })).toBe(true)
    expect(outcome).toBe('done')
    await runner.close()
  })

  it.each(['search', 'at-most-once'] as const)(
    'that asks to be left alone is left alone by all tasks and jobs, and loses no task by it (idempotency %s)',
    async (idempotency) => {
      const at = world(`rests ${idempotency}`, {
        farms: [{ id: 'one', slots: 8, msPerWork: 500, idempotency }],
        deadlineMs: 12 * 3_600_000,
        order: { leaseMs: 1_000, graceMs: 4 * 3_600_000, options: { hedge: false } },
      })
      const farm = at.farms.get('one')!
      const asked: number[] = []
      const early: string[] = []
      let untilMs = 0
      let calls = 0
      const moody =
        <A extends unknown[], R>(verb: string, call: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          // What goes out in the moment of the answer crosses it on the way.
          if (at.clock.now() < untilMs && at.clock.now() > asked.at(-1)!)
            early.push(`${verb} ${untilMs - at.clock.now()} ms early`)
          if (++calls % 25 !== 0) return call(...args)
          asked.push(at.clock.now())
          untilMs = at.clock.now() + 20_000
          throw new PictorError('farm-unreachable', 'too many requests', { details: { status: 429, retryAfterMs: 20_000 } })
        }
      const watched: Farm = {
        ...farm,
        stage: moody('stage', farm.stage),
        submit: moody('submit', farm.submit),
        poll: moody('poll', farm.poll),
        set: moody('set', farm.set),
        open: moody('open', farm.open),
      }
      const runner = at.runner('a', { farms: () => watched })
      const run = await runner.submit(at.order)
      const lost: JobEvent[] = []
      run.on('task-end', (event) => event.outcome !== 'committed' && lost.push(event))
      let outcome: string | undefined
      void run.done().then((done) => (outcome = done.outcome))
      expect(await at.clock.run(() => outcome !== undefined, { maxSteps: 200_000 })).toBe(true)
      expect({ outcome, early, lost }).toEqual({ outcome: 'done', early: [], lost: [] })
      expect(asked.length).toBeGreaterThan(3)
      await runner.close()
    },
  )
})
