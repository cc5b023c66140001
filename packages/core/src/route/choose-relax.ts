import type { ChoiceNode } from './choose-node.ts'
import type { Fluid } from './fluid.ts'
import { PatternLp } from './pattern-lp.ts'

/** Weight of the best worths so far where patterns are priced. */
const PULL = 0.7
/** Prices of an item that is left out, as multiples of the largest charge. */
const LEAST_MISSING = 10
const MOST_MISSING = 1e6
/** Share of an item from which on it counts as left out. */
export const UNCOVERED = 1e-6
/** Rounds of pattern generation at one node; each solves the program once. */
const MOST_ROUNDS = 100

/** The relaxed problem of a node. */
export interface Relaxed {
  /** Offers in use a farm, with amount, hours and cost at the mean. */
  readonly mixes: readonly Mix[]
  readonly worth: Float64Array
  readonly values: Float64Array
  readonly bound: number
  readonly uncovered: number
}

/** What the relaxed point takes of one offer: a mean of patterns. */
export interface Mix {
  readonly farm: number
  readonly offer: number
  amount: number
  hours: number
  linear: number
  least: number
  most: number
  readonly share: Float64Array
  frames: number
}

/** The pattern program of a fluid problem, which one node after another restricts and extends. */
export class Relaxation {
  /** Farms that have a usable offer, and the number of each usable offer's farm among them (-1 for the others). */
  readonly farms: number
  readonly farmOf: Int32Array
  /** Most farms, null where all may be used. */
  readonly maxFarms: number | null
  private readonly fluid: Fluid
  private readonly lp: PatternLp
  private missing: number
  private pricing = 0

  constructor(fluid: Fluid, maxFarms: number | null) {
    this.fluid = fluid
    const used = new Map<number, number>()
    this.farmOf = new Int32Array(fluid.tables.offers).fill(-1)
    for (const o of fluid.usable) {
      const farm = fluid.tables.farmOf[o] as number
      if (!used.has(farm)) used.set(farm, used.size)
      this.farmOf[o] = used.get(farm) as number
    }
    this.farms = used.size
    this.maxFarms = maxFarms !== null && maxFarms < this.farms ? maxFarms : null
    this.missing = LEAST_MISSING * fluid.bigCost
    this.lp = new PatternLp(fluid.items, this.farmOf, this.farms, this.maxFarms, this.missing)
  }

  /** Multiply-adds so far. */
  get work(): number {
    return this.lp.work + this.pricing
  }

  /** Prices every allowed offer at the given worths, adds patterns that improve on `dual`, and returns the Lagrangian bound. */
  pricePatterns(
    node: ChoiceNode,
    worth: Float64Array,
    values: Float64Array,
    dual?: Float64Array,
  ): { bound: number; added: number } {
    const { fluid, farms } = this
    const best = new Float64Array(farms).fill(Infinity)
    let added = 0
    for (const o of fluid.usable) {
      values[o] = Infinity
      if (node.allowed[o] === 0) continue
      const value = fluid.price(o, worth, node.low[o] as number, node.high[o] as number)
      this.pricing += fluid.items * 12
      values[o] = value
      const farm = this.farmOf[o] as number
      if (value < (best[farm] as number)) best[farm] = value
      if (value < Infinity && this.addIfBetter(o, dual)) added++
    }
    let bound = 0
    for (let i = 0; i < fluid.items; i++) bound += worth[i] as number
    const gains: number[] = []
    let must = 0
    for (let f = 0; f < farms; f++) {
      if (node.must[f]) {
        bound += best[f] as number
        must++
      } else if ((best[f] as number) < 0) gains.push(best[f] as number)
    }
    if (this.maxFarms !== null && gains.length > this.maxFarms - must) {
      gains.sort((a, b) => a - b)
      gains.length = Math.max(0, this.maxFarms - must)
    }
    for (const gain of gains) bound += gain
    return { bound, added }
  }

  private addIfBetter(o: number, dual: Float64Array | undefined): boolean {
    const { fluid, lp } = this
    let rest = 0
    if (dual !== undefined) {
      rest = dual[fluid.items + (this.farmOf[o] as number)] as number
      if (this.maxFarms !== null) rest += dual[lp.rows - 1] as number
    }
    const pattern = fluid.pattern(o, dual, rest)
    if (pattern !== undefined) lp.add(pattern)
    return pattern !== undefined
  }

