import { routeCost, volumePrice } from './billing.ts'
import { frameHours, type OfferTables } from './tables.ts'
import type { Prepared } from './draft.ts'

/** Share of a linear price that is added to the exact charge, so that moves inside a billing step still have a direction. */
const DIRECTION = 1e-4

/** Usage price of billed hours without steps and minimum charge. */
function smoothCost(tables: OfferTables, o: number, billed: number): number {
  return volumePrice(tables.tierFrom[o] as Float64Array, tables.tierPrice[o] as Float64Array, billed)
}

/** A node with room for a frame. */
export interface Place {
  readonly route: number
  readonly node: number
  /** What the charges would change by. */
  readonly change: number
}

/**
 * Whole frames on single nodes of some offers, with every offer's exact charge kept up to date. All loads stay within the deadline;
 * a frame without a place has route -1.
 */
export class PackState {
  readonly prepared: Prepared
  readonly offers: readonly number[]
  readonly limitH: Float64Array
  readonly route: Int32Array
  readonly node: Int32Array
  /** Hours on each node, one array a route; its length is the most nodes the route may use. */
  readonly load: Float64Array[]
  readonly onNode: Int32Array[]
  readonly hours: Float64Array
  readonly frames: Int32Array
  readonly used: Int32Array
  readonly cost: Float64Array
  /** Billed hours of each route that are paid anyway: while a plan is built, the paid hours of the fluid plan are there to be filled. */
  readonly sunkH: Float64Array
  /** Whether hours beyond the paid ones are priced without billing steps, so that every hour moved counts. */
  smooth = true

  constructor(prepared: Prepared, offers: readonly number[], deadlineH: number) {
    const { tables } = prepared
    this.prepared = prepared
    this.offers = offers
    this.route = new Int32Array(prepared.frames).fill(-1)
    this.node = new Int32Array(prepared.frames).fill(-1)
    this.limitH = Float64Array.from(offers, (o) => deadlineH - (tables.overheadH[o] as number))
    const most = offers.map((o) => Math.min(tables.nodes[o] as number, prepared.frames))
    this.load = most.map((n) => new Float64Array(n))
    this.onNode = most.map((n) => new Int32Array(n))
    this.hours = new Float64Array(offers.length)
    this.frames = new Int32Array(offers.length)
    this.used = new Int32Array(offers.length)
    this.cost = new Float64Array(offers.length)
    this.sunkH = new Float64Array(offers.length)
  }

  /** Hours of a frame on a route, Infinity when incompatible. */
  time(r: number, f: number): number {
    const { tables, problem } = this.prepared
    const h = frameHours(tables, this.offers[r] as number, problem.work[f] as number, problem.classOf[f] as number)
    return h === 0 &&
      (tables.hoursPerWork[(this.offers[r] as number) * tables.classes + (problem.classOf[f] as number)] as number) === 0
      ? Infinity
      : h
  }

  /** Charge of a route, plus a trace of its linear price. */
  value(r: number, hours: number, nodes: number, frames: number): number {
    if (frames === 0) return 0
    const { tables } = this.prepared
    const o = this.offers[r] as number
    const billed = Math.max(0, hours) + nodes * (tables.billedStartH[o] as number)
    const sunk = this.sunkH[r] as number
    const charge =
      this.smooth && billed > sunk
        ? routeCost(tables, o, sunk, frames) + smoothCost(tables, o, billed) - smoothCost(tables, o, sunk)
        : routeCost(tables, o, Math.max(billed, sunk), frames)
    return charge + DIRECTION * billed * ((tables.tierPrice[o] as Float64Array)[0] as number)
  }

  /** From here on every hour counts as charged, in whole billing steps. */
  countAll(): void {
    this.smooth = false
    this.sunkH.fill(0)
    for (let r = 0; r < this.cost.length; r++) {
      this.cost[r] = this.value(r, this.hours[r] as number, this.used[r] as number, this.frames[r] as number)
    }
  }

  total(): number {
    let sum = 0
    for (let r = 0; r < this.cost.length; r++) sum += this.cost[r] as number
    return sum
  }

