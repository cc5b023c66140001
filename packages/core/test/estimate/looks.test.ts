import { describe, expect, it } from 'vitest'
import type { RenderSpec } from '../../src/contract/job.ts'
import { costCurve } from '../../src/estimate/curve.ts'
import { estimateFrom, nextProbes, planProbes, type ProbePlan, type ProbeSample } from '../../src/estimate/index.ts'
import { likenessOf, sameLook, standIns } from '../../src/estimate/looks.ts'

const FRAMES = Array.from({ length: 100 }, (_, i) => i + 1)
const look = (from: number, shown: number, camera = 'A') => ({ from, shown, camera })

describe('what frames have in common', () => {
  it('is what is shown of all that is switched, and the camera; the first look counts for earlier frames', () => {
    const likeness = likenessOf([look(5, 2), look(10, 8), look(20, 2, 'B')])
    expect([1, 5, 9, 10, 19, 20, 99].map((frame) => likeness.shown(frame))).toEqual([0.25, 0.25, 0.25, 1, 1, 0.25, 0.25])
    expect([sameLook(likeness, 1, 9), sameLook(likeness, 9, 10), sameLook(likeness, 9, 20)]).toEqual([true, false, false])
  })

  it('is everything where at most one look is known', () => {
    for (const looks of [undefined, [], [look(5, 3)]]) expect(sameLook(likenessOf(looks), 1, 99)).toBe(true)
  })

  it('chooses a frame of every look before a second one of any, the commonest first', () => {
    const likeness = likenessOf([look(1, 0), look(10, 8), look(22, 0), look(60, 0, 'B')])
    const lookOf = (frame: number) => `${likeness.shown(frame)} ${likeness.camera(frame)}`
    const [first] = standIns(likeness, FRAMES, [], 1)
    expect(lookOf(first!)).toBe('0 A')
    expect(new Set(standIns(likeness, FRAMES, [], 3).map(lookOf)).size).toBe(3)
    expect(standIns(likeness, FRAMES, [first!], 2)).not.toContain(first)
  })

  it('chooses no frame twice, and all of them at most', () => {
    const likeness = likenessOf()
    expect(standIns(likeness, [3, 5], [], 9)).toEqual([3, 5])
    expect(standIns(likeness, [3, 5], [3, 5], 1)).toEqual([])
    expect(standIns(likeness, FRAMES, [], 1)).toEqual([50])
  })
})

describe('the curve where the file switches', () => {
  it('jumps with the look and comes back to where it was', () => {
    const likeness = likenessOf([look(1, 0), look(40, 5), look(60, 0)])
    const sight = (frame: number, log: number) => ({ frame, log, sd: 0.01, modelled: false })
    const curve = costCurve([sight(20, 5), sight(50, 6), sight(80, 5)], likeness)
    for (const [frame, log] of [
      [1, 5],
      [39, 5],
      [40, 6],
      [59, 6],
      [60, 5],
      [100, 5],
    ] as const)
      expect(Math.abs(curve(frame) - log)).toBeLessThan(0.1)
  })
})

describe('the estimate of scenes that switch', () => {
  const spec = { engine: 'CYCLES', samples: 5, output: { width: 240, height: 135 } } as unknown as RenderSpec

  /** A job whose frames from 10 + 7 x seed on cost more for a while, as a sky that is clear but for some frames; renders without noise. */
  function outcome(seed: number, knows: boolean) {
    const [start, length, height] = [10 + ((7 * seed) % 70), 6 + (seed % 14), 1.5 + (seed % 4) / 2]
    const inside = (frame: number): boolean => frame >= start && frame < start + length
    const looks = [look(1, 0), look(start, 8), look(start + length, 0)]
    const plan: ProbePlan = planProbes(spec, FRAMES, undefined, knows ? looks : undefined)
    const time = (frame: number, load: number): number =>
      300 * (inside(frame) ? height : 1) * (0.13 + (0.87 * load) / plan.load.full)
    const load = { warm: plan.load.low, ...plan.load }
    const samples: ProbeSample[] = []
    for (let orders = nextProbes(plan, samples, 'reference'); orders.length > 0; orders = nextProbes(plan, samples, 'reference'))
      for (const { frame, window } of orders) samples.push({ frame, window, renderMs: time(frame, load[window]) })
    const { estimate } = estimateFrom(plan, [{ farm: 'a', samples, startMs: 0, spentMs: 1, measuredAtMs: 0 }], FRAMES, 1)
    const real = FRAMES.map((frame) => time(frame, plan.load.full))
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)
    return {
      error: Math.abs((1000 * sum(estimate.work)) / sum(real) - 1),
      cost: sum(samples.filter((one) => one.window !== 'warm').map((one) => one.renderMs)) / (sum(real) / 100),
    }
  }

  it('is right about short bursts when it knows where they are, and hardly can be when it does not', () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => seed)
    const worst = (knows: boolean): number => Math.max(...seeds.map((seed) => outcome(seed, knows).error))
    expect(worst(true)).toBeLessThan(0.05)
    expect(worst(false)).toBeGreaterThan(0.1)
    expect(Math.max(...seeds.map((seed) => outcome(seed, true).cost))).toBeLessThan(5.5)
  })
})
