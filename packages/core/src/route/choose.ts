import { splitHours, splitTiers, splitUse, type ChoiceNode } from './choose-node.ts'
import { Relaxation, UNCOVERED, type Mix, type Relaxed } from './choose-relax.ts'
import type { Fluid } from './fluid.ts'

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

/** A node ends within this many times the work of the search, however many items there are; its bound stays valid. */
const MOST_OVER = 8
/** Share of the work that is left for the search whatever the first node took: it prices every offer, and with hundreds of farms that alone is more than all. */
const LEAST_AFTER_ROOT = 0.5

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
  private readonly limits: ChoiceLimits
  private readonly relaxation: Relaxation
  private readonly plans: FluidPlan[] = []
  /** Cost of the best fluid plan, or of a real plan that is already known. */
  private upper: number
  private rootWorth: Float64Array = new Float64Array(0)

  constructor(fluid: Fluid, maxFarms: number | null, limits: ChoiceLimits, known: number) {
    this.fluid = fluid
    this.limits = limits
    this.upper = known
    this.relaxation = new Relaxation(fluid, maxFarms)
  }

  run(warmWorth: Float64Array | undefined): Choice {
    const { fluid, limits } = this
    const offers = fluid.tables.offers
    const root: ChoiceNode = {
      bound: 0,
      allowed: new Uint8Array(offers),
      must: new Uint8Array(this.relaxation.farms),
      low: new Float64Array(offers),
      high: Float64Array.from(fluid.capacityH),
    }
    for (const o of fluid.usable) root.allowed[o] = 1
    if (warmWorth?.length === fluid.items) {
      root.worth = warmWorth
      this.relaxation.pricePatterns(root, warmWorth, new Float64Array(offers))
    }
    const open: ChoiceNode[] = [root]
    let closed = Infinity
    let nodes = 0
    let mostWork = limits.work
    let next: ChoiceNode | undefined = root
    while (open.length > 0) {
      if (nodes >= limits.nodes || (nodes > 0 && this.relaxation.work > mostWork)) break
      const node: ChoiceNode = next !== undefined && open.includes(next) ? next : lowest(open)
      open.splice(open.indexOf(node), 1)
      next = undefined
      if (node.bound >= this.cutoff()) {
        closed = Math.min(closed, node.bound)
        continue
      }
      nodes++
      const relaxed = this.relaxation.relax(node, this.cutoff(), MOST_OVER * limits.work)
      node.bound = Math.max(node.bound, relaxed.bound)
      if (nodes === 1) {
        this.rootWorth = relaxed.worth
        mostWork = Math.max(mostWork, this.relaxation.work + LEAST_AFTER_ROOT * mostWork)
      }
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
    return { lower, plans: this.plans, worth: this.rootWorth, nodes, work: this.relaxation.work }
  }

  private cutoff(): number {
    return this.upper * (1 - this.limits.gap)
  }

  /** Records the relaxed point as a fluid plan when no farm mixes tiers, then splits what it is unsure about. */
  private branch(node: ChoiceNode, relaxed: Relaxed): ChoiceNode[] {
    const { fluid } = this
    const byFarm = new Map<number, Mix[]>()
    for (const mix of relaxed.mixes) byFarm.set(mix.farm, [...(byFarm.get(mix.farm) ?? []), mix])
    const pure = [...byFarm.values()].every((list) => list.length === 1)
    const covered = relaxed.uncovered < UNCOVERED
    const used = relaxed.mixes.length
    if (pure && covered && (this.relaxation.maxFarms === null || used <= this.relaxation.maxFarms))
      this.record(relaxed.mixes, relaxed.worth)
    let worst: Mix | undefined
    let worstError = 0
    for (const list of byFarm.values()) {
      const total = list.reduce((sum, mix) => sum + mix.amount, 0)
      for (const mix of list) {
        const real = fluid.charges.charge(mix.offer, mix.hours) + mix.frames - mix.linear
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
    if (list.length > 1) return splitTiers(fluid, node, list)
    if (worst.amount < 1 - 1e-6 && node.must[worst.farm] === 0) return splitUse(fluid, node, worst)
    return splitHours(fluid, node, worst)
  }

  private record(mixes: readonly Mix[], worth: Float64Array): void {
    const { fluid } = this
    let cost = 0
    for (const mix of mixes) cost += fluid.charges.charge(mix.offer, mix.hours) + mix.frames
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
  private fix(node: ChoiceNode, relaxed: Relaxed): void {
    if (this.upper === Infinity) return
    const room = this.upper - relaxed.bound
    // With a farm count the bound is a sum of the best few; a farm is compared with staying closed only.
    const { fluid } = this
    const best = new Float64Array(this.relaxation.farms).fill(0)
    for (const o of fluid.usable) {
      const farm = this.relaxation.farmOf[o] as number
      if (node.must[farm] && best[farm] === 0) best[farm] = Infinity
      if (node.allowed[o]) best[farm] = Math.min(best[farm] as number, relaxed.values[o] as number)
    }
    for (const o of fluid.usable) {
      const farm = this.relaxation.farmOf[o] as number
      const from = this.relaxation.maxFarms === null ? (best[farm] as number) : Math.max(best[farm] as number, 0)
      if (node.allowed[o] && (relaxed.values[o] as number) - from > room + 1e-9 * (1 + this.upper)) node.allowed[o] = 0
    }
    if (this.relaxation.maxFarms !== null) return
    for (let f = 0; f < this.relaxation.farms; f++) {
      if (!node.must[f] && -(best[f] as number) > room + 1e-9 * (1 + this.upper)) node.must[f] = 1
    }
  }
}

function lowest(open: readonly ChoiceNode[]): ChoiceNode {
  return open.reduce((a, b) => (b.bound < a.bound ? b : a))
}
