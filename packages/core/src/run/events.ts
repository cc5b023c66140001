import type { Clock } from '../contract/context.ts'
import type { JobEvent } from '../contract/event.ts'
import type { Bytes32 } from '../contract/messages.ts'
import type { Store } from '../store/types.ts'
import { nap } from './nap.ts'
import { EVENTS_A_FACT, projectFact, type Projection } from './project.ts'

const PAGE = 200

export interface EventSource {
  readonly run: Bytes32
  readonly store: Store
  readonly clock: Clock
  readonly projection: Projection
  /** Reads again while the store may answer later. */
  readonly patiently: <T>(read: () => Promise<T>) => Promise<T>
  /** Brings the projection's state up to date when another process owns the run. */
  readonly refresh: () => Promise<void>
  /** Calls back when new facts are durable; returns the function that ends it. */
  onNews(listener: () => void): () => void
  /** How long to wait for news that other processes write. */
  readonly lookMs: number
  /** Passing progress that this reader has not been told; without a cursor of its own. */
  progress(): Omit<Extract<JobEvent, { type: 'progress' }>, 'cursor'> | undefined
}

/**
 * Events of a run after a cursor, read page by page from the journal: a slow reader costs nothing but its own position. Passing progress is woven in when the reader
 * has caught up; it carries the cursor of the last journaled event. Ends after `job-end`.
 */
export async function* readEvents(
  source: EventSource,
  after: number | undefined,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent> {
  let position = after === undefined ? 0 : Math.floor(after / EVENTS_A_FACT) - 1
  let cursor = after ?? -1
  const rest = nap(source.clock)
  const stopNews = source.onNews(() => rest.kick())
  const never = new AbortController().signal
  try {
    for (;;) {
      rest.arm()
      signal?.throwIfAborted()
      const facts = await source.patiently(() => source.store.read(source.run, position, PAGE))
      if (facts.length > 0) await source.refresh()
      for (const fact of facts) {
        for (const event of await source.patiently(() => projectFact(fact, source.projection))) {
          if (event.cursor <= cursor) continue
          signal?.throwIfAborted()
          cursor = event.cursor
          yield event
          if (event.type === 'job-end') return
        }
        position = fact.id
      }
      if (facts.length === PAGE) continue
      if (facts.length === 0 && source.projection.job().phase === 'ended') return
      const progress = source.progress()
      if (progress) {
        yield { ...progress, cursor: Math.max(0, cursor) }
        continue
      }
      await rest.sleep(source.lookMs, signal ?? never)
    }
  } finally {
    stopNews()
  }
}
