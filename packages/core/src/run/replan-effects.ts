import { PictorError } from '../contract/error.ts'
import type { JobInput } from '../job/job-facts.ts'
import { budgetLeft } from '../job/job-replan.ts'
import { mayLease } from '../job/job-rows.ts'
import { FRAME, type JobStreamState, type PlannedLeaseJson } from '../job/job-state.ts'
import { splitRoute } from '../job/split.ts'
import { frameOf, partOf, unitAt } from '../job/units.ts'
import { effort, tryUntilDone } from './effort.ts'
import type { JobHost } from './job-host.ts'
import type { WorkWatch } from './work-watch.ts'
import type { Allocation, FarmObserved, ReplanRequest } from './job-order.ts'

/** Asks the planner where idle and late frames go, and cuts its answer into leases. */
export async function replan(
  host: JobHost,
  n: number,
  signal: AbortSignal,
  send: (input: JobInput) => Promise<void>,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const error = await tryUntilDone(effort(host, job.name, `replan/${n}`, signal), async () => {
    const { state } = job
    const leases: PlannedLeaseJson[] = []
    for (const { units, part, failedAt } of groupsOf(state)) {
      // Elsewhere if anybody else takes them; back to a farm that failed with them otherwise.
      const ask = (without: readonly string[]) =>
        shared.options.replan(replanRequest(host, units, part, without, 'leases of these frames failed there'))
      let allocations = await ask(failedAt)
      if (allocations.length === 0 && failedAt.length > 0) allocations = await ask([])
      leases.push(...splitAllocations(host, allocations, part, 0))
    }
    for (const hedged of state.replan.hedges) {
      const row = host.row(hedged)
      const open = row.frames.filter((i) => state.frameState[i] === FRAME.leased)
      if (open.length === 0) continue
      const part = partOf(state, open[0]!)
      const request = replanRequest(host, open, part, [row.farm], 'it has these frames already')
      leases.push(...splitAllocations(host, await shared.options.replan({ ...request, reason: 'hedge' }), part, hedged))
    }
    await send({ type: 'replanned', n, leases })
  })
  if (error !== undefined) await refused(error)
}

interface Group {
  readonly units: number[]
  readonly part: number
  readonly failedAt: readonly string[]
}

/** Units that need a farm. Tiles of one number are placed together, because the planner sees frames; so are those that failed at the same farms. */
function groupsOf(state: JobStreamState): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const unit of state.idle) {
    const part = partOf(state, unit)
    const failedAt = state.failedAt.get(unit) ?? []
    const name = `${part} ${[...failedAt].sort().join(' ')}`
    const group = groups.get(name)
    if (group) group.units.push(unit)
    else groups.set(name, { units: [unit], part, failedAt })
  }
  return [...groups.values()]
}

function replanRequest(
  host: JobHost,
  units: readonly number[],
  part: number,
  without: readonly string[],
  why: string,
): ReplanRequest {
  const { state } = host.job
  const order = state.order!
  const excluded: Record<string, string> = {}
  const busy: Record<string, number> = {}
  for (const farm of state.farms.values()) {
    if (!mayLease(farm)) excluded[farm.id] = farm.excluded ?? farm.standingReason ?? farm.standing
    busy[farm.id] = farm.leased - farm.accepted - farm.refused
  }
  for (const farm of without) excluded[farm] ??= why
  const left = budgetLeft(state)
  const work = refinedWork(state, host.work)
  return {
    run: host.run,
    reason: state.replan.reason,
    spec: order.spec,
    terms: order.terms,
    quotes: order.quotes,
    work: part === 0 ? work : state.frames.map((frame) => work[unitAt(state, frame, part)!]!),
    atMs: host.shared.clock.now(),
    frames: units.map((i) => frameOf(state, i)).sort((a, b) => a - b),
    excluded,
    busy,
    observed: observedFarms(state, host.work),
    farmBudgetLeft: left.farm,
    checkBudgetLeft: left.check,
    deadlineAtMs: state.deadlineAtMs,
  }
}

