import { describe, expect, it } from 'vitest'
import type { Quote } from '../../src/contract/index.ts'
import { replanByRoute } from '../../src/plan/replan.ts'
import type { FarmObserved, ReplanRequest } from '../../src/run/index.ts'
import { simulatedOrder } from '../../src/simulate/index.ts'

const HOUR_MS = 3_600_000
const FRAMES = Array.from({ length: 60 }, (_, i) => i + 1)

/** Four hosts at `price` units a host-hour; a frame takes a minute of a host. */
function quote(farm: string, price: bigint): Quote {
  return {
    contract: 1,
    kind: 'quote',
    id: `quote ${farm}`,
    farm,
    currency: 'USD',
    validUntilAtMs: 1e15,
    firmness: 'locked',
    basis: ['a test'],
    offers: [
      {
        id: 'standard',
        tier: 'standard',
        hosts: 4,
        readyMs: 0,
        startMs: 0,
        billStart: false,
        perFrameMs: 0,
        deliverMs: 0,
        msPerWork: [60_000],
        price: { perHostHour: price, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n },
      },
    ],
  }
}

function request(leftMs: number, observed: Record<string, FarmObserved>, frames: readonly number[] = FRAMES): ReplanRequest {
  const order = simulatedOrder({
    name: 're-plan',
    nowMs: 0,
    frames: FRAMES,
    quotes: [],
    parties: {},
    checkers: [],
    quorum: 1,
    deadlineMs: 24 * HOUR_MS,
  })
  return {
    run: order.run,
    reason: 'failed',
    spec: order.spec,
    terms: order.terms,
    quotes: [quote('cheap', 1_000_000n), quote('dear', 3_000_000n)],
    work: FRAMES.map(() => 1),
    atMs: 0,
    frames,
    excluded: {},
    busy: {},
    observed,
    farmBudgetLeft: 100_000_000n,
    checkBudgetLeft: 1_000_000n,
    deadlineAtMs: leftMs,
  }
}

const seen = (slowness: number, busyMs: number = 0): FarmObserved => ({
  offer: 'standard',
  slowness,
  sampled: 100,
  busyMs,
  usedMs: HOUR_MS,
})

/** Frames by farm of an answer; every frame asked for must be there once. */
async function placed(asked: ReplanRequest): Promise<Record<string, number>> {
  const answer = await replanByRoute(asked)
  expect(answer.flatMap(({ frames }) => frames).sort((a, b) => a - b)).toEqual([...asked.frames])
  return Object.fromEntries(answer.map(({ farm, frames }) => [farm, frames.length]))
}

describe('a re-plan of a running job', () => {
  it('keeps to the cheap farm while it is as fast as quoted', async () => {
    // 60 frames on 4 hosts take 15 of the 20 minutes.
    expect(await placed(request(20 * 60_000, { cheap: seen(1) }))).toEqual({ cheap: 60 })
  })

  it('moves what a farm cannot finish at the speed it showed to another', async () => {
    const slow = await placed(request(20 * 60_000, { cheap: seen(2.5) }))
    // 85 % of 20 minutes on 4 hosts at 2.5 minutes a frame (less the prior) are 24 to 28 frames.
    expect(slow.cheap).toBeGreaterThanOrEqual(24)
    expect(slow.cheap).toBeLessThanOrEqual(28)
    expect(slow.dear).toBe(60 - slow.cheap!)
  })

  it('counts the leases that a farm still has to finish', async () => {
    const busy = await placed(request(20 * 60_000, { cheap: seen(1, 10 * 60_000) }))
    expect(busy.cheap).toBe(28)
    expect(busy.dear).toBe(32)
  })

  it('places only the frames that were asked for, by number', async () => {
    const answer = await replanByRoute(request(20 * 60_000, { cheap: seen(1) }, [7, 8, 31]))
    expect(answer).toEqual([{ farm: 'cheap', offer: 'standard', frames: [7, 8, 31] }])
  })

  it('takes the fastest split when no split is in time any more', async () => {
    const late = await placed(request(5 * 60_000, { cheap: seen(1) }))
    expect(late).toEqual({ cheap: 30, dear: 30 })
  })

  it('keeps to the number of farms that the order allows, late rather than over one more', async () => {
    const asked = request(5 * 60_000, { cheap: seen(1) })
    expect(Object.keys(await placed({ ...asked, spec: { ...asked.spec, maxFarms: 1 } }))).toHaveLength(1)
  })

  it('gives nothing to farms that are excluded, and answers nothing when all are', async () => {
    const asked = request(60 * 60_000, {})
    expect(await placed({ ...asked, excluded: { cheap: 'it failed' } })).toEqual({ dear: 60 })
    expect(await replanByRoute({ ...asked, excluded: { cheap: 'it failed', dear: 'it failed' } })).toEqual([])
  })
})
