import type { FluidPlan } from './choose.ts'
import type { Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'

/** Pieces the frames are cut into; a piece is a few frames of nearly equal work. Fewer when there are many routes. */
const MOST_PIECES = 4000
const FEWEST_PIECES = 1500
const CELLS = 100_000
/** Rounds over all offers; prices settle long before. */
const ROUNDS = 10
/** Shares of a quota by which a load may miss it without another price. */
const OVER = 0.001
const UNDER = 0.004

/** Hours an offer of the plan should not exceed, and the least price of an hour on it. */
export interface Quota {
  readonly mostH: number
  readonly floor: number
  /** Price to start from, at least the floor. */
  readonly start: number
}

/**
 * Finds a price of an hour on each offer of the plan such that, when every unit of frames goes where `frame charge + price * hours` is
 * least, no offer gets more than its quota. At a fixed point this is the optimum of the transportation problem for the chosen offers,
 * on the frames themselves instead of the coarse grid.
 *
 * @returns undefined when a frame fits no chosen offer.
 */
export function priceMarket(prepared: Prepared, fluid: Fluid, plan: FluidPlan, quotas: readonly Quota[]): Market | undefined {
  const market = openMarket(prepared, fluid, plan, quotas)
  if (market === undefined) return undefined
  if (market.routes >= SOFTEN_FROM) {
    soften(market, quotas)
    return market
  }
  for (let round = 0; round < ROUNDS; round++) {
    let changed = false
    for (let r = 0; r < market.routes; r++) if (settle(market, r, quotas[r] as Quota)) changed = true
    if (!changed) break
  }
  return market
}

/** Frames of each unit on each route at the market's prices, `unit * routes + route`. */
export function countsAt(market: Market, units: number): Uint32Array {
  if (market.shares.length > 0) return roundShares(market, units)
  const counts = new Uint32Array(units * market.routes)
  for (let p = 0; p < market.pieces; p++) {
    const at = (market.unit[p] as number) * market.routes + (market.best[p] as number)
    counts[at] = (counts[at] as number) + (market.count[p] as number)
  }
  return counts
}

/** Shares below this are noise of the temperature. */
const LEAST_SHARE = 0.01

/** Whole frames from shares, longest pieces first: what a route is owed in hours decides who gets the next frame. */
function roundShares(market: Market, units: number): Uint32Array {
  const { routes, pieces, hours, count, shares } = market
  const counts = new Uint32Array(units * routes)
  const owed = new Float64Array(routes)
  for (let p = pieces - 1; p >= 0; p--) {
    const n = count[p] as number
    const base = (market.unit[p] as number) * routes
    let kept = 0
    for (let r = 0; r < routes; r++)
      if ((shares[p * routes + r] as number) >= LEAST_SHARE) kept += shares[p * routes + r] as number
    let left = n
    for (let r = 0; r < routes; r++) {
      const share = (shares[p * routes + r] as number) >= LEAST_SHARE ? (shares[p * routes + r] as number) / kept : 0
      if (share === 0) continue
      const whole = Math.floor(share * n + 1e-6)
      counts[base + r] = (counts[base + r] as number) + whole
      left -= whole
      owed[r] = (owed[r] as number) + ((share * n - whole) * (hours[r * pieces + p] as number)) / n
    }
    for (; left > 0; left--) {
      let best = -1
      let most = -Infinity
      for (let r = 0; r < routes; r++) {
        if ((shares[p * routes + r] as number) < LEAST_SHARE) continue
        const value = (owed[r] as number) / (hours[r * pieces + p] as number)
        if (value > most) {
          most = value
          best = r
        }
      }
      counts[base + best] = (counts[base + best] as number) + 1
      owed[best] = (owed[best] as number) - (hours[best * pieces + p] as number) / n
    }
  }
  return counts
}

/**
 * Moves single frames off routes beyond their quota to where they cost least more and there is room. Changes `counts`; false when
 * some hours found no room.
 */
export function balance(market: Market, counts: Uint32Array, quotas: readonly Quota[]): boolean {
  const { routes, pieces, hours, count } = market
  const load = new Float64Array(routes)
  // One piece stands for its whole unit: all pieces of a unit have the same hours a frame.
  const piece = new Map<number, number>()
  for (let p = 0; p < market.pieces; p++) piece.set(market.unit[p] as number, p)
  const perFrame = (u: number, r: number) => {
    const p = piece.get(u) as number
    return (hours[r * pieces + p] as number) / (count[p] as number)
  }
  for (const u of piece.keys()) {
    for (let r = 0; r < routes; r++) {
      const n = counts[u * routes + r] as number
      if (n > 0) load[r] = (load[r] as number) + n * perFrame(u, r)
    }
  }
  let done = true
  for (let r = 0; r < routes; r++) {
    const most = (quotas[r] as Quota).mostH
    if ((load[r] as number) <= most) continue
    const moves: { u: number; to: number; regret: number }[] = []
    for (const [u, p] of piece) {
      if ((counts[u * routes + r] as number) === 0) continue
      const h = hours[r * pieces + p] as number
      for (let to = 0; to < routes; to++) {
        if (to === r || hours[to * pieces + p] === Infinity || (load[to] as number) >= (quotas[to] as Quota).mostH) continue
        moves.push({ u, to, regret: (bid(market, p, to) - bid(market, p, r)) / h })
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

/** From this many routes on, prices are first brought near balance together. */
const SOFTEN_FROM = 8
const SOFT_TURNS = 30
const HOT = 0.02
const COLD = 0.001
const COOLING = 0.88

/** Pieces of frames, what each would cost on each route, and the prices that decide. */
export interface Market {
  readonly routes: number
  readonly pieces: number
  readonly unit: Int32Array
  readonly count: Float64Array
  /** Hours of a piece on a route, `route * pieces + piece`; Infinity where it does not fit. */
  readonly hours: Float64Array
  /** Charge a frame on each route. */
  readonly perFrame: Float64Array
  readonly price: Float64Array
  readonly load: Float64Array
  /** Cheapest and second cheapest route of each piece. */
  readonly best: Int32Array
  readonly second: Int32Array
  /** Share of each piece on each route, `piece * routes + route`, where prices were found together; empty where each piece has one route. */
  shares: Float32Array
  /** Room for {@link settle}: the price at which each piece leaves, and the pieces in question. */
  readonly limit: Float64Array
  readonly open: Int32Array
}

function openMarket(prepared: Prepared, fluid: Fluid, plan: FluidPlan, quotas: readonly Quota[]): Market | undefined {
  const { units, tables, frames } = prepared
  const routes = plan.offers.length
  const wanted = Math.min(MOST_PIECES, Math.max(FEWEST_PIECES, CELLS / routes))
  const most = units.single ? 1 : Math.ceil(frames / wanted)
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
    perFrame: Float64Array.from(plan.offers, (o) => tables.perFrame[o] as number),
    price: Float64Array.from(quotas, (quota) => quota.start),
    load: new Float64Array(routes),
    best: new Int32Array(pieces),
    second: new Int32Array(pieces),
    shares: new Float32Array(0),
    limit: new Float64Array(pieces),
    open: new Int32Array(pieces),
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
      market.hours[r * pieces + p] = n * (perFrame + rate * mean)
      fits = true
    }
    if (!fits) return undefined
    rank(market, p)
    const r = market.best[p] as number
    market.load[r] = (market.load[r] as number) + (market.hours[r * pieces + p] as number)
  }
  return market
}

function bid(market: Market, p: number, r: number): number {
  return (
    (market.count[p] as number) * (market.perFrame[r] as number) +
    (market.price[r] as number) * (market.hours[r * market.pieces + p] as number)
  )
}

/** Finds the two cheapest routes of a piece. */
function rank(market: Market, p: number): void {
  let best = -1
  let second = -1
  let bestBid = Infinity
  let secondBid = Infinity
  for (let r = 0; r < market.routes; r++) {
    if (market.hours[r * market.pieces + p] === Infinity) continue
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

/**
 * Brings the prices near balance before they are settled one by one: every piece is shared over its routes in proportion to
 * exp(-bid / (temperature * least bid)), and each price moves by the share its load is off (Sinkhorn's iteration for quotas), while the
 * temperature falls. One by one alone, many routes of nearly equal worth would outbid each other in endless small steps.
 */
function soften(market: Market, quotas: readonly Quota[]): void {
  const { routes, pieces, hours, price } = market
  const load = new Float64Array(routes)
  const weight = new Float64Array(routes)
  market.shares = new Float32Array(pieces * routes)
  let temperature = HOT
  for (let turn = 0; turn < SOFT_TURNS; turn++) {
    load.fill(0)
    for (let p = 0; p < pieces; p++) {
      let least = Infinity
      for (let r = 0; r < routes; r++) {
        const value = hours[r * pieces + p] === Infinity ? Infinity : bid(market, p, r)
        weight[r] = value
        if (value < least) least = value
      }
      const scale = -1 / (temperature * Math.max(least, 1e-300))
      let sum = 0
      for (let r = 0; r < routes; r++) {
        const exponent = ((weight[r] as number) - least) * scale
        const share = exponent < -12 ? 0 : Math.exp(exponent)
        weight[r] = share
        sum += share
      }
      for (let r = 0; r < routes; r++) {
        const share = weight[r] as number
        if (share > 0) load[r] = (load[r] as number) + (share / sum) * (hours[r * pieces + p] as number)
        if (turn === SOFT_TURNS - 1) market.shares[p * routes + r] = share / sum
      }
    }
    if (turn === SOFT_TURNS - 1) break
    for (let r = 0; r < routes; r++) {
      const { mostH, floor } = quotas[r] as Quota
      const ratio = Math.max(1e-3, (load[r] as number) / Math.max(mostH, 1e-12))
      price[r] = Math.max(floor, (price[r] as number) * Math.pow(ratio, temperature))
    }
    temperature = Math.max(COLD, temperature * COOLING)
  }
}

/** Moves the price of an hour on one route to where its load just keeps the quota, not below the floor. */
function settle(market: Market, r: number, quota: Quota): boolean {
  const { pieces, hours, price, load, limit } = market
  const old = price[r] as number
  const now = load[r] as number
  // Near enough: single frames are moved afterwards anyway.
  if (now <= quota.mostH * (1 + OVER) && (old <= quota.floor || now >= quota.mostH * (1 - UNDER))) return false
  // The price at which each piece would leave for its best alternative.
  let kept = 0
  let open = 0
  for (let p = 0; p < pieces; p++) {
    const h = hours[r * pieces + p] as number
    if (h === Infinity) continue
    const rival = market.best[p] === r ? (market.second[p] as number) : (market.best[p] as number)
    const at = rival < 0 ? Infinity : (bid(market, p, rival) - (market.count[p] as number) * (market.perFrame[r] as number)) / h
    limit[p] = at
    if (at === Infinity) kept += h
    else if (at > quota.floor) market.open[open++] = p
  }
  const next = clearingPrice(market, r, quota, kept, open)
  if (next === old) return false
  price[r] = next
  let changed = false
  for (let p = 0; p < pieces; p++) {
    if (hours[r * pieces + p] === Infinity) continue
    const was = market.best[p] as number
    // A piece that neither uses this route nor would at the new price keeps its two best.
    if (was !== r && market.second[p] !== r && (limit[p] as number) < next && notSecond(market, p, r)) continue
    rank(market, p)
    const now = market.best[p] as number
    if (now === was) continue
    load[was] = (load[was] as number) - (hours[was * pieces + p] as number)
    load[now] = (load[now] as number) + (hours[now * pieces + p] as number)
    changed = true
  }
  return changed
}

function notSecond(market: Market, p: number, r: number): boolean {
  const second = market.second[p] as number
  return second >= 0 && bid(market, p, r) >= bid(market, p, second)
}

/** A price at which the pieces that stay just keep the quota, found by halving the range of prices and the pieces in question. */
function clearingPrice(market: Market, r: number, quota: Quota, kept: number, open: number): number {
  const { pieces, hours, limit, open: list } = market
  let atFloor = kept
  let high = quota.floor
  for (let k = 0; k < open; k++) {
    const p = list[k] as number
    atFloor += hours[r * pieces + p] as number
    high = Math.max(high, limit[p] as number)
  }
  if (atFloor <= quota.mostH) return quota.floor
  // Above `high` the load is `load`, within the quota; at `low` it is beyond.
  let low = quota.floor
  let load = kept
  let left = open
  high *= 1 + 1e-9
  while (left > 1 && high - low > 1e-10 * high) {
    const middle = (low + high) / 2
    let above = 0
    for (let k = 0; k < left; k++) {
      const p = list[k] as number
      if ((limit[p] as number) > middle) above += hours[r * pieces + p] as number
    }
    const over = load + above > quota.mostH
    let n = 0
    for (let k = 0; k < left; k++) {
      const p = list[k] as number
      if ((limit[p] as number) > middle === over) list[n++] = p
    }
    if (over) low = middle
    else {
      load += above
      high = middle
    }
    left = n
  }
  return left === 1 ? ((limit[list[0] as number] as number) + high) / 2 : high
}
