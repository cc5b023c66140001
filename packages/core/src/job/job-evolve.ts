import { decodeJournal } from '../contract/codec.ts'
import { parseFrames } from '../contract/frames.ts'
import type { JobFact } from './job-facts.ts'
import { evolveLedger } from './job-ledger.ts'
import { contestWon, delivered, taskJudged, taskVoided } from './job-reports.ts'
import { recordPace, resumePace } from './pace.ts'
import { askReplan, dropUnstarted, farmRow, freeRow, leaveWindow, retell, startAll, startNext } from './job-rows.ts'
import { askReady, closeReplan, dropPlan, proposeSet, setReady, setVoid, takeLeases } from './job-sets.ts'
import { attestOver, batchBroken, batched, maybeEvidence, startSettling } from './job-settle.ts'
import { FRAME, type JobStreamState, type KeptOrder } from './job-state.ts'
import { begin, finish, turnAgenda } from './machine.ts'
import { partsOf } from './units.ts'

/** Applies one fact. Work is proportional to what the fact names, never to the number of tasks; exceptions are the few facts that end or hold the whole job. */
export function evolveJob(state: JobStreamState, fact: JobFact): void {
  turnAgenda(state.agenda)
  state.lastAtMs = Math.max(state.lastAtMs, fact.at)
  const { agenda } = state
  switch (fact.t) {
    case 'ordered':
      return ordered(state, fact)
    case 'leases':
      return takeLeases(state, fact)
    case 'set':
      return proposeSet(state, fact)
    case 'set-signed': {
      const set = state.sets[fact.seq]!
      set.root = fact.root
      set.signature = fact.sig
      finish(agenda, `sign-set/${fact.seq}`)
      return askReady(state, set)
    }
    case 'ready': {
      const set = state.sets[fact.ready.seq]!
      set.ready.set(fact.ready.checker, fact.ready)
      return finish(agenda, `ready/${set.seq}/${fact.ready.checker}`)
    }
    case 'checker-refused':
      if (fact.batch >= 0) {
        state.batches[fact.batch]!.refused.add(fact.checker)
        return finish(agenda, `sign-batch/${fact.batch}/${fact.checker}`)
      }
      state.sets[fact.seq]?.refused.add(fact.checker)
      return finish(agenda, `ready/${fact.seq}/${fact.checker}`)
    case 'set-ready':
      return setReady(state, state.sets[fact.seq]!, fact.at)
    case 'set-void':
      return setVoid(state, state.sets[fact.seq]!, fact.at)
    case 'task-rendered': {
      const row = state.rows.get(fact.task)!
      state.rendered += row.frames.length
      recordPace(state.farms.get(row.farm)!, row, fact.at)
      return leaveWindow(state, row, fact.at)
    }
    case 'contest':
      for (const task of fact.tasks) {
        state.contesting.add(task)
        state.rows.get(task)!.contested = true
        retell(state, task)
      }
      return
    case 'contest-ready':
      state.contesting.delete(fact.task)
      state.replan.hedges.push(fact.task)
      return
    case 'contest-won':
      return contestWon(state, fact)
    case 'task-judged':
      return taskJudged(state, fact)
    case 'task-voided':
      return taskVoided(state, fact)
    case 'task-freed':
      finish(agenda, `task/${fact.task}`)
      return freeRow(state, state.rows.get(fact.task)!)
    case 'farm-excluded': {
      const farm = state.farms.get(fact.farm)!
      farm.excluded = fact.reason
      return dropUnstarted(state, farm, 'refused', fact.at)
    }
    case 'farm-standing':
      return farmStanding(state, fact)
    case 'farm-told':
      return finish(agenda, `tell-farm/${fact.task}`)
    case 'delivered':
      return delivered(state, fact)
    case 'unopened':
      finish(agenda, `deliver/${fact.task}`)
      state.delivering--
      return maybeEvidence(state)
    case 'replan-started':
      state.replan.n = fact.n
      state.replan.open = true
      state.replan.reason = fact.reason
      state.replan.hedges = [...fact.hedges]
      finish(agenda, 'timer/replan')
      return begin(agenda, { id: `replan/${fact.n}`, kind: 'replan', n: fact.n })
    case 'replan-empty':
      closeReplan(state)
      state.replan.empty++
      if (fact.message) state.replan.why = fact.message
      else delete state.replan.why
      return askReplan(state, fact.againAtMs)
    case 'replan-due':
      state.replan.notBeforeAtMs = 0
      return finish(agenda, 'timer/replan')
    case 'missing':
      for (const i of fact.frames) {
        state.idle.delete(i)
        state.frameState[i] = FRAME.missing
        state.missing++
        state.scoutsLeft.delete(i)
      }
      state.message = fact.reason
      return
    case 'batch-due':
      state.batchDue = true
      return finish(agenda, 'timer/batch')
    case 'batched':
      return batched(state, fact)
    case 'batch-made': {
      const batch = state.batches[fact.n]!
      batch.hash = fact.hash
      batch.blob = fact.blob
      batch.phase = 'signing'
      finish(agenda, `make-batch/${fact.n}`)
      for (const checker of state.order!.checkers)
        begin(agenda, { id: `sign-batch/${fact.n}/${checker}`, kind: 'sign-batch', n: fact.n, checker })
      return
    }
    case 'batch-signed': {
      const batch = state.batches[fact.n]!
      batch.signatures.set(fact.checker, fact.sig)
      finish(agenda, `sign-batch/${fact.n}/${fact.checker}`)
      if (batch.signatures.size < state.order!.terms.quorum) return
      batch.phase = 'attesting'
      for (const checker of state.order!.checkers) finish(agenda, `sign-batch/${fact.n}/${checker}`)
      return begin(agenda, { id: `attest/${fact.n}`, kind: 'attest', n: fact.n })
    }
    case 'batch-broken':
      return batchBroken(state, fact)
    case 'ledger':
      return evolveLedger(state, fact.event, fact.at)
    case 'settling':
      return startSettling(state, BigInt(fact.keep))
    case 'final-signed':
      state.final.signatures.set(fact.checker, fact.sig)
      finish(agenda, `sign-final/${fact.checker}`)
      if (state.final.signatures.size === state.order!.terms.quorum)
        begin(agenda, { id: 'final', kind: 'final', keep: String(state.final.keep) })
      return
    case 'evidence':
      state.evidence = fact.blob ?? undefined
      state.evidenceOver = true
      return finish(agenda, 'evidence')
    case 'refused':
      state.message = fact.message
      return finish(agenda, fact.command)
    case 'blocked':
      state.blocked = fact.reason ?? undefined
      return
    case 'wanted':
      return wanted(state, fact.wanted, fact.at)
    case 'priority':
      state.priority = fact.priority
      for (const task of state.live) retell(state, task)
      return
    case 'deadline':
      state.deadlineAtMs = Math.min(fact.deadlineAtMs, state.order!.terms.deadlineAtS * 1000)
      return
    case 'answer':
      state.answers = fact.n
      return begin(agenda, {
        id: `answer/${fact.n}`,
        kind: 'answer',
        n: fact.n,
        farm: fact.farm,
        ticket: fact.ticket,
        fields: fact.fields,
      })
    case 'answered':
      return finish(agenda, `answer/${fact.n}`)
    case 'past-deadline':
      state.pastDeadline = true
      finish(agenda, 'timer/deadline')
      return dropPlan(state, 'deadline', fact.at)
    case 'attest-over':
      return attestOver(state)
    case 'refund-due':
      state.refundOpen = true
      finish(agenda, 'timer/refund')
      return begin(agenda, { id: 'refund', kind: 'refund' })
    case 'ended':
      state.phase = 'ended'
      state.outcome = fact.outcome
      if (fact.message !== undefined) state.message = fact.message
      for (const id of agenda.open.keys()) finish(agenda, id)
      return
  }
}

