import { prepare } from './draft.ts'
import { impossibleClass } from './feasible.ts'
import { solveCheapest, solveFastest, solveWeighted } from './goals.ts'
import type { RouteAnswer } from './plan.ts'
import { validateProblem, type RouteProblem } from './problem.ts'

/**
 * Finds the best split of the frames over farms and tiers for the problem's goal, with a certified lower bound.
 *
 * The same problem always gives the same plan: the search counts work, never time.
 *
 * @throws PictorError `invalid-input` naming the bad field in `details.path`.
 */
export function solveRoute(problem: RouteProblem): RouteAnswer {
  validateProblem(problem)
  const prepared = prepare(problem)
  const impossible = impossibleClass(prepared)
  if (impossible !== undefined) return impossible
  const { goal } = problem
  if (goal.kind === 'cheapest') return solveCheapest(prepared, goal.deadlineH)
  if (goal.kind === 'fastest') return solveFastest(prepared, goal.budget)
  return solveWeighted(prepared, goal.hourValue)
}
