import { committedHash, unpackHashes } from './hashes.ts'
import { begin, finish, restart, turnAgenda } from './machine.ts'
import type { TaskFact, TaskReport } from './task-facts.ts'
import type { KeptCommit, TaskStreamState } from './task-state.ts'

/** How long checkers that are late may still vote after the quorum disagreed. */
export const VOTE_GRACE_MS = 300_000
/** How long a farm may take to confirm a cancel before the lease is given up. */
export const CANCEL_GRACE_MS = 120_000
/** How long commitments, or the signed word on a cancel, may follow the farm's word that it has ended. */
export const END_GRACE_MS = 15_000

/** Whether the farm has ended and may still have something to say about it. */
export function mayFollow({ farmEnded, cancel, endOver }: TaskStreamState): boolean {
  return !endOver && (farmEnded === 'succeeded' || (farmEnded === 'canceled' && cancel === undefined))
}

/** Applies one fact. Everything that a later command needs is in the state afterwards. */
export function evolveTask(state: TaskStreamState, fact: TaskFact): void {
  turnAgenda(state.agenda)
  state.lastAtMs = Math.max(state.lastAtMs, fact.at)
  const { agenda } = state
  switch (fact.t) {
    case 'opened':
      state.order = fact.order
      state.fetched.length = fact.order.lease.frames.length
      state.fetched.fill(undefined)
      begin(agenda, { id: 'timer/commit-by', kind: 'timer', timer: 'commit-by', atMs: fact.order.lease.commitByS * 1000 })
      return submit(state, 0)
    case 'submitted':
      state.phase = 'rendering'
      state.ref = { farm: state.order!.farm, ref: fact.ref }
      state.leaseSignature = fact.sig
      finish(agenda, `submit/${state.attempt}`)
      begin(agenda, { id: `collect/${state.attempt}`, kind: 'collect', ref: fact.ref })
      if (state.wanted !== 'run') setFarm(state)
      return
    case 'attempt-failed':
      finish(agenda, `submit/${state.attempt}`)
      finish(agenda, `collect/${state.attempt}`)
      state.failure = fact.failure
      if (fact.counts) state.failures++
      state.ref = undefined
      return submit(state, fact.againAtMs ?? 0)
    case 'fetched': {
      const hashes =
        fact.hashes === undefined ? fact.frames.map((frame) => committedHash(state, frame)) : unpackHashes(fact.hashes)
      fact.frames.forEach((frame, i) => {
        if (state.fetched[frame] === undefined) state.fetchedCount++
        state.fetched[frame] = hashes[i]
      })
      if (fact.sealed) state.sealed = [...(state.sealed ?? []), ...fact.sealed]
      return
    }
    case 'commit': {
      const kept: KeptCommit = {
        index: fact.index,
        outputRoot: fact.root,
        signature: fact.sig,
        frames: fact.frames,
        hashes: fact.hashes === undefined ? fact.frames.map((frame) => state.fetched[frame]!) : unpackHashes(fact.hashes),
        completedAtMs: fact.doneAtMs,
        held: new Map(),
      }
      // Other bytes of these frames were of an earlier render.
      kept.frames.forEach((frame, i) => {
        if (state.fetched[frame] === undefined || state.fetched[frame] === kept.hashes[i]) return
        state.fetched[frame] = undefined
        state.fetchedCount--
      })
      state.commits.push(kept)
      state.committedCount += fact.frames.length
      return
    }
    case 'farm-ended':
      state.farmEnded = fact.state
      if (fact.cancel) state.cancel = fact.cancel
      if (fact.failure) state.failure = fact.failure
      if (mayFollow(state))
        restart(agenda, { id: 'timer/end-grace', kind: 'timer', timer: 'end-grace', atMs: fact.at + END_GRACE_MS })
      return
    case 'end-over':
      state.endOver = true
      return
    case 'commit-by':
      state.late = true
      finish(agenda, 'timer/commit-by')
      return
    case 'contested':
      state.order = { ...state.order!, contested: true }
      return report(state, 'contest-ready')
    case 'rendered':
      endFarmPart(state)
      report(state, 'rendered')
      if (fact.ask) state.phase = 'contesting'
      else startHolding(state)
      return
    case 'holding':
      return startHolding(state)
    case 'held':
      state.commits.find((one) => one.outputRoot === fact.root)?.held.set(fact.checker, fact.sig)
      state.commits.forEach((one, i) => one.outputRoot === fact.root && finish(agenda, `hold/${i}/${fact.checker}`))
      return
    case 'all-held':
      return startChecking(state, fact.dropped)
    case 'checked':
      state.checked.add(fact.checker)
      finish(agenda, `check/${fact.checker}`)
      return begin(agenda, { id: `reveal/${fact.checker}`, kind: 'reveal', checker: fact.checker })
    case 'voted':
      state.votes.set(fact.checker, { blob: fact.blob, verdicts: fact.verdicts })
      finish(agenda, `check/${fact.checker}`)
      finish(agenda, `reveal/${fact.checker}`)
      if (state.votes.size >= state.order!.quorum)
        begin(agenda, { id: 'timer/vote-grace', kind: 'timer', timer: 'vote-grace', atMs: fact.at + VOTE_GRACE_MS })
      return
    case 'checker-silent':
      state.silent.add(fact.checker)
      for (const id of agenda.open.keys()) if (id.endsWith(`/${fact.checker}`)) finish(agenda, id)
      return
    case 'grace-over':
      state.graceOver = true
      return
    case 'judging':
      state.phase = 'judging'
      clear(state, ['timer/commit-by', 'report/rendered'])
      return begin(agenda, { id: 'judge', kind: 'judge' })
    case 'judged':
      state.phase = 'judged'
      state.verdicts = fact.verdicts
      state.acceptedWeight = fact.weight
      clear(state, [])
      return report(state, 'judged')
    case 'voided':
      return voidTask(state, fact)
    case 'freed':
      state.phase = 'freed'
      finish(agenda, 'report/voided')
      return report(state, 'freed')
    case 'wanted':
      state.wanted = fact.wanted
      if (fact.reason === 'stalled') state.failure = { class: 'stalled', message: 'the farm made no progress' }
      if (fact.wanted === 'cancel')
        begin(agenda, { id: 'timer/cancel-grace', kind: 'timer', timer: 'cancel-grace', atMs: fact.at + CANCEL_GRACE_MS })
      if (state.phase === 'rendering') setFarm(state)
      return
    case 'priority':
      state.order = { ...state.order!, priority: fact.priority }
      if (state.phase === 'rendering') setFarm(state)
      return
    case 'ticket':
      state.tickets.set(fact.ticket.id, fact.ticket)
      return
  }
}

