import type { CallContext } from './context.ts'
import type {
  Address,
  Batch,
  Bytes32,
  CheckerSignature,
  FrameRecord,
  Lease,
  LeaseSet,
  LedgerDomain,
  Ready,
  Signature,
  Terms,
} from './messages.ts'

/** What a ledger can do; the conformance suite runs only what is declared. */
export interface LedgerSupports {
  readonly custody: boolean
  readonly disputes: boolean
  readonly claims: boolean
  readonly bonds: boolean
  readonly slashing: boolean
  readonly approveEarly: boolean
}

export interface FundingRequest {
  readonly kind: 'creator-signature' | 'transaction'
  readonly payload: unknown
}

/** Why a ledger refuses (`details.reason` of a `ledger-refused` error); every ledger uses these words, so that callers can act on them. */
export type LedgerRefusal =
  | 'unknown-job'
  | 'terms' // the terms break a rule; details.path names the field
  | 'terms-mismatch' // other terms than those the job was opened with
  | 'signature' // a signature does not hold; details.path names it
  | 'quorum' // fewer checkers signed than the terms ask for
  | 'batch-hash' // the hash does not cover these results
  | 'lease-set' // the set is not this job's, or not signed by the leaseKey
  | 'lease' // the lease is not in its set, or its result is malformed
  | 'settled' // the lease was attested before
  | 'frame-cap' // the price is above frameCap x frames
  | 'farm-budget' // more than is left for farms
  | 'check-budget' // more than is left for checkers
  | 'too-early'
  | 'too-late'
  | 'closed' // canceled, finalized or refunded: this action is no longer possible
  | 'done' // it has happened already
  | 'unknown-batch'
  | 'keep' // less than what is attested, or more than is there
  | 'limit' // the app's own budget limit
  | 'funding' // the creator's money could not be taken
  | 'not-allowed' // the sender may not do this
  | 'unsupported'

/** Every change of money state. All are idempotent by `ctx.key`, may be sent by anyone who holds the signatures, and report through `poll`. */
export type LedgerAction =
  | { readonly kind: 'ready'; readonly terms: Terms; readonly ready: readonly Ready[] }
  | {
      readonly kind: 'attest'
      readonly terms: Terms
      readonly batch: Batch
      /** The lease sets that the batch uses, each with its signature (set 0 without) and all its leases, for the multiproof. */
      readonly sets: readonly { readonly set: LeaseSet; readonly leases: readonly Lease[] }[]
      readonly signatures: readonly CheckerSignature[]
    }
  | { readonly kind: 'approve'; readonly terms: Terms; readonly batch: number; readonly signature?: Signature }
  | {
      readonly kind: 'dispute'
      readonly terms: Terms
      readonly batch: number
      readonly farm: Address
      readonly reasonHash: Bytes32
    }
  | {
      readonly kind: 'resolve'
      readonly terms: Terms
      readonly batch: number
      readonly farm: Address
      readonly acceptedPerMille: number
    }
  | {
      readonly kind: 'claim'
      readonly terms: Terms
      readonly lease: Lease
      readonly set: LeaseSet
      readonly proof: readonly Bytes32[]
      readonly held: readonly CheckerSignature[]
      readonly outputRoot: Bytes32
    }
  | { readonly kind: 'release'; readonly terms: Terms; readonly batch: number }
  | { readonly kind: 'final'; readonly terms: Terms; readonly keep: bigint; readonly signatures: readonly CheckerSignature[] }
  | { readonly kind: 'refund'; readonly terms: Terms }
  | { readonly kind: 'cancel'; readonly terms: Terms }
  /** The creator replaces a leaseKey that was lost or stolen: later sets are signed by the new one. `signature` where another account sends it. */
  | { readonly kind: 'lease-key'; readonly terms: Terms; readonly leaseKey: Address; readonly signature?: Signature }
  | { readonly kind: 'top-up'; readonly terms: Terms; readonly farmBudget: bigint; readonly checkBudget: bigint }
  | { readonly kind: 'withdraw'; readonly token: Address; readonly to: Address }

export interface LedgerEventBase {
  /** Position in the ledger's order; unique. */
  readonly id: string
  readonly job: Bytes32
  readonly atMs: number
  /** Only `final` events move money state; `reverted` takes a tentative one back. */
  readonly status: 'tentative' | 'final' | 'reverted'
  /** Cost of recording it, in the chain's own unit; absent on the local ledger. */
  readonly gas?: bigint
  readonly tx?: Bytes32
  /** The job's head after this event. */
  readonly head?: Bytes32
}

