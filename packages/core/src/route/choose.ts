import type { Fluid } from './fluid.ts'
import { PatternLp } from './pattern-lp.ts'

/** A fluid plan: one offer a farm, the share of each item on each offer. */
export interface FluidPlan {
  readonly offers: readonly number[]
  /** Hours of each offer in `offers`. */
  readonly hours: Float64Array
  /** Share of each item, one row an offer in `offers`. */
  readonly share: readonly Float64Array[]
  readonly cost: number
  /** Worth of each item where the plan was found. */
  readonly worth: Float64Array
}

/** How far the search goes. All limits count work, never time. */
export interface ChoiceLimits {
  /** Search nodes. */
  readonly nodes: number
  /** Multiply-adds of the linear programs and pricing. */
  readonly work: number
  /** Relative gap at which the search stops. */
  readonly gap: number
  /** Stop as soon as this is decided: a plan at or below it, or a bound above it. */
  readonly target?: number
}

/** What the choice of farms and tiers found. */
export interface Choice {
  /** No plan costs less. Infinity when the fluid problem is infeasible. */
  readonly lower: number
  /** Fluid plans, cheapest first. */
  readonly plans: readonly FluidPlan[]
  /** Worth of each item at the root, to warm-start a similar problem. */
  readonly worth: Float64Array
  readonly nodes: number
  readonly work: number
}

/** Weight of the best worths so far where patterns are priced. */
const PULL = 0.7
/** Prices of an item that is left out, as multiples of the largest charge, and the share of an item that counts as left out. */
const LEAST_MISSING = 10
const MOST_MISSING = 1e6
const UNCOVERED = 1e-6
/** A node ends within this many times the work of the search, however many items there are; its bound stays valid. */
const MOST_OVER = 8
/** Rounds of pattern generation at one node; each solves the program once. */
const MOST_ROUNDS = 100

interface Node {
  bound: number
  /** Best worths of the parent. */
  worth?: Float64Array
  /** 1 = the offer may be used. */
  readonly allowed: Uint8Array
  /** 1 = the farm must be used. */
  readonly must: Uint8Array
  readonly low: Float64Array
  readonly high: Float64Array
}

interface Relaxed {
  /** Offers in use a farm, with amount, hours and cost at the mean. */
  readonly mixes: readonly Mix[]
  readonly worth: Float64Array
  readonly values: Float64Array
  readonly bound: number
  readonly uncovered: number
}

interface Mix {
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

/** Branch and bound over farms, tiers and ranges of hours; the relaxation is the pattern program, solved by generating patterns. */
export function chooseOffers(
  fluid: Fluid,
  maxFarms: number | null,
  limits: ChoiceLimits,
  warmWorth?: Float64Array,
  known: number = Infinity,
): Choice {
  return new Search(fluid, maxFarms, limits, known).run(warmWorth)
}

class Search {
  private readonly fluid: Fluid
  private readonly maxFarms: number | null
  private readonly limits: ChoiceLimits
  private readonly lp: PatternLp
  private readonly farmOf: Int32Array
  private readonly farms: number
  private missing: number
  private readonly plans: FluidPlan[] = []
  /** Cost of the best fluid plan, or of a real plan that is already known. */
  private upper: number
  private pricing = 0
  private rootWorth: Float64Array = new Float64Array(0)

