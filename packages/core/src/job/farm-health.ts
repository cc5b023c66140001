import { MAX_STRIKES } from './job-reports.ts'
import { STRIKE_GAP_MS } from './job-rows.ts'
import { emptyAgenda, type Agenda, type CommandBase, type Decision, type Machine } from './machine.ts'

/** How long a farm that delivered a refused frame gets no new leases, the first time; each further quarantine lasts twice as long as the one before. */
export const REFUSED_QUARANTINE_MS = 3_600_000
/** The same for a farm whose leases fail, stall or get lost. */
export const FAILED_QUARANTINE_MS = 600_000
const MAX_QUARANTINE_MS = 24 * 3_600_000
/** Incidents that are kept for people to look at. */
const KEPT_INCIDENTS = 50

/**
 * `trusted`: gets leases. `quarantined`: gets none. `probation`: a quarantine is over; it gets one lease at a time in each job until one is accepted, and the next
 * incident of any kind quarantines it again.
 */
export type FarmStanding = 'trusted' | 'quarantined' | 'probation'

/** Something that went wrong with one lease and that the farm is to blame for. */
export interface FarmIncident {
  readonly run: string
  readonly task: number
  /** `refused`: checkers refused a frame. `failed`: the lease failed, stalled, lapsed or got lost. */
  readonly kind: 'refused' | 'failed'
  readonly message: string
  readonly atMs: number
}

/** A farm as it is known over all jobs and restarts. */
export interface FarmHealthState {
  readonly id: string
  /** Incidents in separate minutes since the last accepted lease. */
  strikes: number
  struckAtMs: number
  /** Quarantines since it was last trusted. */
  quarantines: number
  /** The last quarantine; past its time the farm is on probation. Undefined while it is trusted. */
  quarantine: { readonly reason: string; readonly fromMs: number; readonly untilMs: number } | undefined
  readonly incidents: FarmIncident[]
  /** Since when polls fail. */
  downSinceMs: number | undefined
  /** Where its event stream was read up to, at times; a farm that does not know it any more tells everything. */
  cursor: string | undefined
  lastAtMs: number
  readonly agenda: Agenda<CommandBase>
}

export type FarmHealthInput =
  | {
      readonly type: 'incident'
      readonly run: string
      readonly task: number
      readonly kind: FarmIncident['kind']
      readonly message: string
    }
  | { readonly type: 'accepted'; readonly run: string; readonly task: number }
  | { readonly type: 'reach'; readonly up: boolean }
  | { readonly type: 'cursor'; readonly cursor: string }
  /** A person decides. */
  | { readonly type: 'trust'; readonly reason: string }
  | { readonly type: 'quarantine'; readonly reason: string; readonly untilMs: number }

interface FactBase {
  readonly v: 1
  readonly at: number
}

export type FarmHealthFact = FactBase &
  (
    | {
        readonly t: 'incident'
        readonly run: string
        readonly task: number
        readonly kind: FarmIncident['kind']
        readonly message: string
      }
    | { readonly t: 'quarantined'; readonly reason: string; readonly untilMs: number }
    | { readonly t: 'trusted'; readonly reason: string }
    | { readonly t: 'down' }
    | { readonly t: 'up' }
    | { readonly t: 'cursor'; readonly cursor: string }
  )

/** Where a farm stands at a time: quarantines end by themselves, so nothing has to run for it. */
export function standingOf(state: FarmHealthState, nowMs: number): FarmStanding {
  if (state.quarantine === undefined) return 'trusted'
  return nowMs < state.quarantine.untilMs ? 'quarantined' : 'probation'
}

/** The machine of a farm over all jobs. It decides who gets leases; it starts nothing, so it has no commands. */
export const farmHealthMachine: Machine<FarmHealthState, FarmHealthInput, FarmHealthFact, CommandBase> = {
  name: 'farm',
  stateVersion: 1,
  empty: (id) => ({
    id,
    strikes: 0,
    struckAtMs: -Infinity,
    quarantines: 0,
    quarantine: undefined,
    incidents: [],
    downSinceMs: undefined,
    cursor: undefined,
    lastAtMs: 0,
    agenda: emptyAgenda(),
  }),
  accept,
  next: () => undefined,
  evolve,
  commands: (state) => state.agenda,
  pending: () => [],
}

