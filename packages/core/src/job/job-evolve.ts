import { decodeJournal } from '../contract/codec.ts'
import { parseFrames } from '../contract/frames.ts'
import { begin, finish, restart, turnAgenda } from './machine.ts'
import { evolveLedger } from './job-ledger.ts'
import { addRow, askReplan, dropUnstarted, farmRow, freeRow, leaveWindow, startAll, uncover, STRIKE_GAP_MS } from './job-rows.ts'
import { FRAME, type JobFact, type JobStreamState, type KeptOrder, type SetRow, type TaskRow } from './job-types.ts'

/** How often live leases are looked at for hedging. */
export const HEDGE_TICK_MS = 30_000

/** What stays with the escrow at the end: full prices and check fees of all leases that are attested. */
export function keepOf(state: JobStreamState): bigint {
  return state.money.attested + state.money.attestedCheck
}

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
    case 'delivered':
      return delivered(state, fact)
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
  const count = state.frames.length
  if (state.frames[count - 1]! - state.frames[0]! !== count - 1)
    state.frameIndex = new Map(state.frames.map((frame, i) => [frame, i]))
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

function takeLeases(state: JobStreamState, fact: Extract<JobFact, { t: 'leases' }>): void {
  let set = state.sets[fact.seq]
  if (!set) {
    set = {
      seq: fact.seq,
      first: state.nextTask,
      last: 0,
      root: undefined,
      signature: undefined,
      ready: new Map(),
      refused: new Set(),
      reason: 'plan',
      phase: 'signing',
    }
    state.sets.push(set)
  }
  for (const planned of fact.leases) {
    addRow(state, fact.seq, planned)
    set.last = planned.lease.id
  }
}

function proposeSet(state: JobStreamState, fact: Extract<JobFact, { t: 'set' }>): void {
  const set = state.sets[fact.seq]!
  set.reason = fact.reason
  if (fact.seq === 0) {
    for (let i = 0; i < state.frames.length; i++) if (state.frameState[i] === FRAME.idle) state.idle.add(i)
    return begin(state.agenda, { id: 'open', kind: 'open' })
  }
  closeReplan(state)
  begin(state.agenda, { id: `sign-set/${fact.seq}`, kind: 'sign-set', seq: fact.seq })
}

function closeReplan(state: JobStreamState): void {
  finish(state.agenda, `replan/${state.replan.n}`)
  state.replan.open = false
  state.replan.hedges = []
}

/** Asks every checker; called when the money is locked (set 0) or the set is signed. */
export function askReady(state: JobStreamState, set: SetRow): void {
  set.phase = 'readying'
  for (const checker of state.order!.checkers)
    begin(state.agenda, { id: `ready/${set.seq}/${checker}`, kind: 'ready', seq: set.seq, checker })
}

function setReady(state: JobStreamState, set: SetRow, atMs: number): void {
  set.phase = 'ready'
  state.replan.empty = 0
  if (set.seq === 0) begin(state.agenda, { id: 'post-ready', kind: 'post-ready' })
  if (state.phase === 'readying') {
    state.phase = 'running'
    restartHedgeTimer(state, atMs)
  }
  for (let id = set.first; id <= set.last; id++) {
    const row = state.rows.get(id)
    if (row?.phase !== 'planned') continue
    row.phase = 'queued'
    farmRow(state, row.farm, row.offer).queue.push(id)
  }
  startAll(state, atMs)
}

function setVoid(state: JobStreamState, set: SetRow, atMs: number): void {
  set.phase = 'void'
  state.replan.empty++
  if (state.phase === 'readying') state.phase = 'running'
  finish(state.agenda, `sign-set/${set.seq}`)
  for (const checker of state.order!.checkers) finish(state.agenda, `ready/${set.seq}/${checker}`)
  for (let id = set.first; id <= set.last; id++) dropPlanned(state, state.rows.get(id), atMs)
  if (state.idle.size > 0) askReplan(state, atMs + 30_000)
}

function dropPlanned(state: JobStreamState, row: TaskRow | undefined, atMs: number): void {
  if (row?.phase !== 'planned') return
  freeRow(state, row)
  state.farms.get(row.farm)!.leased -= row.frames.length
  uncover(state, row, row.frames, 'failed', atMs)
}

