import type { Cache } from '../cache/index.ts'
import type { Artifacts } from '../contract/artifacts.ts'
import type { Checker } from '../contract/checker.ts'
import type { Clock } from '../contract/context.ts'
import type { JobEvent } from '../contract/event.ts'
import type { Farm } from '../contract/farm.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Ledger } from '../contract/ledger.ts'
import type { Bytes32, DigestSigner } from '../contract/messages.ts'
import type { Store } from '../store/types.ts'
import type { FarmHealth } from './farm-registry.ts'
import type { JobOrder, Replan } from './job-order.ts'
import type { JobResult, JobState, JobSummary, ReceiptMaterial } from './job-view.ts'
import type { JobProofs } from './proofs.ts'
import type { RunnerTuning } from './tuning.ts'

export interface DeliverRequest {
  readonly run: Bytes32
  readonly spec: JobSpec
  readonly outDir: string
  readonly frame: number
  readonly part: number
  /** sha256 of the bytes among the artifacts. */
  readonly hash: Bytes32
  readonly farm: string
  readonly task: number
}

export interface DeliverContext {
  /** Ends the call when nobody waits for it any more: the runner is closing, or it showed no progress for too long. */
  readonly signal: AbortSignal
  /** Says that the call goes on: a large frame on a slow disk takes its time, and only a call that stands still is given up. */
  readonly moved: () => void
}

/**
 * Copies an accepted frame to its place, atomically; the same request twice is harmless, also at once. A call that shows no progress for `RunnerTuning.deliverMs` is
 * given up and made again later.
 */
export type Deliver = (request: DeliverRequest, ctx: DeliverContext) => Promise<{ readonly path: string }>

export interface RunnerOptions {
  readonly store: Store
  /** A missing farm makes its jobs `blocked`, never failed. */
  readonly farms: (id: string) => Farm | undefined
  readonly checkers: readonly Checker[]
  readonly ledger: Ledger
  readonly artifacts: Artifacts
  readonly clock?: Clock
  /** Signs lease sets; the terms' leaseKey. */
  readonly leaseSigner: DigestSigner
  /** The creator's key, for its word that the leaseKey was replaced. Left out: farms and checkers must ask the ledger for it. */
  readonly creator?: DigestSigner
  readonly replan: Replan
  readonly deliver: Deliver
  /** Name of this runner in claims: unique among all that share the store. Left out: random. */
  readonly owner?: string
  /** Signed-message functions; left out: the real ones of `proof`. Simulations put cheap ones here. */
  readonly proofs?: JobProofs
  /** Keeps stage handles and what farms say of themselves; left out: memory. It may forget anything at any time. */
  readonly cache?: Cache
  readonly tuning?: Partial<RunnerTuning>
}

export type RunnerInput =
  | 'cancel'
  | 'hold'
  | 'resume'
  | { readonly priority: number }
  | { readonly deadlineAtMs: number }
  | { readonly answer: { readonly farm: string; readonly ticket: string; readonly fields: Readonly<Record<string, string>> } }

export type JobEventType = JobEvent['type']

/** Listeners by event name, as eventemitter3 types them: `EventEmitter<JobEventMap>`. */
export type JobEventMap = { readonly [T in JobEventType]: (event: Extract<JobEvent, { type: T }>) => void }

/**
 * The listening side of an eventemitter3 emitter, which a run is: every event from the run's first on, in order and once, while anybody listens. Later listeners hear
 * what comes after; for events from a cursor of one's own there is `events(after)`.
 */
export interface JobEmitter {
  on<T extends JobEventType>(type: T, listener: JobEventMap[T]): this
  addListener<T extends JobEventType>(type: T, listener: JobEventMap[T]): this
  once<T extends JobEventType>(type: T, listener: JobEventMap[T]): this
  off<T extends JobEventType>(type: T, listener?: JobEventMap[T]): this
  removeListener<T extends JobEventType>(type: T, listener?: JobEventMap[T]): this
  removeAllListeners(type?: JobEventType): this
  listeners<T extends JobEventType>(type: T): JobEventMap[T][]
  listenerCount(type: JobEventType): number
  eventNames(): JobEventType[]
}

/** A handle on one run: an emitter and an async iterator over the same ordered events. Several handles on one run are fine. */
export interface JobRun extends JobEmitter {
  readonly id: Bytes32
  state(): JobState
  /** Resolves at the job's end; never rejects because of the job's outcome. @throws canceled when the runner is closed first */
  done(options?: { readonly signal?: AbortSignal }): Promise<JobResult>
  /** Ordered events after `cursor`, from the first when left out; ends after `job-end`. Slow readers hold nothing up. */
  events(after?: number, options?: { readonly signal?: AbortSignal }): AsyncIterable<JobEvent>
  [Symbol.asyncIterator](): AsyncIterator<JobEvent>
  cancel(): Promise<void>
  hold(): Promise<void>
  resume(): Promise<void>
}

/** Runs jobs over a store. Nothing runs before `submit`, `attach` or `start`. */
export interface Runner {
  /** Records the order and starts it. The same run twice is the same job. @throws invalid-input, conflict when the run exists with another order */
  submit(order: JobOrder): Promise<JobRun>
  /** @throws not-found */
  attach(run: Bytes32): Promise<JobRun>
  jobs(): AsyncIterable<JobSummary>
  /** Takes up every open job of the store, and those that other runners leave behind. */
  start(): Promise<void>
  /** Sends an input to a run that may belong to another process. `key` makes it once-only. @throws not-found */
  post(run: Bytes32, input: RunnerInput, key?: string): Promise<void>
  /** Where a run stands by its journal, whoever drives it. @throws not-found */
  state(run: Bytes32): Promise<JobState>
  /** Everything that was signed in a run so far, for a receipt. @throws not-found */
  material(run: Bytes32): Promise<ReceiptMaterial>
  /** Where every farm stands that something is known of, over all jobs. */
  farms(): Promise<readonly FarmHealth[]>
  farm(id: string): Promise<FarmHealth>
  /** A person trusts a farm again before its quarantine and probation are over. */
  trustFarm(id: string, reason: string): Promise<void>
  /** A person keeps leases from a farm until a time. */
  quarantineFarm(id: string, reason: string, untilMs: number): Promise<void>
  /** Stops loops and timers, gives claims back. Remote tasks go on; the jobs can be taken up again. */
  close(): Promise<void>
}
