import { billedHours, volumePrice } from './billing.ts'
import { coarseGrid, firstAbove, framesBefore, type Grid } from './grid.ts'
import { fullestNode } from './fullest.ts'
import type { OfferTables } from './tables.ts'
import type { Units } from './units.ts'

/** More cost jumps than this on one offer are priced by a continuous lower estimate. */
const MOST_JUMPS = 96
/** A plan may be late by 1e-7 hours (the oracle's tolerance), so a bound must allow the same. */
const DEADLINE_TOLERANCE = 1e-7

/** What one offer renders in one fluid pattern. */
export interface Pattern {
  readonly offer: number
  readonly hours: number
  readonly cost: number
  /** Items and the fraction of each that the pattern takes. */
  readonly items: Int32Array
  readonly share: Float64Array
}

/**
 * The fluid problem for one deadline: frames are divisible, each offer has a capacity in node-hours, and its charge is the exact
 * function of hours (fixed, minimum, volume tiers, steps, start of each node). It relaxes the real problem only in that frames are
 * divisible and nodes are pooled.
 */
export class Fluid {
  readonly tables: OfferTables
  readonly grid: Grid
  readonly deadlineH: number
  /** Items are the grid points that hold frames; `point` maps back. */
  readonly items: number
  readonly point: Int32Array
  /** Offers that can render something before the deadline. */
  readonly usable: Int32Array
  /** Hours of one node, most hours of an offer. */
  readonly nodeH: Float64Array
  readonly capacityH: Float64Array
  /** Hours and frame charges of a whole item on an offer, `offer * items + item`; hours 0 = incompatible. */
  readonly hours: Float64Array
  readonly frameCost: Float64Array
  /** Share of each item whose frames an offer can finish in time; `hours` and `frameCost` are of that share. */
  readonly available: Float64Array
  /** Largest charge any plan can reach, used to price what cannot be served. */
  readonly bigCost: number
  private readonly units: Units
  private readonly free: boolean
  private readonly margin: number
  private readonly jumps: Float64Array[] = []
  private readonly jumpCost: Float64Array[] = []
  private readonly stepped: Uint8Array
  private readonly wholeNodes: Uint8Array
  private readonly order: Int32Array[] = []
  private readonly density: Float64Array
  private readonly taken: Float64Array

  /**
   * @param free - ignore all charges: the least value is then 0 exactly when everything can be rendered in time.
   * @param margin - share of each node's hours that is left unused, for plans that must survive packing; a bound needs 0.
   */
  constructor(tables: OfferTables, units: Units, grid: Grid, deadlineH: number, free: boolean = false, margin: number = 0) {
    this.free = free
    this.margin = margin
    this.tables = tables
    this.units = units
    this.grid = grid
    this.deadlineH = deadlineH
    const points: number[] = []
    for (let p = 0; p < grid.size; p++) if ((grid.count[p] as number) > 1e-12) points.push(p)
    this.point = Int32Array.from(points)
    this.items = points.length
    this.nodeH = new Float64Array(tables.offers)
    this.capacityH = new Float64Array(tables.offers)
    this.hours = new Float64Array(tables.offers * this.items)
    this.frameCost = new Float64Array(tables.offers * this.items)
    this.available = new Float64Array(tables.offers * this.items)
    this.stepped = new Uint8Array(tables.offers)
    this.wholeNodes = new Uint8Array(tables.offers)
    this.density = new Float64Array(this.items)
    this.taken = new Float64Array(this.items)
    const usable: number[] = []
    let big = 1
    for (let o = 0; o < tables.offers; o++) {
      const total = this.fillOffer(o)
      this.jumps.push(EMPTY)
      this.jumpCost.push(EMPTY)
      this.order.push(NO_ITEMS)
      if (total <= 0) continue
      usable.push(o)
      this.capacityH[o] = Math.min((tables.nodes[o] as number) * (this.nodeH[o] as number), total)
      this.order[o] = this.compatibleItems(o)
      if (free) continue
      this.findJumps(o)
      big = Math.max(big, this.wholeCost(o, total))
    }
    this.usable = Int32Array.from(usable)
    this.bigCost = free ? 0.1 : big
  }

