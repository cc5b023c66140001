import PQueue from 'p-queue'
import { farmInfo, type Memo } from '../cache/index.ts'
import type { Clock } from '../contract/context.ts'
import type { Farm, FarmEvent, FarmInfo, FarmPoll, TaskRef } from '../contract/farm.ts'
import { backoffMs, limitedCall, pause } from './effort.ts'
import { askedRestMs, restingFarm } from './farm-rest.ts'
import { nap } from './nap.ts'
import { pollPace } from './poll-pace.ts'
import type { RunnerTuning } from './tuning.ts'

/** Somebody who waits for events of one task. */
export interface Watcher {
  /** Events of the task in order. What it returns is awaited before the cursor moves on. */
  take(events: readonly FarmEvent[]): Promise<void>
  /** A full reconcile did not know the task. */
  missing(): Promise<void>
}

/** One farm as the runner sees it: one poll loop for all tasks of all jobs, and limits on calls, uploads and downloads. */
export interface FarmLoop {
  /** The farm with the waits that it asks for. */
  readonly farm: Farm
  /** What the host configured. */
  readonly source: Farm
  /**
   * Makes a call that does work as soon as one of the places for them is free. It keeps its place until it has come to its end at the farm, whether or not anybody still
   * waits for it, and for `callMs` at most: a call that never returns holds nobody up.
   */
  call<T>(signal: AbortSignal, act: (signal: AbortSignal) => Promise<T>): Promise<T>
  readonly uploads: PQueue
  readonly downloads: PQueue
  info(signal: AbortSignal): Promise<FarmInfo>
  /** Since when every poll failed; undefined while the farm answers. */
  readonly downSinceMs: number | undefined
  /** When the rest that the farm asked for last (`Retry-After`) is over, or was; 0 when it never asked. */
  readonly restUntilMs: number
  /** How long it has rested up to now because it asked to, in milliseconds. */
  readonly restedMs: number
  /** The loop runs while anybody watches. Returns the function that ends it. */
  watch(ref: TaskRef, watcher: Watcher): () => void
  close(): void
}

/** A farm that fails every poll for this long is down: people are told, nothing else follows from it. */
const DOWN_MS = 60_000

/** A cursor longer than this is not journaled, characters: after a restart such a farm is asked for everything. */
const MOST_CURSOR = 4_096

/** What outlives the process. */
export interface FarmMemory {
  cursor(): Promise<string | undefined>
  note(input: { readonly type: 'cursor'; readonly cursor: string } | { readonly type: 'reach'; readonly up: boolean }): void
}

