import type { JobEvent, LastFrame, TimeBand } from '../contract/event.ts'
import type { JobStreamState } from '../job/job-state.ts'
import { frameOf, partOf } from '../job/units.ts'
import { unpackPath } from './deliver-effects.ts'
import type { JobState } from './job-view.ts'

type ProgressEvent = Omit<Extract<JobEvent, { type: 'progress' }>, 'cursor' | 'atMs'>

/** What a farm last said of a task that runs. */
export interface TaskProgress {
  readonly framesDone: number
  readonly frame?: number
  readonly fraction?: number
}

/** Passing progress by task; empty where another process drives the run. */
export type RunningTasks = ReadonlyMap<number, TaskProgress>

/** What a rendered frame counts before its check: the rest of it is the check itself. */
const UNCHECKED = 0.9

/**
 * Share of the job that is done, 0 to 1: accepted frames in full, those that are rendered or under work at nine tenths of what their farms say. Refused and lost frames make it
 * fall; a handle shows the most that it has seen.
 */
export function shareDone(state: JobStreamState, running: RunningTasks): number {
  const total = state.frameState.length
  if (total === 0) return 0
  let underWay = 0
  for (const id of state.live) {
    const row = state.rows.get(id)!
    // Judged leases are counted by their accepted frames, and a hedge renders frames that are counted already.
    if (row.phase !== 'live' || row.hedgeOf !== 0) continue
    const said = running.get(id)
    const done = row.rendered ? row.frames.length : (said?.framesDone ?? 0) + (said?.fraction ?? 0)
    underWay += Math.min(row.frames.length, Math.max(0, done))
  }
  const settled = state.accepted + state.missing
  // A lease may still run when its hedge has won: its frames count once.
  return (settled + UNCHECKED * Math.min(underWay, total - settled)) / total
}

/** Frames an hour since the job started; undefined before the first was accepted. */
export function framesPerHour(accepted: number, state: JobStreamState, nowMs: number): number | undefined {
  const hours = (Math.max(nowMs, state.lastAtMs) - state.startedAtMs) / 3_600_000
  return accepted === 0 || hours <= 0 ? undefined : accepted / hours
}

/** Time left for `open` frames from the rate of those accepted so far. The band widens with what is unknown: the factor falls from 2 to 1.1 as frames come in. */
export function timeLeft(accepted: number, open: number, state: JobStreamState, nowMs: number): TimeBand | undefined {
  if (accepted === 0 || state.phase === 'ended') return undefined
  const expected = Math.round(((Math.max(nowMs, state.lastAtMs) - state.startedAtMs) / accepted) * Math.max(0, open))
  const band = 1.1 + 0.9 / Math.sqrt(accepted)
  return { low: Math.round(expected / band), expected, high: Math.round(expected * band) }
}

/** The last frame of a lease that lies at its place: what a person looks at to see how the job comes along. */
export function lastFrame(state: JobStreamState, task: number | undefined): LastFrame | undefined {
  const row = task === undefined ? undefined : state.rows.get(task)
  if (!row) return undefined
  const units = row.frames.filter((unit) => state.winner[unit] === row.id)
  const unit = units.at(-1)
  const paths = state.paths.get(row.id)
  if (unit === undefined || paths === undefined) return undefined
  const frame = frameOf(state, unit)
  const part = partOf(state, unit)
  const path = typeof paths === 'string' ? unpackPath(paths, frame) : paths[units.length - 1]
  return path === undefined ? undefined : { frame, ...(part === 0 ? {} : { part }), farm: row.farm, path }
}

/** The passing `progress` event of a state; `said` is what it says without anything that changes with time alone. */
export function progressOf(state: JobState): { readonly said: string; readonly event: ProgressEvent } {
  const farms: Record<string, ProgressEvent['farms'][string]> = {}
  for (const [id, farm] of Object.entries(state.farms))
    farms[id] = {
      done: farm.accepted,
      leased: farm.leased,
      spent: farm.spent,
      ...farm.working,
      ...(farm.leftMs ? { leftMs: farm.leftMs } : {}),
      ...(farm.lastFrame ? { lastFrame: farm.lastFrame } : {}),
    }
  const event: ProgressEvent = {
    type: 'progress',
    framesDone: state.framesAccepted,
    framesTotal: state.framesTotal,
    percent: state.percent,
    spent: state.money.spent,
    currency: state.money.currency,
    ...(state.leftMs ? { leftMs: state.leftMs } : {}),
    ...(state.lastFrame ? { lastFrame: state.lastFrame } : {}),
    farms,
  }
  const said = JSON.stringify(event, (key, value: unknown) =>
    key === 'leftMs' ? undefined : typeof value === 'bigint' ? String(value) : value,
  )
  return { said, event }
}

/** The frame that each farm works on, with its share done. */
export function underWork(state: JobStreamState, running: RunningTasks): Map<string, { frame: number; fraction?: number }> {
  const farms = new Map<string, { frame: number; fraction?: number }>()
  for (const [task, { frame, fraction }] of running) {
    const row = state.rows.get(task)
    if (row?.phase === 'live' && !row.rendered && frame !== undefined)
      farms.set(row.farm, { frame, ...(fraction === undefined ? {} : { fraction }) })
  }
  return farms
}
