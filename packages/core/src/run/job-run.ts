import type { JobEvent } from '../contract/event.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { jobMachine } from '../job/job.ts'
import type { JobStreamState } from '../job/job-state.ts'
import { untilRead } from './effort.ts'
import { readEvents } from './events.ts'
import type { JobHost, Shared } from './job-host.ts'
import { jobEmitter } from './job-emitter.ts'
import type { JobState } from './job-view.ts'
import { nap } from './nap.ts'
import { progressOf } from './progress.ts'
import type { JobRun, RunnerInput } from './types.ts'
import { jobReader, jobResult, jobState, projectionOf } from './view.ts'
import { workWatch } from './work-watch.ts'

/** How long a handle waits before it looks at a run that another process owns. */
const LOOK_MS = 500

/** Passing progress is told to one reader at most this often, in milliseconds: a busy job changes with every fact. */
const PROGRESS_MS = 200

export interface RunSource {
  readonly run: Bytes32
  readonly shared: Shared
  /** The host while this runner owns the run. */
  host(): JobHost | undefined
  readonly closed: AbortSignal
  onNews(listener: () => void): () => void
  post(input: RunnerInput): Promise<void>
}

/** A handle on one run, owned here or elsewhere; `known` is where it stood when somebody last looked. */
export function jobRun(source: RunSource, known?: JobStreamState): JobRun {
  const { run, shared } = source
  const { clock, tuning } = shared
  const patiently = <T>(act: () => Promise<T>): Promise<T> => untilRead(clock, tuning, source.closed, act)
  // The last state that this handle saw; the owner's is always newer.
  let seen: JobStreamState = source.host()?.job.state ?? known ?? jobMachine.empty(`job:${run}`)
  const read = jobReader(shared, run)
  // What a run that another process drives tells of its time, from the journal.
  const work = workWatch(() => seen)
  let reading: Promise<void> | undefined
  let mostPercent = 0

  const job = (): JobStreamState => {
    const host = source.host()
    if (host) seen = host.job.state
    return seen
  }
  const stateNow = (): JobState => {
    const host = source.host()
    const tasks = [...(host?.tasks.values() ?? [])].map((task) => task.state)
    const state = jobState(run, job(), tasks, clock.now(), host?.progress, host?.work ?? work)
    mostPercent = Math.max(mostPercent, state.percent)
    return { ...state, percent: mostPercent }
  }
  /** Brings the state up to date when nobody here owns the run. */
  const refresh = async (): Promise<JobStreamState> => {
    const state = job()
    if (source.host() || state.phase === 'ended') return state
    const look = async (): Promise<void> => {
      const now = await read()
      if (!source.host()) seen = now
    }
    reading ??= patiently(() => work.catchUp(shared.options.store, run, source.closed, look)).finally(() => (reading = undefined))
    await reading
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
    let progressAtMs = -Infinity
    yield* readEvents(
      {
        run,
        store: shared.options.store,
        clock,
        lookMs: LOOK_MS,
        projection: projectionOf(shared, run, job),
        patiently,
        refresh: async () => void (await refresh()),
        onNews: source.onNews,
        progress: () => {
          const atMs = clock.now()
          if (job().phase !== 'running' || Math.abs(atMs - progressAtMs) < PROGRESS_MS) return undefined
          const { said, event } = progressOf(stateNow())
          progressAtMs = atMs
          if (said === progressSaid) return undefined
          progressSaid = said
          return { ...event, atMs }
        },
      },
      after,
      signal,
    )
  }

  return Object.assign(jobEmitter({ clock, events, closed: source.closed }), {
    id: run,
    state: stateNow,
    async done(options?: { readonly signal?: AbortSignal }) {
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
          if (state.phase === 'ended') return await patiently(() => jobResult(shared, run, state))
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
    cancel: () => source.post('cancel'),
    hold: () => source.post('hold'),
    resume: () => source.post('resume'),
  }) as unknown as JobRun
}
