import type { Machine } from './machine.ts'
import { acceptTask, ended, voided } from './task-accept.ts'
import { evolveTask, mayFollow } from './task-evolve.ts'
import type { TaskCommand, TaskFact, TaskInput } from './task-facts.ts'
import { emptyTask, type TaskStreamState } from './task-state.ts'

/**
 * The machine of one lease at one farm: submit, collect, hold, check, judge. It never decides about money or about other leases; it reports to the job.
 */
export const taskMachine: Machine<TaskStreamState, TaskInput, TaskFact, TaskCommand> = {
  name: 'task',
  stateVersion: 1,
  empty: emptyTask,
  accept: acceptTask,
  next: nextTask,
  evolve: evolveTask,
  commands: (state) => state.agenda,
  pending: (state) => state.agenda.open.values(),
}

/** Transitions that follow from the state alone. */
function nextTask(state: TaskStreamState, atMs: number): TaskFact | undefined {
  const order = state.order
  if (!order) return undefined
  const at = Math.max(atMs, state.lastAtMs)
  const { quorum, checkers } = order
  const deaf = checkers.length - state.silent.size < quorum
  switch (state.phase) {
    case 'submitting':
    case 'contesting':
      return state.late ? voided(at, 'lapsed', true, state.failure) : undefined
    case 'rendering': {
      const here = state.commits.every((one) => one.frames.every((frame) => state.fetched[frame] !== undefined))
      if (state.late) return voided(at, 'lapsed', true, state.failure)
      const all = state.committedCount === order.lease.frames.length
      const ended = state.farmEnded !== undefined && !mayFollow(state)
      if (state.committedCount > 0 && here && (all || ended)) return { v: 1, at, t: 'rendered', ask: order.contested }
      if (ended && state.committedCount === 0)
        return voided(at, state.farmEnded === 'canceled' ? 'canceled' : 'failed', true, state.failure)
      return undefined
    }
    case 'holding': {
      const dropped = state.commits.filter((one) => one.held.size < quorum).map((one) => one.index)
      if (dropped.length === 0) return { v: 1, at, t: 'all-held', dropped }
      if (!state.late) return deaf ? ended(state, at, 'unverifiable') : undefined
      return dropped.length < state.commits.length ? { v: 1, at, t: 'all-held', dropped } : ended(state, at, 'lapsed')
    }
    case 'checking': {
      if (deaf && state.votes.size < quorum) return ended(state, at, 'unverifiable')
      if (state.votes.size < quorum) return undefined
      const allIn = state.votes.size + state.silent.size >= checkers.length
      return allIn || state.graceOver || decided(state, quorum) ? { v: 1, at, t: 'judging' } : undefined
    }
    case 'voided':
      return state.late ? { v: 1, at, t: 'freed' } : undefined
    default:
      return undefined
  }
}

/** Whether further votes could change no frame. */
function decided(state: TaskStreamState, quorum: number): boolean {
  const votes = [...state.votes.values()]
  for (let i = 0; i < state.order!.lease.frames.length; i++) {
    const accepts = votes.filter((vote) => vote.verdicts[i] === 'a').length
    const refuses = votes.filter((vote) => vote.verdicts[i] === 'r').length
    const none = votes.every((vote) => vote.verdicts[i] === '-')
    if (accepts < quorum && refuses < quorum && !none) return false
  }
  return true
}
