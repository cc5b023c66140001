import type { FluidPlan } from './choose.ts'
import type { Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'

/**
 * A certified lower bound from prices of an hour on each offer, on the units of frames instead of the coarse grid: the Lagrangian
 *
 *     sum over frames of min over offers (frame charge + price * hours)  +  sum over farms of min(0, min over hours (charge - price * hours))
 *
 * Offers of the plan keep the given prices; every other offer gets the highest price at which opening it gains nothing. Inside a unit
 * the least value is concave in work, so the chord between the unit's least and greatest work is a lower estimate.
 *
 * @param price - price of an hour on each offer of the plan, at least 0.
 */
export function fineBound(prepared: Prepared, fluid: Fluid, plan: FluidPlan, price: Float64Array): number {
  const { tables, maxFarms } = prepared
  const gain = new Float64Array(tables.farms)
  plan.offers.forEach((o, r) => {
    const farm = tables.farmOf[o] as number
    gain[farm] = Math.min(gain[farm] as number, fluid.charges.leastCharge(o, price[r] as number))
  })
  // With a limit on farms only the best few count, so the others may gain as much as the least of these.
  const sorted = gain.slice().sort()
  const counted = maxFarms === null ? tables.farms : Math.min(maxFarms, tables.farms)
  const spare = maxFarms !== null && maxFarms < tables.farms ? (sorted[maxFarms - 1] as number) : 0
  const priceOf = new Float64Array(tables.offers)
  const inPlan = new Map(plan.offers.map((o, r) => [o, price[r] as number]))
  for (const o of fluid.usable) {
    const farm = tables.farmOf[o] as number
    priceOf[o] = inPlan.get(o) ?? fluid.charges.dearestPrice(o, Math.min(spare, gain[farm] as number))
  }
  let bound = envelope(prepared, fluid, priceOf)
  for (let k = 0; k < counted; k++) bound += sorted[k] as number
  return bound
}

function envelope({ units, tables }: Prepared, fluid: Fluid, priceOf: Float64Array): number {
  let total = 0
  for (let start = 0; start < units.size;) {
    const cls = units.cls[start] as number
    let end = start
    while (end < units.size && units.cls[end] === cls) end++
    // One line a compatible offer: value of a frame = base + slope * work, up to a greatest work.
    const base: number[] = []
    const slope: number[] = []
    const limit: number[] = []
    for (const o of fluid.usable) {
      const rate = tables.hoursPerWork[o * tables.classes + cls] as number
      if (rate === 0) continue
      const perFrame = tables.perFrameH[o] as number
      base.push((tables.perFrame[o] as number) + (priceOf[o] as number) * perFrame)
      slope.push((priceOf[o] as number) * rate)
      limit.push((fluid.wholeNodeH(o) - perFrame) / rate)
    }
    const value = (work: number, shortest: number) => {
      let best = Infinity
      for (let k = 0; k < base.length; k++) {
        const v = (base[k] as number) + (slope[k] as number) * work
        if (v < best && shortest <= (limit[k] as number)) best = v
      }
      return best
    }
    for (let u = start; u < end; u++) {
      const n = units.count[u] as number
      const low = units.least[u] as number
      const high = units.greatest[u] as number
      const upper = high > low ? Math.min(1, Math.max(0, ((units.work[u] as number) / n - low) / (high - low))) : 1
      total += n * ((upper < 1 ? (1 - upper) * value(low, low) : 0) + (upper > 0 ? upper * value(high, low) : 0))
    }
    start = end
  }
  return total
}
