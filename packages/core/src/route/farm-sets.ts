import { chooseOffers, type Choice, type ChoiceLimits, type FluidPlan } from './choose.ts'
import type { Fluid } from './fluid.ts'

/** Up to this many sets of farms are listed, each with a bound of its own. */
const MOST_SETS = 300_000
/** Sets that are searched, each next to the best so far, before the farms that may be in a better one must be few enough to list their sets. */
const DIVES = 12
/** Search nodes within one set: its tiers and hours. */
const NODES_OF_SET = 40

/**
 * Chooses farms, tiers and hours where at most `maxFarms` farms may be used. Searching farm by farm is weak there: half of one farm and half
 * of another count as one, so the bound allows plans of many farms. Whole sets of farms are searched instead, guided by cuts as in
 * Benders' decomposition (1962): the worths `w` of the frames that prove the bound of one set prove
 *
 *     sum of w  +  sum over the farms of a set of min(0, least over patterns of (cost - worth of what it renders))
 *
 * for every other set, which costs a few additions. The set with the least bound is searched next, until none is below the best plan.
 *
 * Where the sets are too many to list, the neighbours of the best one are tried first, and the bound is that of the search farm by farm. Parameters as {@link chooseOffers}.
 */
export function chooseFarms(
  fluid: Fluid,
  maxFarms: number | null,
  limits: ChoiceLimits,
  warmWorth?: Float64Array,
  known: number = Infinity,
): Choice {
  const farms = new Set(Array.from(fluid.usable, (o) => fluid.tables.farmOf[o] as number)).size
  if (maxFarms === null || maxFarms >= farms || limits.nodes <= 1) return chooseOffers(fluid, maxFarms, limits, warmWorth, known)
  const first = chooseOffers(fluid, maxFarms, { ...limits, nodes: 1 }, warmWorth, known)
  const sets = new FarmSets(fluid, maxFarms, limits, first, known)
  if (sets.dive()) return sets.listAll()
  const found = sets.found(first.lower)
  const upper = Math.min(known, ...found.plans.map(({ cost }) => cost))
  const wide = chooseOffers(fluid, maxFarms, limits, first.worth, upper)
  return {
    ...wide,
    plans: [...wide.plans, ...found.plans].sort((a, b) => a.cost - b.cost),
    nodes: wide.nodes + found.nodes,
    work: wide.work + found.work,
  }
}

/** What worths prove about sets of farms: `total` + the gain of each farm in the set. */
interface Cut {
  readonly total: number
  /** At most 0, one a farm. */
  readonly gain: Float64Array
}

class FarmSets {
  private readonly fluid: Fluid
  private readonly maxFarms: number
  private readonly limits: ChoiceLimits
  private readonly first: Choice
  /** Usable offers of each farm that has some; farms are known by their place here. */
  private readonly offersOf: Int32Array[]
  /** For each class whose longest frame some farms cannot render in time: the farms that can. */
  private readonly scarce: readonly (readonly boolean[])[]
  /** Farms that may be in a set whose bound is below the best plan. */
  private alive: number[]
  private readonly cuts: Cut[] = []
  /** Sets that were searched, and what that proved. */
  private readonly searched = new Map<string, number>()
  private readonly plans: FluidPlan[]
  private upper: number
  private best: readonly number[] = []
  private worth: Float64Array
  private work = 0
  /** Least bound of what was ruled out. */
  private closed = Infinity