  /** Fills hours and charges of the compatible items; returns the hours of all of them. */
  private fillOffer(o: number): number {
    const { tables, grid, items } = this
    const wholeH = this.deadlineH - (tables.overheadH[o] as number) + DEADLINE_TOLERANCE
    const nodeH = Math.min(wholeH * (1 - this.margin), fullestNode(this.units, tables, o, wholeH))
    this.nodeH[o] = nodeH
    if (nodeH <= 0) return 0
    let total = 0
    const perFrame = tables.perFrameH[o] as number
    for (let i = 0; i < items; i++) {
      const p = this.point[i] as number
      const rate = tables.hoursPerWork[o * tables.classes + (grid.cls[p] as number)] as number
      if (rate === 0) continue
      const limit = firstAbove(this.units.least, grid.from[p] as number, grid.to[p] as number, (wholeH - perFrame) / rate)
      const frames = Math.min(grid.count[p] as number, framesBefore(grid, p, limit))
      if (frames <= 1e-12) continue
      const hours = Math.max(1e-12, (perFrame + rate * (grid.work[p] as number)) * frames)
      this.hours[o * items + i] = hours
      this.frameCost[o * items + i] = this.free ? 0 : (tables.perFrame[o] as number) * frames
      this.available[o * items + i] = frames / (grid.count[p] as number)
      total += hours
    }
    return total
  }

  private wholeCost(o: number, hours: number): number {
    const { tables } = this
    const billed = hours + (tables.nodes[o] as number) * (tables.billedStartH[o] as number) + (tables.stepH[o] as number)
    const usage = volumePrice(tables.tierFrom[o] as Float64Array, tables.tierPrice[o] as Float64Array, billed)
    let frames = 0
    for (let i = 0; i < this.items; i++) frames += this.frameCost[o * this.items + i] as number
    return (tables.fixed[o] as number) + Math.max(tables.minCharge[o] as number, usage) + frames
  }

  /** Hours at which the charge jumps or bends upward: the only places, besides item ends, where a best pattern can stop. */
  private findJumps(o: number): void {
    const { tables } = this
    const capacity = this.capacityH[o] as number
    const nodeH = this.nodeH[o] as number
    const step = tables.stepH[o] as number
    const start = tables.billedStartH[o] as number
    const nodes = Math.ceil(capacity / nodeH - 1e-9)
    this.wholeNodes[o] = start > 0 && nodes <= MOST_JUMPS ? 1 : 0
    this.stepped[o] = step > 0 && capacity / step <= MOST_JUMPS ? 1 : 0
    const at: number[] = []
    if (this.wholeNodes[o]) for (let k = 1; k <= nodes; k++) at.push(k * nodeH)
    if (this.stepped[o]) this.stepJumps(o, step, start, at)
    const min = tables.minCharge[o] as number
    if (min > 0) at.push(...this.hoursForUsage(o, min))
    for (const from of tables.tierFrom[o] as Float64Array) at.push(...this.unbilled(o, from))
    const sorted = Float64Array.from(at.filter((h) => h > 0 && h < capacity)).sort()
    this.jumps[o] = sorted
    this.jumpCost[o] = sorted.map((h) => this.charge(o, h))
  }

  private compatibleItems(o: number): Int32Array {
    const all = Array.from({ length: this.items }, (_, i) => i)
    return Int32Array.from(all.filter((i) => (this.hours[o * this.items + i] as number) > 0))
  }

  /** Hours whose billed hours are a whole number of steps. */
  private stepJumps(o: number, step: number, start: number, at: number[]): void {
    const capacity = this.capacityH[o] as number
    const nodeH = this.nodeH[o] as number
    const most = Math.ceil((capacity + Math.ceil(capacity / nodeH) * start) / step) + 1
    for (let m = 1; m <= most; m++) at.push(...this.unbilled(o, m * step))
  }

  /** Hours rendered when `billed` hours are billed; none where the billed hours jump across that number. */
  private unbilled(o: number, billed: number): number[] {
    const start = this.tables.billedStartH[o] as number
    const nodeH = this.nodeH[o] as number
    if (start === 0) return [billed]
    if (!this.wholeNodes[o]) return [billed <= nodeH + start ? billed - start : billed / (1 + start / nodeH)]
    // billed = h + ceil(h / nodeH) * start has at most one solution, on one of two node counts.
    const k = Math.max(1, Math.floor(billed / (nodeH + start)))
    return [k, k + 1].flatMap((nodes) => {
      const h = billed - nodes * start
      return h > (nodes - 1) * nodeH && h <= nodes * nodeH ? [h] : []
    })
  }

  private hoursForUsage(o: number, usage: number): number[] {
    const from = this.tables.tierFrom[o] as Float64Array
    const price = this.tables.tierPrice[o] as Float64Array
    let left = usage
    for (let i = 0; i < from.length; i++) {
      const width = (i + 1 < from.length ? (from[i + 1] as number) : Infinity) - (from[i] as number)
      const rate = price[i] as number
      if (rate > 0 && left <= width * rate) return this.unbilled(o, (from[i] as number) + left / rate)
      left -= rate > 0 ? width * rate : 0
    }
    return []
  }

