import type { Json } from '../contract/codec.ts'
import type {
  Address,
  Bytes32,
  CheckerSignature,
  Commit,
  FrameRecord,
  Lease,
  LeaseSet,
  LedgerDomain,
  Ready,
  SeedReveal,
  Signature,
  Terms,
  Vote,
} from '../contract/messages.ts'
import type { LocalHead } from './digests.ts'
import type { Payment } from './pay.ts'

/** One attested lease; the lease itself stands in `sets`. Scores are in tens and a missing frame has time 0, as the batch hash covers them. */
export interface ReceiptResult {
  readonly lease: number
  readonly seq: number
  readonly acceptedWeight: number
  readonly records: readonly FrameRecord[]
}

/** What the ledger did with the job's money, in its order; each step is folded into the head. */
export type ReceiptStep =
  | {
      readonly kind: 'attest'
      readonly batch: number
      readonly results: readonly ReceiptResult[]
      /** Votes of each checker in the whole batch. */
      readonly votes: readonly { readonly checker: Address; readonly count: number }[]
      readonly validUntilS: number
      readonly signatures: readonly CheckerSignature[]
    }
  | {
      readonly kind: 'claim'
      readonly batch: number
      readonly lease: number
      readonly farm: Address
      readonly price: bigint
      readonly outputRoot: Bytes32
    }
  | { readonly kind: 'resolve'; readonly batch: number; readonly farm: Address; readonly acceptedPerMille: number }
  | { readonly kind: 'release'; readonly batch: number; readonly paid: readonly Payment[]; readonly refunded: bigint }
  | { readonly kind: 'final'; readonly keep: bigint; readonly refunded: bigint }
  | { readonly kind: 'refund'; readonly amount: bigint }
  /** The creator replaced the leaseKey: sets that later steps use are signed by this one. */
  | { readonly kind: 'lease-key'; readonly leaseKey: Address }

/** A slot of the escrow with its proof, as `eth_getProof` gives it. Values are 32 bytes. */
export interface StorageProof {
  readonly slot: Bytes32
  readonly value: Bytes32
  readonly proof: readonly `0x${string}`[]
}

/** What ties a receipt to the ledger; `Ledger.evidence` returns it. */
export type ReceiptAnchor =
  | {
      readonly kind: 'evm'
      readonly chainId: number
      readonly escrow: Address
      readonly blockHash: Bytes32
      /** RLP of the block's header (`headerRlp`). */
      readonly header: `0x${string}`
      readonly accountProof: readonly `0x${string}`[]
      /** The job's three slots in order: commitment, packed money and state, head (`escrowJobSlots`). */
      readonly storageProof: readonly StorageProof[]
    }
  | { readonly kind: 'local'; readonly head: LocalHead; readonly signature: Signature }

/** Where the job's money stands in the end. */
export interface ReceiptMoney {
  readonly deposited: bigint
  readonly locked: bigint
  readonly pending: bigint
  readonly released: bigint
  readonly refunded: bigint
  readonly head: Bytes32
}

/** Everything that proves what was rendered, judged, paid and returned in one job. Plain data; `encodeReceipt` makes its JSON. */
export interface Receipt {
  readonly kind: 'pictor-receipt'
  readonly version: 1
  /** Whether an escrow held the money, or nobody did: a local book records debts. */
  readonly custody: 'escrow' | 'none'
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly job: Bytes32
  /** The checkers: those of the terms, or those that the registry drew. */
  readonly committee: readonly Address[]
  /** All lease sets that the steps use, set 0 always, with all their leases. */
  readonly sets: readonly { readonly set: LeaseSet; readonly leases: readonly Lease[] }[]
  readonly ready: readonly Ready[]
  /** Farms' countersignatures. */
  readonly accepts: readonly { readonly seq: number; readonly lease: number; readonly signature: Signature }[]
  readonly commits: readonly Commit[]
  readonly votes: readonly Vote[]
  readonly seeds: readonly SeedReveal[]
  readonly steps: readonly ReceiptStep[]
  readonly money: ReceiptMoney
  /** What specHash and quoteHash of the terms stand for. */
  readonly spec?: Json
  readonly quote?: Json
  readonly anchor: ReceiptAnchor
}
