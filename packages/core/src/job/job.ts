import { acceptJob } from './job-accept.ts'
import { evolveJob } from './job-evolve.ts'
import type { JobCommand, JobFact, JobInput } from './job-facts.ts'
import { keepOf, nothingMoves, outcomeOf } from './job-settle.ts'
import { emptyJob } from './job-empty.ts'
import type { JobStreamState } from './job-state.ts'
import type { Machine } from './machine.ts'

/** Empty answers in a row after which frames that nobody takes are given up, when nothing is live any more. */
export const MAX_EMPTY_REPLANS = 6

/** The machine of a whole job: plan, money, leases, deliveries. It decides; tasks report to it. */
export const jobMachine: Machine<JobStreamState, JobInput, JobFact, JobCommand> = {
  name: 'job',
  stateVersion: 6,
  empty: emptyJob,
  accept: acceptJob,
  next: nextJob,
  evolve: evolveJob,
  commands: (state) => state.agenda,
  pending: (state) => state.agenda.open.values(),
}

function nextJob(state: JobStreamState, atMs: number): JobFact | undefined {
  if (state.phase === 'new' || state.phase === 'ended') return undefined
  const at = Math.max(atMs, state.lastAtMs)
  if (state.idle.size > 0) {
    const reason = whyGiveUp(state)
    if (reason) return { v: 1, at, t: 'missing', frames: [...state.idle], reason }
  }
  const settledSet = ['ready', 'void'].includes(state.sets.at(-1)?.phase ?? '')
  if (state.phase === 'running' && settledSet && !state.replan.open && state.wanted === 'run') {
    const hedges = state.replan.hedges
    if ((state.idle.size > 0 && at >= state.replan.notBeforeAtMs) || hedges.length > 0)
      return {
        v: 1,
        at,
        t: 'replan-started',
        n: state.replan.n + 1,
        reason: state.idle.size > 0 ? state.replan.reason : 'hedge',
        hedges,
      }
  }
  if (state.toSettle.length > 0) {
    const { batchLeases } = state.order!.options
    const quiet = state.live.size === state.toSettle.length
    if (state.toSettle.length >= batchLeases || state.batchDue || quiet)
      return { v: 1, at, t: 'batched', n: state.batches.length, leases: state.toSettle.slice(0, batchLeases) }
  }
  const over = state.openRows === 0 && state.idle.size === 0 && !state.replan.open
  if ((state.phase === 'running' || state.phase === 'readying') && over)
    return { v: 1, at, t: 'settling', keep: String(keepOf(state)) }
  if (state.phase === 'settling' && nothingMoves(state) && state.evidenceOver) {
    const outcome = outcomeOf(state)
    const why = outcome === 'partial' || outcome === 'failed' ? state.message : undefined
    return { v: 1, at, t: 'ended', outcome, ...(why === undefined ? {} : { message: why }) }
  }
  return undefined
}

/** Why frames without a lease get none any more, or undefined while there is hope. */
function whyGiveUp(state: JobStreamState): string | undefined {
  if (state.wanted === 'cancel') return 'canceled'
  if (state.pastDeadline) return 'the deadline is over'
  const empty = state.replan.empty >= MAX_EMPTY_REPLANS && !state.replan.open
  // A quarantine ends: frames wait for it as long as the deadline allows.
  const waits = [...state.farms.values()].some((farm) => farm.excluded === undefined && farm.standing === 'quarantined')
  if (!empty || state.openRows > 0 || waits) return undefined
  return state.replan.why ? `no farm takes them: ${state.replan.why}` : 'no farm takes them'
}
