import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Transport, type TransportProblem } from '../../src/route/transport.ts'

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true, noDefaultInfinity: true })

/** Up to 40 units and 6 routes, quotas from far too small to ample, some units barred from some routes. */
const transports: fc.Arbitrary<TransportProblem> = fc
  .record({ units: fc.integer({ min: 1, max: 40 }), routes: fc.integer({ min: 1, max: 6 }), tightness: number(0.2, 3) })
  .chain(({ units, routes, tightness }) =>
    fc
      .record({
        hours: fc.array(fc.oneof(number(0.1, 5), fc.constantFrom(1, 2)), {
          minLength: units * routes,
          maxLength: units * routes,
        }),
        price: fc.array(number(0.1, 4), { minLength: routes, maxLength: routes }),
        barred: fc.array(fc.boolean(), { minLength: units * routes, maxLength: units * routes }),
        share: fc.array(number(0.1, 1), { minLength: routes, maxLength: routes }),
      })
      .map(({ hours, price, barred, share }): TransportProblem => {
        const open = Float64Array.from(hours, (h, at) => (barred[at] === true && at >= units ? Infinity : h))
        return {
          units,
          routes,
          hours: open,
          cost: open.map((h, at) => (h === Infinity ? 0 : h * (price[Math.floor(at / units)] as number))),
          quota: Float64Array.from(share, (s) => (tightness * 2.5 * units * s) / routes),
          penalty: 2000,
          start: new Float64Array(routes),
        }
      }),
  )

describe('the transport problem', () => {
  it('ends at an optimum: shares are whole, loads keep quotas, and its prices prove that nothing is cheaper', () => {
    fc.assert(
      fc.property(transports, (problem) => {
        const { units, routes, hours, cost, quota, penalty } = problem
        const solved = new Transport(problem).solve(100_000)
        const whole = new Float64Array(units)
        const load = new Float64Array(routes)
        let primal = 0
        solved.forShares((u, r, share) => {
          expect(share).toBeGreaterThanOrEqual(-1e-9)
          if (share <= 0) return
          whole[u]! += share
          load[r]! += share * hours[r * units + u]!
          primal += share * cost[r * units + u]!
        })
        for (const sum of whole) expect(sum).toBeCloseTo(1, 7)
        let over = 0
        load.forEach((h, r) => (over += Math.max(0, h - quota[r]!)))
        primal += penalty * over
        // Weak duality: sum over units of the least bid, less what the quotas are worth, is below every solution.
        let dual = 0
        for (let u = 0; u < units; u++) {
          let least = Infinity
          for (let r = 0; r < routes; r++) if (hours[r * units + u] !== Infinity) least = Math.min(least, solved.bid(u, r))
          dual += least
        }
        solved.price.forEach((price, r) => {
          expect(price).toBeGreaterThanOrEqual(-1e-6)
          expect(price).toBeLessThanOrEqual(penalty * (1 + 1e-6))
          dual -= price * quota[r]!
        })
        expect(primal).toBeCloseTo(dual, 4)
      }),
      { numRuns: 400, seed: 17 },
    )
  })
})
