import type { JobStreamState } from '../job/job-state.ts'
import type { JobState } from './job-view.ts'

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

/** Time left from the rate so far. The band widens with what is unknown: the factor falls from 2 to 1.1 as frames come in. */
export function timeLeft(state: JobStreamState, nowMs: number): JobState['leftMs'] | undefined {
  if (state.accepted === 0 || state.phase === 'ended') return undefined
  const open = state.frameState.length - state.accepted - state.missing
  const expected = Math.round(((nowMs - state.startedAtMs) / state.accepted) * open)
  const band = 1.1 + 0.9 / Math.sqrt(state.accepted)
  return { low: Math.round(expected / band), expected, high: Math.round(expected * band) }
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