function accept(state: FarmHealthState, input: FarmHealthInput, atMs: number): Decision<FarmHealthFact> {
  const at = Math.max(atMs, state.lastAtMs)
  const standing = standingOf(state, at)
  const refuse = (reason: string): Decision<FarmHealthFact> => ({
    facts: [],
    refused: { input: input.type, state: standing, reason },
  })
  switch (input.type) {
    case 'incident':
      return acceptIncident(state, input, standing, at) ?? refuse('the incident is known')
    case 'accepted':
      // Leases that began before a quarantine prove nothing about what it was for.
      if (standing === 'quarantined') return refuse('it has to wait for the end of its quarantine')
      if (standing === 'trusted' && state.strikes === 0) return refuse('it is trusted')
      return { facts: [{ v: 1, at, t: 'trusted', reason: `lease ${input.task} was accepted` }] }
    case 'reach':
      if (input.up === (state.downSinceMs === undefined)) return refuse('known')
      return { facts: [{ v: 1, at, t: input.up ? 'up' : 'down' }] }
    case 'cursor':
      return input.cursor === state.cursor ? refuse('known') : { facts: [{ v: 1, at, t: 'cursor', cursor: input.cursor }] }
    case 'trust':
      if (standing === 'trusted' && state.strikes === 0) return refuse('it is trusted')
      return { facts: [{ v: 1, at, t: 'trusted', reason: input.reason }] }
    case 'quarantine':
      if (!(input.untilMs > at)) return refuse('its end has passed')
      return { facts: [{ v: 1, at, t: 'quarantined', reason: input.reason, untilMs: input.untilMs }] }
    default:
      return refuse('unknown input')
  }
}

function acceptIncident(
  state: FarmHealthState,
  input: Extract<FarmHealthInput, { type: 'incident' }>,
  standing: FarmStanding,
  at: number,
): Decision<FarmHealthFact> | undefined {
  const { run, task, kind, message } = input
  if (state.incidents.some((known) => known.run === run && known.task === task && known.kind === kind)) return undefined
  const facts: FarmHealthFact[] = [{ v: 1, at, t: 'incident', run, task, kind, message }]
  if (standing === 'quarantined') return { facts }
  // Leases that fail together are one incident.
  const strikes = state.strikes + (at - state.struckAtMs >= STRIKE_GAP_MS ? 1 : 0)
  if (kind === 'refused' || standing === 'probation' || strikes >= MAX_STRIKES) {
    const base = kind === 'refused' ? REFUSED_QUARANTINE_MS : FAILED_QUARANTINE_MS
    const ms = Math.min(MAX_QUARANTINE_MS, base * 2 ** Math.min(20, state.quarantines))
    const reason =
      kind === 'failed' && strikes >= MAX_STRIKES ? `${MAX_STRIKES} leases failed, stalled or got lost: ${message}` : message
    facts.push({ v: 1, at, t: 'quarantined', reason, untilMs: at + ms })
  }
  return { facts }
}

function evolve(state: FarmHealthState, fact: FarmHealthFact): void {
  state.lastAtMs = Math.max(state.lastAtMs, fact.at)
  switch (fact.t) {
    case 'incident': {
      const { run, task, kind, message, at } = fact
      state.incidents.push({ run, task, kind, message, atMs: at })
      if (state.incidents.length > KEPT_INCIDENTS) state.incidents.shift()
      if (at - state.struckAtMs < STRIKE_GAP_MS) return
      state.strikes++
      state.struckAtMs = at
      return
    }
    case 'quarantined':
      state.quarantine = { reason: fact.reason, fromMs: fact.at, untilMs: fact.untilMs }
      state.quarantines++
      state.strikes = 0
      return
    case 'trusted':
      state.quarantine = undefined
      state.quarantines = 0
      state.strikes = 0
      return
    case 'down':
      state.downSinceMs = fact.at
      return
    case 'up':
      state.downSinceMs = undefined
      return
    case 'cursor':
      state.cursor = fact.cursor
      return
  }
}
