import type { Artifacts } from '../contract/artifacts.ts'
import type { Checker, FrameReport } from '../contract/checker.ts'
import type { Clock } from '../contract/context.ts'
import type { JobEvent } from '../contract/event.ts'
import type { Farm, Ticket } from '../contract/farm.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Ledger, LedgerEvent } from '../contract/ledger.ts'
import type {
  Address,
  Batch,
  Bytes32,
  CheckerSignature,
  Commit,
  DigestSigner,
  Held,
  Lease,
  LeaseSet,
  LedgerDomain,
  Ready,
  SeedReveal,
  Signature,
  Terms,
  Vote,
} from '../contract/messages.ts'
import type { Quote } from '../contract/quote.ts'
import type { Store } from '../store/types.ts'
import type { JobProofs } from './proofs.ts'

/** A lease with the farm and the offer that it was made from. `splitRoute` makes them. */
export interface PlannedLease {
  readonly lease: Lease
  /** Id of the farm among the runner's farms. */
  readonly farm: string
  /** Id of the offer in the farm's quote. */
  readonly offer: string
  /** Host time that the plan expects for the lease, in milliseconds; stalls and hedges are judged by it. */
  readonly expectedMs: number
}

/** Who stands behind a farm id in leases: the key that signs, the account that is paid. */
export interface FarmParty {
  readonly key: Address
  readonly payTo: Address
}

/** How a job behaves. Left out: the default in brackets. */
export interface JobOptions {
  /** How many farms or times one frame may be leased before it is given up (4). */
  readonly maxAttempts?: number
  /** Render the first, the middle and the last frame first; the rest is released when they pass (false). */
  readonly scouts?: boolean
  /** The job ends at this time whatever happened. Later than the terms' refundAfter, so that the money is back. */
  readonly giveUpAtMs: number
  /** Where `deliver` puts the frames. */
  readonly outDir: string
  /** Lease tail frames a second time at another farm when their farm is slow and the budget has room (true). */
  readonly hedge?: boolean
  /** The most leases settled by one batch (64). */
  readonly batchLeases?: number
  /** How long a judged lease waits for others before its batch is made (10,000 ms). */
  readonly batchWaitMs?: number
}

/** One creator's confirmed order: everything the machine needs to run to the end without asking anybody again. */
export interface JobOrder {
  /** The run's id: 32 random bytes as `0x` hex; equal to `terms.runId`. */
  readonly run: Bytes32
  readonly spec: JobSpec
  readonly terms: Terms
  /** Leases of set 0, in order of id from 1, all frames once. */
  readonly leases: readonly PlannedLease[]
  /** Keys and payees of every farm that the job may use, by farm id. */
  readonly parties: Readonly<Record<string, FarmParty>>
  /** Kept for re-plans: the quotes that the plan was made from. */
  readonly quotes: readonly Quote[]
  /** Reference work of each frame in the order of the expanded frames (seconds); weights of later leases come from it. */
  readonly work: readonly number[]
  readonly options: JobOptions
}

/** Where frames go that were refused, lost or never rendered. */
export interface Allocation {
  readonly farm: string
  readonly offer: string
  /** Frame numbers, ascending. */
  readonly frames: readonly number[]
}

export interface ReplanRequest {
  readonly run: Bytes32
  readonly reason: 'refused' | 'failed' | 'lapsed' | 'hedge' | 'deadline'
  readonly spec: JobSpec
  readonly terms: Terms
  readonly quotes: readonly Quote[]
  readonly work: readonly number[]
  readonly atMs: number
  /** Frame numbers that need a farm, ascending. */
  readonly frames: readonly number[]
  /** Farms that get nothing more of this job, and why. */
  readonly excluded: Readonly<Record<string, string>>
  /** Frames that each farm still has under lease. */
  readonly busy: Readonly<Record<string, number>>
  readonly farmBudgetLeft: bigint
  readonly checkBudgetLeft: bigint
  readonly deadlineAtMs: number
}

/** Places frames again; an empty answer means that nobody can take them now. Called at most once at a time for a job; must not throw for lack of farms. */
export type Replan = (request: ReplanRequest) => Promise<readonly Allocation[]> | readonly Allocation[]

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

/** Copies an accepted frame to its place, atomically; the same request twice is harmless. */
export type Deliver = (request: DeliverRequest) => Promise<{ readonly path: string }>

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
  readonly replan: Replan
  readonly deliver: Deliver
  /** Name of this runner in claims: unique among all that share the store. Left out: random. */
  readonly owner?: string
  /** Signed-message functions; left out: the real ones of `proof`. Simulations put cheap ones here. */
  readonly proofs?: JobProofs
  readonly tuning?: Partial<RunnerTuning>
}

/** Times and sizes of the shell, in milliseconds where not said otherwise. */
export interface RunnerTuning {
  /** How long a claim on a stream lasts without renewal. */
  readonly claimMs: number
  /** First and longest wait between tries of a failed effect. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** A call to a farm, checker or ledger is given up after this long and tried again. */
  readonly callMs: number
  /** Bounds on the wait between polls, whatever the farm asks for. */
  readonly pollMinMs: number
  readonly pollMaxMs: number
  /** How often a farm is polled without a cursor, to find reports that were lost. */
  readonly reconcileMs: number
  /** Uploading a scene may take this long before it is tried again. */
  readonly stageMs: number
  /** Least time without any progress of a running task until it counts as stalled; six planned frame times when those are longer. */
  readonly stallMs: number
  /** A request that a checker or ledger took and never answered is sent again after this long, with the same key. */
  readonly resendMs: number
  /** How often the inbox is looked at for inputs from other processes. */
  readonly inboxMs: number
  /** Concurrent calls and downloads a farm, and deliveries a runner (counts). */
  readonly callsAtOnce: number
  readonly downloadsAtOnce: number
}

