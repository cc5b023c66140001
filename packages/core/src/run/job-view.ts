import type { FrameReport } from '../contract/checker.ts'
import type { Ticket } from '../contract/farm.ts'
import type { LastFrame, TimeBand } from '../contract/event.ts'
import type { JobSpec } from '../contract/job.ts'
import type { LedgerEvent } from '../contract/ledger.ts'
import type {
  Batch,
  Bytes32,
  CheckerSignature,
  Commit,
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

export type JobPhase = 'opening' | 'readying' | 'running' | 'settling' | 'ended'

export type JobOutcome = 'done' | 'partial' | 'failed' | 'canceled'

/** Money of a job as its journal knows it, in the token's smallest unit. */
export interface JobMoneyState {
  readonly currency: string
  readonly locked: bigint
  /** Prices and check fees of leases that are live or wait for release. */
  readonly pending: bigint
  /** Cost so far: paid, or attested and waiting for release. */
  readonly spent: bigint
  readonly paid: bigint
  readonly refunded: bigint
}

/** Where a job stands, for people. */
export interface JobState {
  readonly run: Bytes32
  readonly name: string
  readonly phase: JobPhase
  readonly wanted: 'run' | 'hold' | 'cancel'
  readonly blocked?: string
  readonly outcome?: JobOutcome
  /** Share of the job that is done, 0 to 100; never falls in one handle (`JobRun.state`). */
  readonly percent: number
  /** Accepted frames an hour since the start. */
  readonly framesPerHour?: number
  /** Where frames are split into tiles: how many each has. All counts of frames below are then counts of tiles. */
  readonly partsPerFrame?: number
  readonly framesTotal: number
  readonly framesRendered: number
  readonly framesAccepted: number
  readonly framesDelivered: number
  readonly framesMissing: number
  readonly money: JobMoneyState
  readonly farms: Readonly<
    Record<
      string,
      {
        readonly leased: number
        readonly accepted: number
        readonly refused: number
        readonly framesPerHour?: number
        /** What its attested leases earn, in the token's smallest unit. */
        readonly spent: bigint
        /** Time left for what it has leased. */
        readonly leftMs?: TimeBand
        readonly lastFrame?: LastFrame
        /** The frame under work and its share done, 0 to 1, where this process drives the run. */
        readonly working?: { readonly frame: number; readonly fraction?: number }
        readonly quarantined?: string
      }
    >
  >
  readonly tickets: readonly { readonly farm: string; readonly ticket: Ticket }[]
  readonly startedAtMs: number
  readonly deadlineAtMs: number
  /**
   * Time left with a band that holds nine of ten: by the estimate as the rendered frames refine it, where this process drives the run; else by the rate so far, and absent
   * before anything was accepted.
   */
  readonly leftMs?: TimeBand
  readonly lastFrame?: LastFrame
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

export interface DeliveredFrame {
  readonly frame: number
  /** Which tile of a split frame; `path` is the whole frame, `hash` that of the tile. */
  readonly part?: number
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
