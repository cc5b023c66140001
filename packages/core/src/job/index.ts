export { FAILURE_RULES, failureRule, type FailureRule } from './failure.ts'
export { jobMachine, MAX_STRIKES } from './job.ts'
export { budgetLeft } from './job-replan.ts'
export { leaseOfRow } from './job-rows.ts'
export type * from './job-types.ts'
export type * from './machine.ts'
export {
  leastFrameCap,
  MAX_LEASE_FRAMES,
  sharePrice,
  splitRoute,
  type RouteShare,
  type SplitLease,
  type SplitOptions,
} from './split.ts'
export { taskMachine } from './task.ts'
export type * from './task-types.ts'
