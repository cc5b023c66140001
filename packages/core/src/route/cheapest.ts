import { baseline, type Baseline } from './baselines.ts'
import { priceMarket } from './market.ts'
import { type ChoiceLimits, type FluidPlan } from './choose.ts'
import type { Draft, Prepared } from './draft.ts'
import { chooseFarms } from './farm-sets.ts'
import { fineBound } from './fine-bound.ts'
import { fluidAt, type Fluid } from './fluid.ts'
import { searchFew } from './few.ts'
import { quotasOf } from './quotas.ts'
import { isPacked, realise } from './realise.ts'

const POLICIES: readonly Baseline[] = ['cheapest-farm', 'fastest-farm', 'greedy', 'round-robin']

/** Limits of one solve; they count work, so the same input always gives the same plan. */
export const DEFAULT_LIMITS: ChoiceLimits = { nodes: 300, work: 60e6, gap: 2e-4 }

/** From this many frames on, one plan that is close is enough: the passes over the frames take most of the time. */
const MANY_FRAMES = 20_000
const LIMITS_OF_MANY: ChoiceLimits = { nodes: 12, work: 25e6, gap: 5e-4 }
const GOOD_OF_MANY = 1.003

/** Shares of node hours that are tried as reserve for packing, smallest first. */
const MARGINS = [0.002, 0.006, 0.015, 0.04, 0.12, 0.25]
/** A draft within this factor of the bound is not improved further. */
const GOOD = 1.002
/** Fluid plans of one choice that are turned into whole frames. */
const TRIES = 2

/** Up to this many frames, choices of offers up to `WIDE` above the best are tried as well. */
const FEW_FRAMES = 60
const WIDE = 0.05
const WIDE_NODES = 80
const WIDE_PLANS = 12
/** Arithmetic of the search of all plans of few frames; less in one step of a bisection, where it helps with very few frames only. */
const FEW_WORK = 4e6
const FEW_WORK_LIGHT = 4e5
const FEWEST_FRAMES = 24
/** Grid points of one deadline of a sweep. */
const QUICK_POINTS = 18

/** The cheapest plan of each set of offers and of node counts in use. */
function distinct(plans: readonly FluidPlan[]): FluidPlan[] {
  const seen = new Map<string, FluidPlan>()
  for (const plan of plans) {
    const key = plan.offers.join()
    const known = seen.get(key)
    if (known === undefined) seen.set(key, plan)
  }
  return [...seen.values()].slice(0, WIDE_PLANS)
}

/** The cheapest draft for a deadline and the bound on every plan's cost. */
export interface Cheapest {
  readonly draft?: Draft
  /** The draft that comes nearest when none is in time. */
  readonly late?: Draft
  readonly lower: number
  readonly worth: Float64Array
}

/** Options of {@link cheapest}. */
export interface CheapestOptions {
  readonly limits?: ChoiceLimits
  /** Worth of the items in a similar problem. */
  readonly worth?: Float64Array
  /** Run the baselines too (default true). */
  readonly baselines?: boolean
  /** Fewer tries and no exact packing of many frames; for sweeps over deadlines. */
  readonly quick?: boolean
  /** One try a choice and no search among few frames, for the steps of a bisection. */
  readonly light?: boolean
  /** Make drafts; without, only the bound is computed (default true). */
  readonly drafts?: boolean
}

/** The baselines' drafts that respect the number of farms and cost less than `below`. */
export function rivals(prepared: Prepared, deadlineH: number, below: number = Infinity): Draft[] {
  return POLICIES.flatMap((policy) => {
    const draft = baseline(prepared, policy, deadlineH, below)
    return draft === undefined || (prepared.maxFarms !== null && draft.routes.length > prepared.maxFarms) ? [] : [draft]
  })
}

