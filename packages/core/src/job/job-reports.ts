import { failureRule } from './failure.ts'
import type { JobFact, JobInput } from './job-facts.ts'
import { STRIKE_GAP_MS, endLive, freeRow, keepRow, retell, startAll, uncover } from './job-rows.ts'
import { maybeEvidence } from './job-settle.ts'
import { FRAME, type JobStreamState, type TaskRow } from './job-state.ts'
import { begin, type Decision, finish, restart } from './machine.ts'

/** Times that a farm may fail, stall or get lost in one job before it gets no more leases of it. */
export const MAX_STRIKES = 3

/** How often live leases are looked at for hedging. */
export const HEDGE_TICK_MS = 30_000

/** What a task tells its job. */
export function acceptReport(
  state: JobStreamState,
  row: TaskRow,
  input: Extract<JobInput, { type: `task-${string}` }>,
  at: number,
): Decision<JobFact> | undefined {
  const task = row.id
  switch (input.type) {
    case 'task-rendered': {
      if (row.phase !== 'live' || row.rendered) return undefined
      const facts: JobFact[] = [{ v: 1, at, t: 'task-rendered', task }]
      // The first of several leases over the same frames that is whole is the one that counts; the others are told so when they ask.
      if (row.contested) {
        const winner = state.contestWinner.get(row.hedgeOf || task)
        facts.push({ v: 1, at, t: 'contest-won', task, won: winner === undefined || winner === task })
      }
      return { facts }
    }
    case 'task-contest-ready':
      return state.contesting.has(task) ? { facts: [{ v: 1, at, t: 'contest-ready', task }] } : undefined
    case 'task-judged': {
      if (row.phase !== 'live') return undefined
      const facts: JobFact[] = [{ v: 1, at, t: 'task-judged', task, verdicts: input.verdicts }]
      const farm = state.farms.get(row.farm)!
      if (input.verdicts.includes('r') && farm.excluded === undefined)
        facts.push({ v: 1, at, t: 'farm-excluded', farm: row.farm, reason: `a frame of lease ${task} was refused` })
      return { facts }
    }
    case 'task-voided': {
      if (row.phase !== 'live') return undefined
      const struck = isIncident(row, input) && state.wanted !== 'cancel' && !state.pastDeadline
      const facts: JobFact[] = [
        {
          v: 1,
          at,
          t: 'task-voided',
          task,
          reason: input.reason,
          freed: input.freed,
          ...(input.failure ? { failure: input.failure } : {}),
          ...(struck ? { blame: true } : {}),
          ...(input.cancel ? { cancel: input.cancel } : {}),
          ...(input.held ? { held: true } : {}),
        },
      ]
      const farm = state.farms.get(row.farm)!
      const counts = struck && at - farm.struckAtMs >= STRIKE_GAP_MS
      if (counts && farm.excluded === undefined && farm.strikes + 1 >= MAX_STRIKES)
        facts.push({ v: 1, at, t: 'farm-excluded', farm: row.farm, reason: `${MAX_STRIKES} leases failed, stalled or got lost` })
      return { facts }
    }
    case 'task-freed':
      return row.phase === 'void' ? { facts: [{ v: 1, at, t: 'task-freed', task }] } : undefined
  }
}

/** Whether the farm is to blame for the end of a lease. What becomes of a copy that nobody wants any more is no incident, unless it had stalled before. */
function isIncident(row: TaskRow, { reason, failure }: Extract<JobInput, { type: 'task-voided' }>): boolean {
  if (reason === 'contested') return false
  if (row.contestWon === false) return failure?.class === 'stalled'
  return reason === 'lost' || reason === 'lapsed' || (failure !== undefined && failureRule(failure).blame === 'farm')
}

function rememberFailure(state: JobStreamState, row: TaskRow, frames: readonly number[]): void {
  for (const i of frames) {
    const farms = state.failedAt.get(i) ?? []
    if (!farms.includes(row.farm)) state.failedAt.set(i, [...farms, row.farm])
  }
}

/** The farm's own journal hears of what it is to blame for. */
function tellFarm(state: JobStreamState, row: TaskRow, incident: 'refused' | 'failed', message: string): void {
  begin(state.agenda, { id: `tell-farm/${row.id}`, kind: 'tell-farm', task: row.id, farm: row.farm, incident, message })
}

/** One of several leases over the same frames is whole: it counts, or another one did already. */
export function contestWon(state: JobStreamState, fact: Extract<JobFact, { t: 'contest-won' }>): void {
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

/** The votes on a lease are merged: accepted frames are delivered, lost ones wait for a new lease, the lease waits for a batch. */
export function taskJudged(state: JobStreamState, fact: Extract<JobFact, { t: 'task-judged' }>): void {
  const row = state.rows.get(fact.task)!
  const farm = state.farms.get(row.farm)!
  row.phase = 'judged'
  endLive(state, row, fact.at)
  finish(state.agenda, `task/${row.id}`)
  const lost: number[] = []
  let won = 0
  let weight = 0
  row.frames.forEach((i, at) => {
    const verdict = fact.verdicts[at]
    if (verdict === 'a' || verdict === 'u') {
      weight += row.weights[at]!
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
  row.earned = (row.price * BigInt(weight)) / BigInt(row.weights.reduce((sum, one) => sum + one, 0))
  if (lost.length > 0) {
    rememberFailure(state, row, lost)
    uncover(state, row, lost, 'refused', fact.at)
  }
  if (fact.verdicts.includes('r')) tellFarm(state, row, 'refused', `a frame of lease ${row.id} was refused`)
  if (state.attestOver) {
    // Nothing can be attested any more: the verdict stands without pay.
    keepRow(state, row)
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

/** A lease will not be paid: its frames go elsewhere. */
export function taskVoided(state: JobStreamState, fact: Extract<JobFact, { t: 'task-voided' }>): void {
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
  if (fact.blame) tellFarm(state, row, 'failed', fact.failure?.message ?? fact.reason)
  if (fact.cancel) state.cancels.set(row.id, fact.cancel)
  if (fact.reason !== 'canceled' && fact.reason !== 'contested') rememberFailure(state, row, row.frames)
  endLive(state, row, fact.at)
  uncover(state, row, row.frames, fact.reason === 'lapsed' || fact.reason === 'lost' ? 'lapsed' : 'failed', fact.at)
  if (!fact.freed) return
  finish(state.agenda, `task/${row.id}`)
  if (fact.held) keepRow(state, row)
  else freeRow(state, row)
}

/** Accepted frames lie at their place. */
export function delivered(state: JobStreamState, fact: Extract<JobFact, { t: 'delivered' }>): void {
  const row = state.rows.get(fact.task)!
  finish(state.agenda, `deliver/${fact.task}`)
  state.delivering--
  state.paths.set(fact.task, fact.paths)
  state.lastDelivered = row.id
  state.farms.get(row.farm)!.lastDelivered = row.id
  for (const i of row.frames)
    if (state.winner[i] === row.id && state.frameState[i] === FRAME.accepted) {
      state.frameState[i] = FRAME.delivered
      state.delivered++
    }
  maybeEvidence(state)
}

/** Looks for slow tails from now on. */
export function restartHedgeTimer(state: JobStreamState, atMs: number): void {
  if (!state.order!.options.hedge) return
  restart(state.agenda, { id: 'timer/hedge', kind: 'timer', timer: 'hedge', atMs: atMs + HEDGE_TICK_MS })
}
