import { describe, expect, it } from 'vitest'
import type { Farm } from '../../src/contract/index.ts'
import { seededRandom } from '../../src/simulate/random.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'

type Verb = 'stage' | 'submit' | 'poll' | 'set' | 'open'

interface Limit {
  readonly perSecond: number
  readonly burst: number
}

interface Seen {
  readonly taken: Record<Verb, number>
  /** The longest from a call's first try to the farm's answer, by kind, in milliseconds; for polls the longest time between two. */
  readonly waitedMs: Record<Verb, number>
}

/** The farm, and what it was asked. */
function watched(farm: Farm, nowMs: () => number): { readonly farm: Farm; readonly seen: Seen } {
  const zero = (): Record<Verb, number> => ({ stage: 0, submit: 0, poll: 0, set: 0, open: 0 })
  const seen: Seen = { taken: zero(), waitedMs: zero() }
  const since = new Map<string, number>()
  const asked = async <R>(verb: Verb, key: string, call: () => Promise<R>): Promise<R> => {
    const firstAtMs = since.get(`${verb} ${key}`) ?? nowMs()
    since.set(`${verb} ${key}`, firstAtMs)
    const result = await call()
    seen.taken[verb]++
    seen.waitedMs[verb] = Math.max(seen.waitedMs[verb], nowMs() - firstAtMs)
    if (verb === 'poll') since.set(`${verb} ${key}`, nowMs())
    return result
  }
  return {
    seen,
    farm: {
      ...farm,
      stage: (manifest, files, ctx) => asked('stage', ctx.key, () => farm.stage(manifest, files, ctx)),
      submit: (task, ctx) => asked('submit', ctx.key, () => farm.submit(task, ctx)),
      poll: (query, ctx) => asked('poll', '', () => farm.poll(query, ctx)),
      set: (ref, change, ctx) => asked('set', ctx.key, () => farm.set(ref, change, ctx)),
      open: (output, range, ctx) => asked('open', ctx.key, () => farm.open(output, range, ctx)),
    },
  }
}

/** One job at one farm that takes so many calls a second, and how long its frames took. */
async function limitedJob(seed: number, frames: number, limit?: Limit) {
  const random = seededRandom(seed)
  const at = simulatedWorld({
    name: `limited ${seed}`,
    frames,
    farms: [
      { id: 'one', seed, slots: 1 + random.below(8), msPerWork: 20 + random.below(200), pollMs: 20, ...(limit ? { limit } : {}) },
    ],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    deadlineMs: 6 * 3_600_000,
    order: { leaseMs: 200 + random.below(1_000), options: { hedge: false } },
  })
  const startMs = at.clock.now()
  const { farm, seen } = watched(at.farms.get('one')!, () => at.clock.now())
  const runner = at.runner('a', { farms: () => farm })
  const run = await runner.submit(at.order)
  let lastFrameAtMs = startMs
  run.on('frame-delivered', () => void (lastFrameAtMs = at.clock.now()))
  let ended = false
  const done = run.done().finally(() => (ended = true))
  expect(await at.clock.run(() => ended, { maxSteps: 400_000 })).toBe(true)
  expect((await done).outcome).toBe('done')
  await runner.close()
  return { tookMs: lastFrameAtMs - startMs, seen }
}

/** How long a farm takes for calls at its limit, in milliseconds. */
function atLimitMs({ stage, submit, set, open }: Record<Verb, number>, { perSecond, burst }: Limit): number {
  return (1_000 * Math.max(0, stage + submit + set + open - burst)) / perSecond
}

describe('a farm that takes so many calls a second and answers 429 to all others', () => {
  it('costs a job little more than its rendering and the calls that do its work, one after the other', async () => {
    const limit = { perSecond: 20, burst: 20 }
    const ratios: number[] = []
    for (let seed = 1; seed <= 8; seed++) {
      const frames = 24 + ((seed * 7) % 40)
      const free = await limitedJob(seed, frames)
      const { tookMs } = await limitedJob(seed, frames, limit)
      ratios.push(tookMs / (free.tookMs + atLimitMs(free.seen.taken, limit)))
    }
    expect(Math.max(...ratios)).toBeLessThan(1.5)
    expect(ratios.reduce((sum, one) => sum + one, 0) / ratios.length).toBeLessThan(1.1)
  })

  it('starves no kind of call: each waits its turn, whatever the limit', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed + 10_000)
      const limit = { perSecond: 1 + random.below(30), burst: 1 + random.below(30) }
      const { seen } = await limitedJob(seed, 8 + random.below(16), limit)
      // A rest lasts a second or more, and up to twenty calls wait for the few that are taken after it.
      const turnsMs = 3_000 * (1 + 16 / Math.min(limit.perSecond, limit.burst))
      for (const [verb, ms] of Object.entries(seen.waitedMs))
        expect(ms, `seed ${seed}, ${verb}, ${JSON.stringify(limit)}`).toBeLessThan(turnsMs)
    }
  })
})
