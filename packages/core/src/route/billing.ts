import type { OfferTables } from './tables.ts'

/** Billed hours are rounded up to the step; the tolerance forgives the noise of adding many floats. */
const STEP_TOLERANCE = 1e-9

/** Node-hours after rounding up to the billing step. */
export function billedHours(nodeH: number, stepH: number): number {
  return stepH > 0 ? Math.ceil(nodeH / stepH - STEP_TOLERANCE) * stepH : nodeH
}

/** Incremental volume price of billed node-hours. */
export function volumePrice(from: Float64Array, price: Float64Array, hours: number): number {
  if (from.length === 1) return hours > 0 ? hours * (price[0] as number) : 0
  let sum = 0
  for (let i = 0; i < from.length; i++) {
    const low = from[i] as number
    if (hours <= low) break
    const high = i + 1 < from.length ? (from[i + 1] as number) : Infinity
    sum += (Math.min(hours, high) - low) * (price[i] as number)
  }
  return sum
}

/** Charge of a route for `nodeH` node-hours (start included where billed, before rounding) and `frames` frames. */
export function routeCost(tables: OfferTables, offer: number, nodeH: number, frames: number): number {
  const usage = volumePrice(
    tables.tierFrom[offer] as Float64Array,
    tables.tierPrice[offer] as Float64Array,
    billedHours(nodeH, tables.stepH[offer] as number),
  )
  return (
    (tables.fixed[offer] as number) +
    Math.max(tables.minCharge[offer] as number, usage) +
    (tables.perFrame[offer] as number) * frames
  )
}
