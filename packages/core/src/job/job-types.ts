import type { Failure } from '../contract/farm.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Address, Bytes32, Ready, Signature, Terms } from '../contract/messages.ts'
import type { Quote } from '../contract/quote.ts'
import type { Agenda } from './machine.ts'
import type { LeaseCancel, LeaseJson, VoidReason } from './task-types.ts'

/** Options with every default filled in. */
export interface FilledOptions {
  readonly maxAttempts: number
  readonly scouts: boolean
  readonly giveUpAtMs: number
  readonly outDir: string
  readonly hedge: boolean
  readonly batchLeases: number
  readonly batchWaitMs: number
}

/** The order as the journal keeps it; leases come in facts of their own. */
export interface KeptOrder {
  readonly run: Bytes32
  readonly spec: JobSpec
  readonly terms: Terms
  readonly parties: Readonly<Record<string, { readonly key: Address; readonly payTo: Address }>>
  readonly quotes: readonly Quote[]
  readonly work: readonly number[]
  readonly options: FilledOptions
  /** Addresses of the checkers, in the runner's order. */
  readonly checkers: readonly Address[]
}

/** A planned lease as journals keep it. */
export interface PlannedLeaseJson {
  readonly lease: LeaseJson
  readonly farm: string
  readonly offer: string
  readonly expectedMs: number
}

export type RowPhase =
  /** Its set is not ready. */
  | 'planned'
  /** Waits for a place in its farm's window. */
  | 'queued'
  | 'live'
  /** Judged, not yet in a batch. */
  | 'judged'
  | 'batched'
  | 'attested'
  /** Will not be paid; the farm may still claim. */
  | 'void'
  /** Over without pay: its price is free again. */
  | 'gone'

/** One lease in the job's table. */
export interface TaskRow {
  readonly id: number
  readonly farm: string
  readonly offer: string
  readonly seq: number
  readonly price: bigint
  readonly checkFee: bigint
  /** Indexes into the job's frames. */
  readonly frames: readonly number[]
  readonly weights: readonly number[]
  readonly commitByS: number
  readonly hedgeOf: number
  readonly expectedMs: number
  phase: RowPhase
  startedAtMs: number
  rendered: boolean
  contested: boolean
  contestWon: boolean | undefined
  giveUp: VoidReason | undefined
}

export interface FarmRow {
  readonly id: string
  readonly window: number
  readonly queue: number[]
  head: number
  inFlight: number
  leased: number
  accepted: number
  refused: number
  strikes: number
  /** Time of the last strike: leases that fail together are one incident. */
  struckAtMs: number
  excluded: string | undefined
}

export interface SetRow {
  readonly seq: number
  readonly first: number
  last: number
  root: Bytes32 | undefined
  signature: Signature | undefined
  readonly ready: Map<Address, Ready>
  readonly refused: Set<Address>
  reason: ReplanReason | 'plan'
  phase: 'signing' | 'readying' | 'ready' | 'void'
}

export interface BatchRow {
  readonly n: number
  readonly leases: readonly number[]
  hash: Bytes32 | undefined
  blob: Bytes32 | undefined
  readonly signatures: Map<Address, Signature>
  readonly refused: Set<Address>
  /** Number on the ledger. */
  number: number | undefined
  phase: 'making' | 'signing' | 'attesting' | 'attested' | 'released' | 'broken'
}

/** Frame states in `frameState`. */
export const FRAME = { idle: 0, leased: 1, accepted: 2, delivered: 3, missing: 4 } as const

