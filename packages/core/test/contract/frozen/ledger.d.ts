import type { CallContext } from './context.js'
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
} from './messages.js'
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
export type LedgerRefusal =
  | 'unknown-job'
  | 'terms'
  | 'terms-mismatch'
  | 'signature'
  | 'quorum'
  | 'batch-hash'
  | 'lease-set'
  | 'lease'
  | 'settled'
  | 'frame-cap'
  | 'farm-budget'
  | 'check-budget'
  | 'too-early'
  | 'too-late'
  | 'closed'
  | 'done'
  | 'unknown-batch'
  | 'keep'
  | 'limit'
  | 'funding'
  | 'not-allowed'
  | 'unsupported'
export type LedgerAction =
  | {
      readonly kind: 'ready'
      readonly terms: Terms
      readonly ready: readonly Ready[]
    }
  | {
      readonly kind: 'attest'
      readonly terms: Terms
      readonly batch: Batch
      readonly sets: readonly {
        readonly set: LeaseSet
        readonly leases: readonly Lease[]
      }[]
      readonly signatures: readonly CheckerSignature[]
    }
  | {
      readonly kind: 'approve'
      readonly terms: Terms
      readonly batch: number
      readonly signature?: Signature
    }
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
  | {
      readonly kind: 'release'
      readonly terms: Terms
      readonly batch: number
    }
  | {
      readonly kind: 'final'
      readonly terms: Terms
      readonly keep: bigint
      readonly signatures: readonly CheckerSignature[]
    }
  | {
      readonly kind: 'refund'
      readonly terms: Terms
    }
  | {
      readonly kind: 'cancel'
      readonly terms: Terms
    }
  | {
      readonly kind: 'lease-key'
      readonly terms: Terms
      readonly leaseKey: Address
      readonly signature?: Signature
    }
  | {
      readonly kind: 'top-up'
      readonly terms: Terms
      readonly farmBudget: bigint
      readonly checkBudget: bigint
    }
  | {
      readonly kind: 'withdraw'
      readonly token: Address
      readonly to: Address
    }
export interface LedgerEventBase {
  readonly id: string
  readonly job: Bytes32
  readonly atMs: number
  readonly status: 'tentative' | 'final' | 'reverted'
  readonly gas?: bigint
  readonly tx?: Bytes32
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
        readonly termsHash?: Bytes32
      }
    | {
        readonly type: 'ready'
        readonly seq: number
        readonly seedRoot: Bytes32
        readonly checker?: Address
      }
    | {
        readonly type: 'attested'
        readonly batch: number
        readonly batchHash: Bytes32
        readonly leases: readonly number[]
        readonly reserved: bigint
        readonly records?: readonly FrameRecord[]
        readonly releaseAtS: number
      }
    | {
        readonly type: 'claimed'
        readonly batch: number
        readonly lease: number
        readonly farm: Address
        readonly price: bigint
        readonly outputRoot: Bytes32
      }
    | {
        readonly type: 'disputed'
        readonly batch: number
        readonly farm: Address
      }
    | {
        readonly type: 'resolved'
        readonly batch: number
        readonly farm: Address
        readonly acceptedPerMille: number
      }
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
    | {
        readonly type: 'finalized'
        readonly keep: bigint
        readonly refunded: bigint
      }
    | {
        readonly type: 'refunded'
        readonly amount: bigint
      }
    | {
        readonly type: 'canceled'
      }
    | {
        readonly type: 'lease-key-replaced'
        readonly leaseKey: Address
      }
    | {
        readonly type: 'topped-up'
        readonly farmBudget: bigint
        readonly checkBudget: bigint
      }
    | {
        readonly type: 'withdrawn'
        readonly account: Address
        readonly amount: bigint
      }
    | {
        readonly type: 'refused'
        readonly key: string
        readonly reason: string
      }
  )
export interface JobMoney {
  readonly deposited: bigint
  readonly locked: bigint
  readonly pending: bigint
  readonly released: bigint
  readonly refunded: bigint
  readonly head: Bytes32
  readonly status: 'none' | 'open' | 'canceled' | 'finalized' | 'closed'
}
export interface Ledger {
  readonly contract: 1
  readonly supports: LedgerSupports
  readonly domain: LedgerDomain
  readonly label: string
  open(
    terms: Terms,
    setRoot: Bytes32,
    ctx: CallContext,
  ): Promise<{
    readonly job: Bytes32
    readonly awaiting?: FundingRequest
  }>
  send(action: LedgerAction, ctx: CallContext): Promise<void>
  poll(
    query: {
      readonly job: Bytes32
      readonly cursor?: string
    },
    ctx: CallContext,
  ): Promise<{
    readonly events: readonly LedgerEvent[]
    readonly cursor: string
    readonly waitMs: number
  }>
  money(job: Bytes32, ctx: CallContext): Promise<JobMoney>
  credit(token: Address, account: Address, ctx: CallContext): Promise<bigint>
  evidence(job: Bytes32, ctx: CallContext): Promise<unknown>
  close?(): Promise<void>
}
