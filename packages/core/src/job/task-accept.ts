import type { Failure } from '../contract/farm.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { failureRule } from './failure.ts'
import { committedHash, packHashes } from './hashes.ts'
import type { Decision } from './machine.ts'
import type { TaskFact, TaskInput } from './task-facts.ts'
import type { TaskStreamState, VoidReason } from './task-state.ts'

const OVER = new Set(['judged', 'voided', 'freed'])
const ASKED_TO_HOLD = new Set(['holding', 'checking', 'judging'])

/** Tickets of one lease: a person is asked a few times, and a farm that asks without end fills no journal. */
const MOST_TICKETS = 50

/** Decides one input. Late, duplicate and impossible ones change nothing and say why. */
export function acceptTask(state: TaskStreamState, input: TaskInput, atMs: number): Decision<TaskFact> {
  const at = Math.max(atMs, state.lastAtMs)
  const refuse = (reason: string): Decision<TaskFact> => ({
    facts: [],
    refused: { input: input.type, state: state.phase, reason },
  })
  const one = (fact: TaskFact): Decision<TaskFact> => ({ facts: [fact] })
  if (input.type === 'open') {
    return state.phase === 'new' ? one({ v: 1, at, t: 'opened', order: input.order }) : refuse('it is open already')
  }
  if (!state.order) return refuse('it is not open')
  if ('ref' in input && input.type !== 'submitted' && (input.ref !== state.ref?.ref || state.phase !== 'rendering'))
    return refuse(state.phase === 'rendering' ? 'it speaks of another attempt' : 'the farm has no more part in it')
  switch (input.type) {
    case 'submitted':
      if (state.phase !== 'submitting' || input.attempt !== state.attempt) return refuse('no such submit is open')
      return one({
        v: 1,
        at,
        t: 'submitted',
        ref: input.ref,
        ...(input.leaseSignature ? { sig: input.leaseSignature } : {}),
      })
    case 'submit-failed':
      if (state.phase !== 'submitting' || input.attempt !== state.attempt) return refuse('no such submit is open')
      if (input.unknown) return one(voided(at, 'lost', false, input.failure))
      return one(failed(state, at, input.failure, 'refused'))
    case 'farm-state':
      return farmState(state, input, at) ?? refuse(`${input.state} changes nothing`)
    case 'canceled':
      return state.farmEnded && !(state.farmEnded === 'canceled' && !state.cancel && input.cancel)
        ? refuse('it has ended')
        : one({ v: 1, at, t: 'farm-ended', state: 'canceled', ...(input.cancel ? { cancel: input.cancel } : {}) })
    case 'commit':
      return commit(state, input, at) ?? refuse('the frames are committed, or no frames of this lease')
    case 'commit-bad':
      return one(voided(at, 'failed', false, { class: 'protocol', message: input.message }))
    case 'fetched':
      return fetched(state, input, at) ?? refuse('these frames are here already')
    case 'stalled':
      if (state.wanted !== 'run' || state.farmEnded) return refuse('it is not meant to run')
      return one({ v: 1, at, t: 'wanted', wanted: 'cancel', reason: 'stalled' })
    case 'ticket': {
      const known = state.tickets.get(input.ticket.id)
      if (known?.closed || (known && !input.ticket.closed)) return refuse('the ticket is known')
      if (!known && state.tickets.size >= MOST_TICKETS) return refuse(`it has ${MOST_TICKETS} tickets already`)
      return one({ v: 1, at, t: 'ticket', ticket: input.ticket })
    }
    case 'contested':
      return ['submitting', 'rendering'].includes(state.phase) && !state.order.contested
        ? one({ v: 1, at, t: 'contested' })
        : refuse('it is too late to contest it')
    case 'contest':
      if (state.phase !== 'contesting') return refuse('nothing is contested')
      return one(input.won ? { v: 1, at, t: 'holding' } : voided(at, 'contested', false))
    case 'want':
      if (!['submitting', 'rendering'].includes(state.phase)) return refuse('the farm has no more part in it')
      if (state.wanted === input.wanted || state.wanted === 'cancel') return refuse(`it is wanted to ${state.wanted}`)
      return one({ v: 1, at, t: 'wanted', wanted: input.wanted, reason: input.reason })
    case 'priority':
      return OVER.has(state.phase) ? refuse('it is over') : one({ v: 1, at, t: 'priority', priority: input.priority })
    case 'give-up':
      return OVER.has(state.phase) ? refuse('it is over') : one(ended(state, at, input.reason))
    case 'tick':
      return tick(state, input.timer, at) ?? refuse('the timer is over')
    default:
      return checkerInput(state, input, at) ?? refuse('it is late or known')
  }
}