export type LedgerEvent = LedgerEventBase &
  (
    | {
        readonly type: 'opened'
        readonly creator: Address
        readonly farmBudget: bigint
        readonly checkBudget: bigint
        readonly setRoot: Bytes32
        /** hash(terms), where the ledger shows what the job was opened with. */
        readonly termsHash?: Bytes32
      }
    /** The checkers of a job whose terms leave them to a registry (`registryDraw`), ascending: whose signatures make its quorum. */
    | { readonly type: 'drawn'; readonly committee: readonly Address[] }
    | { readonly type: 'ready'; readonly seq: number; readonly seedRoot: Bytes32; readonly checker?: Address }
    | {
        readonly type: 'attested'
        /** Number of the batch in its job, from 1. */
        readonly batch: number
        readonly batchHash: Bytes32
        readonly leases: readonly number[]
        readonly reserved: bigint
        readonly records?: readonly FrameRecord[]
        readonly releaseAtS: number
      }
    | {
        /** A farm's claim; `batch` is its number in the job's one sequence of batches and claims. */
        readonly type: 'claimed'
        readonly batch: number
        readonly lease: number
        readonly farm: Address
        readonly price: bigint
        readonly outputRoot: Bytes32
      }
    | { readonly type: 'disputed'; readonly batch: number; readonly farm: Address }
    | { readonly type: 'resolved'; readonly batch: number; readonly farm: Address; readonly acceptedPerMille: number }
    | {
        readonly type: 'released'
        readonly batch: number
        readonly paid: readonly {
          readonly account: Address
          readonly role: 'farm' | 'checker' | 'platform'
          readonly amount: bigint
        }[]
        readonly refunded: bigint
      }
    | { readonly type: 'finalized'; readonly keep: bigint; readonly refunded: bigint }
    | { readonly type: 'refunded'; readonly amount: bigint }
    | { readonly type: 'canceled' }
    | { readonly type: 'lease-key-replaced'; readonly leaseKey: Address }
    | { readonly type: 'topped-up'; readonly farmBudget: bigint; readonly checkBudget: bigint }
    | { readonly type: 'withdrawn'; readonly account: Address; readonly amount: bigint }
    | { readonly type: 'refused'; readonly key: string; readonly reason: string }
  )

/** Where a job's money stands. `locked + pending + released + refunded` is what was deposited, at every step. */
export interface JobMoney {
  readonly deposited: bigint
  readonly locked: bigint
  readonly pending: bigint
  readonly released: bigint
  readonly refunded: bigint
  readonly head: Bytes32
  readonly status: 'none' | 'open' | 'canceled' | 'finalized' | 'closed'
}

/** Money and records of jobs: an escrow contract, or the app's own book. Nothing of it knows a particular chain. */
export interface Ledger {
  readonly contract: 1
  readonly supports: LedgerSupports
  readonly domain: LedgerDomain
  /** For people: what holds the money, such as `escrow 0x12.. on chain 31337` or `local book, custody: none`. */
  readonly label: string
  /** `jobId` as `proof` computes it. Idempotent: the same terms twice are the same job. @throws ledger-refused, ledger-unreachable */
  open(terms: Terms, setRoot: Bytes32, ctx: CallContext): Promise<{ readonly job: Bytes32; readonly awaiting?: FundingRequest }>
  /** @throws ledger-refused with details.reason, ledger-unreachable (try again with the same key) */
  send(action: LedgerAction, ctx: CallContext): Promise<void>
  poll(
    query: { readonly job: Bytes32; readonly cursor?: string },
    ctx: CallContext,
  ): Promise<{ readonly events: readonly LedgerEvent[]; readonly cursor: string; readonly waitMs: number }>
  money(job: Bytes32, ctx: CallContext): Promise<JobMoney>
  credit(token: Address, account: Address, ctx: CallContext): Promise<bigint>
  /** Decimals that a token counts in, undefined when it says none. Ledgers without tokens leave it out. @throws ledger-unreachable */
  decimals?(token: Address, ctx: CallContext): Promise<number | undefined>
  /** Evidence for a receipt at the ledger's present finality: block header and storage proof, or the signed head. Opaque to the machine, read by `verifyReceipt`. */
  evidence(job: Bytes32, ctx: CallContext): Promise<unknown>
  close?(): Promise<void>
}
