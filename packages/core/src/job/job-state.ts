import type { FarmStanding } from './farm-health.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Address, Bytes32, Ready, Signature, Terms } from '../contract/messages.ts'
import type { Quote } from '../contract/quote.ts'
import type { SealKey } from '../contract/sealing.ts'
import type { JobCommand } from './job-facts.ts'
import type { Agenda } from './machine.ts'
import type { Pace } from './pace.ts'
import type { LeaseCancel, LeaseJson, VoidReason } from './task-state.ts'

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
  /** Keys of checkers that farms can seal outputs to. */
  readonly sealKeys?: readonly SealKey[]
}

/** A planned lease as journals keep it. */
export interface PlannedLeaseJson {
  readonly lease: LeaseJson
  readonly farm: string
  readonly offer: string
  readonly expectedMs: number
}

/** A planned lease in the journal: keys, payee and check class are the order's. Earlier journals have them here too. */
export interface KeptLease extends Omit<PlannedLeaseJson, 'lease'> {
  readonly lease: Omit<LeaseJson, 'farm' | 'payTo' | 'checkClass'>
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
  /** Held by a quorum and never to be attested: its farm may claim the price, which stays bound until the refund. */
  | 'kept'
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
  /** Units of the job (units.ts): indexes of frames, or of tiles of split ones. */
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
  /** What its accepted frames come to by their weights; 0 before it is judged. */
  earned: bigint
}

export interface FarmRow {
  readonly id: string
  readonly window: number
  readonly queue: number[]
  head: number
  /** Leases in its window: handed over and not yet rendered. */
  inFlight: number
  /** Leases handed over and not yet judged or void. */
  live: number
  leased: number
  accepted: number
  refused: number
  /** What its attested leases earn. */
  spent: bigint
  /** The lease whose frames were delivered last. */
  lastDelivered: number | undefined
  strikes: number
  /** Time of the last strike: leases that fail together are one incident. */
  struckAtMs: number
  /** Why it gets nothing more of this job. */
  excluded: string | undefined
  /** Known from its first lease on. */
  pace: Pace | undefined
  /** Where it stands over all jobs: quarantined it gets no leases now, on probation one at a time. */
  standing: FarmStanding
  standingReason: string | undefined
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

export type ReplanReason = 'refused' | 'failed' | 'lapsed' | 'hedge' | 'deadline'

/** A ledger event as journals keep it: amounts as decimal strings, without the frame records. */
export interface LedgerEventJson {
  readonly id: string
  readonly type: string
  readonly atMs: number
  readonly [key: string]: unknown
}

/** The checkers of a job as its batches count them: those of the terms, or those that the registry drew (none before its draw). */
export function committeeOf({ terms, checkers }: Pick<KeptOrder, 'terms' | 'checkers'>): readonly Address[] {
  return terms.registryDraw === 0 ? terms.checkers : checkers
}

export interface JobStreamState {
  readonly id: string
  phase: 'new' | 'opening' | 'readying' | 'running' | 'settling' | 'ended'
  order: KeptOrder | undefined
  job: Bytes32 | undefined
  frames: readonly number[]
  /** Index of the frame number, for lists that are not one run of numbers. */
  frameIndex: Map<number, number> | undefined
  /** One entry a unit, here and in the next three. */
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
  /** Rows that are neither attested, kept nor gone. */
  openRows: number
  readonly farms: Map<string, FarmRow>
  readonly sets: SetRow[]
  readonly batches: BatchRow[]
  toSettle: number[]
  batchDue: boolean
  /** Deliveries that are not confirmed. */
  delivering: number
  /** The lease whose frames were delivered last. */
  lastDelivered: number | undefined
  readonly paths: Map<number, string | readonly string[]>
  wanted: 'run' | 'hold' | 'cancel'
  priority: number
  deadlineAtMs: number
  pastDeadline: boolean
  attestOver: boolean
  blocked: string | undefined
  readyPosted: boolean
  scoutsLeft: Set<number>
  /** Farms at which leases of a frame failed: it goes elsewhere while anybody else takes it. */
  readonly failedAt: Map<number, readonly string[]>
  replan: {
    n: number
    open: boolean
    reason: ReplanReason
    notBeforeAtMs: number
    /** Answers in a row that placed nothing, and sets in a row that no quorum was ready for. */
    empty: number
    /** What the last answer that placed nothing gave as its reason. */
    why?: string
    /** Rows whose frames are to be leased a second time. */
    hedges: number[]
  }
  /** Which of several leases over the same frames counts, by the id of the first of them. */
  readonly contestWinner: Map<number, number>
  /** Hedges that wait for their task's word that it will ask before it is held. */
  readonly contesting: Set<number>
  readonly money: {
    locked: bigint
    /** Prices of leases that are neither attested nor free again; at the end of those that are kept. */
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
  final: {
    keep: bigint | undefined
    readonly signatures: Map<Address, Signature>
    /** Final or a refund is on the ledger. */
    done: boolean
    /** What both returned to the creator. */
    returned: bigint
  }
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
