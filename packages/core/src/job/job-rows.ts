import { begin, restart } from './machine.ts'
import { type FarmRow, FRAME, type JobStreamState, type KeptLease, type ReplanReason, type TaskRow } from './job-state.ts'
import { startPace } from './pace.ts'
import type { LeaseJson } from './task-state.ts'
import { frameOf, partOf, unitAt } from './units.ts'

/** How long frames that fell free wait for others, so that one re-plan places many. */
export const REPLAN_WAIT_MS = 2_000
/** Leases of a farm that fail within this time of a strike count as the same incident. */
export const STRIKE_GAP_MS = 60_000

export function farmRow(state: JobStreamState, id: string, offer: string): FarmRow {
  let row = state.farms.get(id)
  if (!row) {
    const quote = state.order!.quotes.find((one) => one.farm === id)
    const hosts = quote?.offers.find((one) => one.id === offer)?.hosts ?? 1
    row = {
      id,
      // Two leases a host: one renders, the next is uploaded and queued.
      window: Math.max(2, 2 * hosts),
      queue: [],
      head: 0,
      inFlight: 0,
      live: 0,
      leased: 0,
      accepted: 0,
      refused: 0,
      spent: 0n,
      lastDelivered: undefined,
      strikes: 0,
      struckAtMs: -Infinity,
      excluded: undefined,
      pace: undefined,
      standing: 'trusted',
      standingReason: undefined,
    }
    state.farms.set(id, row)
  }
  return row
}

/** Enters a lease into the table: its price is bound from now on. */
export function addRow(state: JobStreamState, seq: number, planned: KeptLease): void {
  const { lease } = planned
  const frames = lease.frames.map((frame) => unitAt(state, frame, lease.part)).filter((i) => i !== undefined)
  const row: TaskRow = {
    id: lease.id,
    farm: planned.farm,
    offer: planned.offer,
    seq,
    price: BigInt(lease.price),
    checkFee: state.order!.terms.checkFee * BigInt(lease.frames.length),
    frames,
    weights: lease.weights,
    commitByS: lease.commitByS,
    hedgeOf: lease.hedgeOf,
    expectedMs: planned.expectedMs,
    phase: 'planned',
    startedAtMs: 0,
    rendered: false,
    contested: lease.hedgeOf !== 0,
    contestWon: undefined,
    giveUp: undefined,
    earned: 0n,
  }
  state.rows.set(row.id, row)
  state.openRows++
  state.nextTask = Math.max(state.nextTask, row.id + 1)
  state.money.live += row.price
  state.money.liveCheck += row.checkFee
  farmRow(state, row.farm, row.offer).leased += frames.length
  for (const i of frames) {
    state.cover[i]!++
    // A hedge is no further attempt: the first is still under way.
    if (row.hedgeOf === 0) state.attempts[i]!++
    state.idle.delete(i)
    if (state.frameState[i] === FRAME.idle) state.frameState[i] = FRAME.leased
  }
}

/** The lease of a row, as it was signed. */
export function leaseOfRow(state: JobStreamState, row: TaskRow): LeaseJson {
  const { parties, spec } = state.order!
  const party = parties[row.farm]!
  return {
    id: row.id,
    farm: party.key,
    payTo: party.payTo,
    price: row.price.toString(),
    frames: row.frames.map((i) => frameOf(state, i)),
    weights: row.weights,
    part: partOf(state, row.frames[0]!),
    checkClass: spec.render.checkClass,
    commitByS: row.commitByS,
    hedgeOf: row.hedgeOf,
  }
}

