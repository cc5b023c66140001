import type { Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'

/** What is decided about the offers so far; rows are `fluid.usable`. */
export interface FewChoice {
  /** 1 = frames may go there. */
  readonly allowed: Uint8Array
  /** By farm: 1 = its allowed offer is used, so that its charges are due. */
  readonly must: Uint8Array
}

/** Prices of an hour, one a usable offer, and the bound that they prove. */
export interface FewPrices {
  readonly price: Float64Array
  readonly bound: number
}

/** After this many rounds without a better bound the steps are halved. */
const PATIENCE = 6

/**
 * Prices of an hour on each usable offer that make the Lagrangian bound
 *
 *     sum over frames of min over offers (charge + price * hours)  +  sum over farms of min(0, min over hours (charge - price * hours))
 *
 * large, by a subgradient method with Polyak's step to a target; a farm that must be used has no 0 to choose.
 *
 * @param hours - hours of each frame, one row a usable offer; Infinity where it does not fit.
 * @param target - cost of a plan, Infinity when none is known.
 * @param start - prices to start from.
 */
export function fewPrices(
  prepared: Prepared,
  fluid: Fluid,
  hours: readonly Float64Array[],
  choice: FewChoice,
  { target, start, rounds }: { readonly target: number; readonly start: Float64Array; readonly rounds: number },
): FewPrices {
  let price = start
  let best: FewPrices = { price, bound: -Infinity }
  let pace = 1
  let stale = 0
  for (let round = 0; round < rounds; round++) {
    const pull = new Float64Array(price.length)
    const bound = chargeFrames(prepared, fluid, hours, choice, price, pull) + chargeFarms(prepared, fluid, choice, price, pull)
    if (bound > best.bound) {
      best = { price, bound }
      stale = 0
    } else if (++stale > PATIENCE) {
      pace /= 2
      stale = 0
    }
    const aim = target < Infinity ? target : best.bound + 0.05 * Math.abs(best.bound)
    const norm = pull.reduce((sum, x) => sum + x * x, 0)
    if (best.bound >= target || best.bound === Infinity || norm < 1e-18) break
    const step = (pace * Math.max(aim - bound, 1e-6 * Math.abs(aim))) / norm
    price = price.map((p, r) => Math.max(0, p + step * (pull[r] as number)))
  }
  return best
}

/** Least charges of the frames; their hours are added to `pull`. Infinity when one has no place. */
function chargeFrames(
  { tables, frames }: Prepared,
  fluid: Fluid,
  hours: readonly Float64Array[],
  { allowed }: FewChoice,
  price: Float64Array,
  pull: Float64Array,
): number {
  let sum = 0
  for (let f = 0; f < frames; f++) {
    let least = Infinity
    let at = 0
    for (let r = 0; r < allowed.length; r++) {
      if (allowed[r] === 0) continue
      const h = (hours[r] as Float64Array)[f] as number
      const value = (tables.perFrame[fluid.usable[r] as number] as number) + (price[r] as number) * h
      if (h < Infinity && value < least) {
        least = value
        at = r
      }
    }
    if (least === Infinity) return Infinity
    sum += least
    pull[at] = (pull[at] as number) + ((hours[at] as Float64Array)[f] as number)
  }
  return sum
}

/** What the farms charge less what their hours gain at the prices; their hours are taken off `pull`. */
function chargeFarms(
  { tables, maxFarms }: Prepared,
  fluid: Fluid,
  { allowed, must }: FewChoice,
  price: Float64Array,
  pull: Float64Array,
): number {
  const gain = new Map<number, { value: number; r: number; hours: number }>()
  fluid.usable.forEach((o, r) => {
    if (allowed[r] === 0) return
    const { value, hours } = fluid.charges.leastChargeFrom(o, price[r] as number, 0)
    const farm = tables.farmOf[o] as number
    if (must[farm] === 1 || value < Math.min(0, gain.get(farm)?.value ?? 0)) gain.set(farm, { value, r, hours })
  })
  const due = [...gain].filter(([farm]) => must[farm] === 1)
  const free = [...gain].filter(([farm]) => must[farm] === 0).sort((a, b) => a[1].value - b[1].value)
  const most = maxFarms === null ? free.length : Math.max(0, maxFarms - due.length)
  let sum = 0
  for (const [, { value, r, hours }] of [...due, ...free.slice(0, most)]) {
    sum += value
    pull[r] = (pull[r] as number) - hours
  }
  return sum
}
