import type { PlannedShare, RefinedWork } from '../estimate/index.ts'
import { FRAME, type JobStreamState, type TaskRow } from '../job/job-state.ts'
import type { RunningTasks } from './progress.ts'
import type { JobState } from './job-view.ts'
import { plannedMs, type WorkWatch } from './work-watch.ts'

/** One-sided normal quantile of a band that holds nine of ten. */
const BAND = 1.645
/** Standard deviation of the logarithm for what the estimate of renders knows nothing of: queues, transfers, gaps between leases. A guess. */
const SCHEDULE_SD = 0.05
/** Judged leases from which a rate of checking can be told. */
const LEAST_JUDGED = 3

/** One farm's remaining work in time, with the units that nobody has put in their place. */
interface FarmLeft {
  readonly share: PlannedShare
  readonly leases: number
  readonly hosts: number
  readonly startMs: number
}

/**
 * Time until every frame is judged: what each farm has still to render by the refined estimate, over its hosts; frames without a lease go to whoever is through first;
 * then the usual lag of checks, or the rate of the checks where that is what the job waits for. Undefined before the job runs.
 */
export function estimatedTimeLeft(
  state: JobStreamState,
  watch: WorkWatch,
  running: RunningTasks,
): JobState['leftMs'] | undefined {
  const refined = watch.refined()
  if (!refined || state.phase !== 'running') return undefined
  const farms = farmsLeft(state, watch, refined, running)
  const shares = [...farms.values()].map((one) => one.share)
  const renderMs = finishMs(state, farms, refined, watch)
  const lags = [...watch.judged.values()].map((one) => one.lagMs)
  const lagMs = lags.length === 0 ? 0 : lags.reduce((sum, ms) => sum + ms, 0) / lags.length
  const expected = Math.max(renderMs + lagMs, checkingMs(state, watch, refined))
  const band = Math.exp(BAND * Math.hypot(refined.total(shares).sd, SCHEDULE_SD))
  return { low: Math.round(expected / band), expected: Math.round(expected), high: Math.round(expected * band) }
}

/** What leases that are not rendered leave to do, by farm. */
function farmsLeft(state: JobStreamState, watch: WorkWatch, refined: RefinedWork, running: RunningTasks): Map<string, FarmLeft> {
  const farms = new Map<string, FarmLeft>()
  for (const row of state.rows.values()) {
    if (row.rendered || row.hedgeOf !== 0 || !['planned', 'queued', 'live'].includes(row.phase)) continue
    const known = farms.get(row.farm) ?? emptyFarm(state, row, watch, refined)
    addRow(state, row, known.share, watch, refined, running.get(row.id)?.fraction ?? 0)
    farms.set(row.farm, { ...known, leases: known.leases + 1 })
  }
  return farms
}

function emptyFarm(state: JobStreamState, row: TaskRow, watch: WorkWatch, refined: RefinedWork): FarmLeft {
  const offer = state.order?.quotes.find((one) => one.farm === row.farm)?.offers.find((one) => one.id === row.offer)
  const started = state.farms.get(row.farm)?.pace !== undefined
  return {
    share: emptyShare(watch.numberOf(row.farm), refined),
    leases: 0,
    hosts: Math.max(1, offer?.hosts ?? 1),
    startMs: started ? 0 : (offer?.readyMs ?? 0) + (offer?.startMs ?? 0),
  }
}

const emptyShare = (farm: number, { cells }: RefinedWork): PlannedShare => ({
  farm,
  cells: new Float64Array(cells),
  squares: new Float64Array(cells),
})

/** Adds the units of a lease that were not rendered; `fraction` of the first of them is done. */
function addRow(
  state: JobStreamState,
  row: TaskRow,
  share: PlannedShare,
  watch: WorkWatch,
  refined: RefinedWork,
  fraction: number,
): void {
  const planned = plannedMs(state, row.farm, row.offer)
  let done = Math.min(1, Math.max(0, fraction))
  for (const unit of row.frames) {
    if (state.frameState[unit] !== FRAME.leased || watch.rendered(unit, row.id)) continue
    const ms = planned(unit) * (1 - done)
    done = 0
    share.cells[refined.cellOf(unit)]! += ms
    share.squares[refined.cellOf(unit)]! += ms ** 2
  }
}

/** When the last farm is through, with the idle units spread so that all end together. */
function finishMs(state: JobStreamState, farms: ReadonlyMap<string, FarmLeft>, refined: RefinedWork, watch: WorkWatch): number {
  const ends = [...farms.values()]
    .map(({ share, hosts, leases, startMs }) => ({
      hosts,
      farm: share.farm,
      // A lease is rendered by one host.
      endMs: startMs + refined.total([share]).ms / Math.min(hosts, Math.max(1, leases)),
    }))
    .sort((a, b) => a.endMs - b.endMs)
  const last = ends.at(-1)?.endMs ?? 0
  if (state.idle.size === 0) return last
  // Share of the idle units that each farm would render in a millisecond.
  const able = [...state.farms.values()].map((farm) => {
    const planned = plannedMs(state, farm.id, undefined)
    const share = emptyShare(watch.numberOf(farm.id), refined)
    for (const unit of state.idle) share.cells[refined.cellOf(unit)]! += planned(unit)
    const known = ends.find((one) => one.farm === share.farm)
    return { endMs: known?.endMs ?? 0, rate: (known?.hosts ?? 1) / Math.max(1, refined.total([share]).ms) }
  })
  able.sort((a, b) => a.endMs - b.endMs)
  let [rate, startedMs] = [0, 0]
  for (const [i, farm] of able.entries()) {
    rate += farm.rate
    startedMs += farm.rate * farm.endMs
    const endMs = (1 + startedMs) / rate
    if (endMs <= (able[i + 1]?.endMs ?? Infinity)) return Math.max(last, endMs)
  }
  return last
}

/** Time that checks take for what is not judged, at the rate of the last judgements; 0 while that cannot be told. */
function checkingMs(state: JobStreamState, watch: WorkWatch, refined: RefinedWork): number {
  const judged = [...watch.judged.values()]
  if (judged.length < LEAST_JUDGED) return 0
  const workOf = (unit: number): number => (state.order?.work[unit] ?? 0) * refined.workFactor(unit)
  const spanMs = judged.at(-1)!.atMs - judged[0]!.atMs
  const work = judged.slice(1).reduce((sum, one) => sum + one.units.reduce((more, unit) => more + workOf(unit), 0), 0)
  let open = 0
  state.frameState.forEach((one, unit) => {
    if (one === FRAME.idle || one === FRAME.leased) open += workOf(unit)
  })
  return work > 0 ? (spanMs / work) * open : 0
}