  /**
   * Solves the relaxed problem of a node by generating patterns; ends early once the bound reaches `cutoff`.
   *
   * @param mostWork - arithmetic after which the node ends; its bound stays valid.
   */
  relax(node: ChoiceNode, cutoff: number, mostWork: number): Relaxed {
    const { fluid, lp } = this
    lp.restrict(
      (p) =>
        node.allowed[p.offer] === 1 &&
        p.hours >= (node.low[p.offer] as number) - 1e-9 &&
        p.hours <= (node.high[p.offer] as number) + 1e-9,
      (f) => node.must[f] === 1,
    )
    const offers = fluid.tables.offers
    let bound = -Infinity
    let center: Float64Array | undefined = node.worth
    let bestValues: Float64Array = new Float64Array(offers).fill(Infinity)
    let pull = center === undefined ? 0 : PULL
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const objective = lp.solve()
      // Pricing between the best worths so far and those of the program keeps the duals from swinging.
      const worth = new Float64Array(fluid.items)
      for (let i = 0; i < fluid.items; i++)
        worth[i] = Math.max(0, pull * (center?.[i] ?? 0) + (1 - pull) * (lp.dual[i] as number))
      const values = new Float64Array(offers)
      const priced = this.pricePatterns(node, worth, values, lp.dual)
      if (priced.bound > bound) {
        bound = priced.bound
        center = worth
        bestValues = values
      }
      if (bound >= cutoff || this.work > mostWork) break
      if (objective - bound <= 1e-6 * Math.abs(objective) || (priced.added === 0 && pull === 0)) {
        if (!this.raiseMissing()) break
      } else if (priced.added === 0) pull = pull > 0.3 ? pull / 2 : 0
      else pull = PULL
    }
    return {
      mixes: this.mixes(),
      worth: center ?? new Float64Array(fluid.items),
      values: bestValues,
      bound,
      uncovered: lp.uncovered(),
    }
  }

  /** Items left out, but so few that they are cheap, get a higher price: it proves that a node has no plan. False when nothing is left out. */
  private raiseMissing(): boolean {
    if (this.missing >= MOST_MISSING * this.fluid.bigCost || this.lp.uncovered() < UNCOVERED) return false
    this.missing *= 100
    this.lp.priceMissing(this.missing)
    return true
  }

  private mixes(): Mix[] {
    const byOffer = new Map<number, Mix>()
    const { fluid } = this
    this.lp.forBasis((pattern, amount) => {
      const o = pattern.offer
      let mix = byOffer.get(o)
      if (mix === undefined) {
        mix = {
          farm: this.farmOf[o] as number,
          offer: o,
          amount: 0,
          hours: 0,
          linear: 0,
          least: Infinity,
          most: 0,
          share: new Float64Array(fluid.items),
          frames: 0,
        }
        byOffer.set(o, mix)
      }
      mix.amount += amount
      mix.hours += amount * pattern.hours
      mix.linear += amount * pattern.cost
      mix.least = Math.min(mix.least, pattern.hours)
      mix.most = Math.max(mix.most, pattern.hours)
      pattern.items.forEach((i, k) => {
        const part = amount * (pattern.share[k] as number)
        mix.share[i] = (mix.share[i] as number) + part
        mix.frames += (part / (fluid.available[o * fluid.items + i] as number)) * (fluid.frameCost[o * fluid.items + i] as number)
      })
    })
    for (const mix of byOffer.values()) {
      // The perturbed right-hand sides leave amounts such as 1.00000002, which would cross a billing step.
      if (mix.amount > 1 - 1e-6) {
        mix.hours /= mix.amount
        mix.linear /= mix.amount
        mix.frames /= mix.amount
        mix.share.forEach((part, i) => (mix.share[i] = part / mix.amount))
        mix.amount = 1
      }
      mix.hours = Math.min(mix.hours, mix.most)
      if (mix.least === mix.most && mix.amount === 1) mix.hours = mix.most
    }
    return [...byOffer.values()].sort((a, b) => a.offer - b.offer)
  }
}