/** Starts leases of a farm while its window has room. */
export function startNext(state: JobStreamState, farm: FarmRow, atMs: number): void {
  if (state.wanted !== 'run' || state.phase !== 'running') return
  if (farm.standing === 'quarantined') return
  // On probation the last lease must be judged before the next one starts.
  const room = (): boolean => (farm.standing === 'probation' ? farm.live === 0 : farm.inFlight < farm.window)
  for (let skipped = 0; room() && farm.head + skipped < farm.queue.length;) {
    const at = farm.head + skipped
    const row = state.rows.get(farm.queue[at]!)!
    if (row.phase !== 'queued') {
      if (skipped === 0) farm.head++
      else skipped++
      continue
    }
    if (state.scoutsLeft.size > 0 && !row.frames.some((i) => state.scoutsLeft.has(i))) {
      skipped++
      continue
    }
    if (skipped === 0) farm.head++
    if (row.hedgeOf !== 0 && state.contestWinner.has(row.hedgeOf)) {
      freeRow(state, row)
      farm.leased -= row.frames.length
      uncover(state, row, row.frames, 'failed', atMs)
      continue
    }
    farm.inFlight++
    farm.live++
    row.phase = 'live'
    row.startedAtMs = atMs
    startPace(state, farm, row, atMs)
    state.live.add(row.id)
    begin(state.agenda, { id: `task/${row.id}`, kind: 'task', task: row.id })
  }
}

export function startAll(state: JobStreamState, atMs: number): void {
  for (const farm of state.farms.values()) startNext(state, farm, atMs)
}

/** Whether a farm may be given leases of this job now. */
export function mayLease(farm: FarmRow | undefined): boolean {
  return farm?.excluded === undefined && farm?.standing !== 'quarantined'
}

/** The lease is judged or void: its farm has no more part in it. */
export function endLive(state: JobStreamState, row: TaskRow, atMs: number): void {
  const farm = state.farms.get(row.farm)!
  farm.live--
  leaveWindow(state, row, atMs)
  if (farm.standing === 'probation') startNext(state, farm, atMs)
}

/** The lease leaves its farm's window. */
export function leaveWindow(state: JobStreamState, row: TaskRow, atMs: number): void {
  if (row.rendered) return
  row.rendered = true
  const farm = state.farms.get(row.farm)!
  farm.inFlight--
  startNext(state, farm, atMs)
}

/** Its frames are no longer covered by this lease; those that nobody covers wait for a new one, or are given up after too many leases. */
export function uncover(
  state: JobStreamState,
  row: TaskRow,
  frames: readonly number[],
  reason: ReplanReason,
  atMs: number,
): void {
  for (const i of frames) {
    state.cover[i]!--
    if (state.cover[i]! > 0 || state.frameState[i] !== FRAME.leased) continue
    if (state.attempts[i]! >= state.order!.options.maxAttempts) {
      state.frameState[i] = FRAME.missing
      state.missing++
      state.scoutsLeft.delete(i)
    } else {
      state.frameState[i] = FRAME.idle
      state.idle.add(i)
    }
  }
  if (state.idle.size > 0 && !state.replan.open) {
    state.replan.reason = reason
    askReplan(state, Math.max(state.replan.notBeforeAtMs, atMs + REPLAN_WAIT_MS))
  }
}

export function askReplan(state: JobStreamState, atMs: number): void {
  state.replan.notBeforeAtMs = atMs
  restart(state.agenda, { id: 'timer/replan', kind: 'timer', timer: 'replan', atMs })
}

/** The lease will never be paid: its price is free again. */
export function freeRow(state: JobStreamState, row: TaskRow): void {
  row.phase = 'gone'
  state.openRows--
  state.money.live -= row.price
  state.money.liveCheck -= row.checkFee
}

/** The lease will never be paid by a batch, but a quorum holds what it committed and its farm may claim: its price stays bound until the refund. */
export function keepRow(state: JobStreamState, row: TaskRow): void {
  row.phase = 'kept'
  state.openRows--
}

/** Ends leases that no farm was handed yet. They were no attempts: nobody has tried their frames. */
export function dropUnstarted(state: JobStreamState, farm: FarmRow, reason: ReplanReason, atMs: number): void {
  for (let at = farm.head; at < farm.queue.length; at++) {
    const row = state.rows.get(farm.queue[at]!)!
    if (row.phase !== 'queued') continue
    freeRow(state, row)
    farm.leased -= row.frames.length
    if (row.hedgeOf === 0) for (const i of row.frames) state.attempts[i]!--
    uncover(state, row, row.frames, reason, atMs)
  }
  farm.head = farm.queue.length
}

/** Tells a live task anew what is wanted of it. */
export function retell(state: JobStreamState, task: number): void {
  if (state.agenda.open.has(`task/${task}`)) restart(state.agenda, { id: `task/${task}`, kind: 'task', task })
}
