import { volumePrice } from './billing.ts'
import { Charges } from './charges.ts'
import { coarseGrid, firstAbove, framesBefore, type Grid } from './grid.ts'
import { fullestNode } from './fullest.ts'
import type { OfferTables } from './tables.ts'
import type { Units } from './units.ts'

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
  readonly charges: Charges
  /** Largest charge any plan can reach, used to price what cannot be served. */
  readonly bigCost: number
  private readonly units: Units
  private readonly free: boolean
  private readonly margin: number
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
    this.density = new Float64Array(this.items)
    this.taken = new Float64Array(this.items)
    const usable: number[] = []
    let big = 1
    for (let o = 0; o < tables.offers; o++) {
      const total = this.fillOffer(o)
      this.order.push(NO_ITEMS)
      if (total <= 0) continue
      usable.push(o)
      this.capacityH[o] = Math.min((tables.nodes[o] as number) * (this.nodeH[o] as number), total)
      this.order[o] = this.compatibleItems(o)
      big = Math.max(big, this.wholeCost(o, total))
    }
    this.usable = Int32Array.from(usable)
    this.charges = new Charges(tables, this.nodeH, this.capacityH, this.usable, free)
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

  private compatibleItems(o: number): Int32Array {
    const all = Array.from({ length: this.items }, (_, i) => i)
    return Int32Array.from(all.filter((i) => (this.hours[o * this.items + i] as number) > 0))
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

  /** One row a class: which offers can finish the longest frame of each class in time; the grid alone lets two offers share a frame that is too long for both. */
  longestFits(): readonly Uint8Array[] {
    const { tables, units } = this
    const longest = new Float64Array(tables.classes).fill(-Infinity)
    for (let u = 0; u < units.size; u++) {
      const cls = units.cls[u] as number
      longest[cls] = Math.max(longest[cls] as number, units.greatest[u] as number)
    }
    return Array.from(longest, (work, cls) =>
      Uint8Array.from({ length: tables.offers }, (_, o) => {
        const rate = tables.hoursPerWork[o * tables.classes + cls] as number
        const hours = (tables.perFrameH[o] as number) + rate * work
        return work === -Infinity || (rate > 0 && hours <= this.wholeNodeH(o)) ? 1 : 0
      }),
    )
  }

  /** The same problem with these usable offers alone. */
  among(offers: Int32Array): Fluid {
    return Object.assign(Object.create(Fluid.prototype) as Fluid, this, { usable: offers })
  }

  /** Hours of a node without any reserve. */
  wholeNodeH(o: number): number {
    return this.deadlineH - (this.tables.overheadH[o] as number) + DEADLINE_TOLERANCE
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
    const jumps = this.charges.jumps[o] as Float64Array
    const jumpCost = this.charges.jumpCost[o] as Float64Array
    const base = o * this.items
    let best = Infinity
    let bestHours = 0
    let at = 0
    let profit = 0
    let j = 0
    if (low <= 0) {
      best = this.charges.charge(o, 0)
    } else while (j < jumps.length && (jumps[j] as number) < low) j++
    for (let k = 0; k < order.length && at < high; k++) {
      const i = order[k] as number
      const rate = this.density[i] as number
      if (rate <= 0 && at >= low) break
      const end = Math.min(high, at + (this.hours[base + i] as number))
      if (low > at && low <= end) {
        const value = this.charges.charge(o, low) - profit - rate * (low - at)
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
      const value = this.charges.charge(o, at) - profit
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
    let cost = this.charges.charge(o, this.bestHours)
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

const NO_ITEMS = new Int32Array(0)
