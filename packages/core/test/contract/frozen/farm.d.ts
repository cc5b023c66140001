import type { Artifacts, BundleManifest } from './artifacts.js'
import type { CallContext } from './context.js'
import type { Address, Bytes32, Commit, Signature } from './messages.js'
import type { Decline, Quote, QuoteRequest } from './quote.js'
import type { StageRef, Task } from './task.js'
export type Lane = 'api' | 'partner' | 'desktop' | 'manual'
export type Support = 'native' | 'emulated' | 'manual' | 'none'
export interface FarmCapabilities {
  readonly cancelQueued: Support
  readonly cancelRunning: Support
  readonly hold: Support
  readonly priority: Support
  readonly tiles: Support
  readonly samples: Support
  readonly windows: Support
  readonly partialOutputs: Support
  readonly resumeDownload: Support
  readonly bindingQuote: Support
}
export interface SoftwareBuild {
  readonly name: string
  readonly version: string
  readonly engines: readonly string[]
  readonly devices: readonly string[]
}
export interface ListedPrice {
  readonly tier: string
  readonly device?: 'cpu' | 'gpu'
  readonly unit: string
  readonly rate?: string
  readonly currency: string
  readonly hosts?: number
  readonly source: string
  readonly asOf: string
  readonly trust: 'A' | 'B' | 'C' | 'own'
  readonly note?: string
}
export interface HostRating {
  readonly ghz?: number
  readonly octaneBench?: number
  readonly basis: string
}
export interface FarmInfo {
  readonly contract: 1
  readonly id: string
  readonly name: string
  readonly lane: Lane
  readonly verification: 'live' | 'contract-simulated' | 'none'
  readonly capabilities: FarmCapabilities
  readonly idempotency: 'native' | 'search' | 'at-most-once'
  readonly software: readonly SoftwareBuild[]
  readonly key?: Address
  readonly payTo?: Address
  readonly slots?: number
  readonly rating?: HostRating
  readonly priceBook?: {
    readonly source: string
    readonly asOf: string
    readonly kind: 'list' | 'third-party' | 'own'
    readonly prices?: readonly ListedPrice[]
  }
  readonly adapter?: {
    readonly name: string
    readonly version: string
  }
  readonly ext?: Readonly<Record<string, unknown>>
}
export interface TaskRef {
  readonly farm: string
  readonly ref: string
  readonly leaseSignature?: Signature
}
export type TaskState =
  | 'submitted'
  | 'uploading'
  | 'queued'
  | 'starting'
  | 'running'
  | 'pausing'
  | 'suspended'
  | 'awaiting-operator'
  | 'interrupted'
  | 'canceling'
  | 'succeeded'
  | 'failed'
  | 'canceled'
  | 'incompatible'
  | 'lost'
export type FailureClass =
  | 'auth'
  | 'quota'
  | 'payment'
  | 'capacity'
  | 'license'
  | 'asset'
  | 'scene'
  | 'out-of-memory'
  | 'device-fault'
  | 'timeout'
  | 'stalled'
  | 'preempted'
  | 'bad-output'
  | 'transfer'
  | 'rate-limit'
  | 'protocol'
export interface Failure {
  readonly class: FailureClass
  readonly message: string
  readonly frame?: number
  readonly retryAfterMs?: number
  readonly raw?: string
}
export interface Output {
  readonly task: TaskRef
  readonly frame: number
  readonly part: number
  readonly layer: string
  readonly name: string
  readonly bytes: number
  readonly hash: `0x${string}`
  readonly completedAtMs: number
  readonly renderMs?: number
}
export type FarmEvent =
  | {
      readonly type: 'state'
      readonly task: TaskRef
      readonly state: TaskState
      readonly raw: string
      readonly atMs: number
      readonly failure?: Failure
    }
  | {
      readonly type: 'progress'
      readonly task: TaskRef
      readonly atMs: number
      readonly framesDone: number
      readonly framesTotal: number
      readonly frame?: number
      readonly fraction?: number
    }
  | {
      readonly type: 'output'
      readonly output: Output
      readonly atMs: number
    }
  | {
      readonly type: 'frame-failed'
      readonly task: TaskRef
      readonly frame: number
      readonly failure: Failure
      readonly atMs: number
    }
  | {
      readonly type: 'commit'
      readonly task: TaskRef
      readonly commit: Commit
      readonly atMs: number
    }
  | {
      readonly type: 'ticket'
      readonly task?: TaskRef
      readonly ticket: Ticket
      readonly atMs: number
    }
  | {
      readonly type: 'canceled'
      readonly task: TaskRef
      readonly framesDone: readonly number[]
      readonly outputRoot?: Bytes32
      readonly signature?: Signature
      readonly atMs: number
    }
  | {
      readonly type: 'usage'
      readonly task: TaskRef
      readonly line: string
      readonly amount?: bigint
      readonly currency?: string
      readonly atMs: number
    }
export interface Ticket {
  readonly id: string
  readonly title: string
  readonly instructions: readonly string[]
  readonly fields: readonly {
    readonly name: string
    readonly label: string
    readonly required: boolean
  }[]
  readonly closed?: boolean
}
export interface TaskChange {
  readonly desired?: 'run' | 'hold' | 'cancel' | 'erase'
  readonly priority?: number
  readonly answer?: {
    readonly ticket: string
    readonly fields: Readonly<Record<string, string>>
  }
}
export interface Refusal {
  readonly refused: true
  readonly reason: string
  readonly message: string
}
export interface Body {
  readonly bytes: number
  readonly stream: AsyncIterable<Uint8Array>
}
export interface Unavailable {
  readonly unavailable: 'not-yet' | 'payment' | 'expired' | 'gone'
  readonly retryAfterMs?: number
}
export interface FarmPoll {
  readonly events: readonly FarmEvent[]
  readonly cursor: string
  readonly waitMs: number
}
export interface Farm {
  readonly contract: 1
  readonly id: string
  describe(ctx: CallContext): Promise<FarmInfo>
  quote(request: QuoteRequest, ctx: CallContext): Promise<Quote | Decline>
  stage(manifest: BundleManifest, files: Artifacts, ctx: CallContext): Promise<StageRef>
  submit(task: Task, ctx: CallContext): Promise<TaskRef>
  poll(
    query: {
      readonly cursor?: string
      readonly scope?: readonly TaskRef[]
    },
    ctx: CallContext,
  ): Promise<FarmPoll>
  set(task: TaskRef, change: TaskChange, ctx: CallContext): Promise<'done' | 'accepted' | 'manual' | Refusal>
  open(
    output: Output,
    range: {
      readonly offset: number
    },
    ctx: CallContext,
  ): Promise<Body | Unavailable>
  hint?(headers: Readonly<Record<string, string>>, rawBody: Uint8Array): Promise<readonly TaskRef[]>
  close?(): Promise<void>
}