  /** Least charge, without frame charges, of any plan that renders `hours` node-hours on the offer. */
  charge(o: number, hours: number): number {
    if (this.free) return 0
    const { tables } = this
    const start = tables.billedStartH[o] as number
    let billed = hours
    if (start > 0) {
      const nodes = hours / (this.nodeH[o] as number)
      billed += start * Math.max(1, this.wholeNodes[o] ? Math.ceil(nodes - 1e-9) : nodes)
    }
    if (this.stepped[o]) billed = billedHours(billed, tables.stepH[o] as number)
    const usage = volumePrice(tables.tierFrom[o] as Float64Array, tables.tierPrice[o] as Float64Array, billed)
    return (tables.fixed[o] as number) + Math.max(tables.minCharge[o] as number, usage)
  }

  /** Largest jump at or below `hours` and above `low`, or NaN. */
  jumpBelow(o: number, low: number, hours: number): number {
    const jumps = this.jumps[o] as Float64Array
    for (let j = jumps.length - 1; j >= 0; j--) {
      const at = jumps[j] as number
      if (at <= hours) return at > low ? at : NaN
    }
    return NaN
  }

  /** Worth of the last hour when an offer renders `hours` of what is worth most an hour there. */
  densityAt(o: number, worth: Float64Array, hours: number): number {
    const order = this.sortByDensity(o, worth)
    let at = 0
    for (let k = 0; k < order.length; k++) {
      const i = order[k] as number
      at += this.hours[o * this.items + i] as number
      if (at >= hours * (1 - 1e-9)) return this.density[i] as number
    }
    return 0
  }

  /** Price of one more node-hour at these hours, steps and minimum charge aside. */
  marginalPrice(o: number, hours: number): number {
    const from = this.tables.tierFrom[o] as Float64Array
    const price = this.tables.tierPrice[o] as Float64Array
    let i = 0
    while (i + 1 < from.length && (from[i + 1] as number) <= hours) i++
    return price[i] as number
  }

  /** Whether the charge jumps at these hours. */
  isJump(o: number, hours: number): boolean {
    const at = this.jumpBelow(o, 0, hours * (1 + 1e-7))
    return at >= hours * (1 - 1e-6)
  }

  /** Hours of a node without any reserve. */
  wholeNodeH(o: number): number {
    return this.deadlineH - (this.tables.overheadH[o] as number) + DEADLINE_TOLERANCE
  }

  /** Least value of charge - price * hours, at most 0 (the offer stays closed). */
  leastCharge(o: number, price: number): number {
    const end = this.capacityH[o] as number
    let best = Math.min(0, this.charge(o, 0), this.charge(o, end) - price * end)
    const jumps = this.jumps[o] as Float64Array
    const cost = this.jumpCost[o] as Float64Array
    for (let j = 0; j < jumps.length; j++) best = Math.min(best, (cost[j] as number) - price * (jumps[j] as number))
    return best
  }

  /** Highest price of an hour at which charge - price * hours is nowhere below `gain` (at most 0). */
  dearestPrice(o: number, gain: number): number {
    const end = this.capacityH[o] as number
    let price = (this.charge(o, end) - gain) / end
    const jumps = this.jumps[o] as Float64Array
    const cost = this.jumpCost[o] as Float64Array
    for (let j = 0; j < jumps.length; j++) price = Math.min(price, ((cost[j] as number) - gain) / (jumps[j] as number))
    return price
  }

  /** Least value of charge - price * hours over hours from `from` to the capacity, and where it lies. */
  leastChargeFrom(o: number, price: number, from: number): { readonly value: number; readonly hours: number } {
    const end = Math.max(from, this.capacityH[o] as number)
    let value = this.charge(o, from) - price * from
    let hours = from
    const jumps = this.jumps[o] as Float64Array
    const cost = this.jumpCost[o] as Float64Array
    for (let j = jumps.length - 1; j >= 0 && (jumps[j] as number) > from; j--) {
      const at = (cost[j] as number) - price * (jumps[j] as number)
      if (at < value) {
        value = at
        hours = jumps[j] as number
      }
    }
    const last = this.charge(o, end) - price * end
    return last < value ? { value: last, hours: end } : { value, hours }
  }

  /** Whether fewer hours would cost the same: the end of a whole billing step or of the minimum charge. */
  isStep(o: number, hours: number): boolean {
    return hours > 0 && this.charge(o, hours * 0.999) >= this.charge(o, hours) * (1 - 1e-9)
  }

