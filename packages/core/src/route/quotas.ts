import type { FluidPlan } from './choose.ts'
import type { Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'
import type { Quota } from './market.ts'

/** Share of an offer's hours that is kept free where frames are not packed one by one: longest-first leaves about half a short frame a node unused. */
const RESERVE = 0.001

/** What each route may take, and what its hours cost at least while filling it. */
function quotaOf(prepared: Prepared, fluid: Fluid, o: number, hours: number, worth: Float64Array): Quota {
  const { tables } = prepared
  const capacity = fluid.capacityH[o] as number
  const jump = fluid.charges.isJump(o, hours)
  const nodeH = fluid.nodeH[o] as number
  const price = fluid.charges.marginalPrice(o, hours)
  if (!jump && hours < capacity * (1 - 1e-6)) {
    const floor = price * (1 + (tables.billedStartH[o] as number) / nodeH)
    return { mostH: capacity, floor, start: floor }
  }
  // Hours of a billing step are paid whether they are used or not.
  const floor = jump && (tables.stepH[o] as number) > 0 ? price * 0.01 : price
  return { mostH: hours, floor, start: Math.max(floor, fluid.densityAt(o, worth, hours)) }
}

/**
 * The quotas of all offers of a plan.
 *
 * @param packed - whether frames will be packed one by one.
 */
export function quotasOf(prepared: Prepared, fluid: Fluid, plan: FluidPlan, packed: boolean): Quota[] {
  const reserve = packed ? 0 : RESERVE
  return plan.offers.map((o, r) => {
    const quota = quotaOf(prepared, fluid, o, plan.hours[r] as number, plan.worth)
    return { ...quota, mostH: quota.mostH * (1 - reserve) }
  })
}