  /** Frames without a place. */
  homeless(): number[] {
    const list: number[] = []
    this.route.forEach((r, f) => {
      if (r < 0) list.push(f)
    })
    return list
  }

  /** The node where `h` hours leave the smallest gap, a used one if any; -1 when none has room. */
  bestNode(r: number, h: number): number {
    const load = this.load[r] as Float64Array
    const onNode = this.onNode[r] as Int32Array
    const most = (this.limitH[r] as number) - h
    let best = -1
    let bestLoad = -1
    let empty = -1
    for (let n = 0; n < load.length; n++) {
      if ((onNode[n] as number) === 0) {
        if (empty < 0) empty = n
        continue
      }
      const at = load[n] as number
      if (at <= most && at > bestLoad) {
        best = n
        bestLoad = at
      }
    }
    return best < 0 && empty >= 0 && h <= (this.limitH[r] as number) ? empty : best
  }

  put(f: number, r: number, n: number): void {
    const h = this.time(r, f)
    const onNode = this.onNode[r] as Int32Array
    const load = this.load[r] as Float64Array
    if ((onNode[n] as number) === 0) this.used[r] = (this.used[r] as number) + 1
    onNode[n] = (onNode[n] as number) + 1
    load[n] = (load[n] as number) + h
    this.hours[r] = (this.hours[r] as number) + h
    this.frames[r] = (this.frames[r] as number) + 1
    this.route[f] = r
    this.node[f] = n
    this.cost[r] = this.value(r, this.hours[r] as number, this.used[r] as number, this.frames[r] as number)
  }

  take(f: number): void {
    const r = this.route[f] as number
    const n = this.node[f] as number
    const h = this.time(r, f)
    const onNode = this.onNode[r] as Int32Array
    const load = this.load[r] as Float64Array
    onNode[n] = (onNode[n] as number) - 1
    load[n] = onNode[n] === 0 ? 0 : (load[n] as number) - h
    if (onNode[n] === 0) this.used[r] = (this.used[r] as number) - 1
    this.frames[r] = (this.frames[r] as number) - 1
    this.hours[r] = this.frames[r] === 0 ? 0 : (this.hours[r] as number) - h
    this.route[f] = -1
    this.node[f] = -1
    this.cost[r] = this.value(r, this.hours[r] as number, this.used[r] as number, this.frames[r] as number)
  }

  /** What the route would cost more with the frame on the node. */
  costOfAdding(r: number, h: number, n: number): number {
    const opens = ((this.onNode[r] as Int32Array)[n] as number) === 0 ? 1 : 0
    return (
      this.value(r, (this.hours[r] as number) + h, (this.used[r] as number) + opens, (this.frames[r] as number) + 1) -
      (this.cost[r] as number)
    )
  }

  /**
   * The node where a frame costs least, of all routes but its own. `saved` is what its own route saves without it; `weight` multiplies the cost of each place, for a
   * search that is not to end where it ended before.
   */
  cheapestPlace(f: number, saved = 0, weight?: () => number): Place | undefined {
    let change = Infinity
    let route = -1
    let node = -1
    for (let r = 0; r < this.offers.length; r++) {
      if (r === this.route[f]) continue
      const h = this.time(r, f)
      if (h > (this.limitH[r] as number)) continue
      const n = this.bestNode(r, h)
      if (n < 0) continue
      const cost = this.costOfAdding(r, h, n)
      const delta = (weight === undefined ? cost : cost * weight()) - saved
      if (delta < change) {
        change = delta
        route = r
        node = n
      }
    }
    return route < 0 ? undefined : { route, node, change }
  }

  /** What the route would save without the frame. */
  savedByTaking(f: number): number {
    const r = this.route[f] as number
    const closes = ((this.onNode[r] as Int32Array)[this.node[f] as number] as number) === 1 ? 1 : 0
    return (
      (this.cost[r] as number) -
      this.value(
        r,
        (this.hours[r] as number) - this.time(r, f),
        (this.used[r] as number) - closes,
        (this.frames[r] as number) - 1,
      )
    )
  }
}
