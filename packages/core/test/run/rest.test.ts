import { describe, expect, it } from 'vitest'
import { PictorError, type Farm, type JobEvent } from '../../src/contract/index.ts'
import { simulatedWorld, type World } from '../../src/simulate/index.ts'

const STALL_MS = 60_000

/** Two farms; `one` answers its polls once with `Retry-After: restMs`, 5 s after the job began. */
async function rested(name: string, restMs: number, options: { readonly hedge: boolean; readonly deadlineMs: number }) {
  const at: World = simulatedWorld({
    name,
    frames: 12,
    farms: [
      { id: 'one', slots: 1, msPerWork: 2_000 },
      { id: 'two', slots: 1, msPerWork: 2_000 },
    ],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    deadlineMs: options.deadlineMs,
    order: { leaseMs: 20_000, graceMs: 4 * 3_600_000, headroomPerMille: 3_000, options: { hedge: options.hedge } },
    tuning: { stallMs: STALL_MS },
  })
  const startMs = at.clock.now()
  const one = at.farms.get('one')!
  let asked = false
  const busy: Farm = {
    ...one,
    poll: async (query, ctx) => {
      if (asked || at.clock.now() < startMs + 5_000) return one.poll(query, ctx)
      asked = true
      throw new PictorError('farm-unreachable', 'come back later', { details: { status: 503, retryAfterMs: restMs } })
    },
  }
  const runner = at.runner('a', { farms: (id) => (id === 'one' ? busy : at.farms.get(id)) })
  const run = await runner.submit(at.order)
  const ends: JobEvent[] = []
  let lastFrameAtMs = startMs
  run.on('frame-delivered', () => void (lastFrameAtMs = at.clock.now()))
  run.on('task-end', (event) => void ends.push(event))
  let endedAtMs: number | undefined
  const done = run.done().finally(() => (endedAtMs = at.clock.now()))
  expect(await at.clock.run(() => endedAtMs !== undefined, { maxSteps: 200_000 })).toBe(true)
  const { outcome, material } = await done
  const { leases } = await material()
  const { incidents, downSinceMs } = await runner.farm('one')
  await runner.close()
  expect(asked).toBe(true)
  expect(at.ledger.violations).toEqual([])
  return {
    outcome,
    framesTookMs: lastFrameAtMs - startMs,
    lost: ends.filter((event) => event.type === 'task-end' && event.outcome !== 'committed').length,
    hedged: leases.filter(({ lease }) => lease.hedgeOf > 0).length,
    incidents: incidents.length,
    down: downSinceMs !== undefined,
    canceled: one.stats.canceled,
  }
}

describe('a farm that asks to be left alone for far longer than a stall', () => {
  it('keeps its leases, is neither stalled nor down, and what it rendered meanwhile is fetched', async () => {
    const seen = await rested('rests for long', 10 * STALL_MS, { hedge: false, deadlineMs: 3_600_000 })
    expect(seen).toMatchObject({ outcome: 'done', lost: 0, hedged: 0, incidents: 0, down: false, canceled: 0 })
    expect(seen.framesTookMs).toBeGreaterThan(10 * STALL_MS)
  })

  it('holds the job up no longer than its tail may take: another farm renders it too', async () => {
    const seen = await rested('rests for hours', 3 * 3_600_000, { hedge: true, deadlineMs: 3_600_000 })
    // Its own copy, which nobody wanted any more, is no incident.
    expect(seen).toMatchObject({ outcome: 'done', down: false, incidents: 0 })
    expect(seen.hedged).toBeGreaterThan(0)
    expect(seen.framesTookMs).toBeLessThan(600_000)
  })

  it('is asked again as soon as a rest is over: no download misses the moments in which a busy farm answers', async () => {
    const at = simulatedWorld({
      name: 'answers one second in three',
      frames: 12,
      farms: [{ id: 'one', slots: 12, msPerWork: 100, pollMs: 100 }],
      checkers: [{ id: 'a', pollMs: 500 }],
      quorum: 1,
      deadlineMs: 3_600_000,
    })
    const startMs = at.clock.now()
    const one = at.farms.get('one')!
    const busy = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        const phaseMs = (at.clock.now() - startMs) % 3_000
        if (phaseMs < 1_000) return call(...args)
        throw new PictorError('farm-unreachable', 'too many requests', {
          details: { status: 429, retryAfterMs: 3_000 - phaseMs },
        })
      }
    }
    let opened = 0
    const open: Farm['open'] = async (...args) => {
      // The first try of each picture comes at a bad moment.
      if (opened++ < 12)
        throw new PictorError('farm-unreachable', 'too many requests', { details: { status: 429, retryAfterMs: 1_500 } })
      return one.open(...args)
    }
    const farm: Farm = { ...one, poll: busy(one.poll), open: busy(open) }
    const runner = at.runner('a', { farms: () => farm })
    const run = await runner.submit(at.order)
    let lastFrameAtMs: number | undefined
    run.on('frame-delivered', () => void (lastFrameAtMs = at.clock.now()))
    let ended = false
    const done = run.done().finally(() => (ended = true))
    expect(await at.clock.run(() => ended, { maxSteps: 200_000 })).toBe(true)
    expect((await done).outcome).toBe('done')
    await runner.close()
    // 29 s; with waits that double at each refusal it took 185 s.
    expect(lastFrameAtMs! - startMs).toBeLessThan(60_000)
  })

  it('still counts as stalled when its task stands still between many short rests', async () => {
    const at = simulatedWorld({
      name: 'short rests',
      frames: 2,
      farms: [{ id: 'one', slots: 1, msPerWork: 10_000, faults: { taskStalls: 1 } }],
      checkers: [{ id: 'a', pollMs: 500 }],
      quorum: 1,
      order: { graceMs: 3_600_000, options: { hedge: false } },
      tuning: { stallMs: STALL_MS },
    })
    const startMs = at.clock.now()
    const one = at.farms.get('one')!
    const busy: Farm = {
      ...one,
      poll: async (query, ctx) => {
        if ((at.clock.now() - startMs) % 10_000 < 8_000) return one.poll(query, ctx)
        throw new PictorError('farm-unreachable', 'come back later', { details: { status: 429, retryAfterMs: 1_000 } })
      },
    }
    const runner = at.runner('a', { farms: (id) => (id === 'one' ? busy : at.farms.get(id)) })
    await runner.submit(at.order)
    await at.clock.run(() => one.stats.canceled > 0, { untilMs: startMs + 600_000, maxSteps: 100_000 })
    expect(at.clock.now() - startMs).toBeLessThan(2.5 * STALL_MS)
    await runner.close()
  })
})
