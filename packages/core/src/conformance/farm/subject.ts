import type { Artifacts } from '../../contract/artifacts.ts'
import type { Farm, FarmCapabilities, Lane, TaskRef, Ticket } from '../../contract/farm.ts'
import type { JobSpec } from '../../contract/job.ts'
import type { Quote } from '../../contract/quote.ts'
import type { Task } from '../../contract/task.ts'
import type { Network } from './network.ts'

/**
 * Situations that a subject can be made in, beside `plain`:
 * - `failing-frame`: the farm cannot render `FarmSubject.failingFrame`, and can render all others;
 * - `payment-gate`: finished outputs stay locked until `FarmSubject.pay` is called;
 * - `expired-outputs`: the farm has deleted the files of finished outputs;
 * - `unknown-state`: while it works the farm reports a state word that no adapter has heard of;
 * - `unknown-event`: the farm's stream holds an event, field or row of a kind that no adapter has heard of;
 * - `skewed-clock`: the farm's clock is a day ahead;
 * - `expired-quote`: every quote has ended when its offer is used.
 */
export type Scenario =
  | 'plain'
  | 'failing-frame'
  | 'payment-gate'
  | 'expired-outputs'
  | 'unknown-state'
  | 'unknown-event'
  | 'skewed-clock'
  | 'expired-quote'

/** One farm under test, fresh for each case. */
export interface FarmSubject {
  readonly farm: Farm
  /** A job the farm can render; `bundle` lists at least one file. */
  readonly job: JobSpec
  /** Holds the files of `job.bundle`. */
  readonly files: Artifacts
  /** Lets this much time pass at the farm. Left out: real time, at most 20 ms a call. */
  readonly advance?: (ms: number) => Promise<void>
  /** What an operator would answer; he may also do his work here, such as putting frames into a folder. `undefined` leaves the ticket open. */
  readonly answer?: (ticket: Ticket, task: TaskRef) => Promise<Readonly<Record<string, string>> | undefined>
  /** Makes a task acceptable to this farm, for example by a lease. */
  readonly dress?: (task: Task, quote?: Quote) => Promise<Task>
  /** Scenario `failing-frame`: which one. */
  readonly failingFrame?: number
  /** Scenario `payment-gate`: pays the rest. */
  readonly pay?: () => Promise<void>
  close?(): Promise<void>
}

/** What `make` is told. */
export interface SubjectWish {
  readonly scenario: Scenario
  /** Give the adapter `network.fetch(...)` as its fetch, so that the kit can lose, delay and spoil what it sees. */
  readonly network: Network
}

/** The facts that an adapter declares about itself. The kit checks them and picks its cases by them. */
export interface FarmSupports {
  readonly lane: Lane
  readonly capabilities: FarmCapabilities
  /** The adapter talks HTTP through `SubjectWish.network`. */
  readonly http?: boolean
  /** Whether a plain quote request gets a quote. `false`: it may be declined (a farm without published prices). Default true. */
  readonly quotes?: boolean
  /** Scenarios that `make` can arrange, beside `plain`. */
  readonly scenarios?: readonly Exclude<Scenario, 'plain'>[]
  /** Whether a second `stage` of the same files reads none of them. Default true. */
  readonly contentAddressed?: boolean
  /** Whether the farm refuses tasks whose lease was tampered with; needs `FarmSubject.dress`. */
  readonly leases?: boolean
  /** Whether priority can be changed only before the render starts. */
  readonly priorityOnlyBeforeStart?: boolean
}

/** Options of {@link farmConformance}. */
export interface FarmConformanceOptions {
  readonly supports: FarmSupports
  make(wish: SubjectWish): Promise<FarmSubject>
  /** How long one task of six frames may take, in real milliseconds. Default 10,000. */
  readonly patienceMs?: number
}
