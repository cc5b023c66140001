import type { FluidPlan } from './choose.ts'
import type { Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'
import { Transport, type TransportProblem } from './transport.ts'

/** Hours an offer of the plan should not exceed, and the least price of an hour on it. */
export interface Quota {
  readonly mostH: number
  readonly floor: number
  /** Price to start from, at least the floor. */
  readonly start: number
}

/** Units of frames on the routes of a plan: hours, charges, a price of an hour on each route, and who takes what at these prices. */
export interface Market {
  readonly routes: number
  readonly units: number
  /** Hours and charges (hours at the floor price) of a whole unit on a route, `route * units + unit`; Infinity hours where it does not fit. */
  readonly hours: Float64Array
  readonly cost: Float64Array
  /** Frames of each unit. */
  readonly count: Float64Array
  /** Price of an hour on each route, the floor included. */
  readonly price: Float64Array
  readonly floor: Float64Array
  /** Whole frames of each unit on each route, `unit * routes + route`. */
  readonly counts: Uint32Array
}

/** An hour beyond a quota costs this many times the dearest hour that any single move could save. */
const BEYOND = 20
/** Steps of the transport problem a unit and route, after which what is reached is taken. */
const STEPS = 40

/**
 * Gives every unit of frames to routes of the plan so that charges are least and no route exceeds its quota: the transport problem for
 * the chosen offers, on the frames themselves instead of the coarse grid. The prices are its duals.
 *
 * @returns undefined when a frame fits no chosen offer.
 */
export function priceMarket(prepared: Prepared, fluid: Fluid, plan: FluidPlan, quotas: readonly Quota[]): Market | undefined {
  const problem = transportProblem(prepared, fluid, plan, quotas)
  if (problem === undefined) return undefined
  const transport = new Transport(problem).solve(STEPS * (problem.units + problem.routes))
  const floor = Float64Array.from(quotas, (quota) => quota.floor)
  return {
    routes: problem.routes,
    units: problem.units,
    hours: problem.hours,
    cost: problem.cost,
    count: prepared.units.count,
    price: transport.price.map((price, r) => Math.max(0, price) + (floor[r] as number)),
    floor,
    counts: wholeFrames(problem, prepared.units.count, transport),
  }
}

function transportProblem(
  { units, tables }: Prepared,
  fluid: Fluid,
  { offers }: FluidPlan,
  quotas: readonly Quota[],
): TransportProblem | undefined {
  const routes = offers.length
  const hours = new Float64Array(routes * units.size).fill(Infinity)
  const cost = new Float64Array(routes * units.size)
  let penalty = 0
  for (let u = 0; u < units.size; u++) {
    const frames = units.count[u] as number
    let dearest = 0
    let shortest = Infinity
    for (let r = 0; r < routes; r++) {
      const o = offers[r] as number
      const rate = tables.hoursPerWork[o * tables.classes + (units.cls[u] as number)] as number
      if (rate === 0) continue
      const perFrame = tables.perFrameH[o] as number
      if (perFrame + rate * (units.greatest[u] as number) > fluid.deadlineH - (tables.overheadH[o] as number)) continue
      const at = r * units.size + u
      const h = Math.max(1e-12, frames * perFrame + rate * (units.work[u] as number))
      hours[at] = h
      cost[at] = frames * (tables.perFrame[o] as number) + (quotas[r] as Quota).floor * h
      dearest = Math.max(dearest, cost[at])
      shortest = Math.min(shortest, h)
    }
    if (shortest === Infinity) return undefined
    penalty = Math.max(penalty, dearest / shortest)
  }
  return {
    units: units.size,
    routes,
    hours,
    cost,
    quota: Float64Array.from(quotas, (quota) => quota.mostH),
    penalty: BEYOND * Math.max(penalty, 1e-9),
    start: Float64Array.from(quotas, (quota) => quota.start - quota.floor),
  }
}

/** Whole frames from shares. The few frames of split units go where they cost least among the routes whose quota still holds them. */
function wholeFrames(problem: TransportProblem, count: Float64Array, transport: Transport): Uint32Array {
  const { routes, units, hours, quota } = problem
  const counts = new Uint32Array(units * routes)
  const load = new Float64Array(routes)
  const left = new Float64Array(count)
  transport.forShares((u, r, share) => {
    const whole = Math.floor(share * (count[u] as number) + 1e-6)
    counts[u * routes + r] = whole
    left[u] = (left[u] as number) - whole
    load[r] = (load[r] as number) + (whole / (count[u] as number)) * (hours[r * units + u] as number)
  })
  for (let u = 0; u < units; u++) {
    for (let n = left[u] as number; n > 0; n--) {
      let to = -1
      let least = Infinity
      for (let r = 0; r < routes; r++) {
        if (hours[r * units + u] === Infinity) continue
        const h = (hours[r * units + u] as number) / (count[u] as number)
        const over = Math.max(0, (load[r] as number) + h - (quota[r] as number))
        const value = transport.bid(u, r) / (count[u] as number) + problem.penalty * over
        if (value < least) {
          least = value
          to = r
        }
      }
      counts[u * routes + to] = (counts[u * routes + to] as number) + 1
      load[to] = (load[to] as number) + (hours[to * units + u] as number) / (count[u] as number)
    }
  }
  return counts
}

/**
 * Moves frames off routes beyond their quota to where they cost least more and there is room. Changes `counts`; false when some hours
 * found no room.
 */
export function balance(market: Market, counts: Uint32Array, quotas: readonly Quota[]): boolean {
  const { routes, units, hours, cost, count } = market
  const load = new Float64Array(routes)
  const perFrame = (u: number, r: number) => (hours[r * units + u] as number) / (count[u] as number)
  for (let u = 0; u < units; u++) {
    for (let r = 0; r < routes; r++) {
      const n = counts[u * routes + r] as number
      if (n > 0) load[r] = (load[r] as number) + n * perFrame(u, r)
    }
  }
  // What a unit costs on a route with hours at their price.
  const bid = (u: number, r: number) =>
    (cost[r * units + u] as number) +
    ((market.price[r] as number) - (market.floor[r] as number)) * (hours[r * units + u] as number)
  let done = true
  for (let r = 0; r < routes; r++) {
    const most = (quotas[r] as Quota).mostH
    if ((load[r] as number) <= most) continue
    const moves: { u: number; to: number; regret: number }[] = []
    for (let u = 0; u < units; u++) {
      if ((counts[u * routes + r] as number) === 0) continue
      for (let to = 0; to < routes; to++) {
        if (to === r || hours[to * units + u] === Infinity || (load[to] as number) >= (quotas[to] as Quota).mostH) continue
        moves.push({ u, to, regret: (bid(u, to) - bid(u, r)) / (hours[r * units + u] as number) })
      }
    }
    moves.sort((a, b) => a.regret - b.regret || a.u - b.u || a.to - b.to)
    for (const { u, to } of moves) {
      const over = (load[r] as number) - most
      if (over <= 0) break
      const here = counts[u * routes + r] as number
      const room = Math.floor(((quotas[to] as Quota).mostH - (load[to] as number)) / perFrame(u, to))
      const n = Math.min(here, room, Math.ceil(over / perFrame(u, r)))
      if (n <= 0) continue
      counts[u * routes + r] = here - n
      counts[u * routes + to] = (counts[u * routes + to] as number) + n
      load[r] = (load[r] as number) - n * perFrame(u, r)
      load[to] = (load[to] as number) + n * perFrame(u, to)
    }
    if ((load[r] as number) > most) done = false
  }
  return done
}
