export { solveRoute } from './solve.ts'
export {
  planToJson,
  type RoutePlan,
  type PlannedRoute,
  type RouteAnswer,
  type Infeasible,
  type Unresolved,
  type RoutePlanJson,
} from './plan.ts'
export { problemFromInstance, instanceFromProblem, type RouteInstance } from './instance.ts'
export {
  validateProblem,
  type RouteProblem,
  type RouteOffer,
  type RouteGoal,
  type RoutePrice,
  type RouteChecking,
} from './problem.ts'