export interface JobStreamState {
  readonly id: string
  phase: 'new' | 'opening' | 'readying' | 'running' | 'settling' | 'ended'
  order: KeptOrder | undefined
  job: Bytes32 | undefined
  frames: readonly number[]
  /** Index of the frame number, for lists that are not one run of numbers. */
  frameIndex: Map<number, number> | undefined
  frameState: Uint8Array
  /** Leases that cover the frame and are not over. */
  cover: Uint8Array
  /** Leases that the frame has had. */
  attempts: Uint8Array
  winner: Int32Array
  readonly idle: Set<number>
  accepted: number
  delivered: number
  missing: number
  rendered: number
  readonly rows: Map<number, TaskRow>
  /** Rows that are live, for the few decisions that look at all of them. */
  readonly live: Set<number>
  /** Rows that are neither attested nor gone. */
  openRows: number
  readonly farms: Map<string, FarmRow>
  readonly sets: SetRow[]
  readonly batches: BatchRow[]
  toSettle: number[]
  batchDue: boolean
  /** Deliveries that are not confirmed. */
  delivering: number
  readonly paths: Map<number, string | readonly string[]>
  wanted: 'run' | 'hold' | 'cancel'
  priority: number
  deadlineAtMs: number
  pastDeadline: boolean
  attestOver: boolean
  blocked: string | undefined
  readyPosted: boolean
  scoutsLeft: Set<number>
  replan: {
    n: number
    open: boolean
    reason: ReplanReason
    notBeforeAtMs: number
    /** Answers in a row that placed nothing, and sets in a row that no quorum was ready for. */
    empty: number
    /** Rows whose frames are to be leased a second time. */
    hedges: number[]
  }
  /** Which of several leases over the same frames counts, by the id of the first of them. */
  readonly contestWinner: Map<number, number>
  /** Hedges that wait for their task's word that it will ask before it is held. */
  readonly contesting: Set<number>
  readonly money: {
    locked: bigint
    /** Prices of leases that are neither attested nor free again. */
    live: bigint
    liveCheck: bigint
    /** Full prices and check fees of attested leases. */
    attested: bigint
    attestedCheck: bigint
    released: bigint
    paid: bigint
    refunded: bigint
    /** Price and fees attested and not released. */
    pending: bigint
  }
  /** Leases that their farms gave up by signature. */
  readonly cancels: Map<number, LeaseCancel>
  final: { keep: bigint | undefined; readonly signatures: Map<Address, Signature>; done: boolean }
  refundOpen: boolean
  evidence: Bytes32 | undefined
  evidenceOver: boolean
  outcome: 'done' | 'partial' | 'failed' | 'canceled' | undefined
  message: string | undefined
  ledgerEvents: LedgerEventJson[]
  answers: number
  nextTask: number
  startedAtMs: number
  lastAtMs: number
  readonly agenda: Agenda<JobCommand>
}

export type ReplanReason = 'refused' | 'failed' | 'lapsed' | 'hedge' | 'deadline'

/** A ledger event as journals keep it: amounts as decimal strings, without the frame records. */
export interface LedgerEventJson {
  readonly id: string
  readonly type: string
  readonly atMs: number
  readonly [key: string]: unknown
}

export type JobInput =
  | { readonly type: 'order'; readonly order: string; readonly root: Bytes32; readonly leases: readonly PlannedLeaseJson[] }
  | { readonly type: 'ledger'; readonly event: LedgerEventJson }
  | { readonly type: 'set-signed'; readonly seq: number; readonly root: Bytes32; readonly signature: Signature }
  | { readonly type: 'ready'; readonly ready: Ready }
  | { readonly type: 'checker-refused'; readonly checker: Address; readonly action: string; readonly message: string }
  | { readonly type: 'task-rendered'; readonly task: number }
  | { readonly type: 'task-contest-ready'; readonly task: number }
  | { readonly type: 'task-judged'; readonly task: number; readonly verdicts: string; readonly weight: number }
  | {
      readonly type: 'task-voided'
      readonly task: number
      readonly reason: VoidReason
      readonly freed: boolean
      readonly failure?: Failure
      readonly cancel?: LeaseCancel
    }
  | { readonly type: 'task-freed'; readonly task: number }
  | { readonly type: 'delivered'; readonly task: number; readonly paths: string | readonly string[] }
  | { readonly type: 'replanned'; readonly n: number; readonly leases: readonly PlannedLeaseJson[]; readonly message?: string }
  | { readonly type: 'batch-made'; readonly n: number; readonly hash: Bytes32; readonly blob: Bytes32 }
  | { readonly type: 'batch-signed'; readonly hash: Bytes32; readonly checker: Address; readonly signature: Signature }
  | { readonly type: 'final-signed'; readonly keep: string; readonly checker: Address; readonly signature: Signature }
  | { readonly type: 'evidence'; readonly blob: Bytes32 | null }
  /** An effect was refused for good. */
  | { readonly type: 'refused'; readonly command: string; readonly code: string; readonly message: string }
  | { readonly type: 'blocked'; readonly reason: string | null }
  | { readonly type: 'want'; readonly wanted: 'run' | 'hold' | 'cancel' }
  | { readonly type: 'priority'; readonly priority: number }
  | { readonly type: 'deadline'; readonly atMs: number }
  | {
      readonly type: 'answer'
      readonly farm: string
      readonly ticket: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly type: 'answered'; readonly n: number; readonly result: string }
  | { readonly type: 'tick'; readonly timer: JobTimer }

export type JobTimer = 'batch' | 'replan' | 'hedge' | 'deadline' | 'attest-by' | 'refund' | 'give-up'

interface FactBase {
  readonly v: 1
  readonly at: number
}

