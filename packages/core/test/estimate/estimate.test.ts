import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  estimateFrom,
  interpolate,
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

/** Times of a farm that follows the model exactly. */
function exact(plan: ProbePlan, fixed: (frame: number) => number, slope: (frame: number) => number, factor = 1): ProbeSample[] {
  return plan.frames.flatMap((frame) => [
    { frame, window: 'low' as const, renderMs: factor * (fixed(frame) + slope(frame) * plan.load.low) },
    { frame, window: 'high' as const, renderMs: factor * (fixed(frame) + slope(frame) * plan.load.high) },
  ])
}

describe('planProbes', () => {
  it('probes the ends of the timeline, in windows that differ, never above what is ordered', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 16, max: 8192 }),
        fc.integer({ min: 16, max: 8192 }),
        fc.integer({ min: 2, max: 4096 }),
        fc.integer({ min: 1, max: 300 }),
        (w, h, s, n) => {
          const frames = Array.from({ length: n }, (_, i) => i * 2 + 1)
          const plan = planProbes(spec(w, h, s), frames, 3)
          expect(plan.high.samples).toBeLessThanOrEqual(s)
          expect(plan.low.samples).toBeLessThan(plan.high.samples!)
          expect(plan.load.high).toBeLessThanOrEqual(plan.load.full)
          expect(plan.frames.every((frame) => frames.includes(frame))).toBe(true)
          if (n >= 2) expect([plan.frames[0], plan.frames.at(-1)]).toEqual([frames[0], frames.at(-1)])
        },
      ),
    )
  })
})

describe('the slope model', () => {
  it('is exact for a farm whose time is fixed + slope x load, and finds the factor between two farms', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        (fixed, k, factor) => {
          const frames = Array.from({ length: 41 }, (_, i) => i)
          const plan = planProbes(spec(1920, 1080, 64), frames, 5)
          const slope = (frame: number) => (k * (1 + frame / 40)) / 1e4
          const probes = [1, factor].map((f, i) => ({
            farm: `f${i}`,
            samples: exact(plan, () => fixed, slope, f),
            startMs: 10,
            spentMs: 5,
            measuredAtMs: 0,
          }))
          const { estimate, msPerWork } = estimateFrom(plan, probes, frames, 500)
          frames.forEach((frame, i) =>
            expect(estimate.work[i]! * 1000).toBeCloseTo(Math.max(1, fixed + slope(frame) * plan.load.full), 3),
          )
          expect(msPerWork.f0).toBeCloseTo(1000, 6)
          expect(msPerWork.f1! / (1000 * factor)).toBeCloseTo(1, 6)
          expect(estimate.probeMs).toBe(10)
        },
      ),
    )
  })

  it('never predicts below a millisecond, however the times contradict each other', () => {
    const plan = planProbes(spec(640, 360, 32), [1, 2, 3], 3)
    const upside = predictFrames(
      plan,
      plan.frames.flatMap((frame) => [
        { frame, window: 'low' as const, renderMs: 900 },
        { frame, window: 'high' as const, renderMs: 100 },
      ]),
    )
    expect(upside.map(({ ms }) => ms)).toEqual([100, 100, 100])
  })

  it('says that no farm delivered when there is no usable probe', () => {
    const plan = planProbes(spec(640, 360, 32), [1, 2, 3], 3)
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
