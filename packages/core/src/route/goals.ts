import { cheapest, DEFAULT_LIMITS, rivals, type Cheapest } from './cheapest.ts'
import type { Draft, Prepared } from './draft.ts'
import { lastDeadline, provenLate } from './feasible.ts'
import { planOf, type RouteAnswer } from './plan.ts'

const unresolved = (prepared: Prepared, lowerBound: number, nearest?: Draft, objective?: number): RouteAnswer => ({
  kind: 'unresolved',
  id: prepared.problem.id ?? 'route',
  lowerBound,
  ...(nearest === undefined ? {} : { nearest: planOf(prepared, nearest, objective ?? nearest.cost, 0) }),
  message: 'no plan was found that meets the goal, and none was ruled out',
})

/** Least cost by a deadline. */
export function solveCheapest(prepared: Prepared, deadlineH: number): RouteAnswer {
  const { draft, lower, late } = cheapest(prepared, deadlineH)
  if (draft !== undefined) return planOf(prepared, draft, draft.cost, lower, deadlineH)
  return provenLate(prepared, deadlineH, lower === Infinity) ?? unresolved(prepared, lower, late, late?.finishH)
}

/** Relative width at which the bisection over deadlines stops. */
const WIDTH = 2e-4
/** By how much sooner plans are looked for with full effort once the bisection is through, in turn from the best so far. */
const SOONER = [0.03, 0.01, 0.004, 0.001]

/** Earliest finish within a budget: bisection over deadlines, since mincost never rises with the deadline. */
export function solveFastest(prepared: Prepared, budget: number): RouteAnswer {
  const last = lastDeadline(prepared)
  const relaxed = cheapest(prepared, last)
  if (relaxed.lower > budget) {
    return {
      kind: 'infeasible',
      id: prepared.problem.id ?? 'route',
      constraint: 'budget',
      by: relaxed.lower - budget,
      needed: relaxed.lower,
      message: `no plan costs less than ${relaxed.lower.toFixed(6)}, whatever the deadline; the budget is ${budget}`,
    }
  }
  let best: Draft | undefined
  const consider = (draft: Draft | undefined) => {
    if (draft !== undefined && draft.cost <= budget + 1e-9 && (best === undefined || draft.finishH < best.finishH)) best = draft
  }
  consider(relaxed.draft)
  for (const draft of rivals(prepared, last)) consider(draft)
  if (best === undefined) return unresolved(prepared, 0, relaxed.draft, relaxed.draft?.finishH)
  const limits = { ...DEFAULT_LIMITS, target: budget }
  let proven = 0
  let low = 0
  let worth = relaxed.worth
  for (let i = 0; i < 60 && best.finishH - low > WIDTH * best.finishH; i++) {
    const middle: number = (low + best.finishH) / 2
    const at: Cheapest = cheapest(prepared, middle, { limits, worth, baselines: false, light: true })
    worth = at.worth
    consider(at.draft)
    if (best.finishH > middle) low = middle
    if (at.lower > budget) proven = Math.max(proven, middle)
  }
  for (const sooner of SOONER) {
    if (best.finishH <= proven * (1 + WIDTH)) break
    const at = cheapest(prepared, Math.max(proven, best.finishH * (1 - sooner)), { limits, worth, baselines: false })
    consider(at.draft)
  }
  let high = best.finishH
  for (let i = 0; i < 30 && high - proven > WIDTH * high; i++) {
    const middle = (proven + high) / 2
    if (cheapest(prepared, middle, { limits, worth, baselines: false, drafts: false }).lower > budget) proven = middle
    else high = middle
  }
  return planOf(prepared, best, best.finishH, proven)
}

interface Span {
  readonly low: number
  readonly high: number
  /** Certified mincost at `high`; no plan that finishes by then costs less. */
  readonly cost: number
}

/** Least cost + hourValue * finish: branch and bound over ranges of the finish time. */
export function solveWeighted(prepared: Prepared, hourValue: number): RouteAnswer {
  const last = lastDeadline(prepared)
  let best: Draft | undefined
  const value = (draft: Draft) => draft.cost + hourValue * draft.finishH
  const consider = (draft: Draft | undefined) => {
    if (draft !== undefined && (best === undefined || value(draft) < value(best))) best = draft
  }
  const first = cheapest(prepared, last)
  consider(first.draft)
  consider(first.late)
  for (const draft of rivals(prepared, last)) consider(draft)
  if (best === undefined) return unresolved(prepared, 0)
  let worth = first.worth
  const open: Span[] = [{ low: 0, high: Math.min(last, value(best) / Math.max(1e-12, hourValue)), cost: first.lower }]
  const bound = (span: Span) => span.cost + hourValue * span.low
  let closed = Infinity
  for (let step = 0; step < 80 && open.length > 0; step++) {
    open.sort((a, b) => bound(b) - bound(a))
    const span = open.pop() as Span
    if (bound(span) >= value(best) * (1 - 5e-4) || span.high - span.low < 1e-4 * span.high) {
      closed = Math.min(closed, bound(span))
      continue
    }
    const middle = (span.low + span.high) / 2
    const at = cheapest(prepared, middle, { limits: DEFAULT_LIMITS, worth, baselines: false, light: true })
    worth = at.worth
    consider(at.draft)
    if (at.lower < Infinity) open.push({ low: span.low, high: middle, cost: Math.max(span.cost, at.lower) })
    open.push({ low: middle, high: span.high, cost: span.cost })
  }
  consider(cheapest(prepared, best.finishH, { limits: DEFAULT_LIMITS, worth, baselines: false }).draft)
  const lower = Math.min(closed, ...open.map(bound))
  return planOf(prepared, best, value(best), lower)
}