function submit(state: TaskStreamState, notBeforeAtMs: number): void {
  state.phase = 'submitting'
  state.attempt++
  begin(state.agenda, { id: `submit/${state.attempt}`, kind: 'submit', attempt: state.attempt, notBeforeAtMs })
}

function setFarm(state: TaskStreamState): void {
  restart(state.agenda, {
    id: `set/${state.attempt}/${state.wanted}/${state.order!.priority}`,
    kind: 'set',
    ref: state.ref!.ref,
    desired: state.wanted,
    priority: state.order!.priority,
  })
}

/** The farm has done its part: nothing more is asked of it. */
function endFarmPart(state: TaskStreamState): void {
  clear(state, ['timer/commit-by'])
}

function startHolding(state: TaskStreamState): void {
  state.phase = 'holding'
  state.commits.forEach((_, commit) => {
    for (const checker of state.order!.checkers)
      begin(state.agenda, { id: `hold/${commit}/${checker}`, kind: 'hold', checker, commit })
  })
}

function startChecking(state: TaskStreamState, dropped: readonly number[]): void {
  state.phase = 'checking'
  for (const index of dropped) {
    const at = state.commits.findIndex((one) => one.index === index)
    state.committedCount -= state.commits[at]!.frames.length
    state.commits.splice(at, 1)
  }
  clear(state, ['timer/commit-by', 'report/rendered'])
  for (const checker of state.order!.checkers)
    if (!state.silent.has(checker)) begin(state.agenda, { id: `check/${checker}`, kind: 'check', checker })
}

function voidTask(state: TaskStreamState, fact: Extract<TaskFact, { t: 'voided' }>): void {
  const known = state.ref !== undefined && state.farmEnded === undefined
  state.phase = fact.freed ? 'freed' : 'voided'
  state.voidReason = fact.reason
  if (fact.held) state.kept = true
  if (fact.failure) state.failure = fact.failure
  state.wanted = 'cancel'
  clear(state, fact.freed ? [] : ['timer/commit-by'])
  if (known) setFarm(state)
  report(state, 'voided')
}

function report(state: TaskStreamState, what: TaskReport): void {
  begin(state.agenda, { id: `report/${what}`, kind: 'report', report: what })
}

/** Ends every open command but those that are named. */
function clear(state: TaskStreamState, keep: readonly string[]): void {
  for (const id of state.agenda.open.keys()) if (!keep.includes(id)) finish(state.agenda, id)
}