  constructor(fluid: Fluid, maxFarms: number | null, limits: ChoiceLimits, known: number) {
    this.fluid = fluid
    this.limits = limits
    this.upper = known
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

  private get work(): number {
    return this.lp.work + this.pricing
  }

  run(warmWorth: Float64Array | undefined): Choice {
    const { fluid, limits } = this
    const offers = fluid.tables.offers
    const root: Node = {
      bound: 0,
      allowed: new Uint8Array(offers),
      must: new Uint8Array(this.farms),
      low: new Float64Array(offers),
      high: Float64Array.from(fluid.capacityH),
    }
    for (const o of fluid.usable) root.allowed[o] = 1
    if (warmWorth?.length === fluid.items) {
      root.worth = warmWorth
      this.pricePatterns(root, warmWorth, new Float64Array(offers))
    }
    const open: Node[] = [root]
    let closed = Infinity
    let nodes = 0
    let next: Node | undefined = root
    while (open.length > 0) {
      if (nodes >= limits.nodes || (nodes > 0 && this.work > limits.work)) break
      const node: Node = next !== undefined && open.includes(next) ? next : lowest(open)
      open.splice(open.indexOf(node), 1)
      next = undefined
      if (node.bound >= this.cutoff()) {
        closed = Math.min(closed, node.bound)
        continue
      }
      nodes++
      const relaxed = this.relax(node)
      node.bound = Math.max(node.bound, relaxed.bound)
      if (nodes === 1) this.rootWorth = relaxed.worth
      if (node.bound >= this.cutoff()) {
        closed = Math.min(closed, node.bound)
        continue
      }
      node.worth = relaxed.worth
      const children = this.branch(node, relaxed)
      if (children.length === 0) closed = Math.min(closed, node.bound)
      else {
        open.push(...children)
        next = children[0]
      }
      if (limits.target !== undefined) {
        const lower = Math.min(closed, ...open.map((one) => one.bound))
        if (this.upper <= limits.target || lower > limits.target) break
      }
    }
    let lower = closed
    for (const node of open) lower = Math.min(lower, node.bound)
    // A bound at the price of uncovered items says that no plan exists; it is proven apart.
    this.plans.sort((a, b) => a.cost - b.cost)
    return { lower, plans: this.plans, worth: this.rootWorth, nodes, work: this.work }
  }

  private cutoff(): number {
    return this.upper * (1 - this.limits.gap)
  }

  /** Prices every allowed offer at the given worths, adds patterns that improve on `dual`, and returns the Lagrangian bound. */
  private pricePatterns(
    node: Node,
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

  private relax(node: Node): Relaxed {
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
      if (bound >= this.cutoff() || this.work > MOST_OVER * this.limits.work) break
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

  /** Records the relaxed point as a fluid plan when no farm mixes tiers, then splits what it is unsure about. */
  private branch(node: Node, relaxed: Relaxed): Node[] {
    const { fluid } = this
    const byFarm = new Map<number, Mix[]>()
    for (const mix of relaxed.mixes) byFarm.set(mix.farm, [...(byFarm.get(mix.farm) ?? []), mix])
    const pure = [...byFarm.values()].every((list) => list.length === 1)
    const covered = relaxed.uncovered < UNCOVERED
    const used = relaxed.mixes.length
    if (pure && covered && (this.maxFarms === null || used <= this.maxFarms)) this.record(relaxed.mixes, relaxed.worth)
    let worst: Mix | undefined
    let worstError = 0
    for (const list of byFarm.values()) {
      const total = list.reduce((sum, mix) => sum + mix.amount, 0)
      for (const mix of list) {
        const real = fluid.charge(mix.offer, mix.hours) + mix.frames - mix.linear
        const mixed = list.length > 1 ? Math.min(mix.amount, total - mix.amount) * (Math.abs(mix.linear) + 1e-9) : 0
        const error = Math.max(real, mixed)
        if (error > worstError) {
          worstError = error
          worst = mix
        }
      }
    }
    if (worst === undefined || worstError <= 1e-7 * (1 + Math.abs(relaxed.bound))) return []
    const list = byFarm.get(worst.farm) as Mix[]
    const mustBefore = node.must.slice()
    this.fix(node, relaxed)
    // What the fixing just decided needs no branch, only a new look.
    const decided = (worst.amount < 1 - 1e-6 && node.must[worst.farm] === 1) || list.some((mix) => node.allowed[mix.offer] === 0)
    if (decided && !mustBefore[worst.farm]) return [node]
    if (list.length > 1) return this.splitTiers(node, list)
    if (worst.amount < 1 - 1e-6 && node.must[worst.farm] === 0) return this.splitUse(node, worst)
    return this.splitHours(node, worst)
  }

  private record(mixes: readonly Mix[], worth: Float64Array): void {
    const { fluid } = this
    let cost = 0
    for (const mix of mixes) cost += fluid.charge(mix.offer, mix.hours) + mix.frames
    if (
      this.plans.some(
        (plan) => plan.cost <= cost && plan.offers.length === mixes.length && plan.offers.every((o, k) => o === mixes[k]?.offer),
      )
    )
      return
    this.plans.push({
      offers: mixes.map((mix) => mix.offer),
      hours: Float64Array.from(mixes, (mix) => mix.hours),
      share: mixes.map((mix) => mix.share),
      cost,
      worth,
    })
    this.upper = Math.min(this.upper, cost)
  }

  /** Reduced-cost fixing: what would lift the bound above the best plan is ruled out below this node. */
  private fix(node: Node, relaxed: Relaxed): void {
    if (this.upper === Infinity) return
    const room = this.upper - relaxed.bound
    // With a farm count the bound is a sum of the best few; a farm is compared with staying closed only.
    const { fluid } = this
    const best = new Float64Array(this.farms).fill(0)
    for (const o of fluid.usable) {
      const farm = this.farmOf[o] as number
      if (node.must[farm] && best[farm] === 0) best[farm] = Infinity
      if (node.allowed[o]) best[farm] = Math.min(best[farm] as number, relaxed.values[o] as number)
    }
    for (const o of fluid.usable) {
      const farm = this.farmOf[o] as number
      const from = this.maxFarms === null ? (best[farm] as number) : Math.max(best[farm] as number, 0)
      if (node.allowed[o] && (relaxed.values[o] as number) - from > room + 1e-9 * (1 + this.upper)) node.allowed[o] = 0
    }
    if (this.maxFarms !== null) return
    for (let f = 0; f < this.farms; f++) {
      if (!node.must[f] && -(best[f] as number) > room + 1e-9 * (1 + this.upper)) node.must[f] = 1
    }
  }

  private child(node: Node): Node {
    return {
      bound: node.bound,
      ...(node.worth === undefined ? {} : { worth: node.worth }),
      allowed: node.allowed.slice(),
      must: node.must.slice(),
      low: node.low.slice(),
      high: node.high.slice(),
    }
  }

  private splitTiers(node: Node, list: readonly Mix[]): Node[] {
    const main = list.reduce((a, b) => (b.hours > a.hours ? b : a))
    const only = this.child(node)
    const without = this.child(node)
    for (const o of this.fluid.usable) if (this.farmOf[o] === main.farm && o !== main.offer) only.allowed[o] = 0
    without.allowed[main.offer] = 0
    return [only, without]
  }

  private splitUse(node: Node, mix: Mix): Node[] {
    const use = this.child(node)
    const skip = this.child(node)
    use.must[mix.farm] = 1
    for (const o of this.fluid.usable) if (this.farmOf[o] === mix.farm) skip.allowed[o] = 0
    return mix.amount >= 0.5 ? [use, skip] : [skip, use]
  }

  private splitHours(node: Node, mix: Mix): Node[] {
    const o = mix.offer
    const low = Math.max(node.low[o] as number, mix.least)
    const high = Math.min(node.high[o] as number, mix.most)
    if (high - low < 1e-9 * (1 + high)) return []
    const jump = this.fluid.jumpBelow(o, low + 1e-9, mix.hours)
    const cut = Number.isNaN(jump) || jump >= high ? mix.hours : jump
    const below = this.child(node)
    const above = this.child(node)
    below.high[o] = cut
    above.low[o] = cut + (cut === mix.hours ? 0 : 1e-9 * (1 + cut))
    return mix.hours - cut > high - mix.hours ? [above, below] : [below, above]
  }
}

function lowest(open: readonly Node[]): Node {
  return open.reduce((a, b) => (b.bound < a.bound ? b : a))
}
