export { FAILURE_RULES, type FailureRule } from './failure.ts'
export { jobMachine } from './job.ts'
export type * from './job-facts.ts'
export type * from './job-state.ts'
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
export type * from './task-facts.ts'
export type * from './task-state.ts'
export {
  FAILED_QUARANTINE_MS,
  farmHealthMachine,
  REFUSED_QUARANTINE_MS,
  standingOf,
  type FarmHealthFact,
  type FarmHealthInput,
  type FarmHealthState,
  type FarmIncident,
  type FarmStanding,
} from './farm-health.ts'
export { JOB_MOVES, TASK_MOVES, type Move } from './moves.ts'
