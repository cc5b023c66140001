import type { FarmRow, JobStreamState, TaskRow } from './job-state.ts'

/** More hosts than this are not told apart when the time of a lease is worked out. */
const MOST_HOSTS = 4096

/** A host whose lease was begun before a pause: how much of it was rendered then is not known. */
const UNKNOWN = -1

/** How a farm's rendered leases compare with what was planned for them. */
export interface Pace {
  /** When each host is taken to be free for the next lease, in the order in which they became so; {@link UNKNOWN} after a pause. */
  readonly free: number[]
  /** Host time that rendered leases took, and what was planned for them. */
  tookMs: number
  expectedMs: number
  /** Frames of these leases. */
  frames: number
}

/** The farm's first lease starts now: its hosts are free after queue, upload and scene load. */
export function startPace(state: JobStreamState, farm: FarmRow, row: TaskRow, atMs: number): void {
  if (farm.pace !== undefined) return
  const offer = state.order?.quotes.find((quote) => quote.farm === row.farm)?.offers.find((one) => one.id === row.offer)
  const firstMs = atMs + (offer?.readyMs ?? 0) + (offer?.startMs ?? 0)
  const hosts = Math.min(MOST_HOSTS, offer?.hosts ?? 1)
  farm.pace = { free: Array.from({ length: hosts }, () => firstMs), tookMs: 0, expectedMs: 0, frames: 0 }
}

/**
 * A lease was rendered. Farms do not say when they began it, only that they take leases in order: it began when it had been sent and
 * a host was free.
 */
export function recordPace(farm: FarmRow, row: TaskRow, atMs: number): void {
  const { pace } = farm
  if (pace === undefined) return
  const freeMs = pace.free.shift() ?? row.startedAtMs
  pace.free.push(atMs)
  if (freeMs === UNKNOWN) return
  const tookMs = atMs - Math.max(row.startedAtMs, freeMs)
  // Done before its host was ready: the queue was shorter than quoted, and the time of rendering is not known.
  if (tookMs <= 0) return
  pace.tookMs += tookMs
  pace.expectedMs += row.expectedMs
  pace.frames += row.frames.length
}

/** The job runs on after a hold: the pause is no slowness of the farm, and what its hosts were at tells nothing. */
export function resumePace(farm: FarmRow): void {
  farm.pace?.free.fill(UNKNOWN)
}