  constructor(fluid: Fluid, maxFarms: number, limits: ChoiceLimits, first: Choice, known: number) {
    this.fluid = fluid
    this.maxFarms = maxFarms
    this.limits = limits
    this.first = first
    const byFarm = new Map<number, number[]>()
    for (const o of fluid.usable) {
      const farm = fluid.tables.farmOf[o] as number
      byFarm.set(farm, [...(byFarm.get(farm) ?? []), o])
    }
    this.offersOf = [...byFarm.values()].map((offers) => Int32Array.from(offers))
    this.scarce = fluid
      .longestFits()
      .map((fits) => this.offersOf.map((offers) => offers.some((o) => fits[o] === 1)))
      .filter((can) => can.includes(false))
    this.alive = this.offersOf.map((_, f) => f)
    this.plans = [...first.plans]
    // No plan costs more than all its farms can charge, so a set with a greater bound has none.
    this.upper = Math.min(known, maxFarms * fluid.bigCost * (1 + 1e-6), ...this.plans.map(({ cost }) => cost))
    this.worth = first.worth
    this.addCut(first.worth)
  }

  /** Searches sets around the best one until the farms left are so few that all their sets can be listed; false where that fails. */
  dive(): boolean {
    for (let k = 0; ; k++) {
      this.ruleOut()
      if (countSets(this.alive.length, this.maxFarms) <= MOST_SETS) return true
      const next = k === 0 ? this.mostGaining() : this.bestNeighbour()
      if (k >= DIVES || this.spent() || next === undefined) return false
      this.search(next)
    }
  }

  /** Searches the sets of the farms left, the one with the least bound first. */
  listAll(): Choice {
    const { maxFarms, limits, alive } = this
    const size = Math.min(maxFarms, alive.length)
    const sets = allSets(alive, size)
    const setAt = (at: number) => Array.from(sets.subarray(at * size, (at + 1) * size))
    const bound = Float64Array.from({ length: sets.length / Math.max(1, size) }, (_, at) =>
      this.scarce.length === 0 || this.canAll(setAt(at)) ? -Infinity : Infinity,
    )
    let used = 0
    let lower = this.closed
    for (;;) {
      for (; used < this.cuts.length; used++) this.lift(bound, sets, size, this.cuts[used] as Cut)
      const at = least(bound)
      const next = at < 0 ? Infinity : (bound[at] as number)
      const { target } = limits
      const decided = target !== undefined && (this.upper <= target || Math.min(lower, next) > target)
      if (next >= this.cutoff() || decided || this.spent()) return this.found(Math.min(lower, next))
      lower = Math.min(lower, Math.max(next, this.search(setAt(at))))
      bound[at] = Infinity
    }
  }

  /** What was found so far; `lower` bounds every plan. */
  found(lower: number): Choice {
    return {
      lower: Math.max(this.first.lower, lower),
      plans: this.plans.sort((a, b) => a.cost - b.cost),
      worth: this.worth,
      nodes: this.first.nodes + this.searched.size,
      work: this.first.work + this.work,
    }
  }

  /** Whether the longest frame of each class fits one of the farms. */
  private canAll(farms: readonly number[]): boolean {
    return this.scarce.every((can) => farms.some((f) => can[f]))
  }

  private cutoff(): number {
    return this.upper * (1 - this.limits.gap)
  }

  private spent(): boolean {
    return this.searched.size >= this.limits.nodes || this.work > this.limits.work
  }

  /** Searches the offers of one set; returns the bound that this proves for it. */
  private search(farms: readonly number[]): number {
    const key = farms.join()
    const before = this.searched.get(key)
    if (before !== undefined) return before
    const { fluid, limits } = this
    const offers = Int32Array.from(farms.flatMap((f) => Array.from(this.offersOf[f] as Int32Array))).sort()
    const within = { nodes: NODES_OF_SET, work: limits.work, gap: limits.gap }
    const { lower, plans, worth, work } = chooseOffers(fluid.among(offers), null, within, this.worth, this.upper)
    this.work += work
    this.searched.set(key, lower)
    this.plans.push(...plans)
    const cost = Math.min(Infinity, ...plans.map((plan) => plan.cost))
    if (cost < this.upper || this.best.length === 0) {
      this.upper = Math.min(this.upper, cost)
      this.best = farms
      this.worth = worth
    }
    this.addCut(worth)
    return lower
  }

