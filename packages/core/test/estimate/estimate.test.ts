import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  estimateFrom,
  interpolate,
  nextProbes,
  planProbes,
  predictFrames,
  type ProbePlan,
  type ProbeSample,
} from '../../src/estimate/index.ts'
import type { RenderSpec } from '../../src/contract/job.ts'

const spec = (width: number, height: number, samples: number): RenderSpec => ({
  software: 'blender',
  softwareVersion: '3.4',
  engine: 'CYCLES',
  scene: 'Scene',
  viewLayers: ['ViewLayer'],
  camera: 'Camera',
  samples,
  adaptive: false,
  denoise: false,
  seed: 0,
  animatedSeed: false,
  output: { format: 'PNG', width, height, colorMode: 'RGB', bitDepth: 8 },
  checkClass: 'crop',
})

type Cost = (frame: number) => number

/** All rounds of probes on a machine that takes `fixed + slope x load` milliseconds, with noise where it is given. */
function probed(
  plan: ProbePlan,
  fixed: Cost,
  slope: Cost,
  role: 'reference' | 'other' = 'reference',
  noise: () => number = () => 1,
): ProbeSample[] {
  const samples: ProbeSample[] = []
  const load = { warm: plan.load.low, ...plan.load }
  for (let rounds = 0; ; rounds++) {
    const orders = nextProbes(plan, samples, role)
    if (orders.length === 0) return samples
    if (rounds > 30) throw new Error('it goes on and on')
    for (const { frame, window } of orders)
      samples.push({ frame, window, renderMs: noise() * (fixed(frame) + slope(frame) * load[window]) })
  }
}

const probeOf = (farm: string, samples: readonly ProbeSample[], factor = 1) => ({
  farm,
  samples: samples.map((one) => ({ ...one, renderMs: factor * one.renderMs })),
  startMs: 10,
  spentMs: 5,
  measuredAtMs: 0,
})

describe('planProbes', () => {
  it('plans windows that differ and are never above what is ordered', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 16, max: 8192 }),
        fc.integer({ min: 16, max: 8192 }),
        fc.integer({ min: 2, max: 4096 }),
        fc.integer({ min: 1, max: 3000 }),
        (w, h, s, n) => {
          const frames = Array.from({ length: n }, (_, i) => i * 2 + 1)
          const plan = planProbes(spec(w, h, s), frames)
          expect(plan.high.samples).toBeLessThanOrEqual(s)
          expect(plan.load.low).toBeLessThan(plan.load.high)
          expect(plan.load.high).toBeLessThanOrEqual(plan.load.full)
          expect(plan.frames.every((frame) => frames.includes(frame))).toBe(true)
          expect([plan.frames[0], plan.frames.at(-1)]).toEqual([frames[0], frames.at(-1)])
        },
      ),
    )
  })
})

describe('nextProbes', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
  const cost = (samples: readonly ProbeSample[]): number =>
    samples.filter((one) => one.window !== 'warm').reduce((sum, one) => sum + one.renderMs, 0)

  it('costs at most a twentieth of a job of a hundred frames, whatever the share of fixed cost, and asks for no frame twice', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        fc.constantFrom([160, 90, 4], [320, 180, 16], [1920, 1080, 64], [3840, 2160, 1024]),
        fc.integer({ min: 0, max: 1e6 }),
        (fixedShare, [w, h, s], seed) => {
          const plan = planProbes(spec(w!, h!, s!), hundred)
          const full = 1000
          let state = seed
          const noise = (): number => 0.97 + 0.06 * ((state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31)
          const slope = ((1 - fixedShare) * full) / plan.load.full
          const samples = probed(
            plan,
            () => fixedShare * full,
            () => slope,
            'reference',
            noise,
          )
          // The first two frames tell what a frame costs, and must be paid before that is known.
          expect(cost(samples)).toBeLessThan(Math.max(0.05 * 100, 4 * fixedShare + 1) * full)
          const asked = samples.map(({ frame, window }) => `${frame} ${window}`)
          expect(new Set(asked).size).toBe(asked.length)
          const { estimate } = estimateFrom(plan, [probeOf('a', samples)], hundred, 1)
          const total = estimate.work.reduce((sum, work) => sum + 1000 * work, 0)
          expect(Math.abs(total / (100 * full) - 1)).toBeLessThan(0.08)
        },
      ),
    )
  })

  it('finds where the cost jumps, and what whole frames cost there', () => {
    const plan = planProbes(spec(640, 360, 64), hundred)
    const slope: Cost = (frame) => (frame >= 41 && frame <= 52 ? 4e-4 : 1e-4)
    const { estimate } = estimateFrom(
      plan,
      [
        probeOf(
          'a',
          probed(plan, () => 20, slope),
        ),
      ],
      hundred,
      1,
    )
    const true_ = hundred.map((frame) => 20 + slope(frame) * plan.load.full)
    const within = hundred.filter((_, i) => Math.abs((1000 * estimate.work[i]!) / true_[i]! - 1) < 0.2)
    expect(within.length).toBeGreaterThan(92)
    const total = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0)
    expect((1000 * total(estimate.work)) / total(true_)).toBeCloseTo(1, 1)
  })

  it('asks a farm that is not the reference for two frames only, and reads its speed from them', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 10, noNaN: true }), fc.integer({ min: 1, max: 300 }), (factor, n) => {
        const frames = Array.from({ length: n }, (_, i) => i)
        const plan = planProbes(spec(1920, 1080, 64), frames)
        const other = probed(
          plan,
          () => 500,
          () => 1e-4,
          'other',
        )
        expect(new Set(other.map((one) => one.frame)).size).toBeLessThanOrEqual(2)
        const farms = [
          probeOf(
            'a',
            probed(
              plan,
              () => 500,
              () => 1e-4,
            ),
          ),
          probeOf('b', other, factor),
        ]
        const { msPerWork, estimate } = estimateFrom(plan, farms, frames, 1)
        expect(msPerWork['a']).toBeCloseTo(1000, 6)
        expect(msPerWork['b']! / (1000 * factor)).toBeCloseTo(1, 6)
        expect(estimate.probeMs).toBe(10)
      }),
    )
  })

  it('never predicts below a millisecond, however the times contradict each other', () => {
    const plan = planProbes(spec(640, 360, 32), [1, 2, 3])
    const upside = predictFrames(
      plan,
      plan.frames.flatMap((frame) => [
        { frame, window: 'low' as const, renderMs: 900 },
        { frame, window: 'high' as const, renderMs: 100 },
      ]),
    )
    expect(upside).toHaveLength(3)
    for (const { ms } of upside) expect(ms).toBeCloseTo(100, 6)
  })

  it('says that no farm delivered when there is no usable probe', () => {
    const plan = planProbes(spec(640, 360, 32), [1, 2, 3])
    expect(() =>
      estimateFrom(plan, [{ farm: 'a', samples: [], startMs: 0, spentMs: 0, measuredAtMs: 0 }], [1, 2, 3], 1),
    ).toThrowError(expect.objectContaining({ code: 'job-failed' }))
  })
})

it('interpolates between probes and holds the ends', () => {
  const line = [
    { frame: 10, ms: 100 },
    { frame: 20, ms: 200 },
    { frame: 40, ms: 0 },
  ]
  expect(interpolate(line, [0, 10, 15, 20, 30, 40, 99])).toEqual([100, 100, 150, 200, 100, 0, 0])
})
