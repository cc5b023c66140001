import type { Artifacts, BundleManifest } from './artifacts.ts'
import type { CallContext } from './context.ts'
import type { Address, Bytes32, Commit, Signature } from './messages.ts'
import type { Seal } from './sealing.ts'
import type { Decline, Quote, QuoteRequest } from './quote.ts'
import type { StageRef, Task } from './task.ts'

/** How a farm is driven: over its own API, over our protocol, by an operator with the farm's desktop app, or by hand. */
export type Lane = 'api' | 'partner' | 'desktop' | 'manual'
export type Support = 'native' | 'emulated' | 'manual' | 'none'

/** What a farm can do, as data. */
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

/** One published rate, with where and when it was read. Quotes are what counts; this is for people. */
export interface ListedPrice {
  readonly tier: string
  readonly device?: 'cpu' | 'gpu'
  /** What is counted, such as `GHz-hour`, `OctaneBench-hour` or `host-hour`. */
  readonly unit: string
  /** Decimal in `currency` for one unit; left out where nobody published it. */
  readonly rate?: string
  readonly currency: string
  /** Most hosts a job may use; left out where nobody says. */
  readonly hosts?: number
  readonly source: string
  /** Day of the source, or on which it was read (YYYY-MM-DD). */
  readonly asOf: string
  /** `A` the farm's own page, `B` somebody else's, `C` pages of the farm that disagree, `own` the user's figure. */
  readonly trust: 'A' | 'B' | 'C' | 'own'
  readonly note?: string
}

/** A host, or one slot of it, in the units that render farms price by: GHz (threads x nominal clock) of its CPU, OctaneBench points of its GPU. */
export interface HostRating {
  readonly ghz?: number
  readonly octaneBench?: number
  /** Measured on it, by a scene that farms of one kind share: compares only farms whose `basis` names the same scene and version. */
  readonly pixelSamplesPerS?: number
  /** What the figures rest on, in words. */
  readonly basis: string
}

export interface FarmInfo {
  readonly contract: 1
  readonly id: string
  readonly name: string
  readonly lane: Lane
  /** How the adapter was verified: against the real farm, a simulated contract, or not at all. */
  readonly verification: 'live' | 'contract-simulated' | 'none'
  readonly capabilities: FarmCapabilities
  readonly idempotency: 'native' | 'search' | 'at-most-once'
  readonly software: readonly SoftwareBuild[]
  /** The farm's signing key; lanes without one leave it out and the operator signs. */
  readonly key?: Address
  readonly payTo?: Address
  readonly slots?: number
  /** What one slot is in the units of price lists. */
  readonly rating?: HostRating
  /** Source and date of prices, for people. */
  readonly priceBook?: {
    readonly source: string
    readonly asOf: string
    readonly kind: 'list' | 'third-party' | 'own'
    readonly prices?: readonly ListedPrice[]
  }
  /** The package that speaks for the farm. */
  readonly adapter?: { readonly name: string; readonly version: string }
  readonly ext?: Readonly<Record<string, unknown>>
}

export interface TaskRef {
  readonly farm: string
  readonly ref: string
  /** The farm's countersignature of the lease. */
  readonly leaseSignature?: Signature
}

/** States of a task at a farm, the same for all farms. The farm's own word travels as `raw`. An unknown word maps to `submitted`, never to an end. */
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

/** Classes of failure; the class decides who is to blame and whether it uses up a retry. */
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

/** One delivered file, keyed by frame, layer and part. Appears once it is complete. */
export interface Output {
  readonly task: TaskRef
  readonly frame: number
  readonly part: number
  readonly layer: string
  /** Farm-side name to `open` it by. */
  readonly name: string
  readonly bytes: number
  /** sha256 of the bytes as the farm saw them, `0x` hex. */
  readonly hash: `0x${string}`
  readonly completedAtMs: number
  /** Host time spent on this frame. */
  readonly renderMs?: number
  /** The bytes can be had encrypted only: `hash` and `bytes` are those of the picture, `open` gives the sealed file. */
  readonly sealed?: Seal
}

/** What a poll brings. Every event carries our canonical state where one applies and the farm's raw word. Readers ignore types they do not know. */
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
      /** Frame under work and its share done, 0..1. */
      readonly frame?: number
      readonly fraction?: number
    }
  | { readonly type: 'output'; readonly output: Output; readonly atMs: number }
  | {
      readonly type: 'frame-failed'
      readonly task: TaskRef
      readonly frame: number
      readonly failure: Failure
      readonly atMs: number
    }
  | { readonly type: 'commit'; readonly task: TaskRef; readonly commit: Commit; readonly atMs: number }
  | { readonly type: 'ticket'; readonly task?: TaskRef; readonly ticket: Ticket; readonly atMs: number }
  | {
      readonly type: 'canceled'
      readonly task: TaskRef
      readonly framesDone: readonly number[]
      /** Root of all outputs it had (zero hash for none) and its signature over it, of farms with a key: frees the lease's money before `commitBy`. */
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

/** A question to a person: what to do, and what to answer. */
export interface Ticket {
  readonly id: string
  readonly title: string
  readonly instructions: readonly string[]
  /** Names of the fields that `set(..., { answer })` must carry, with what each means. */
  readonly fields: readonly { readonly name: string; readonly label: string; readonly required: boolean }[]
  readonly closed?: boolean
}

export interface TaskChange {
  readonly desired?: 'run' | 'hold' | 'cancel' | 'erase'
  readonly priority?: number
  readonly answer?: { readonly ticket: string; readonly fields: Readonly<Record<string, string>> }
}

export interface Refusal {
  readonly refused: true
  readonly reason: string
  readonly message: string
}

/** A stream of bytes with a known end. */
export interface Body {
  /** Length of the stream: what is left of the file from the asked offset on. */
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
  /** When to poll again. */
  readonly waitMs: number
}

/** A render farm in eight verbs. A plain object with these functions is a farm; nothing is inherited. */
export interface Farm {
  readonly contract: 1
  readonly id: string
  /** Lane, verification, capabilities, software, key. Cheap; may be cached. */
  describe(ctx: CallContext): Promise<FarmInfo>
  /** Numbers to price any share of the frames, per tier, or a decline with its reason. */
  quote(request: QuoteRequest, ctx: CallContext): Promise<Quote | Decline>
  /** Sends the files that the farm does not have yet. Content-addressed, resumable, idempotent. */
  stage(manifest: BundleManifest, files: Artifacts, ctx: CallContext): Promise<StageRef>
  /** Find-or-create by `ctx.key`. @throws farm-refused when the lease cannot be verified or the work kind is unknown; conflict when the key was used for other content */
  submit(task: Task, ctx: CallContext): Promise<TaskRef>
  /** Everything new since `cursor`, for all tasks of the farm that this caller may see; without a cursor a full reconcile. */
  poll(query: { readonly cursor?: string; readonly scope?: readonly TaskRef[] }, ctx: CallContext): Promise<FarmPoll>
  /** Changes what is wanted; `accepted` means that it happens later, `manual` that an operator was asked. */
  set(task: TaskRef, change: TaskChange, ctx: CallContext): Promise<'done' | 'accepted' | 'manual' | Refusal>
  /** Bytes of one output from `offset` on. */
  open(output: Output, range: { readonly offset: number }, ctx: CallContext): Promise<Body | Unavailable>
  /** Verifies a webhook and names the tasks worth polling; never the truth itself. */
  hint?(headers: Readonly<Record<string, string>>, rawBody: Uint8Array): Promise<readonly TaskRef[]>
  /** Frees processes and timers. */
  close?(): Promise<void>
}