/** Ends all leases that no farm has: those in queues and those of a set that is not ready. */
function dropPlan(state: JobStreamState, reason: 'deadline' | 'failed', atMs: number): void {
  for (const farm of state.farms.values()) dropUnstarted(state, farm, reason, atMs)
  const set = state.sets.at(-1)
  if (set && (set.phase === 'signing' || set.phase === 'readying')) setVoid(state, set, atMs)
  if (state.replan.open) closeReplan(state)
}

/** Tells a live task anew what is wanted of it. */
function retell(state: JobStreamState, task: number): void {
  if (state.agenda.open.has(`task/${task}`)) restart(state.agenda, { id: `task/${task}`, kind: 'task', task })
}

function contestWon(state: JobStreamState, fact: Extract<JobFact, { t: 'contest-won' }>): void {
  const row = state.rows.get(fact.task)!
  row.contestWon = fact.won
  state.contesting.delete(row.id)
  retell(state, row.id)
  if (!fact.won) return
  const first = row.hedgeOf || row.id
  state.contestWinner.set(first, row.id)
  // Everybody else who covers these frames has lost: a lease is whole or nothing. Leases that wait for a place in a window are dropped when their turn comes.
  for (const id of state.live) {
    const other = state.rows.get(id)!
    if (other.id === row.id || (other.id !== first && other.hedgeOf !== first) || !other.contested) continue
    other.contestWon = false
    retell(state, other.id)
  }
}

function taskJudged(state: JobStreamState, fact: Extract<JobFact, { t: 'task-judged' }>): void {
  const row = state.rows.get(fact.task)!
  const farm = state.farms.get(row.farm)!
  row.phase = 'judged'
  leaveWindow(state, row, fact.at)
  finish(state.agenda, `task/${row.id}`)
  const lost: number[] = []
  let won = 0
  row.frames.forEach((i, at) => {
    const verdict = fact.verdicts[at]
    if (verdict === 'a' || verdict === 'u') {
      state.cover[i]!--
      if (state.frameState[i] === FRAME.leased) {
        state.frameState[i] = FRAME.accepted
        state.winner[i] = row.id
        state.accepted++
        farm.accepted++
        won++
      }
    } else {
      if (verdict === 'r') farm.refused++
      lost.push(i)
    }
    state.scoutsLeft.delete(verdict === 'a' || verdict === 'u' ? i : -1)
  })
  if (lost.length > 0) uncover(state, row, lost, 'refused', fact.at)
  if (state.attestOver) {
    // Nothing can be attested any more: the verdict stands without pay.
    freeRow(state, row)
    state.live.delete(row.id)
  } else {
    state.toSettle.push(row.id)
    if (state.toSettle.length === 1)
      begin(state.agenda, {
        id: 'timer/batch',
        kind: 'timer',
        timer: 'batch',
        atMs: fact.at + state.order!.options.batchWaitMs,
      })
  }
  if (won > 0) {
    state.delivering++
    begin(state.agenda, { id: `deliver/${row.id}`, kind: 'deliver', task: row.id })
  }
  if (state.scoutsLeft.size === 0) startAll(state, fact.at)
}

function taskVoided(state: JobStreamState, fact: Extract<JobFact, { t: 'task-voided' }>): void {
  const row = state.rows.get(fact.task)!
  const farm = state.farms.get(row.farm)!
  row.phase = 'void'
  state.live.delete(row.id)
  state.contesting.delete(row.id)
  if (state.contestWinner.get(row.hedgeOf || row.id) === row.id) state.contestWinner.delete(row.hedgeOf || row.id)
  farm.leased -= row.frames.length
  if (fact.blame && fact.at - farm.struckAtMs >= STRIKE_GAP_MS) {
    farm.strikes++
    farm.struckAtMs = fact.at
  }
  if (fact.cancel) state.cancels.set(row.id, fact.cancel)
  leaveWindow(state, row, fact.at)
  uncover(state, row, row.frames, fact.reason === 'lapsed' || fact.reason === 'lost' ? 'lapsed' : 'failed', fact.at)
  if (!fact.freed) return
  finish(state.agenda, `task/${row.id}`)
  freeRow(state, row)
}

