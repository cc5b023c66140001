import { refineWork, type RefinedWork } from '../estimate/index.ts'
import type { JobFact } from '../job/job-facts.ts'
import type { JobStreamState, TaskRow } from '../job/job-state.ts'
import type { TaskFact } from '../job/task-facts.ts'
import type { Store } from '../store/types.ts'
import { readFact } from './fact-text.ts'

/** The estimate is worked out again when so many more frames are known, as a share: the work of it stays in proportion to the job. */
const NEWS_SHARE = 0.05
/** Last judgements that the time from rendered to accepted is averaged over. */
const LAG_LEASES = 16
const PAGE = 500

/** When a lease was judged: what it added to the judged work, and how long after its last frame. */
export interface Judged {
  readonly atMs: number
  readonly units: readonly number[]
  readonly lagMs: number
}

/**
 * Reads render times of a run out of its facts, as they become durable, and keeps the estimate refined by them. Nothing of it is journaled: after a restart it is read
 * again, in the background. A process that only looks at a run reads it in the same way and so says the same.
 */
export interface WorkWatch {
  note(stream: string, facts: readonly (JobFact | TaskFact)[]): void
  /**
   * Reads what was journaled since the last call: before this process took the run, or by the process that drives it. `refresh` brings the job's state up to date after
   * each page of facts, so that it knows the leases that they speak of.
   */
  catchUp(store: Pick<Store, 'read'>, run: string, signal: AbortSignal, refresh?: () => Promise<void>): Promise<void>
  /** The refined estimate; undefined before the job has an order. */
  refined(): RefinedWork | undefined
  /** Number of a farm in the refined estimate. */
  numberOf(farm: string): number
  /** Whether the unit was rendered under this lease. */
  rendered(unit: number, task: number): boolean
  /** The last leases that were judged, by id. */
  readonly judged: ReadonlyMap<number, Judged>
}

/** Milliseconds that the plan gives a unit at a farm, by the quote that the lease is of. */
export function plannedMs(state: JobStreamState, farm: string, offerId: string | undefined): (unit: number) => number {
  const offers = state.order?.quotes.find((one) => one.farm === farm)?.offers ?? []
  const offer = offers.find((one) => one.id === offerId) ?? offers[0]
  const perWork = offer?.msPerWork.find((one) => one !== null) ?? 0
  return (unit) => (offer?.perFrameMs ?? 0) + perWork * (state.order?.work[unit] ?? 0)
}

export function workWatch(job: () => JobStreamState): WorkWatch {
  const numbers = new Map<string, number>()
  const judged = new Map<number, Judged>()
  const lastFetchedAtMs = new Map<number, number>()
  let logRatio = new Float32Array(0)
  let farmOf = new Uint16Array(0)
  let taskOf = new Int32Array(0)
  let known = 0
  /** Position in the journal up to which {@link WorkWatch.catchUp} has read. */
  let after = 0
  let refined: { readonly of: number; readonly farms: number; readonly work: RefinedWork } | undefined

  function numberOf(farm: string): number {
    const number = numbers.get(farm) ?? numbers.size
    numbers.set(farm, number)
    return number
  }

  function room(units: number): void {
    if (logRatio.length === units) return
    logRatio = new Float32Array(units).fill(NaN)
    farmOf = new Uint16Array(units)
    taskOf = new Int32Array(units).fill(-1)
  }

  function fetched(row: TaskRow, fact: Extract<TaskFact, { t: 'fetched' }>): void {
    const state = job()
    room(state.frameState.length)
    const planned = plannedMs(state, row.farm, row.offer)
    fact.frames.forEach((index, i) => {
      const unit = row.frames[index]
      const ms = fact.ms[i] ?? 0
      if (unit === undefined) return
      taskOf[unit] = row.id
      if (!(ms > 0 && planned(unit) > 0)) return
      if (Number.isNaN(logRatio[unit])) known++
      logRatio[unit] = Math.log(ms / planned(unit))
      farmOf[unit] = numberOf(row.farm)
    })
    lastFetchedAtMs.set(row.id, Math.max(lastFetchedAtMs.get(row.id) ?? 0, fact.at))
  }

  function note(stream: string, facts: readonly (JobFact | TaskFact)[]): void {
    const task = Number(stream.split(':')[2] ?? -1)
    for (const fact of facts) {
      if (fact.t === 'fetched') {
        const row = job().rows.get(task)
        if (row) fetched(row, fact)
      } else if (fact.t === 'task-judged') {
        const row = job().rows.get(fact.task)
        const lagMs = fact.at - (lastFetchedAtMs.get(fact.task) ?? fact.at)
        lastFetchedAtMs.delete(fact.task)
        if (row && !judged.has(row.id)) judged.set(row.id, { atMs: fact.at, units: row.frames, lagMs })
        if (judged.size > LAG_LEASES) judged.delete(judged.keys().next().value!)
      }
    }
  }

  return {
    judged,
    note,
    numberOf,
    rendered: (unit, task) => taskOf[unit] === task,
    async catchUp(store, run, signal, refresh) {
      while (!signal.aborted) {
        const page = await store.read(run, after, PAGE)
        await refresh?.()
        for (const { stream, body } of page)
          if (body.includes('"t":"fetched"') || body.includes('"t":"task-judged"'))
            note(stream, [readFact<JobFact | TaskFact>(body, stream)])
        after = page.at(-1)?.id ?? after
        if (page.length < PAGE) return
      }
    },
    refined() {
      const state = job()
      if (!state.order) return undefined
      room(state.frameState.length)
      for (const quote of state.order.quotes) numberOf(quote.farm)
      if (!refined || known > refined.of * (1 + NEWS_SHARE) || numbers.size !== refined.farms)
        refined = { of: known, farms: numbers.size, work: refineWork({ logRatio, farmOf, farms: numbers.size }) }
      return refined.work
    },
  }
}