function checkerInput(state: TaskStreamState, input: TaskInput, at: number): Decision<TaskFact> | undefined {
  if (!('checker' in input))
    return input.type === 'judged' || input.type === 'judge-failed' ? judged(state, input, at) : undefined
  const order = state.order!
  if (!order.checkers.includes(input.checker)) return undefined
  switch (input.type) {
    case 'held': {
      const commit = state.commits.find((one) => one.outputRoot === input.outputRoot)
      if (state.phase !== 'holding' || !commit || commit.held.has(input.checker)) return undefined
      return { facts: [{ v: 1, at, t: 'held', checker: input.checker, root: input.outputRoot, sig: input.signature }] }
    }
    case 'checked':
      if (state.phase !== 'checking' || state.checked.has(input.checker)) return undefined
      return { facts: [{ v: 1, at, t: 'checked', checker: input.checker }] }
    case 'votes':
      if (state.phase !== 'checking' || state.votes.has(input.checker)) return undefined
      if (input.verdicts.length !== order.lease.frames.length) return undefined
      return { facts: [{ v: 1, at, t: 'voted', checker: input.checker, blob: input.blob, verdicts: input.verdicts }] }
    case 'checker-silent':
      if (!['holding', 'checking'].includes(state.phase) || state.silent.has(input.checker) || state.votes.has(input.checker))
        return undefined
      return { facts: [{ v: 1, at, t: 'checker-silent', checker: input.checker, action: input.action, reason: input.reason }] }
    default:
      return undefined
  }
}

function judged(state: TaskStreamState, input: TaskInput, at: number): Decision<TaskFact> | undefined {
  if (state.phase !== 'judging') return undefined
  if (input.type === 'judged')
    return { facts: [{ v: 1, at, t: 'judged', verdicts: input.verdicts, weight: input.acceptedWeight }] }
  if (input.type === 'judge-failed')
    return { facts: [ended(state, at, 'unverifiable', { class: 'protocol', message: input.message })] }
  return undefined
}

function farmState(
  state: TaskStreamState,
  input: Extract<TaskInput, { type: 'farm-state' }>,
  at: number,
): Decision<TaskFact> | undefined {
  if (state.farmEnded) return undefined
  if (input.state === 'succeeded' || input.state === 'canceled')
    return { facts: [{ v: 1, at, t: 'farm-ended', state: input.state }] }
  if (!['failed', 'incompatible', 'lost', 'interrupted'].includes(input.state)) return undefined
  const failure: Failure = input.failure ?? {
    class: input.state === 'failed' ? 'device-fault' : input.state === 'incompatible' ? 'scene' : 'preempted',
    message: `the farm says ${input.state}`,
  }
  // What is committed counts; a new try would have to commit the same frames again.
  if (state.commits.length > 0 || state.wanted === 'cancel')
    return { facts: [{ v: 1, at, t: 'farm-ended', state: input.state, failure }] }
  return { facts: [failed(state, at, failure, 'failed')] }
}

/** Another try, or the end: by the failure's class, the tries used up and the time left. */
function failed(state: TaskStreamState, at: number, failure: Failure, reason: VoidReason): TaskFact {
  const rule = failureRule(failure)
  const order = state.order!
  const failures = state.failures + (rule.counts ? 1 : 0)
  const againAtMs = at + Math.max(rule.waitMs, failure.retryAfterMs ?? 0)
  const again =
    rule.again &&
    failures < order.maxTries &&
    state.attempt < 20 &&
    state.wanted !== 'cancel' &&
    againAtMs + order.expectedMs < order.lease.commitByS * 1000
  return again ? { v: 1, at, t: 'attempt-failed', failure, counts: rule.counts, againAtMs } : voided(at, reason, true, failure)
}