export type JobFact = FactBase &
  (
    | { readonly t: 'ordered'; readonly order: string; readonly root: Bytes32 }
    | { readonly t: 'leases'; readonly seq: number; readonly leases: readonly PlannedLeaseJson[] }
    | { readonly t: 'set'; readonly seq: number; readonly reason: ReplanReason | 'plan' }
    | { readonly t: 'set-signed'; readonly seq: number; readonly root: Bytes32; readonly sig: Signature }
    | { readonly t: 'ready'; readonly ready: Ready }
    | {
        readonly t: 'checker-refused'
        readonly seq: number
        readonly batch: number
        readonly checker: Address
        readonly action: string
        readonly message: string
      }
    | { readonly t: 'set-ready'; readonly seq: number }
    | { readonly t: 'set-void'; readonly seq: number }
    | { readonly t: 'task-rendered'; readonly task: number }
    | { readonly t: 'contest'; readonly tasks: readonly number[] }
    | { readonly t: 'contest-ready'; readonly task: number }
    | { readonly t: 'contest-won'; readonly task: number; readonly won: boolean }
    | { readonly t: 'task-judged'; readonly task: number; readonly verdicts: string }
    | {
        readonly t: 'task-voided'
        readonly task: number
        readonly reason: VoidReason
        readonly freed: boolean
        readonly failure?: Failure
        readonly blame?: boolean
        readonly cancel?: LeaseCancel
      }
    | { readonly t: 'task-freed'; readonly task: number }
    | { readonly t: 'farm-excluded'; readonly farm: string; readonly reason: string }
    | { readonly t: 'delivered'; readonly task: number; readonly paths: string | readonly string[] }
    | { readonly t: 'replan-started'; readonly n: number; readonly reason: ReplanReason; readonly hedges: readonly number[] }
    | { readonly t: 'replan-empty'; readonly n: number; readonly againAtMs: number; readonly message?: string }
    | { readonly t: 'replan-due' }
    | { readonly t: 'missing'; readonly frames: readonly number[]; readonly reason: string }
    | { readonly t: 'batch-due' }
    | { readonly t: 'batched'; readonly n: number; readonly leases: readonly number[] }
    | { readonly t: 'batch-made'; readonly n: number; readonly hash: Bytes32; readonly blob: Bytes32 }
    | { readonly t: 'batch-signed'; readonly n: number; readonly checker: Address; readonly sig: Signature }
    | { readonly t: 'batch-broken'; readonly n: number; readonly message: string }
    | { readonly t: 'ledger'; readonly event: LedgerEventJson }
    | { readonly t: 'settling'; readonly keep: string }
    | { readonly t: 'final-signed'; readonly checker: Address; readonly sig: Signature }
    | { readonly t: 'evidence'; readonly blob: Bytes32 | null }
    | { readonly t: 'refused'; readonly command: string; readonly code: string; readonly message: string }
    | { readonly t: 'blocked'; readonly reason: string | null }
    | { readonly t: 'wanted'; readonly wanted: 'run' | 'hold' | 'cancel' }
    | { readonly t: 'priority'; readonly priority: number }
    | { readonly t: 'deadline'; readonly deadlineAtMs: number }
    | {
        readonly t: 'answer'
        readonly n: number
        readonly farm: string
        readonly ticket: string
        readonly fields: Readonly<Record<string, string>>
      }
    | { readonly t: 'answered'; readonly n: number; readonly result: string }
    | { readonly t: 'past-deadline' }
    | { readonly t: 'attest-over' }
    | { readonly t: 'refund-due' }
    | { readonly t: 'ended'; readonly outcome: 'done' | 'partial' | 'failed' | 'canceled'; readonly message?: string }
  )

export type JobCommand = { readonly id: string } & (
  | { readonly kind: 'open' }
  | { readonly kind: 'watch' }
  | { readonly kind: 'sign-set'; readonly seq: number }
  | { readonly kind: 'ready'; readonly seq: number; readonly checker: Address }
  | { readonly kind: 'post-ready' }
  /** Keep the task going and tell it what is wanted. */
  | { readonly kind: 'task'; readonly task: number }
  | { readonly kind: 'deliver'; readonly task: number }
  | { readonly kind: 'replan'; readonly n: number }
  | { readonly kind: 'make-batch'; readonly n: number }
  | { readonly kind: 'sign-batch'; readonly n: number; readonly checker: Address }
  | { readonly kind: 'attest'; readonly n: number }
  | { readonly kind: 'release'; readonly n: number; readonly notBeforeAtMs: number }
  | { readonly kind: 'sign-final'; readonly checker: Address; readonly keep: string }
  | { readonly kind: 'final'; readonly keep: string }
  | { readonly kind: 'refund' }
  | { readonly kind: 'evidence' }
  | {
      readonly kind: 'answer'
      readonly n: number
      readonly farm: string
      readonly ticket: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly kind: 'timer'; readonly timer: JobTimer; readonly atMs: number }
)
