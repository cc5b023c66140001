import { cheapest, type Cheapest } from './cheapest.ts'
import { prepare, type Draft, type Prepared } from './draft.ts'
import { earliestDeadline, impossibleClass, lastDeadline } from './feasible.ts'
import { invalid } from '../contract/error.ts'
import { planOf, type RoutePlan } from './plan.ts'
import { validateProblem, type RouteProblem } from './problem.ts'

/** One point of the cost/time frontier. */
export interface FrontierPoint {
  /** The deadline the point was solved for; the plan ends by then. */
  readonly deadlineH: number
  /** `plan.lowerBound` is certified: no plan that ends by `deadlineH` costs less. */
  readonly plan: RoutePlan
}

/** Limits of one point; neighbours share worths and patterns are found quickly. */
const POINT_LIMITS = { nodes: 6, work: 6e6, gap: 1e-3 }

/**
 * The cost/time frontier: plans from the fastest that can be found to the cheapest, each with its certified bound. Finish times rise
 * and costs fall strictly from point to point; points that others dominate are left out, so there may be fewer than asked for.
 * The goal's kind is ignored, its `maxFarms` is kept.
 *
 * @param points - how many deadlines are solved, 2 to 1000.
 * @throws PictorError `invalid-input` naming the bad field in `details.path`.
 */
export function frontier(problem: RouteProblem, points: number): FrontierPoint[] {
  validateProblem(problem)
  if (!Number.isInteger(points) || points < 2 || points > 1000) throw invalid('points', 'an integer from 2 to 1000', points)
  const prepared = prepare({ ...problem, goal: { kind: 'weighted', hourValue: 0, maxFarms: problem.goal.maxFarms ?? null } })
  if (impossibleClass(prepared) !== undefined) return []
  const last = lastDeadline(prepared)
  const relaxed = at(prepared, last)
  if (relaxed.draft === undefined) return []
  const least = earliestDeadline(prepared)
  const most = cheapestFinish(prepared, relaxed, least, last)
  const solved: { deadlineH: number; found: Cheapest }[] = []
  let worth: Float64Array | undefined = relaxed.worth
  for (let k = 0; k < points; k++) {
    // Deadlines are spaced so that the fast end, where cost moves most, gets more of them.
    const share = 1 - k / (points - 1)
    const deadlineH = least * (1 + 1e-6) + (most - least) * share * share
    const found: Cheapest = at(prepared, deadlineH, worth)
    worth = found.worth
    solved.push({ deadlineH, found })
  }
  return undominated(prepared, solved)
}

function at(prepared: Prepared, deadlineH: number, worth?: Float64Array): Cheapest {
  return cheapest(prepared, deadlineH, { limits: POINT_LIMITS, quick: true, ...(worth === undefined ? {} : { worth }) })
}

/** A deadline from which on waiting longer saves less than a thousandth. */
function cheapestFinish(prepared: Prepared, relaxed: Cheapest, least: number, last: number): number {
  let low = least
  let high = last
  for (let i = 0; i < 12 && high - low > 0.05 * high; i++) {
    const middle = Math.sqrt(Math.max(low, 1e-9) * high)
    const bound = cheapest(prepared, middle, {
      limits: POINT_LIMITS,
      worth: relaxed.worth,
      baselines: false,
      drafts: false,
      quick: true,
    }).lower
    if (bound > relaxed.lower * 1.001) low = middle
    else high = middle
  }
  return high
}

/** Bounds carry over to tighter deadlines, plans to looser ones; what is dominated goes. */
function undominated(prepared: Prepared, solved: readonly { deadlineH: number; found: Cheapest }[]): FrontierPoint[] {
  const rows: { deadlineH: number; draft: Draft | undefined; lower: number }[] = []
  let bound = 0
  for (const { deadlineH, found } of solved) {
    // From loose to tight: less time never makes it cheaper.
    bound = Math.max(bound, found.lower)
    rows.push({ deadlineH, draft: found.draft, lower: bound })
  }
  rows.reverse()
  const points: FrontierPoint[] = []
  let finishH = -Infinity
  let cost = Infinity
  for (const { deadlineH, draft, lower } of rows) {
    if (draft === undefined || draft.cost >= cost * (1 - 1e-9) || draft.finishH <= finishH) continue
    finishH = draft.finishH
    cost = draft.cost
    points.push({ deadlineH, plan: planOf(prepared, draft, draft.cost, lower, deadlineH) })
  }
  return points
}