export type RunnerInput =
  | 'cancel'
  | 'hold'
  | 'resume'
  | { readonly priority: number }
  | { readonly deadlineAtMs: number }
  | { readonly answer: { readonly farm: string; readonly ticket: string; readonly fields: Readonly<Record<string, string>> } }

export type JobPhase = 'opening' | 'readying' | 'running' | 'settling' | 'ended'

/** Where a job stands, for people. */
export interface JobState {
  readonly run: Bytes32
  readonly name: string
  readonly phase: JobPhase
  readonly wanted: 'run' | 'hold' | 'cancel'
  readonly blocked?: string
  readonly outcome?: JobOutcome
  readonly framesTotal: number
  readonly framesRendered: number
  readonly framesAccepted: number
  readonly framesDelivered: number
  readonly framesMissing: number
  readonly money: JobMoneyState
  readonly farms: Readonly<
    Record<
      string,
      { readonly leased: number; readonly accepted: number; readonly refused: number; readonly quarantined?: string }
    >
  >
  readonly tickets: readonly { readonly farm: string; readonly ticket: Ticket }[]
  readonly startedAtMs: number
  readonly deadlineAtMs: number
  /** Time left with a band; absent before anything was rendered. */
  readonly leftMs?: { readonly low: number; readonly expected: number; readonly high: number }
}

/** Money of a job as its journal knows it, in the token's smallest unit. */
export interface JobMoneyState {
  readonly currency: string
  readonly locked: bigint
  /** Prices and check fees of leases that are live or wait for release. */
  readonly pending: bigint
  readonly paid: bigint
  readonly refunded: bigint
}

export type JobOutcome = 'done' | 'partial' | 'failed' | 'canceled'

export interface DeliveredFrame {
  readonly frame: number
  readonly path: string
  readonly hash: Bytes32
  readonly farm: string
  readonly task: number
}

export interface JobResult {
  readonly run: Bytes32
  readonly job: Bytes32 | undefined
  readonly outcome: JobOutcome
  readonly message?: string
  readonly frames: readonly DeliveredFrame[]
  readonly missing: readonly number[]
  readonly money: JobMoneyState
  /** Everything that a receipt is made of; read from journal and artifacts when called. */
  material(): Promise<ReceiptMaterial>
}

/** One lease's way through the protocol, with every signed message. */
export interface LeaseEvidence {
  readonly lease: Lease
  readonly farm: string
  readonly offer: string
  readonly seq: number
  readonly leaseSignature?: Signature
  readonly commits: readonly Commit[]
  readonly held: readonly Held[]
  readonly votes: readonly Vote[]
  readonly seeds: readonly SeedReveal[]
  readonly reports: readonly FrameReport[]
}

export interface ReceiptMaterial {
  readonly spec: JobSpec
  readonly domain: LedgerDomain
  readonly job: Bytes32
  readonly terms: Terms
  readonly quotes: readonly Quote[]
  /** Estimated work of each frame, as ordered. */
  readonly work: readonly number[]
  readonly sets: readonly { readonly set: LeaseSet; readonly leases: readonly Lease[]; readonly ready: readonly Ready[] }[]
  readonly leases: readonly LeaseEvidence[]
  readonly batches: readonly {
    readonly number: number
    readonly batch: Batch
    readonly signatures: readonly CheckerSignature[]
  }[]
  readonly final?: { readonly keep: bigint; readonly signatures: readonly CheckerSignature[] }
  readonly ledgerEvents: readonly LedgerEvent[]
  /** What `ledger.evidence` gave at the end; undefined when the ledger could not be reached before the job gave up. */
  readonly evidence: unknown
}

export interface JobSummary {
  readonly run: Bytes32
  readonly name: string
  readonly phase: JobPhase
  readonly outcome?: JobOutcome
  readonly framesTotal: number
  readonly framesDelivered: number
  readonly createdAtMs: number
}

/** Events by name, for eventemitter3-style listeners. */
export type JobEventType = JobEvent['type']

/** A handle on one run. Several handles on one run are fine. */
export interface JobRun {
  readonly id: Bytes32
  state(): JobState
  /** Resolves at the job's end; never rejects because of the job's outcome. @throws canceled when the runner is closed first */
  done(options?: { readonly signal?: AbortSignal }): Promise<JobResult>
  /** Ordered events after `cursor`, from the first when left out; ends after `job-end`. Slow readers hold nothing up. */
  events(after?: number, options?: { readonly signal?: AbortSignal }): AsyncIterable<JobEvent>
  [Symbol.asyncIterator](): AsyncIterator<JobEvent>
  /** Listens to events of one type. A handle's first listener starts at the run's first event, later ones hear what comes after. Returns the function that ends it. */
  on<T extends JobEventType>(type: T, listener: (event: Extract<JobEvent, { type: T }>) => void): () => void
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
  /** Stops loops and timers, gives claims back. Remote tasks go on; the jobs can be taken up again. */
  close(): Promise<void>
}
