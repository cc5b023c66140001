import { leaseFacts } from './job-sets.ts'
import { mayLease } from './job-rows.ts'
import { FRAME } from './job-state.ts'
import type { JobFact, JobInput } from './job-facts.ts'
import type { JobStreamState, PlannedLeaseJson } from './job-state.ts'
import { unitAt } from './units.ts'

const EMPTY_WAIT_MS = 5_000
const EMPTY_WAIT_MAX_MS = 120_000
/** A lease is hedged when it has taken this many times the planned time, and at least {@link HEDGE_LEAST_MS}. */
const HEDGE_FACTOR = 3
const HEDGE_LEAST_MS = 60_000
/** Hedging looks at a few leases at a time: it is for the tail. */
const HEDGES_AT_ONCE = 4

/** Money that new leases may still bind: what is locked for farms less all live and attested leases; likewise for check fees. */
export function budgetLeft(state: JobStreamState): { readonly farm: bigint; readonly check: bigint } {
  const { terms } = state.order!
  return {
    farm: terms.farmBudget - state.money.live - state.money.attested,
    check: terms.checkBudget - state.money.liveCheck - state.money.attestedCheck,
  }
}

/**
 * Takes from an answer what the terms and the budget allow, in its order, and numbers the leases. The hard cap lies here: no set is ever proposed whose live prices
 * exceed what is left.
 */
export function acceptReplan(state: JobStreamState, input: Extract<JobInput, { type: 'replanned' }>, at: number): JobFact[] {
  const { terms } = state.order!
  let { farm, check } = budgetLeft(state)
  const taken: PlannedLeaseJson[] = []
  const used = new Set<number>()
  let why = input.message
  for (const planned of input.leases) {
    const { lease } = planned
    const price = BigInt(lease.price)
    const fee = terms.checkFee * BigInt(lease.frames.length)
    const indexes = lease.frames.map((frame) => unitAt(state, frame, lease.part))
    const hedged = lease.hedgeOf === 0 ? undefined : state.rows.get(lease.hedgeOf)
    const free = indexes.every((i) => {
      if (i === undefined || used.has(i)) return false
      return state.idle.has(i) || (state.replan.hedges.includes(lease.hedgeOf) && hedged?.frames.includes(i) === true)
    })
    const row = state.farms.get(planned.farm)
    const whole = hedged === undefined || hedged.frames.every((i) => indexes.includes(i) || state.frameState[i] !== FRAME.leased)
    const legal =
      whole &&
      free &&
      lease.frames.length > 0 &&
      state.order!.parties[planned.farm] !== undefined &&
      mayLease(row) &&
      price <= farm &&
      fee <= check &&
      price <= terms.frameCap * BigInt(lease.frames.length) &&
      lease.commitByS <= terms.deadlineAtS &&
      lease.commitByS * 1000 > at
    if (!legal) {
      why ??= whyNot(lease, planned.farm, { farm, frameCap: terms.frameCap })
      continue
    }
    for (const i of indexes) used.add(i!)
    farm -= price
    check -= fee
    taken.push({ ...planned, lease: { ...lease, id: state.nextTask + taken.length } })
  }
  if (taken.length === 0 || state.wanted !== 'run' || state.pastDeadline) {
    const wait = Math.min(EMPTY_WAIT_MAX_MS, EMPTY_WAIT_MS * 2 ** Math.min(10, state.replan.empty))
    return [{ v: 1, at, t: 'replan-empty', n: input.n, againAtMs: at + wait, ...(why ? { message: why } : {}) }]
  }
  const seq = state.sets.length
  return [...leaseFacts(at, seq, taken), { v: 1, at, t: 'set', seq, reason: state.replan.reason }]
}

/** What keeps a planned lease from being taken, where it is money. */
function whyNot(
  { price, frames }: PlannedLeaseJson['lease'],
  name: string,
  left: { readonly farm: bigint; readonly frameCap: bigint },
): string | undefined {
  const count = BigInt(frames.length)
  if (BigInt(price) > left.frameCap * count) return `${name} would take them for more a frame than the job's frameCap`
  if (BigInt(price) > left.farm) return `what is left of the budget does not pay ${name} for them`
  return undefined
}

/** Live leases of the tail that are far behind their plan and that nobody hedges yet. O(live leases). */
export function hedgeCandidates(state: JobStreamState, at: number): number[] {
  const { options, parties } = state.order!
  if (!options.hedge || state.wanted !== 'run' || state.pastDeadline || state.replan.open || state.idle.size > 0) return []
  // Another farm must have nothing to do: hedging is for the tail, not for a busy network. One that has had no lease of this job yet has nothing to do.
  const free = Object.keys(parties).filter((id) => {
    const farm = state.farms.get(id)
    return farm === undefined || (mayLease(farm) && farm.head >= farm.queue.length && farm.inFlight * 2 < farm.window)
  })
  const late: number[] = []
  for (const id of state.live) {
    const row = state.rows.get(id)!
    if (row.phase !== 'live' || row.rendered || row.contested || row.hedgeOf !== 0) continue
    const waited = at - row.startedAtMs
    if (!free.some((farm) => farm !== row.farm)) continue
    if (waited > Math.max(HEDGE_LEAST_MS, HEDGE_FACTOR * row.expectedMs) && row.price <= budgetLeft(state).farm) late.push(id)
    if (late.length >= HEDGES_AT_ONCE) break
  }
  return late
}