  /** What the last call of {@link price} found. */
  bestHours = 0

  /**
   * Least value of charge - worth of the rendered items over the patterns of an offer with hours in [low, high]; a pattern is a
   * fractional knapsack, filled in falling worth an hour. Infinity when no pattern has that many hours.
   */
  price(o: number, worth: Float64Array, low: number, high: number): number {
    return this.bestStop(o, this.sortByDensity(o, worth), low, Math.min(high, this.capacityH[o] as number))
  }

  private sortByDensity(o: number, worth: Float64Array): Int32Array {
    const { items, hours, frameCost, available, density } = this
    const order = this.order[o] as Int32Array
    const base = o * items
    for (let k = 0; k < order.length; k++) {
      const i = order[k] as number
      density[i] =
        ((worth[i] as number) * (available[base + i] as number) - (frameCost[base + i] as number)) / (hours[base + i] as number)
    }
    // Nearly sorted from the last call.
    for (let k = 1; k < order.length; k++) {
      const i = order[k] as number
      const d = density[i] as number
      let j = k - 1
      while (j >= 0 && (density[order[j] as number] as number) < d) {
        order[j + 1] = order[j] as number
        j--
      }
      order[j + 1] = i
    }
    return order
  }

  private bestStop(o: number, order: Int32Array, low: number, high: number): number {
    const jumps = this.jumps[o] as Float64Array
    const jumpCost = this.jumpCost[o] as Float64Array
    const base = o * this.items
    let best = Infinity
    let bestHours = 0
    let at = 0
    let profit = 0
    let j = 0
    if (low <= 0) {
      best = this.charge(o, 0)
    } else while (j < jumps.length && (jumps[j] as number) < low) j++
    for (let k = 0; k < order.length && at < high; k++) {
      const i = order[k] as number
      const rate = this.density[i] as number
      if (rate <= 0 && at >= low) break
      const end = Math.min(high, at + (this.hours[base + i] as number))
      if (low > at && low <= end) {
        const value = this.charge(o, low) - profit - rate * (low - at)
        if (value < best) {
          best = value
          bestHours = low
        }
      }
      for (; j < jumps.length && (jumps[j] as number) < end; j++) {
        const h = jumps[j] as number
        const value = (jumpCost[j] as number) - profit - rate * (h - at)
        if (value < best) {
          best = value
          bestHours = h
        }
      }
      profit += rate * (end - at)
      at = end
      if (at < low) continue
      const value = this.charge(o, at) - profit
      if (value < best) {
        best = value
        bestHours = at
      }
    }
    this.bestHours = bestHours
    return best
  }

  /**
   * The pattern of the last call of {@link price} for the same offer, when it improves on the duals (worth of the items, then `rest`
   * for the farm); undefined when it does not.
   */
  pattern(o: number, dual?: Float64Array, rest: number = 0): Pattern | undefined {
    const order = this.order[o] as Int32Array
    const base = o * this.items
    const { taken } = this
    let n = 0
    let left = this.bestHours
    let cost = this.charge(o, this.bestHours)
    let worth = rest
    for (; n < order.length && left > 0; n++) {
      const i = order[n] as number
      const h = this.hours[base + i] as number
      const part = left < h ? left / h : 1
      const share = part * (this.available[base + i] as number)
      taken[n] = share
      cost += part * (this.frameCost[base + i] as number)
      if (dual !== undefined) worth += share * (dual[i] as number)
      left -= h
    }
    if (dual !== undefined && cost - worth >= -1e-9 * this.bigCost) return undefined
    return { offer: o, hours: this.bestHours, cost, items: order.slice(0, n), share: taken.slice(0, n) }
  }
}

/** Most grid points over all classes (each class gets at least 2): more farms make the worth of a frame bend more often. */
const FEW_POINTS = 18
const MANY_POINTS = 30
const MANY_OFFERS = 40

/** The fluid problem of prepared tables and units for a deadline; see {@link Fluid}. */
export function fluidAt(
  { units, tables }: { readonly units: Units; readonly tables: OfferTables },
  deadlineH: number,
  options: { readonly free?: boolean; readonly margin?: number; readonly points?: number } = {},
): Fluid {
  const grid = coarseGrid(units, tables, deadlineH, options.points ?? (tables.offers > MANY_OFFERS ? MANY_POINTS : FEW_POINTS))
  return new Fluid(tables, units, grid, deadlineH, options.free ?? false, options.margin ?? 0)
}

const EMPTY = new Float64Array(0)
const NO_ITEMS = new Int32Array(0)
