import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { invertPositive } from '../../src/estimate/symmetric.ts'
import { refineWork, type ObservedTimes, type PlannedShare, type RefinedWork } from '../../src/estimate/refine.ts'

const UNITS = 120

/** Normal numbers from a seed. */
function normals(seed: number): () => number {
  let state = seed >>> 0
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

interface World {
  readonly planned: readonly number[]
  /** True time, by unit. */
  readonly ms: readonly number[]
  readonly farmOf: readonly number[]
  /** Units in the order in which they come in. */
  readonly order: readonly number[]
}

/** A job whose estimate is off: as a whole, along a smooth curve, from farm to farm, and from frame to frame, with stragglers. Farms render leases of eight frames in turn. */
function world(seed: number): World {
  const normal = normals(seed)
  const farms = 1 + (seed % 3)
  const scene = 0.08 * normal()
  const farm = Array.from({ length: farms }, () => 0.15 * normal())
  const waves = Array.from({ length: 5 }, (_, k) => ({ k: k + 1, a: 0.045 * normal(), b: 0.045 * normal() }))
  const planned = Array.from({ length: UNITS }, (_, i) => 1000 * (1 + 0.6 * Math.sin((seed % 7) + i / 17)))
  const farmOf = planned.map((_, i) => Math.floor(i / 8) % farms)
  const ms = planned.map((plan, i) => {
    const at = (2 * Math.PI * i) / UNITS
    const curve = waves.reduce((sum, { k, a, b }) => sum + a * Math.sin(k * at) + b * Math.cos(k * at), 0)
    const straggles = normal() > 2.2 ? 0.7 : 0
    return plan * Math.exp(scene + farm[farmOf[i]!]! + curve + 0.05 * normal() + straggles)
  })
  // Each farm goes along the timeline: what is left is always the end of it.
  return { planned, ms, farmOf, order: planned.map((_, i) => i) }
}

function seenOf({ planned, ms, farmOf, order }: World, count: number): ObservedTimes {
  const logRatio = new Float32Array(UNITS).fill(NaN)
  for (const unit of order.slice(0, count)) logRatio[unit] = Math.log(ms[unit]! / planned[unit]!)
  return { logRatio, farmOf: Uint16Array.from(farmOf), farms: 1 + Math.max(...farmOf) }
}

function sharesLeft({ planned, farmOf, order }: World, count: number, work: RefinedWork): PlannedShare[] {
  const shares = new Map<number, PlannedShare>()
  for (const unit of order.slice(count)) {
    const farm = farmOf[unit]!
    const share = shares.get(farm) ?? { farm, cells: new Float64Array(work.cells), squares: new Float64Array(work.cells) }
    share.cells[work.cellOf(unit)]! += planned[unit]!
    share.squares[work.cellOf(unit)]! += planned[unit]! ** 2
    shares.set(farm, share)
  }
  return [...shares.values()]
}

/** Over many jobs of which this share is rendered: error of what the whole job takes, how often the truth lies in the 90 % band of what is left, and how wide that is. */
function after(
  share: number,
  worlds: readonly World[],
): { readonly error: number; readonly covered: number; readonly band: number } {
  const count = Math.round(share * UNITS)
  const results = worlds.map((one) => {
    const work = refineWork(seenOf(one, count))
    const { ms, sd } = work.total(sharesLeft(one, count, work))
    const timeOf = (units: readonly number[]): number => units.reduce((sum, unit) => sum + one.ms[unit]!, 0)
    const left = timeOf(one.order.slice(count))
    const all = timeOf(one.order)
    return { error: Math.abs(ms - left) / all, covered: Math.abs(Math.log(ms / left)) <= 1.645 * sd, band: Math.exp(1.645 * sd) }
  })
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length
  return {
    error: mean(results.map((one) => one.error)),
    covered: mean(results.map((one) => Number(one.covered))),
    band: mean(results.map((one) => one.band)),
  }
}

describe('refineWork', () => {
  const worlds = Array.from({ length: 150 }, (_, seed) => world(seed))

  it('comes nearer to what a job takes as frames come in, with a band that tells how near', () => {
    const stages = [0, 0.1, 0.3, 0.6, 0.9].map((share) => after(share, worlds))
    const [none, tenth, , , most] = stages
    for (const [i, { error, covered, band }] of stages.entries()) {
      expect(error).toBeLessThan(i === 0 ? 0.15 : stages[i - 1]!.error)
      // With a dozen frames left one straggler is more than a normal band allows for.
      expect(covered).toBeGreaterThan(i < 4 ? 0.87 : 0.75)
      expect(band).toBeLessThan(1.3)
    }

    expect(tenth!.error).toBeLessThan(0.75 * none!.error)
    expect(most!.error).toBeLessThan(0.3 * none!.error)
  })

  it('learns a farm from its own frames, and the scene from everybody', () => {
    const logRatio = new Float32Array(UNITS).fill(NaN)
    const farmOf = new Uint16Array(UNITS)
    // Everything takes a fifth longer than planned, and twice as long at farm 1; farm 2 has rendered nothing.
    for (let unit = 0; unit < 60; unit++) {
      farmOf[unit] = unit % 2
      logRatio[unit] = Math.log(1.2 * (unit % 2 === 1 ? 2 : 1))
    }
    const work = refineWork({ logRatio, farmOf, farms: 3 })
    expect(work.farmFactor(1) / work.farmFactor(0)).toBeCloseTo(2, 1)
    expect(work.farmFactor(2)).toBeCloseTo(1, 5)
    expect(work.workFactor(0) * work.farmFactor(0)).toBeCloseTo(1.2, 1)
  })

  it('is not led astray by stragglers', () => {
    const logRatio = new Float32Array(UNITS).fill(NaN)
    for (let unit = 0; unit < 40; unit++) logRatio[unit] = unit % 10 === 0 ? Math.log(50) : 0
    const work = refineWork({ logRatio, farmOf: new Uint16Array(UNITS), farms: 1 })
    expect(work.workFactor(20) * work.farmFactor(0)).toBeLessThan(1.05)
  })

  it('says what was planned while nothing is known', () => {
    const work = refineWork({ logRatio: new Float32Array(3).fill(NaN), farmOf: new Uint16Array(3), farms: 2 })
    expect([work.observed, work.workFactor(1), work.farmFactor(1)]).toEqual([0, 1, 1])
    expect(work.total([])).toEqual({ ms: 0, sd: 0 })
  })
})

describe('invertPositive', () => {
  it('times the matrix is one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 1e6 }), (size, seed) => {
        const normal = normals(seed)
        const root = Float64Array.from({ length: size * size }, normal)
        const entry = (at: (i: number) => number): number =>
          Array.from({ length: size }, (_, i) => at(i)).reduce((a, b) => a + b, 0)
        const matrix = root.map((_, i) => {
          const [row, column] = [Math.floor(i / size), i % size]
          return entry((k) => root[row * size + k]! * root[column * size + k]!) + (row === column ? 0.5 : 0)
        })
        const { inverse } = invertPositive(matrix, size)
        for (let row = 0; row < size; row++)
          for (let column = 0; column < size; column++)
            expect(entry((k) => matrix[row * size + k]! * inverse[k * size + column]!)).toBeCloseTo(row === column ? 1 : 0, 6)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses what is not positive definite', () => {
    expect(() => invertPositive(Float64Array.from([1, 2, 2, 1]), 2)).toThrow(RangeError)
  })
})