function delivered(state: JobStreamState, fact: Extract<JobFact, { t: 'delivered' }>): void {
  const row = state.rows.get(fact.task)!
  finish(state.agenda, `deliver/${fact.task}`)
  state.delivering--
  state.paths.set(fact.task, fact.paths)
  for (const i of row.frames)
    if (state.winner[i] === row.id && state.frameState[i] === FRAME.accepted) {
      state.frameState[i] = FRAME.delivered
      state.delivered++
    }
  maybeEvidence(state)
}

function batched(state: JobStreamState, fact: Extract<JobFact, { t: 'batched' }>): void {
  state.batches.push({
    n: fact.n,
    leases: fact.leases,
    hash: undefined,
    blob: undefined,
    signatures: new Map(),
    refused: new Set(),
    number: undefined,
    phase: 'making',
  })
  for (const id of fact.leases) {
    state.rows.get(id)!.phase = 'batched'
    state.live.delete(id)
  }
  const taken = new Set(fact.leases)
  state.toSettle = state.toSettle.filter((id) => !taken.has(id))
  if (state.toSettle.length === 0) state.batchDue = false
  finish(state.agenda, 'timer/batch')
  begin(state.agenda, { id: `make-batch/${fact.n}`, kind: 'make-batch', n: fact.n })
}

/** A batch that cannot be attested as it is: its leases are tried one by one, a single one is given up unpaid. */
function batchBroken(state: JobStreamState, fact: Extract<JobFact, { t: 'batch-broken' }>): void {
  const batch = state.batches[fact.n]!
  batch.phase = 'broken'
  state.message = fact.message
  for (const id of state.agenda.open.keys())
    if (id === `attest/${fact.n}` || id === `make-batch/${fact.n}` || id.startsWith(`sign-batch/${fact.n}/`))
      finish(state.agenda, id)
  if (batch.leases.length === 1) return freeRow(state, state.rows.get(batch.leases[0]!)!)
  for (const id of batch.leases) batched(state, { v: 1, at: fact.at, t: 'batched', n: state.batches.length, leases: [id] })
}

function startSettling(state: JobStreamState, keep: bigint): void {
  state.phase = 'settling'
  state.final.keep = keep
  finish(state.agenda, 'timer/hedge')
  finish(state.agenda, 'timer/replan')
  finish(state.agenda, 'timer/deadline')
  if (!state.final.done)
    for (const checker of state.order!.checkers)
      begin(state.agenda, { id: `sign-final/${checker}`, kind: 'sign-final', checker, keep: String(keep) })
  maybeEvidence(state)
}

/** The receipt's evidence is fetched when no money moves any more. */
export function maybeEvidence(state: JobStreamState): void {
  if (
    state.phase === 'settling' &&
    state.final.done &&
    state.money.pending === 0n &&
    state.delivering === 0 &&
    !state.evidenceOver
  )
    begin(state.agenda, { id: 'evidence', kind: 'evidence' })
}

function wanted(state: JobStreamState, what: 'run' | 'hold' | 'cancel', atMs: number): void {
  state.wanted = what
  if (what === 'cancel') dropPlan(state, 'failed', atMs)
  for (const task of state.live) retell(state, task)
  if (what === 'run') {
    startAll(state, atMs)
    if (state.idle.size > 0) askReplan(state, atMs)
  }
}

/** attestBy is over: what is not on the ledger cannot be paid any more. */
function attestOver(state: JobStreamState): void {
  state.attestOver = true
  finish(state.agenda, 'timer/attest-by')
  for (const id of state.live) {
    const row = state.rows.get(id)!
    if (row.phase !== 'live') continue
    row.giveUp = 'unverifiable'
    retell(state, id)
  }
  for (const batch of state.batches) {
    if (!['making', 'signing', 'attesting'].includes(batch.phase)) continue
    batch.phase = 'broken'
    for (const id of batch.leases) freeRow(state, state.rows.get(id)!)
  }
  for (const id of state.agenda.open.keys()) if (/^(make-batch|sign-batch|attest)\//.test(id)) finish(state.agenda, id)
  for (const id of state.toSettle) {
    state.live.delete(id)
    freeRow(state, state.rows.get(id)!)
  }
  state.toSettle = []
}

function restartHedgeTimer(state: JobStreamState, atMs: number): void {
  if (!state.order!.options.hedge) return
  restart(state.agenda, { id: 'timer/hedge', kind: 'timer', timer: 'hedge', atMs: atMs + HEDGE_TICK_MS })
}