function ordered(state: JobStreamState, fact: Extract<JobFact, { t: 'ordered' }>): void {
  const order = decodeJournal<KeptOrder>(fact.order)
  const { terms, options } = order
  state.order = order
  state.phase = 'opening'
  state.startedAtMs = fact.at
  state.priority = order.spec.priority ?? 0
  state.deadlineAtMs = Math.min(order.spec.deadlineAtMs, terms.deadlineAtS * 1000)
  state.frames = parseFrames(order.spec.frames)
  const last = state.frames.length - 1
  if (state.frames[last]! - state.frames[0]! !== last) state.frameIndex = new Map(state.frames.map((frame, i) => [frame, i]))
  const count = state.frames.length * partsOf(state)
  state.frameState = new Uint8Array(count)
  state.cover = new Uint8Array(count)
  state.attempts = new Uint8Array(count)
  state.winner = new Int32Array(count)
  if (options.scouts) state.scoutsLeft = new Set([0, count >> 1, count - 1])
  state.sets.push({
    seq: 0,
    first: 1,
    last: 0,
    root: fact.root,
    signature: undefined,
    ready: new Map(),
    refused: new Set(),
    reason: 'plan',
    phase: 'readying',
  })
  const timer = (name: 'deadline' | 'attest-by' | 'refund' | 'give-up', atMs: number): void =>
    begin(state.agenda, { id: `timer/${name}`, kind: 'timer', timer: name, atMs })
  timer('deadline', terms.deadlineAtS * 1000)
  timer('attest-by', terms.attestByS * 1000)
  timer('refund', terms.refundAfterS * 1000)
  timer('give-up', options.giveUpAtMs)
  begin(state.agenda, { id: 'watch', kind: 'watch' })
}

export function wanted(state: JobStreamState, what: 'run' | 'hold' | 'cancel', atMs: number): void {
  state.wanted = what
  if (what === 'cancel') dropPlan(state, 'failed', atMs)
  for (const task of state.live) retell(state, task)
  if (what === 'run') {
    for (const farm of state.farms.values()) resumePace(farm)
    for (const id of state.live) {
      const row = state.rows.get(id)!
      // A lease that waited through the pause is not overdue for it.
      if (row.startedAtMs > 0) row.startedAtMs = atMs
    }
    startAll(state, atMs)
    if (state.idle.size > 0) askReplan(state, atMs)
  }
}

/** A farm stands differently over all jobs: what it was not handed yet goes elsewhere, or it is used again. */
function farmStanding(state: JobStreamState, fact: Extract<JobFact, { t: 'farm-standing' }>): void {
  const offer = state.order!.quotes.find((quote) => quote.farm === fact.farm)?.offers[0]
  const farm = farmRow(state, fact.farm, offer?.id ?? '')
  farm.standing = fact.standing
  farm.standingReason = fact.reason
  if (fact.standing === 'quarantined') return dropUnstarted(state, farm, 'failed', fact.at)
  // Planners that found nobody find somebody now.
  state.replan.empty = 0
  startNext(state, farm, fact.at)
  if (state.idle.size > 0 && !state.replan.open) askReplan(state, fact.at)
}
