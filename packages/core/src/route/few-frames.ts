import { routeCost } from './billing.ts'
import type { Prepared } from './draft.ts'
import type { FewChoice } from './few-bound.ts'
import { leastNodes, packFew } from './few-nodes.ts'
import type { Fluid } from './fluid.ts'

/** A plan as nodes of frames, by offer. */
export type Places = readonly { readonly offer: number; readonly frames: readonly number[]; readonly node: Int32Array }[]

/** What one search of few frames carries along. */
export interface FewState {
  best?: Places
  /** Least bound of what was left unsearched. */
  open: number
  /** Plans at or above this are of no interest. */
  limit: number
  /** Arithmetic that is left. */
  work: number
  /** Whether any plan ends the search. */
  readonly first: boolean
}

/** Share of an offer's hours from which on the packing of its frames is looked at before all are placed, and placements it may try. */
const CROWDED = 0.4
const PACK_STEPS = 150
/** Placements that one packing of all frames of an offer may try, and the arithmetic of each. */
const LEAF_STEPS = 60_000
const WORK_A_STEP = 4

/**
 * All ways to give a few frames to a fixed set of offers, each of which gets at least one. Frames come longest first, each goes to its
 * cheapest offer at the prices first; frames that are alike go to offers in that order.
 */
export class FrameSearch {
  private readonly prepared: Prepared
  private readonly fluid: Fluid
  private readonly state: FewState
  private readonly price: Float64Array
  /** Offers in use, as rows of `fluid.usable`. */
  private readonly rows: readonly number[]
  private readonly strictH: Float64Array
  private readonly hours: readonly Float64Array[]
  /** Charge of each frame at the prices, one row an offer. */
  private readonly priced: Float64Array[]
  private readonly order: number[]
  /** Whether the frame at a place in the order is like the one before it. */
  private readonly alike: boolean[]
  /** Offers of each frame, cheapest first, and which one it has. */
  private readonly ranked: number[][]
  private readonly rank: Int32Array
  private readonly taken: number[][]
  private readonly takenH: Float64Array
  /** Charge less worth at the prices of each offer's hours so far and what may come. */
  private readonly gain: Float64Array
  private sum = 0

  constructor(
    prepared: Prepared,
    fluid: Fluid,
    deadlineH: number,
    hours: readonly Float64Array[],
    choice: FewChoice,
    price: Float64Array,
    state: FewState,
  ) {
    const { tables, frames, problem } = prepared
    const { usable } = fluid
    this.prepared = prepared
    this.fluid = fluid
    this.state = state
    this.price = price
    this.hours = hours
    this.rows = Array.from(usable, (_, r) => r).filter((r) => choice.allowed[r] === 1)
    this.strictH = Float64Array.from(usable, (o) => deadlineH - (tables.overheadH[o] as number))
    this.priced = hours.map((row, r) =>
      row.map((h) => (h === Infinity ? h : (tables.perFrame[usable[r] as number] as number) + (price[r] as number) * h)),
    )
    this.order = this.byLength(frames)
    this.alike = this.order.map((f, k) => {
      const before = this.order[k - 1]
      return before !== undefined && problem.classOf[f] === problem.classOf[before] && problem.work[f] === problem.work[before]
    })
    this.ranked = this.order.map((f) =>
      this.rows
        .filter((r) => this.hourOn(r, f) < Infinity)
        .sort((a, b) => this.pricedOn(a, f) - this.pricedOn(b, f) || this.hourOn(a, f) - this.hourOn(b, f) || a - b),
    )
    this.rank = new Int32Array(frames)
    this.taken = Array.from(usable, () => [])
    this.takenH = new Float64Array(usable.length)
    this.gain = new Float64Array(usable.length)
    for (const r of this.rows) this.gain[r] = fluid.charges.leastChargeFrom(usable[r] as number, price[r] as number, 0).value
  }

  private hourOn(r: number, f: number): number {
    return (this.hours[r] as Float64Array)[f] as number
  }

  private pricedOn(r: number, f: number): number {
    return (this.priced[r] as Float64Array)[f] as number
  }

  /** Longest first, by the offer that is fastest for the frame; frames that are alike stand together. */
  private byLength(frames: number): number[] {
    const { work, classOf } = this.prepared.problem
    const least = Float64Array.from({ length: frames }, (_, f) =>
      this.rows.reduce((best, r) => Math.min(best, this.hourOn(r, f)), Infinity),
    )
    return Array.from({ length: frames }, (_, f) => f).sort(
      (a, b) =>
        (least[b] as number) - (least[a] as number) ||
        (classOf[a] as number) - (classOf[b] as number) ||
        (work[a] as number) - (work[b] as number) ||
        a - b,
    )
  }

  private hasRoom(r: number, f: number): boolean {
    const o = this.fluid.usable[r] as number
    const roomH = (this.prepared.tables.nodes[o] as number) * (this.fluid.nodeH[o] as number)
    return (this.takenH[r] as number) + this.hourOn(r, f) <= roomH * (1 + 1e-9)
  }

  /** No plan that goes on from here costs less. */
  private bound(k: number): number {
    let bound = this.sum
    this.state.work -= (this.order.length - k) * 2 + this.rows.length
    for (let i = k; i < this.order.length; i++) {
      const f = this.order[i] as number
      const r = (this.ranked[i] as number[]).find((one) => this.hasRoom(one, f))
      if (r === undefined) return Infinity
      bound += this.pricedOn(r, f)
    }
    for (const r of this.rows) bound += this.gain[r] as number
    return bound
  }