/** Solves mincost(deadline): choice of offers on the fluid problem, whole frames, and the baselines as competitors. */
export function cheapest(prepared: Prepared, deadlineH: number, options: CheapestOptions = {}): Cheapest {
  const {
    limits = prepared.frames > MANY_FRAMES ? LIMITS_OF_MANY : DEFAULT_LIMITS,
    worth,
    baselines = true,
    drafts = true,
    quick = false,
    light = false,
  } = options
  let best: Draft | undefined
  let late: Draft | undefined
  const offer = (draft: Draft | undefined) => {
    if (draft === undefined) return
    if (draft.finishH > deadlineH) {
      if (late === undefined || draft.finishH < late.finishH) late = draft
    } else if (best === undefined || draft.cost < best.cost) best = draft
  }
  const fluid = fluidAt(prepared, deadlineH, quick ? { points: QUICK_POINTS } : {})
  if (fluid.usable.length === 0) {
    for (const draft of baselines ? rivals(prepared, deadlineH) : []) offer(draft)
    return { ...(late === undefined ? {} : { late }), lower: Infinity, worth: worth ?? new Float64Array(0) }
  }
  const choice = chooseFarms(fluid, prepared.maxFarms, limits, worth)
  let { lower } = choice
  const make = (from: Fluid, plan: FluidPlan): Draft | undefined => {
    const quotas = quotasOf(prepared, from, plan, isPacked(prepared.frames, quick))
    const market = priceMarket(prepared, from, plan, quotas)
    if (market === undefined) return undefined
    lower = Math.max(lower, fineBound(prepared, fluid, plan, market.price))
    return realise(prepared, from, plan, quotas, market, deadlineH, { quick, light })
  }
  if (drafts && choice.lower < Infinity) {
    const many = prepared.frames > MANY_FRAMES
    const tries = many || light ? 1 : TRIES
    const good = () => best !== undefined && (quick || best.cost <= lower * (many ? GOOD_OF_MANY : GOOD))
    for (const plan of choice.plans.slice(0, tries)) {
      if (good()) break
      offer(make(fluid, plan))
    }
    // Whole frames waste a little of each node; a choice that reserves it is often better than one that is repaired.
    for (const margin of MARGINS) {
      if (good() || (best !== undefined && (many || light || margin > 0.03))) break
      const tight = fluidAt(prepared, deadlineH, quick ? { margin, points: QUICK_POINTS } : { margin })
      if (tight.usable.length === 0) break
      const again = chooseFarms(tight, prepared.maxFarms, limits, choice.worth, best?.cost)
      for (const plan of again.plans.slice(0, tries)) offer(make(tight, plan))
    }
  }
  if (drafts && !quick && !light && prepared.frames <= FEW_FRAMES && choice.lower < Infinity) {
    // Few frames: whole frames on nodes differ so much from the fluid plan that near-optimal choices are tried too.
    const wide = chooseFarms(fluid, prepared.maxFarms, { ...limits, gap: -WIDE, nodes: WIDE_NODES }, choice.worth)
    const sets = distinct(wide.plans)
    for (const plan of sets) if (best === undefined || plan.cost < best.cost * (1 - 1e-6)) offer(make(fluid, plan))
  }
  if (baselines) for (const draft of rivals(prepared, deadlineH, best?.cost)) offer(draft)
  const { target, gap } = limits
  const near = best !== undefined && best.cost <= Math.max(target ?? 0, lower * (1 + gap))
  const decided = near || (target !== undefined && lower > target)
  const step = light || !drafts
  if (!quick && prepared.frames <= (step ? FEWEST_FRAMES : FEW_FRAMES) && !decided) {
    const found = searchFew(prepared, fluid, deadlineH, {
      below: Math.min(best?.cost ?? Infinity, (target ?? Infinity) * (1 + 1e-8)),
      work: step ? FEW_WORK_LIGHT : FEW_WORK,
    })
    lower = Math.max(lower, found.lower)
    if (drafts) offer(found.draft)
  }
  return {
    ...(best === undefined ? {} : { draft: best }),
    ...(late === undefined ? {} : { late }),
    lower: lower * (1 - 1e-9),
    worth: choice.worth,
  }
}