/** Work of each unit as the rendered frames refine it. */
function refinedWork(state: JobStreamState, watch: WorkWatch): readonly number[] {
  const refined = watch.refined()
  const { work } = state.order!
  return refined ? work.map((one, unit) => one * refined.workFactor(unit)) : work
}

/** What the job's own leases say about their farms, for work as refined: what was dearer everywhere is not the farm's slowness. O(units); a re-plan is rare. */
function observedFarms(state: JobStreamState, watch: WorkWatch): Record<string, FarmObserved> {
  const { work } = state.order!
  const refined = refinedWork(state, watch)
  const sum = (list: readonly number[], units: readonly number[]): number =>
    units.reduce((all, unit) => all + (list[unit] ?? 0), 0)
  const dearer = (units: readonly number[]): number => (sum(work, units) > 0 ? sum(refined, units) / sum(work, units) : 1)
  const renderedUnits = new Map<string, number[]>()
  const offers = new Map<string, string>()
  const openMs = new Map<string, number>()
  const usedMs = new Map<string, number>()
  for (const row of state.rows.values()) {
    if (row.phase === 'planned' || row.phase === 'gone') continue
    offers.set(row.farm, row.offer)
    usedMs.set(row.farm, (usedMs.get(row.farm) ?? 0) + row.expectedMs)
    if (row.rendered) {
      const units = renderedUnits.get(row.farm) ?? []
      for (const unit of row.frames) units.push(unit)
      renderedUnits.set(row.farm, units)
    }
    const open = (row.phase === 'queued' || row.phase === 'live') && !row.rendered
    if (open) openMs.set(row.farm, (openMs.get(row.farm) ?? 0) + row.expectedMs * dearer(row.frames))
  }
  const observed: Record<string, FarmObserved> = {}
  for (const [farm, offer] of offers) {
    const pace = state.farms.get(farm)?.pace
    const slowness =
      pace !== undefined && pace.expectedMs > 0
        ? pace.tookMs / pace.expectedMs / dearer(renderedUnits.get(farm) ?? [])
        : undefined
    const hosts = state.order?.quotes.find((quote) => quote.farm === farm)?.offers.find((one) => one.id === offer)?.hosts ?? 1
    observed[farm] = {
      offer,
      ...(slowness === undefined ? {} : { slowness }),
      sampled: pace?.frames ?? 0,
      busyMs: ((openMs.get(farm) ?? 0) * (slowness ?? 1)) / hosts,
      usedMs: usedMs.get(farm) ?? 0,
    }
  }
  return observed
}

function splitAllocations(host: JobHost, allocations: readonly Allocation[], part: number, hedgeOf: number): PlannedLeaseJson[] {
  const { state } = host.job
  const order = state.order!
  const workOf = (frame: number): number => order.work[unitAt(state, frame, part) ?? -1] ?? 0
  return allocations.flatMap(({ farm, offer, frames }) => {
    const party = order.parties[farm]
    const found = order.quotes.find((quote) => quote.farm === farm)?.offers.find((one) => one.id === offer)
    if (!party || !found)
      throw new PictorError('invalid-input', `replan: ${farm}/${offer} is in no quote of this job`, {
        details: { path: 'replan.farm' },
      })
    const share = { farm, offer: found, frames, work: frames.map(workOf), key: party.key, payTo: party.payTo }
    return splitRoute(share, {
      firstId: state.nextTask,
      nowMs: host.shared.clock.now(),
      deadlineAtS: order.terms.deadlineAtS,
      checkClass: order.spec.render.checkClass,
      part,
      hedgeOf,
      whole: hedgeOf !== 0,
    }).map((planned) => ({ ...planned, lease: { ...planned.lease, price: planned.lease.price.toString() } }))
  })
}
