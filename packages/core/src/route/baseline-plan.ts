import { baseline, type Baseline } from './baselines.ts'
import { prepare } from './draft.ts'
import { planOf, type RoutePlan } from './plan.ts'
import { validateProblem, type RouteProblem } from './problem.ts'

export type { Baseline }

/**
 * The plan of a simple policy, for comparison; it may be late, over budget, or use too many farms. Its bound is 0.
 *
 * @throws PictorError `invalid-input` naming the bad field in `details.path`.
 */
export function baselinePlan(problem: RouteProblem, policy: Baseline): RoutePlan | undefined {
  validateProblem(problem)
  const prepared = prepare(problem)
  const draft = baseline(prepared, policy, problem.goal.kind === 'cheapest' ? problem.goal.deadlineH : Infinity)
  if (draft === undefined) return undefined
  const { goal } = problem
  const value =
    goal.kind === 'cheapest' ? draft.cost : goal.kind === 'fastest' ? draft.finishH : draft.cost + goal.hourValue * draft.finishH
  return planOf(prepared, draft, value, 0)
}
