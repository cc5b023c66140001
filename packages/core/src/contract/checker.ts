import type { Artifacts, BundleManifest } from './artifacts.ts'
import type { CallContext } from './context.ts'
import type { SoftwareBuild } from './farm.ts'
import type { RenderSpec } from './job.ts'
import type {
  Address,
  Batch,
  Bytes32,
  CanceledLease,
  CheckerSignature,
  Commit,
  Held,
  Lease,
  LeaseSet,
  LedgerDomain,
  Ready,
  SeedReveal,
  Terms,
  Verdict,
  Vote,
} from './messages.ts'
import type { CheckerSealing, SealedOutput } from './sealing.ts'

/** What every checker action says about its job. */
export interface CheckerJob {
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly job: Bytes32
  readonly run: string
  readonly spec: RenderSpec
  readonly bundle: BundleManifest
  /** Where scene and outputs lie; the checker verifies every hash itself. */
  readonly files: Artifacts
}

/** What a checker is asked. Every action is idempotent; results arrive by `poll`. */
export type CheckerAction = { readonly job: CheckerJob } &
  /** `canceled` are leases that their farms gave up by signature: their prices are free for this set. */
  (
    | {
        readonly kind: 'ready'
        readonly set: LeaseSet
        readonly leases: readonly Lease[]
        readonly canceled?: readonly CanceledLease[]
      }
    /** Fetch the committed outputs and say that they are held. */
    | {
        readonly kind: 'hold'
        readonly lease: Lease
        readonly commit: Commit
        readonly farm: Address
        /** Outputs, and layers beside them, that are there as sealed files only. */
        readonly sealed?: readonly SealedOutput[]
      }
    /** Check a lease whose last commitment is in. `neighbours` are accepted frames around it, for sequence checks. */
    | {
        readonly kind: 'check'
        readonly lease: Lease
        readonly commits: readonly Commit[]
        readonly neighbours?: readonly { readonly frame: number; readonly hash: Bytes32 }[]
        /** What the lease's farm renders with (`FarmInfo.software`): whether one seed must give the same noise there and here. Left out: it need not. */
        readonly software?: readonly SoftwareBuild[]
      }
    /** Reveal the seed and the votes of a checked lease. */
    | { readonly kind: 'reveal'; readonly lease: number }
    | {
        readonly kind: 'sign-batch'
        readonly batch: Batch
        readonly votes: readonly Vote[]
        readonly seeds: readonly SeedReveal[]
        /** The Ready of every checker that voted, for the sets of the leases: what its seeds are held against. */
        readonly readies?: readonly Ready[]
        /** Revealed reports: refusals of several checkers stand only where their own renders agree. */
        readonly reports?: readonly (FrameReport & { readonly checker: Address })[]
      }
    /** `canceled` as in `ready`: they need no money kept. */
    | { readonly kind: 'sign-final'; readonly keep: bigint; readonly canceled?: readonly CanceledLease[] }
  )

/** One reason of a verdict, for a render wrangler. */
export interface Finding {
  readonly code: string
  readonly message: string
  readonly value?: number
  readonly threshold?: number
  readonly region?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
}

/** The reasons behind one vote. */
export interface FrameReport {
  readonly lease: number
  readonly frame: number
  readonly part: number
  readonly verdict: Verdict
  readonly checked: boolean
  readonly findings: readonly Finding[]
  /** sha256 of a difference picture (PNG) among the artifacts. */
  readonly picture?: Bytes32
  readonly ms: number
  /** pixelHash of the checker's own full render, when it made one: refusals of two checkers must agree on it. */
  readonly replica?: Bytes32
}

export type CheckerEvent =
  | { readonly type: 'ready'; readonly ready: Ready; readonly atMs: number }
  | { readonly type: 'held'; readonly held: Held; readonly atMs: number }
  | { readonly type: 'checked'; readonly lease: number; readonly checker: Address; readonly cpuMs: number; readonly atMs: number }
  | {
      readonly type: 'votes'
      readonly lease: number
      readonly votes: readonly Vote[]
      readonly seed: SeedReveal
      readonly reports: readonly FrameReport[]
      readonly atMs: number
    }
  | { readonly type: 'batch-signature'; readonly batchHash: Bytes32; readonly signature: CheckerSignature; readonly atMs: number }
  | { readonly type: 'final-signature'; readonly keep: bigint; readonly signature: CheckerSignature; readonly atMs: number }
  /** How far a lease has come by the times that its farm committed to, told when it changes: stalls and late commitments are seen without anybody asking. */
  | {
      readonly type: 'lease-progress'
      readonly lease: number
      readonly state: 'waiting' | 'rendering' | 'stalled' | 'committed' | 'late' | 'canceled'
      /** Frames whose bytes the checker holds, of all frames of the lease. */
      readonly held: number
      readonly frames: number
      readonly lastCompletedAtMs?: number
      readonly message: string
      readonly atMs: number
    }
  /** The checker will not do what was asked, and why; or it saw something that everybody should know. */
  | {
      readonly type: 'alarm'
      readonly action: string
      readonly lease?: number
      readonly reason: string
      readonly message: string
      readonly atMs: number
    }

/** A validator of frames (the seed document's Checker Node). */
export interface Checker {
  readonly contract: 1
  readonly id: string
  readonly address: Address
  send(action: CheckerAction, ctx: CallContext): Promise<void>
  poll(
    query: { readonly job: Bytes32; readonly cursor?: string },
    ctx: CallContext,
  ): Promise<{ readonly events: readonly CheckerEvent[]; readonly cursor: string; readonly waitMs: number }>
  readonly sealing?: CheckerSealing
  close?(): Promise<void>
}