function commit(
  state: TaskStreamState,
  input: Extract<TaskInput, { type: 'commit' }>,
  at: number,
): Decision<TaskFact> | undefined {
  const { lease } = state.order!
  const { outputs, index, outputRoot, signature } = input.commit
  const taken = new Set(state.commits.flatMap((one) => [...one.frames]))
  const frames = outputs.map((output) => lease.frames.indexOf(output.frame))
  const bad = frames.some((frame, i) => frame < 0 || taken.has(frame) || outputs[i]!.part !== lease.part)
  if (bad || outputs.length === 0 || new Set(frames).size !== frames.length) return undefined
  if (state.commits.some((one) => one.index === index)) return undefined
  const hashes = outputs.map((output) => output.outputHash)
  const known = frames.every((frame, i) => state.fetched[frame] === hashes[i])
  return {
    facts: [
      {
        v: 1,
        at,
        t: 'commit',
        index,
        root: outputRoot,
        sig: signature,
        frames,
        ...(known ? {} : { hashes: packHashes(hashes) }),
        doneAtMs: outputs.map((output) => output.completedAtMs),
      },
    ],
  }
}

function fetched(
  state: TaskStreamState,
  input: Extract<TaskInput, { type: 'fetched' }>,
  at: number,
): Decision<TaskFact> | undefined {
  // A frame that was rendered again comes with other bytes; what is committed stands.
  const isNews = (frame: number, hash: Bytes32): boolean =>
    state.fetched[frame] !== hash && (committedHash(state, frame) ?? hash) === hash
  const picked = input.frames.map((_, i) => i).filter((i) => isNews(input.frames[i]!, input.hashes[i]!))
  const inRange = input.frames.every((frame) => frame >= 0 && frame < state.order!.lease.frames.length)
  if (picked.length === 0 || !inRange) return undefined
  const known = picked.every((i) => committedHash(state, input.frames[i]!) === input.hashes[i])
  return {
    facts: [
      {
        v: 1,
        at,
        t: 'fetched',
        frames: picked.map((i) => input.frames[i]!),
        ...(known ? {} : { hashes: packHashes(picked.map((i) => input.hashes[i]!)) }),
        ms: picked.map((i) => input.renderMs[i] ?? 0),
        ago: picked.map((i) => at - (input.completedAtMs[i] ?? at)),
        ...(input.sealed ? { sealed: input.sealed } : {}),
      },
    ],
  }
}

function tick(state: TaskStreamState, timer: string, at: number): Decision<TaskFact> | undefined {
  if (timer === 'commit-by' && !state.late && state.phase !== 'freed') return { facts: [{ v: 1, at, t: 'commit-by' }] }
  if (timer === 'vote-grace' && state.phase === 'checking' && !state.graceOver) return { facts: [{ v: 1, at, t: 'grace-over' }] }
  if (timer === 'end-grace' && state.phase === 'rendering' && !state.endOver) return { facts: [{ v: 1, at, t: 'end-over' }] }
  if (timer === 'cancel-grace' && ['submitting', 'rendering'].includes(state.phase))
    return { facts: [voided(at, 'lost', false, state.failure)] }
  return undefined
}

/**
 * The end of a lease that cannot be judged. What a checker holds, or may hold without our knowledge, its farm may claim: the price stays bound, and there is nothing to
 * wait for. Otherwise it is free again at commitBy.
 */
export function ended(state: TaskStreamState, at: number, reason: VoidReason, failure?: Failure): TaskFact {
  const { checkers } = state.order!
  const answered = checkers.every((checker) => state.silent.has(checker))
  const held = ASKED_TO_HOLD.has(state.phase) && (!answered || state.commits.some((one) => one.held.size > 0))
  return { v: 1, at, t: 'voided', reason, freed: held || state.late, ...(failure ? { failure } : {}), ...(held ? { held } : {}) }
}

export function voided(at: number, reason: VoidReason, freed: boolean, failure?: Failure): TaskFact {
  return { v: 1, at, t: 'voided', reason, freed, ...(failure ? { failure } : {}) }
}
