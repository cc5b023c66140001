import { randomBytes } from 'node:crypto'
import type { Failure, FarmEvent, FarmPoll, Output, TaskRef, TaskState } from '@pictor/core/contract'

/** One task as a farm's status call shows it now. */
export interface TaskSnapshot {
  readonly ref: TaskRef
  readonly state: TaskState
  /** The farm's own word. */
  readonly raw: string
  readonly failure?: Failure
  readonly framesTotal: number
  /** Every output that is complete. */
  readonly outputs: readonly Output[]
  readonly failedFrames?: readonly Failure[]
  readonly atMs: number
}

/** Events with cursors for farms that only tell their present state. */
export interface SnapshotLog {
  /** Adds what changed since the last snapshot of each task. Tasks that are missing from the list are left alone. */
  observe(snapshots: readonly TaskSnapshot[]): void
  page(query: { readonly cursor?: string; readonly scope?: readonly TaskRef[] }, waitMs: number): FarmPoll
}

interface Seen {
  state?: TaskState
  raw?: string
  readonly outputs: Set<string>
  readonly failed: Set<number>
}

const key = (ref: TaskRef): string => `${ref.farm}/${ref.ref}`

/**
 * Turns snapshots into events, each told once: outputs before the end of their task, progress that never falls, one `canceled` with the frames that were delivered.
 * Cursors count the events of this process; one of an earlier process gets a full reconcile, which the first snapshot after a start is.
 */
export function snapshotLog(): SnapshotLog {
  const epoch = randomBytes(6).toString('hex')
  const events: FarmEvent[] = []
  const tasks = new Map<string, Seen>()

  const observeOne = (now: TaskSnapshot): void => {
    const seen: Seen = tasks.get(key(now.ref)) ?? { outputs: new Set(), failed: new Set() }
    tasks.set(key(now.ref), seen)
    const { ref: task, atMs } = now
    // The end of a task closes its story: a farm that shows more later is not believed.
    if (seen.state === 'canceled') return
    for (const output of now.outputs) {
      const id = `${output.frame}/${output.part}/${output.layer}`
      if (seen.outputs.has(id)) continue
      seen.outputs.add(id)
      events.push({ type: 'output', output, atMs })
      events.push({
        type: 'progress',
        task,
        atMs,
        framesDone: Math.min(seen.outputs.size, now.framesTotal),
        framesTotal: now.framesTotal,
      })
    }
    for (const failure of now.failedFrames ?? []) {
      if (failure.frame === undefined || seen.failed.has(failure.frame)) continue
      seen.failed.add(failure.frame)
      events.push({ type: 'frame-failed', task, frame: failure.frame, failure, atMs })
    }
    if (seen.state === now.state && seen.raw === now.raw) return
    if (now.state === 'canceled') {
      const framesDone = [...new Set([...seen.outputs].map((id) => Number(id.split('/')[0])))].sort((a, b) => a - b)
      events.push({ type: 'canceled', task, framesDone, atMs })
    }
    seen.state = now.state
    seen.raw = now.raw
    events.push({ type: 'state', task, state: now.state, raw: now.raw, atMs, ...(now.failure && { failure: now.failure }) })
  }
  return {
    observe: (snapshots) => snapshots.forEach(observeOne),
    page({ cursor, scope }, waitMs) {
      const [ofEpoch, index] = (cursor ?? '').split(':')
      const from = ofEpoch === epoch ? Number(index) : 0
      const wanted = scope && new Set(scope.map(key))
      const fresh = events.slice(Number.isInteger(from) ? from : 0)
      const kept = fresh.filter((event) => {
        const ref = event.type === 'output' ? event.output.task : event.task
        return !wanted || (ref !== undefined && wanted.has(key(ref)))
      })
      return { events: kept, cursor: `${epoch}:${events.length}`, waitMs }
    },
  }
}
