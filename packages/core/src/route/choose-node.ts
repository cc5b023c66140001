import type { Mix } from './choose-relax.ts'
import type { Fluid } from './fluid.ts'

/** A part of the choices that is searched: farms, tiers and ranges of hours that are still allowed; arrays are by offer or farm of the search. */
export interface ChoiceNode {
  bound: number
  /** Best worths of the parent. */
  worth?: Float64Array
  /** 1 = the offer may be used. */
  readonly allowed: Uint8Array
  /** 1 = the farm must be used. */
  readonly must: Uint8Array
  readonly low: Float64Array
  readonly high: Float64Array
}

function childOf(node: ChoiceNode): ChoiceNode {
  return {
    bound: node.bound,
    ...(node.worth === undefined ? {} : { worth: node.worth }),
    allowed: node.allowed.slice(),
    must: node.must.slice(),
    low: node.low.slice(),
    high: node.high.slice(),
  }
}

/** One tier of a farm, or the others. */
export function splitTiers(fluid: Fluid, node: ChoiceNode, list: readonly Mix[]): ChoiceNode[] {
  const main = list.reduce((a, b) => (b.hours > a.hours ? b : a))
  const only = childOf(node)
  const without = childOf(node)
  for (const o of offersOf(fluid, main.offer)) if (o !== main.offer) only.allowed[o] = 0
  without.allowed[main.offer] = 0
  return [only, without]
}

/** A farm in use, or not. */
export function splitUse(fluid: Fluid, node: ChoiceNode, mix: Mix): ChoiceNode[] {
  const use = childOf(node)
  const skip = childOf(node)
  use.must[mix.farm] = 1
  for (const o of offersOf(fluid, mix.offer)) skip.allowed[o] = 0
  return mix.amount >= 0.5 ? [use, skip] : [skip, use]
}

/** Fewer or more hours of an offer, cut at a jump of its charge where there is one. */
export function splitHours(fluid: Fluid, node: ChoiceNode, mix: Mix): ChoiceNode[] {
  const o = mix.offer
  const low = Math.max(node.low[o] as number, mix.least)
  const high = Math.min(node.high[o] as number, mix.most)
  if (high - low < 1e-9 * (1 + high)) return []
  const jump = fluid.charges.jumpBelow(o, low + 1e-9, mix.hours)
  const cut = Number.isNaN(jump) || jump >= high ? mix.hours : jump
  const below = childOf(node)
  const above = childOf(node)
  below.high[o] = cut
  above.low[o] = cut + (cut === mix.hours ? 0 : 1e-9 * (1 + cut))
  return mix.hours - cut > high - mix.hours ? [above, below] : [below, above]
}

/** The usable offers of the farm of an offer. */
function offersOf({ usable, tables }: Fluid, offer: number): number[] {
  return Array.from(usable).filter((o) => tables.farmOf[o] === tables.farmOf[offer])
}
