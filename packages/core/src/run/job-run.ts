import { EventEmitter } from 'eventemitter3'
import type { JobEvent } from '../contract/event.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { jobMachine } from '../job/job.ts'
import type { JobStreamState } from '../job/job-state.ts'
import { readEvents } from './events.ts'
import type { JobHost, Shared } from './job-host.ts'
import { nap } from './nap.ts'
import type { JobRun, RunnerInput } from './types.ts'
import { jobReader, jobResult, jobState, projectionOf } from './view.ts'

/** How long a handle waits before it looks at a run that another process owns. */
const LOOK_MS = 500

export interface RunSource {
  readonly run: Bytes32
  readonly shared: Shared
  /** The host while this runner owns the run. */
  host(): JobHost | undefined
  readonly closed: AbortSignal
  onNews(listener: () => void): () => void
  post(input: RunnerInput): Promise<void>
}

/** A handle on one run, owned here or elsewhere. */
export function jobRun(source: RunSource): JobRun {
  const { run, shared } = source
  const { clock } = shared
  // The last state that this handle saw; the owner's is always newer.
  let seen: JobStreamState = source.host()?.job.state ?? jobMachine.empty(`job:${run}`)
  const read = jobReader(shared, run)
  const emitter = new EventEmitter()
  let pumping = false
  let mostPercent = 0

  const job = (): JobStreamState => {
    const host = source.host()
    if (host) seen = host.job.state
    return seen
  }
  /** Brings the state up to date when nobody here owns the run. */
  const refresh = async (): Promise<JobStreamState> => {
    const state = job()
    if (source.host() || state.phase === 'ended') return state
    seen = await read()
    return seen
  }
  const stopped = (signal: AbortSignal | undefined): void => {
    signal?.throwIfAborted()
    source.closed.throwIfAborted()
  }

  async function* events(after?: number, options?: { readonly signal?: AbortSignal }): AsyncGenerator<JobEvent> {
    await refresh()
    const signal = options?.signal ? AbortSignal.any([options.signal, source.closed]) : source.closed
    let progressSaid = ''
    yield* readEvents(
      {
        run,
        store: shared.options.store,
        clock,
        lookMs: LOOK_MS,
        projection: projectionOf(shared, run, job),
        refresh: async () => void (await refresh()),
        onNews: source.onNews,
        progress: () => {
          const event = progressEvent(source, job())
          const said = JSON.stringify(event)
          if (!event || said === progressSaid) return undefined
          progressSaid = said
          return { at: clock.now(), event: { ...event, atMs: clock.now() } as JobEvent }
        },
      },
      after,
      signal,
    )
  }

  const pump = async (): Promise<void> => {
    pumping = true
    try {
      for await (const event of events()) {
        emitter.emit(event.type, event)
        if (emitter.eventNames().length === 0) break
      }
    } catch {
      // The runner was closed, or the store is away: a listener that needs every event reads `events`.
    }
    pumping = false
  }
  return {
    id: run,
    state() {
      const host = source.host()
      const tasks = [...(host?.tasks.values() ?? [])].map((task) => task.state)
      const state = jobState(run, job(), tasks, clock.now(), host?.progress, host?.work)
      mostPercent = Math.max(mostPercent, state.percent)
      return { ...state, percent: mostPercent }
    },
    async done(options) {
      const rest = nap(clock)
      const stopNews = source.onNews(() => rest.kick())
      const kick = (): void => rest.kick()
      options?.signal?.addEventListener('abort', kick, { once: true })
      source.closed.addEventListener('abort', kick, { once: true })
      try {
        for (;;) {
          rest.arm()
          stopped(options?.signal)
          const state = await refresh()
          if (state.phase === 'ended') return await jobResult(shared, run, state)
          await rest.sleep(source.host() ? 60_000 : LOOK_MS, source.closed)
        }
      } finally {
        stopNews()
        options?.signal?.removeEventListener('abort', kick)
        source.closed.removeEventListener('abort', kick)
      }
    },
    events,
    [Symbol.asyncIterator]: () => events()[Symbol.asyncIterator](),
    on(type, listener) {
      emitter.on(type, listener)
      if (!pumping) void pump()
      return () => emitter.off(type, listener)
    },
    cancel: () => source.post('cancel'),
    hold: () => source.post('hold'),
    resume: () => source.post('resume'),
  }
}

/** Passing progress of a run that is owned here. */
function progressEvent(source: RunSource, state: JobStreamState): object | undefined {
  const host = source.host()
  if (!host || state.phase !== 'running') return undefined
  const farms: Record<string, { done: number; leased: number; frame?: number; fraction?: number }> = {}
  for (const farm of state.farms.values()) farms[farm.id] = { done: farm.accepted, leased: farm.leased }
  for (const [task, progress] of host.progress) {
    const farm = state.rows.get(task)?.farm
    if (farm === undefined || !farms[farm]) continue
    farms[farm] = {
      ...farms[farm],
      ...(progress.frame === undefined ? {} : { frame: progress.frame }),
      ...(progress.fraction === undefined ? {} : { fraction: progress.fraction }),
    }
  }
  return { type: 'progress', framesDone: state.accepted, framesTotal: state.frameState.length, farms }
}
