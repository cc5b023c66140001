import type { JobStreamState } from './job-state.ts'
import type { TaskPhase } from './task-state.ts'

/** A move between two phases and the fact that makes it. */
export interface Move<P extends string> {
  readonly from: P
  readonly to: P
  readonly fact: string
  /** Simulated jobs seldom or never make it. */
  readonly rare?: true
}

/** Every move that the phase of a job can make. Tests compare it with what simulated jobs do, docs/machine-tables.md is drawn from it. */
export const JOB_MOVES: readonly Move<JobStreamState['phase']>[] = [
  { from: 'new', to: 'opening', fact: 'ordered' },
  { from: 'opening', to: 'readying', fact: 'ledger opened' },
  // The ledger refuses the job, or its time is over.
  { from: 'opening', to: 'ended', fact: 'ended', rare: true },
  { from: 'readying', to: 'running', fact: 'set-ready' },
  // No quorum was ready for the plan's leases: their frames are placed anew.
  { from: 'readying', to: 'running', fact: 'set-void', rare: true },
  { from: 'readying', to: 'settling', fact: 'settling', rare: true },
  { from: 'readying', to: 'ended', fact: 'ended', rare: true },
  { from: 'running', to: 'settling', fact: 'settling' },
  // giveUpAt.
  { from: 'running', to: 'ended', fact: 'ended', rare: true },
  { from: 'settling', to: 'ended', fact: 'ended' },
]

/** Every move that the phase of a task can make. */
export const TASK_MOVES: readonly Move<TaskPhase>[] = [
  { from: 'new', to: 'submitting', fact: 'opened' },
  { from: 'submitting', to: 'rendering', fact: 'submitted' },
  { from: 'submitting', to: 'voided', fact: 'voided' },
  { from: 'submitting', to: 'freed', fact: 'voided' },
  { from: 'rendering', to: 'submitting', fact: 'attempt-failed' },
  { from: 'rendering', to: 'contesting', fact: 'rendered' },
  { from: 'rendering', to: 'holding', fact: 'rendered' },
  { from: 'rendering', to: 'voided', fact: 'voided' },
  { from: 'rendering', to: 'freed', fact: 'voided' },
  { from: 'contesting', to: 'holding', fact: 'holding' },
  { from: 'contesting', to: 'voided', fact: 'voided' },
  { from: 'contesting', to: 'freed', fact: 'voided', rare: true },
  { from: 'holding', to: 'checking', fact: 'all-held' },
  { from: 'holding', to: 'voided', fact: 'voided', rare: true },
  { from: 'holding', to: 'freed', fact: 'voided', rare: true },
  { from: 'checking', to: 'judging', fact: 'judging' },
  { from: 'checking', to: 'voided', fact: 'voided', rare: true },
  { from: 'checking', to: 'freed', fact: 'voided', rare: true },
  { from: 'judging', to: 'judged', fact: 'judged' },
  { from: 'judging', to: 'voided', fact: 'voided', rare: true },
  { from: 'judging', to: 'freed', fact: 'voided', rare: true },
  { from: 'voided', to: 'freed', fact: 'freed' },
]
