import { describe, expect, it } from 'vitest'
import type { JobResult } from '../../src/run/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'
import { seededRandom } from '../../src/simulate/random.ts'

/** A lease is late at three times its planned time, a minute at the least (`job-replan.ts`), and leases are looked at every half minute. */
const lateMs = (plannedMs: number): number => Math.max(60_000, 3 * plannedMs) + 30_000

/** Another look (two leases may be late one after the other), polls, signatures of the new lease set, the check. */
const WORDS_MS = 90_000

interface Tiny {
  readonly outcome: string
  readonly lastDeliveredMs: number
  readonly boundMs: number
}

/** A job of 1 to 10 frames over 2 or 3 farms, one of which hangs at a frame of each of its leases, or is forty times as slow as it said. */
async function tinyJob(seed: number, what: 'hangs' | 'is slow'): Promise<Tiny> {
  const random = seededRandom(seed)
  const frames = 1 + random.below(10)
  const msPerWork = 1_000 + random.below(20_000)
  const faults = what === 'hangs' ? { taskStalls: 1 } : { taskSlow: 1, slowFactor: 40 }
  const at = simulatedWorld({
    name: `tiny ${seed}`,
    frames,
    farms: Array.from({ length: 2 + random.below(2) }, (_, i) => ({
      id: `farm-${i}`,
      seed: random.below(1_000),
      slots: 1 + random.below(2),
      msPerWork,
      startMs: random.below(5_000),
      // The bad one is the cheapest: the plan gives it its share, which is everything in the smallest jobs.
      price: { perHostHour: BigInt(i === 0 ? 100_000 : 150_000) },
      ...(i === 0 ? { faults } : {}),
    })),
    checkers: [{ id: 'a', pollMs: 1_000 }],
    quorum: 1,
    order: { leaseMs: random.chance(0.5) ? 1_000 : 120_000, headroomPerMille: 4_000 },
  })
  const startMs = at.clock.now()
  const runner = at.runner('a')
  const run = await runner.submit(at.order)
  let lastDeliveredMs = 0
  run.on('frame-delivered', () => (lastDeliveredMs = at.clock.now() - startMs))
  let result: JobResult | undefined
  void run.done().then((end) => (result = end))
  await at.clock.run(() => result !== undefined, { untilMs: at.order.options.giveUpAtMs })
  await runner.close()
  const planned = at.order.leases.map((one) => one.expectedMs)
  const [whole, longest] = [planned.reduce((sum, ms) => sum + ms, 0), Math.max(...planned)]
  // At worst the good farms do everything one after the other, and then the late leases again.
  return { outcome: result!.outcome, lastDeliveredMs, boundMs: whole + lateMs(longest) + whole + WORDS_MS }
}

describe.each(['hangs', 'is slow'] as const)('a tiny job, one farm of which %s', (what) => {
  it('is whole, and no later than the time at which a lease is late and the time that the other farms need for it', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { outcome, lastDeliveredMs, boundMs } = await tinyJob(seed, what)
      expect(outcome, `seed ${seed}`).toBe('done')
      expect(lastDeliveredMs, `seed ${seed}`).toBeGreaterThan(0)
      expect(lastDeliveredMs, `seed ${seed}`).toBeLessThanOrEqual(boundMs)
    }
  })
})
