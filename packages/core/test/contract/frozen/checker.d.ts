import type { Artifacts, BundleManifest } from './artifacts.js'
import type { CallContext } from './context.js'
import type { SoftwareBuild } from './farm.js'
import type { RenderSpec } from './job.js'
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
} from './messages.js'
export interface CheckerJob {
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly job: Bytes32
  readonly run: string
  readonly spec: RenderSpec
  readonly bundle: BundleManifest
  readonly files: Artifacts
}
export type CheckerAction = {
  readonly job: CheckerJob
} & (
  | {
      readonly kind: 'ready'
      readonly set: LeaseSet
      readonly leases: readonly Lease[]
      readonly canceled?: readonly CanceledLease[]
    }
  | {
      readonly kind: 'hold'
      readonly lease: Lease
      readonly commit: Commit
      readonly farm: Address
    }
  | {
      readonly kind: 'check'
      readonly lease: Lease
      readonly commits: readonly Commit[]
      readonly neighbours?: readonly {
        readonly frame: number
        readonly hash: Bytes32
      }[]
      readonly software?: readonly SoftwareBuild[]
    }
  | {
      readonly kind: 'reveal'
      readonly lease: number
    }
  | {
      readonly kind: 'sign-batch'
      readonly batch: Batch
      readonly votes: readonly Vote[]
      readonly seeds: readonly SeedReveal[]
      readonly reports?: readonly (FrameReport & {
        readonly checker: Address
      })[]
    }
  | {
      readonly kind: 'sign-final'
      readonly keep: bigint
      readonly canceled?: readonly CanceledLease[]
    }
)
export interface Finding {
  readonly code: string
  readonly message: string
  readonly value?: number
  readonly threshold?: number
  readonly region?: {
    readonly x: number
    readonly y: number
    readonly width: number
    readonly height: number
  }
}
export interface FrameReport {
  readonly lease: number
  readonly frame: number
  readonly part: number
  readonly verdict: Verdict
  readonly checked: boolean
  readonly findings: readonly Finding[]
  readonly picture?: Bytes32
  readonly ms: number
  readonly replica?: Bytes32
}
export type CheckerEvent =
  | {
      readonly type: 'ready'
      readonly ready: Ready
      readonly atMs: number
    }
  | {
      readonly type: 'held'
      readonly held: Held
      readonly atMs: number
    }
  | {
      readonly type: 'checked'
      readonly lease: number
      readonly checker: Address
      readonly cpuMs: number
      readonly atMs: number
    }
  | {
      readonly type: 'votes'
      readonly lease: number
      readonly votes: readonly Vote[]
      readonly seed: SeedReveal
      readonly reports: readonly FrameReport[]
      readonly atMs: number
    }
  | {
      readonly type: 'batch-signature'
      readonly batchHash: Bytes32
      readonly signature: CheckerSignature
      readonly atMs: number
    }
  | {
      readonly type: 'final-signature'
      readonly keep: bigint
      readonly signature: CheckerSignature
      readonly atMs: number
    }
  | {
      readonly type: 'lease-progress'
      readonly lease: number
      readonly state: 'waiting' | 'rendering' | 'stalled' | 'committed' | 'late' | 'canceled'
      readonly held: number
      readonly frames: number
      readonly lastCompletedAtMs?: number
      readonly message: string
      readonly atMs: number
    }
  | {
      readonly type: 'alarm'
      readonly action: string
      readonly lease?: number
      readonly reason: string
      readonly message: string
      readonly atMs: number
    }
export interface Checker {
  readonly contract: 1
  readonly id: string
  readonly address: Address
  send(action: CheckerAction, ctx: CallContext): Promise<void>
  poll(
    query: {
      readonly job: Bytes32
      readonly cursor?: string
    },
    ctx: CallContext,
  ): Promise<{
    readonly events: readonly CheckerEvent[]
    readonly cursor: string
    readonly waitMs: number
  }>
  close?(): Promise<void>
}
