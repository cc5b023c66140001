import { billedHours, volumePrice } from './billing.ts'
import type { OfferTables } from './tables.ts'

/** More cost jumps than this on one offer are priced by a continuous lower estimate. */
const MOST_JUMPS = 96

/**
 * What each offer charges for hours, frame charges aside: the exact function of hours (fixed, minimum, volume tiers, steps, start of each
 * node), and where it jumps. Node-hours are pooled: `hours` need as many nodes as they fill.
 */
export class Charges {
  /** Hours at which the charge of an offer jumps or bends, rising, and the charge there. */
  readonly jumps: Float64Array[]
  readonly jumpCost: Float64Array[]
  private readonly tables: OfferTables
  private readonly free: boolean
  private readonly nodeH: Float64Array
  private readonly capacityH: Float64Array
  private readonly stepped: Uint8Array
  private readonly wholeNodes: Uint8Array

  /**
   * @param nodeH - hours of one node of each offer.
   * @param capacityH - most hours of each offer.
   * @param free - ignore all charges.
   */
  constructor(tables: OfferTables, nodeH: Float64Array, capacityH: Float64Array, usable: Int32Array, free: boolean) {
    this.tables = tables
    this.free = free
    this.nodeH = nodeH
    this.capacityH = capacityH
    this.stepped = new Uint8Array(tables.offers)
    this.wholeNodes = new Uint8Array(tables.offers)
    this.jumps = Array.from({ length: tables.offers }, () => EMPTY)
    this.jumpCost = Array.from({ length: tables.offers }, () => EMPTY)
    if (!free) for (const o of usable) this.findJumps(o)
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
}

const EMPTY = new Float64Array(0)