  /** Searches the places of the frames from the k-th on. */
  branch(k: number): void {
    const { state } = this
    const bound = this.bound(k)
    if (bound >= state.limit) return
    if (state.work <= 0) {
      state.open = Math.min(state.open, bound)
      return
    }
    if (k === this.order.length) return this.leaf(bound)
    const f = this.order[k] as number
    const ranked = this.ranked[k] as number[]
    for (let at = this.alike[k] ? (this.rank[k - 1] as number) : 0; at < ranked.length; at++) {
      const r = ranked[at] as number
      if (!this.hasRoom(r, f)) continue
      this.rank[k] = at
      const gain = this.gain[r] as number
      const takenH = this.takenH[r] as number
      const { sum } = this
      this.put(r, f)
      if (this.packs(r)) this.branch(k + 1)
      ;(this.taken[r] as number[]).pop()
      this.takenH[r] = takenH
      this.gain[r] = gain
      this.sum = sum
      if (state.first && state.best !== undefined) return
    }
  }

  private put(r: number, f: number): void {
    const takenH = (this.takenH[r] as number) + this.hourOn(r, f)
    ;(this.taken[r] as number[]).push(f)
    this.takenH[r] = takenH
    this.sum += this.pricedOn(r, f)
    this.gain[r] = this.fluid.charges.leastChargeFrom(this.fluid.usable[r] as number, this.price[r] as number, takenH).value
    this.state.work -= 10
  }

  /** Whether the frames of an offer, if they fill a good part of it, fit on its nodes. */
  private packs(r: number): boolean {
    const o = this.fluid.usable[r] as number
    const most = this.prepared.tables.nodes[o] as number
    const frames = this.taken[r] as number[]
    if (frames.length <= most || (this.takenH[r] as number) < CROWDED * most * (this.fluid.nodeH[o] as number)) return true
    this.state.work -= 4 * frames.length
    return packFew(this.hoursOf(r, frames), this.fluid.wholeNodeH(o), most, PACK_STEPS).least <= most
  }

  /** Every frame has its offer; what remains is to pack them on nodes. */
  private leaf(bound: number): void {
    const { state } = this
    const places: { offer: number; frames: readonly number[]; node: Int32Array }[] = []
    let cost = 0
    let least = 0
    // An offer without frames belongs to the choice without it.
    if (this.rows.some((r) => (this.taken[r] as number[]).length === 0) || this.leastCharge() >= state.limit) return
    for (const r of this.rows) {
      const frames = this.taken[r] as number[]
      const offer = this.packed(r, frames)
      cost += offer.cost
      least += offer.least
      if (offer.place !== undefined) places.push(offer.place)
    }
    if (cost < state.limit) {
      state.limit = cost * (1 - 1e-9)
      state.best = places
    }
    // What no packing was found for, though none was ruled out.
    if (Math.max(bound, least) < Math.min(state.limit, cost * (1 - 1e-9)))
      state.open = Math.min(state.open, Math.max(bound, least))
  }

  /** Charge on as few nodes as hours and counts of frames allow. */
  private leastCharge(): number {
    const { tables } = this.prepared
    let sum = 0
    for (const r of this.rows) {
      const frames = this.taken[r] as number[]
      const o = this.fluid.usable[r] as number
      const nodes = leastNodes(this.hoursOf(r, frames), this.fluid.wholeNodeH(o))
      if (nodes > (tables.nodes[o] as number)) return Infinity
      sum += routeCost(tables, o, (this.takenH[r] as number) + nodes * (tables.billedStartH[o] as number), frames.length)
    }
    return sum
  }

  /** Cost of an offer's frames on as few nodes as a packing was found for, and on as few as are not ruled out. */
  private packed(
    r: number,
    taken: readonly number[],
  ): { readonly cost: number; readonly least: number; readonly place?: Places[number] } {
    const { tables } = this.prepared
    const o = this.fluid.usable[r] as number
    const most = tables.nodes[o] as number
    const frames = [...taken].sort((a, b) => this.hourOn(r, b) - this.hourOn(r, a) || a - b)
    const hours = this.hoursOf(r, frames)
    this.state.work -= 10 * frames.length
    const start = tables.billedStartH[o] as number
    const cost = (nodes: number) =>
      nodes > most ? Infinity : routeCost(tables, o, (this.takenH[r] as number) + nodes * start, frames.length)
    const pack = (limitH: number) => {
      const packing = packFew(hours, limitH, most, Math.min(LEAF_STEPS, this.state.work / WORK_A_STEP))
      this.state.work -= packing.steps * WORK_A_STEP
      return packing
    }
    const strict = pack(this.strictH[r] as number)
    // A plan may be late by the tolerance of the deadline, so what is proven must hold with it.
    const loose = strict.least > 1 ? pack(this.fluid.wholeNodeH(o)) : strict
    const least = cost(Math.min(loose.least, strict.least))
    return strict.node === undefined
      ? { cost: Infinity, least }
      : { cost: cost(strict.nodes), least, place: { offer: o, frames, node: strict.node } }
  }

  /** Hours of frames on an offer, longest first. */
  private hoursOf(r: number, frames: readonly number[]): Float64Array {
    return Float64Array.from(frames, (f) => this.hourOn(r, f))
      .sort()
      .reverse()
  }
}