  private addCut(worth: Float64Array): void {
    const { fluid, offersOf } = this
    const gain = new Float64Array(offersOf.length)
    offersOf.forEach((offers, f) => {
      for (const o of offers) gain[f] = Math.min(gain[f] as number, fluid.price(o, worth, 0, fluid.capacityH[o] as number))
    })
    this.cuts.push({ total: worth.reduce((sum, one) => sum + one, 0), gain })
    this.work += fluid.usable.length * fluid.items * 12
  }

  /** Drops farms with which, whatever the others, no set is below the best plan. */
  private ruleOut(): void {
    const cutoff = this.cutoff()
    for (const { total, gain } of this.cuts) {
      const sorted = this.alive.map((f) => gain[f] as number).sort((a, b) => a - b)
      const rest = sorted.slice(0, this.maxFarms - 1).reduce((sum, one) => sum + one, total)
      const next = sorted[this.maxFarms - 1] ?? 0
      this.alive = this.alive.filter((f) => {
        // Among the best `maxFarms` the farm takes its own place, beyond them the place of the last.
        const bound = rest + Math.max(gain[f] as number, next)
        if (bound >= cutoff) this.closed = Math.min(this.closed, bound)
        return bound < cutoff
      })
    }
  }

  private mostGaining(): number[] | undefined {
    const { gain } = this.cuts[0] as Cut
    const set = [...this.alive].sort((a, b) => (gain[a] as number) - (gain[b] as number)).slice(0, this.maxFarms)
    return set.sort((a, b) => a - b)
  }

  /** The set with the least bound among those that differ from the best in one farm and were not searched. */
  private bestNeighbour(): number[] | undefined {
    let least = Infinity
    let found: number[] | undefined
    for (const out of this.best) {
      const stay = this.best.filter((f) => f !== out)
      const base = this.cuts.map(({ total, gain }) => stay.reduce((sum, f) => sum + (gain[f] as number), total))
      for (const f of this.alive) {
        if (this.best.includes(f)) continue
        const bound = this.cuts.reduce(
          (most, { gain }, c) => Math.max(most, (base[c] as number) + (gain[f] as number)),
          -Infinity,
        )
        if (bound >= least) continue
        const set = [...stay, f].sort((a, b) => a - b)
        if (this.searched.has(set.join()) || !this.canAll(set)) continue
        least = bound
        found = set
      }
    }
    return found
  }

  /** Lifts the bounds of listed sets to what a cut proves. */
  private lift(bound: Float64Array, sets: Uint16Array, size: number, { total, gain }: Cut): void {
    for (let s = 0, at = 0; s < bound.length; s++) {
      let value = total
      for (let k = 0; k < size; k++) value += gain[sets[at++] as number] as number
      if (value > (bound[s] as number)) bound[s] = value
    }
    this.work += sets.length
  }
}

function countSets(farms: number, size: number): number {
  let count = 1
  for (let k = 0; k < Math.min(size, farms - size); k++) count = (count * (farms - k)) / (k + 1)
  return Math.round(count)
}

/** All sets of `size` of the given numbers, one after another, in their order. */
function allSets(numbers: readonly number[], size: number): Uint16Array {
  const sets = new Uint16Array(countSets(numbers.length, size) * size)
  const places = Array.from({ length: size }, (_, k) => k)
  for (let at = 0; at < sets.length; at += size) {
    places.forEach((place, k) => (sets[at + k] = numbers[place] as number))
    let k = size - 1
    while (k >= 0 && places[k] === numbers.length - size + k) k--
    if (k < 0) break
    places[k] = (places[k] as number) + 1
    for (let j = k + 1; j < size; j++) places[j] = (places[j - 1] as number) + 1
  }
  return sets
}

/** Index of the least value; -1 where there is none below Infinity. */
function least(values: Float64Array): number {
  let best = -1
  let value = Infinity
  for (let k = 0; k < values.length; k++) {
    if ((values[k] as number) >= value) continue
    value = values[k] as number
    best = k
  }
  return best
}
