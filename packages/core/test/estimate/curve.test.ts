import { describe, expect, it } from 'vitest'
import { costCurve, type Sight } from '../../src/estimate/curve.ts'
import { estimateFrom, nextProbes, planProbes, type ProbeSample } from '../../src/estimate/index.ts'
import type { RenderSpec } from '../../src/contract/job.ts'

const sight = (frame: number, log: number, sd = 1e-4, modelled = false): Sight => ({ frame, log, sd, modelled })

/** Normal and uniform numbers from a seed. */
function draws(seed: number) {
  let state = (seed * 7919 + 1) % 2147483647
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647
  for (let i = 0; i < 8; i++) uniform()
  return { uniform, normal: (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) }
}

describe('the curve along the timeline', () => {
  it('goes through what is certain, straight in between, level at the ends', () => {
    const curve = costCurve([sight(10, 5), sight(20, 6), sight(40, 5.5)])
    for (const [frame, log] of [
      [10, 5],
      [15, 5.5],
      [20, 6],
      [30, 5.75],
      [40, 5.5],
      [1, 5],
      [99, 5.5],
    ] as const)
      expect(curve(frame)).toBeCloseTo(log, 2)
  })

  it('is the weighted mean of what was seen of one frame', () => {
    const curve = costCurve([sight(3, 5, 0.1), sight(3, 5.3, 0.2)])
    expect(curve(3)).toBeCloseTo((5 / 0.01 + 5.3 / 0.04) / (1 / 0.01 + 1 / 0.04), 3)
  })

  it('takes neighbours that differ by no more than their errors for one cost', () => {
    const { normal } = draws(4)
    const sights = Array.from({ length: 20 }, (_, i) => sight(5 * i, 6 + 0.1 * normal(), 0.1))
    const errors = sights.map(({ frame }) => Math.abs(costCurve(sights)(frame) - 6))
    expect(Math.max(...errors)).toBeLessThan(0.07)
  })

  it('puts all windows right by one whole frame', () => {
    const windows = Array.from({ length: 10 }, (_, i) => sight(10 * i, 6 + 0.05 * i, 0.03, true))
    const curve = costCurve([...windows, sight(50, 6.25 - 0.2, 0.01)])
    for (const { frame, log } of windows) expect(curve(frame)).toBeCloseTo(log - 0.2, 1)
  })
})

describe('the estimate of made-up scenes', () => {
  const FRAMES = Array.from({ length: 100 }, (_, i) => i + 1)
  const specOf = (samples: number) =>
    ({ engine: 'CYCLES', samples, output: { width: 320, height: 180 } }) as unknown as RenderSpec

  /** A scene whose fixed cost and cost of samples change along the timeline, probed on a machine whose speed drifts. */
  function outcome(seed: number) {
    const { uniform, normal } = draws(seed)
    const samples = [4, 6, 9, 12, 23, 48][Math.floor(6 * uniform())]!
    const plan = planProbes(specOf(samples), FRAMES)
    const fixedShare = 0.02 + 0.3 * uniform()
    const [wave, phase, slope] = [0.4 * uniform(), 6 * uniform(), 0.8 * (uniform() - 0.5)]
    const [start, length, height] = [10 + 70 * uniform(), 6 + 14 * uniform(), 1 + (uniform() < 0.4 ? uniform() : 0)]
    const bias = 1 + 0.12 * normal()
    const shape = (frame: number): number =>
      Math.exp(wave * Math.sin(phase + frame / 15) + (slope * frame) / 100) *
      (frame >= start && frame < start + length ? height : 1)
    const time = (frame: number, load: number): number => {
      const share = load / plan.load.full
      // The first samples of a frame are dearer or cheaper than the others.
      return 1000 * shape(frame) * (fixedShare + (1 - fixedShare) * share * (1 + (bias - 1) * (1 - share)))
    }
    let drift = normal()
    const noise = (): number => Math.exp(0.04 * (drift = 0.9 * drift + 0.44 * normal()) + 0.03 * normal())
    const load = { warm: plan.load.low, ...plan.load }
    const probes: ProbeSample[] = []
    for (let orders = nextProbes(plan, probes, 'reference'); orders.length > 0; orders = nextProbes(plan, probes, 'reference'))
      for (const { frame, window } of orders) probes.push({ frame, window, renderMs: time(frame, load[window]) * noise() })
    const { estimate } = estimateFrom(plan, [{ farm: 'a', samples: probes, startMs: 0, spentMs: 1, measuredAtMs: 0 }], FRAMES, 1)
    const real = FRAMES.map((frame) => time(frame, plan.load.full))
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)
    const within = real.filter((ms, i) => {
      const measured = ms * Math.exp(0.05 * normal())
      return measured >= 1000 * estimate.work[i]! * estimate.low && measured <= 1000 * estimate.work[i]! * estimate.high
    })
    return {
      error: Math.abs((1000 * sum(estimate.work)) / sum(real) - 1),
      covered: within.length / 100,
      cost: sum(probes.filter((one) => one.window !== 'warm').map((one) => one.renderMs)) / (sum(real) / 100),
    }
  }

  it('is within the goals, whatever part of a frame is fixed cost and however the machine drifts', () => {
    const all = Array.from({ length: 200 }, (_, seed) => outcome(seed + 1))
    const mean = (of: (one: (typeof all)[number]) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length
    const errors = all.map((one) => one.error).sort((a, b) => a - b)
    expect(mean((one) => one.error)).toBeLessThan(0.05)
    expect(errors[189]).toBeLessThan(0.15)
    expect(errors.at(-1)).toBeLessThan(0.2)
    expect(mean((one) => one.covered)).toBeGreaterThan(0.9)
    expect(mean((one) => one.cost)).toBeLessThan(4.7)
    expect(Math.max(...all.map((one) => one.cost))).toBeLessThan(5)
  })
})
