import type { FluidPlan } from './choose.ts'
import type { Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'

/** Most pieces the frames are cut into; a piece is a few frames of nearly equal work. */
const PIECES = 4000
/** Rounds over all offers; prices settle long before. */
const ROUNDS = 25

/** Hours an offer of the plan should not exceed, and the least price of an hour on it. */
export interface Quota {
  readonly mostH: number
  readonly floor: number
  /** Price to start from, at least the floor. */
  readonly start: number
}

/**
 * Assigns every unit of frames to the offer where `frame charge + price * hours` is least, and raises the price of an hour on each
 * offer that would get more than its quota until it does not. At a fixed point this is the optimum of the transportation problem for
 * the chosen offers, on the frames themselves instead of the coarse grid.
 *
 * @returns frames of each unit on each offer of the plan, `unit * offers + offer`; undefined when a frame fits no chosen offer.
 */
export function assignByPrice(
  prepared: Prepared,
  fluid: Fluid,
  plan: FluidPlan,
  quotas: readonly Quota[],
): Uint32Array | undefined {
  const market = openMarket(prepared, fluid, plan, quotas)
  if (market === undefined) return undefined
  const { routes } = market
  for (let round = 0; round < ROUNDS; round++) {
    let changed = false
    for (let r = 0; r < routes; r++) {
      if (settle(market, r, quotas[r] as Quota)) changed = true
    }
    if (!changed) break
  }
  const counts = new Uint32Array(prepared.units.size * routes)
  for (let p = 0; p < market.pieces; p++) {
    const at = (market.unit[p] as number) * routes + (market.best[p] as number)
    counts[at] = (counts[at] as number) + (market.count[p] as number)
  }
  return counts
}

interface Market {
  readonly routes: number
  readonly pieces: number
  readonly unit: Int32Array
  readonly count: Float64Array
  /** Hours and frame charge of a piece on a route, `piece * routes + route`; hours Infinity where it does not fit. */
  readonly hours: Float64Array
  readonly charge: Float64Array
  readonly price: Float64Array
  readonly load: Float64Array
  /** Cheapest and second cheapest route of each piece. */
  readonly best: Int32Array
  readonly second: Int32Array
}

function openMarket(prepared: Prepared, fluid: Fluid, plan: FluidPlan, quotas: readonly Quota[]): Market | undefined {
  const { units, tables, frames } = prepared
  const routes = plan.offers.length
  const most = units.single ? 1 : Math.ceil(frames / PIECES)
  const unit: number[] = []
  const count: number[] = []
  for (let u = 0; u < units.size; u++) {
    let left = units.count[u] as number
    const parts = Math.ceil(left / most)
    for (let k = parts; k > 0; k--) {
      const n = Math.round(left / k)
      unit.push(u)
      count.push(n)
      left -= n
    }
  }
  const pieces = unit.length
  const market: Market = {
    routes,
    pieces,
    unit: Int32Array.from(unit),
    count: Float64Array.from(count),
    hours: new Float64Array(pieces * routes).fill(Infinity),
    charge: new Float64Array(pieces * routes),
    price: Float64Array.from(quotas, (quota) => quota.start),
    load: new Float64Array(routes),
    best: new Int32Array(pieces),
    second: new Int32Array(pieces),
  }
  for (let p = 0; p < pieces; p++) {
    const u = unit[p] as number
    const n = count[p] as number
    const mean = (units.work[u] as number) / (units.count[u] as number)
    let fits = false
    for (let r = 0; r < routes; r++) {
      const o = plan.offers[r] as number
      const rate = tables.hoursPerWork[o * tables.classes + (units.cls[u] as number)] as number
      if (rate === 0) continue
      const perFrame = tables.perFrameH[o] as number
      if (perFrame + rate * (units.greatest[u] as number) > fluid.deadlineH - (tables.overheadH[o] as number)) continue
      market.hours[p * routes + r] = n * (perFrame + rate * mean)
      market.charge[p * routes + r] = n * (tables.perFrame[o] as number)
      fits = true
    }
    if (!fits) return undefined
    rank(market, p)
    const r = market.best[p] as number
    market.load[r] = (market.load[r] as number) + (market.hours[p * routes + r] as number)
  }
  return market
}

function bid(market: Market, p: number, r: number): number {
  const at = p * market.routes + r
  return (market.charge[at] as number) + (market.price[r] as number) * (market.hours[at] as number)
}

/** Finds the two cheapest routes of a piece. */
function rank(market: Market, p: number): void {
  let best = -1
  let second = -1
  let bestBid = Infinity
  let secondBid = Infinity
  for (let r = 0; r < market.routes; r++) {
    if (market.hours[p * market.routes + r] === Infinity) continue
    const value = bid(market, p, r)
    if (value < bestBid) {
      second = best
      secondBid = bestBid
      best = r
      bestBid = value
    } else if (value < secondBid) {
      second = r
      secondBid = value
    }
  }
  market.best[p] = best
  market.second[p] = second
}

/** Moves the price of an hour on one route to where its load just keeps the quota, not below the floor. */
function settle(market: Market, r: number, quota: Quota): boolean {
  const { routes, pieces, hours, charge, price, load } = market
  const old = price[r] as number
  if ((load[r] as number) <= quota.mostH && old <= quota.floor) return false
  // The price at which each piece would leave for its best alternative.
  const limit: { p: number; at: number }[] = []
  let stuck = 0
  for (let p = 0; p < pieces; p++) {
    const h = hours[p * routes + r] as number
    if (h === Infinity) continue
    const rival = market.best[p] === r ? (market.second[p] as number) : (market.best[p] as number)
    if (rival < 0) stuck += h
    else limit.push({ p, at: (bid(market, p, rival) - (charge[p * routes + r] as number)) / h })
  }
  limit.sort((a, b) => b.at - a.at || a.p - b.p)
  let sum = stuck
  let next = quota.floor
  for (const [k, one] of limit.entries()) {
    if (one.at <= quota.floor) break
    const h = hours[one.p * routes + r] as number
    if (sum + h > quota.mostH) {
      // Between the last piece that stays and the first that leaves.
      const before = k > 0 ? (limit[k - 1] as { at: number }).at : one.at * 1.5 + 1e-9
      next = Math.max(quota.floor, before > one.at ? (before + one.at) / 2 : one.at)
      break
    }
    sum += h
  }
  if (next === old) return false
  price[r] = next
  let changed = false
  for (const { p } of limit) {
    const was = market.best[p] as number
    if (was !== r && market.second[p] !== r && bid(market, p, r) >= bid(market, p, market.second[p] as number)) continue
    rank(market, p)
    const now = market.best[p] as number
    if (now === was) continue
    load[was] = (load[was] as number) - (hours[p * routes + was] as number)
    load[now] = (load[now] as number) + (hours[p * routes + now] as number)
    changed = true
  }
  return changed
}
