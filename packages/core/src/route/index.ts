export { solveRoute } from './solve.ts'
export { frontier, type FrontierPoint } from './frontier.ts'
export { replan, type OfferProgress, type Replan, type RouteProgress, type RunningFrame } from './replan.ts'
export { hitProbability, MILD_RISK, SEVERE_RISK, type RouteRisk, type RouteTiming } from './risk.ts'
export {
  planToJson,
  type Infeasible,
  type PlannedRoute,
  type RouteAnswer,
  type RoutePlan,
  type RoutePlanJson,
  type Unresolved,
} from './plan.ts'
export { instanceFromProblem, mulberry32, problemFromInstance, type FrameGenerator, type RouteInstance } from './instance.ts'
export { billOf, offersFromQuotes } from './from-quotes.ts'
export { baselinePlan, type Baseline } from './baseline-plan.ts'
export {
  validateProblem,
  type RouteChecking,
  type RouteGoal,
  type RouteOffer,
  type RoutePrice,
  type RouteProblem,
} from './problem.ts'