export function farmLoop(source: Farm, clock: Clock, tuning: RunnerTuning, memo: Memo, memory: FarmMemory): FarmLoop {
  const resting = restingFarm(source, clock)
  const { farm } = resting
  const watchers = new Map<string, { readonly ref: TaskRef; readonly watcher: Watcher; misses: number }>()
  const fresh = new Map<string, TaskRef>()
  const closing = new AbortController()
  const calls = new PQueue({ concurrency: tuning.callsAtOnce })
  const rest = nap(clock)
  const pace = pollPace(clock, resting, tuning.pollMaxMs)
  let running = false
  let cursor: string | undefined
  let reconciledAtMs = 0
  let failures = 0
  let downSinceMs: number | undefined

  const poll = (query: { cursor?: string; scope?: readonly TaskRef[] }): Promise<FarmPoll> =>
    limitedCall(clock, tuning.callMs, closing.signal, (signal) => farm.poll(query, { signal, key: `poll ${farm.id}` }))

  async function dispatch(events: readonly FarmEvent[]): Promise<Set<string>> {
    const byRef = new Map<string, FarmEvent[]>()
    for (const event of events) {
      const ref = event.type === 'output' ? event.output.task.ref : event.task?.ref
      if (ref === undefined || !watchers.has(ref)) continue
      const list = byRef.get(ref)
      if (list) list.push(event)
      else byRef.set(ref, [event])
    }
    await Promise.all(
      [...byRef].map(([ref, list]) =>
        watchers
          .get(ref)
          ?.watcher.take(list)
          .catch(() => {}),
      ),
    )
    return new Set(byRef.keys())
  }

  /** Asks for the whole state of some tasks: new ones, whose first events may have passed before anybody watched, and from time to time all of them. */
  async function reconcile(scope: readonly TaskRef[]): Promise<void> {
    const page = await poll({ scope })
    const seen = await dispatch(page.events)
    for (const { ref } of scope) {
      const entry = watchers.get(ref)
      if (!entry) continue
      entry.misses = seen.has(ref) ? 0 : entry.misses + 1
      // Twice, because a task may be younger than the farm's view of itself.
      if (entry.misses >= 2) await entry.watcher.missing().catch(() => {})
      else if (entry.misses === 1) fresh.set(ref, entry.ref)
    }
  }

  async function loop(): Promise<void> {
    running = true
    // Where another process read up to. Tasks are reconciled one by one when somebody begins to watch them, so nothing is lost by it.
    cursor ??= await memory.cursor().catch(() => undefined)
    while (watchers.size > 0 && !closing.signal.aborted) {
      let waitMs: number
      rest.arm()
      try {
        if (Math.abs(clock.now() - reconciledAtMs) >= tuning.reconcileMs) {
          reconciledAtMs = clock.now()
          for (const [ref, entry] of watchers) fresh.set(ref, entry.ref)
          if (cursor !== undefined && cursor.length <= MOST_CURSOR) memory.note({ type: 'cursor', cursor })
        }
        if (fresh.size > 0) {
          const scope = [...fresh.values()]
          fresh.clear()
          await reconcile(scope).catch((error) => {
            for (const ref of scope) fresh.set(ref.ref, ref)
            throw error
          })
        }
        const page = await poll(cursor === undefined ? {} : { cursor })
        const seen = await dispatch(page.events)
        cursor = page.cursor
        failures = 0
        downSinceMs = undefined
        memory.note({ type: 'reach', up: true })
        // A farm with more to say is asked at once, as long as what it says is about our tasks.
        const least = seen.size > 0 && page.waitMs <= 0 ? 0 : tuning.pollMinMs
        waitMs = Math.min(tuning.pollMaxMs, Math.max(least, page.waitMs))
      } catch (error) {
        const restMs = askedRestMs(error)
        // A farm that asks to be left alone has answered.
        if (restMs > 0) failures = 0
        if (restMs > 0) downSinceMs = undefined
        else downSinceMs ??= clock.now()
        if (downSinceMs !== undefined && clock.now() - downSinceMs >= DOWN_MS) memory.note({ type: 'reach', up: false })
        waitMs = backoffMs(`poll ${farm.id}`, restMs > 0 ? 0 : failures++, tuning, restMs)
      }
      if (fresh.size > 0 && failures === 0 && resting.restUntilMs <= clock.now()) waitMs = Math.min(waitMs, tuning.pollMinMs)
      const leastMs = pace.leastMs()
      // New tasks do not hurry the polls of a farm that cannot keep up with them.
      if (leastMs > 0) await pause(clock, leastMs, closing.signal)
      if (watchers.size > 0) await rest.sleep(Math.max(0, waitMs - leastMs), closing.signal)
    }
    running = false
  }

  return {
    farm,
    source,
    call: (signal, act) =>
      new Promise((resolve, reject) => {
        void calls.add(async () => {
          const endMs = clock.now() + tuning.callMs
          let made: Promise<unknown> | undefined
          let ended = false
          const once = async (limited: AbortSignal) => {
            const call = act(limited)
            made = call
            try {
              return await call
            } finally {
              ended = true
            }
          }
          await limitedCall(clock, tuning.callMs, signal, once).then(resolve, reject)
          // Nobody waits for it any more, and the farm may still be at it.
          if (made && !ended) await limitedCall(clock, endMs - clock.now(), closing.signal, () => made!).catch(() => {})
        })
      }),
    uploads: new PQueue({ concurrency: tuning.uploadsAtOnce }),
    downloads: new PQueue({ concurrency: tuning.downloadsAtOnce }),
    get downSinceMs() {
      return downSinceMs
    },
    get restUntilMs() {
      return resting.restUntilMs
    },
    get restedMs() {
      return resting.restedMs
    },
    info: (signal) =>
      farmInfo(memo, farm, () =>
        limitedCall(clock, tuning.callMs, signal, (limited) => farm.describe({ signal: limited, key: `describe ${farm.id}` })),
      ),
    watch(ref, watcher) {
      watchers.set(ref.ref, { ref, watcher, misses: 0 })
      fresh.set(ref.ref, ref)
      if (running) {
        if (failures === 0) rest.kick()
      } else if (!closing.signal.aborted) {
        running = true
        queueMicrotask(() => void loop())
      }
      return () => {
        if (watchers.get(ref.ref)?.watcher === watcher) watchers.delete(ref.ref)
        fresh.delete(ref.ref)
        if (watchers.size === 0) rest.kick()
      }
    },
    close() {
      closing.abort(new Error('closed'))
      rest.kick()
    },
  }
}
