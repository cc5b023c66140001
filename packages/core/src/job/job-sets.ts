import type { JobFact, JobInput } from './job-facts.ts'
import { restartHedgeTimer } from './job-reports.ts'
import { addRow, askReplan, dropUnstarted, farmRow, freeRow, mayLease, startAll, uncover } from './job-rows.ts'
import { FRAME, type JobStreamState, type KeptLease, type PlannedLeaseJson, type SetRow, type TaskRow } from './job-state.ts'
import { begin, type Decision, finish } from './machine.ts'

/** Facts stay small: the leases of a big set are spread over several. */
const LEASES_A_FACT = 200

export function leaseFacts(at: number, seq: number, leases: readonly PlannedLeaseJson[]): JobFact[] {
  const facts: JobFact[] = []
  for (let i = 0; i < leases.length; i += LEASES_A_FACT)
    facts.push({ v: 1, at, t: 'leases', seq, leases: leases.slice(i, i + LEASES_A_FACT).map(keptLease) })
  return facts
}

function keptLease({ lease, ...planned }: PlannedLeaseJson): KeptLease {
  const { farm: _key, payTo: _payTo, checkClass: _class, ...kept } = lease
  return { ...planned, lease: kept }
}

/** A checker is ready for a lease set; the quorum makes it usable. */
export function acceptReady(
  state: JobStreamState,
  input: Extract<JobInput, { type: 'ready' }>,
  at: number,
): Decision<JobFact> | undefined {
  const { checker, seq, setRoot } = input.ready
  // Also of a set that has successors: what a late checker votes rests on the seeds of its Ready.
  const set = state.sets[seq]
  if (!set || set.root !== setRoot || set.ready.has(checker)) return undefined
  if (set.phase === 'signing' || set.phase === 'void') return undefined
  if (!state.order!.checkers.includes(checker)) return undefined
  const facts: JobFact[] = [{ v: 1, at, t: 'ready', ready: input.ready }]
  if (set.phase === 'readying' && set.ready.size + 1 === state.order!.terms.quorum) facts.push({ v: 1, at, t: 'set-ready', seq })
  return { facts }
}

/** Enters the leases of a set into the table. */
export function takeLeases(state: JobStreamState, fact: Extract<JobFact, { t: 'leases' }>): void {
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

/** A set is complete: set 0 is opened with the money, later ones are signed first. */
export function proposeSet(state: JobStreamState, fact: Extract<JobFact, { t: 'set' }>): void {
  const set = state.sets[fact.seq]!
  set.reason = fact.reason
  if (fact.seq === 0) {
    for (let i = 0; i < state.frameState.length; i++) if (state.frameState[i] === FRAME.idle) state.idle.add(i)
    return begin(state.agenda, { id: 'open', kind: 'open' })
  }
  closeReplan(state)
  begin(state.agenda, { id: `sign-set/${fact.seq}`, kind: 'sign-set', seq: fact.seq })
}

/** Ends the open re-plan. */
export function closeReplan(state: JobStreamState): void {
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

/** A quorum is ready: the leases of the set may start. */
export function setReady(state: JobStreamState, set: SetRow, atMs: number): void {
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
  // A farm may have been quarantined since it was planned for.
  for (const farm of state.farms.values()) if (!mayLease(farm)) dropUnstarted(state, farm, 'failed', atMs)
  startAll(state, atMs)
}

/** The set will not be used: its leases are free again. */
export function setVoid(state: JobStreamState, set: SetRow, atMs: number): void {
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
  if (row.hedgeOf === 0) for (const i of row.frames) state.attempts[i]!--
  uncover(state, row, row.frames, 'failed', atMs)
}

/** Ends all leases that no farm has: those in queues and those of a set that is not ready. */
export function dropPlan(state: JobStreamState, reason: 'deadline' | 'failed', atMs: number): void {
  for (const farm of state.farms.values()) dropUnstarted(state, farm, reason, atMs)
  const set = state.sets.at(-1)
  if (set && (set.phase === 'signing' || set.phase === 'readying')) setVoid(state, set, atMs)
  if (state.replan.open) closeReplan(state)
}
