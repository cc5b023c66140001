import type { Clock } from '../contract/context.ts'
import type { Farm, FailureClass, FarmInfo } from '../contract/farm.ts'
import type { Address, Bytes32, FrameOutput, LedgerDomain, LeaseTicket, Signature } from '../contract/messages.ts'
import type { OfferPrice } from '../contract/quote.ts'
import type { Task } from '../contract/task.ts'

/** What a simulated farm signs with. `simulatedFarmKey` is cheap and not secure; real keys fit the same shape. */
export interface FarmKey {
  readonly address: Address
  outputRoot(outputs: readonly FrameOutput[]): Bytes32
  signCommit(
    domain: LedgerDomain,
    message: { readonly job: Bytes32; readonly lease: number; readonly index: number; readonly outputRoot: Bytes32 },
  ): Promise<Signature>
  signAccept(ticket: LeaseTicket): Promise<Signature>
  signCanceled(
    domain: LedgerDomain,
    message: { readonly job: Bytes32; readonly lease: number; readonly outputRoot: Bytes32 },
  ): Promise<Signature>
  /** Why the ticket is not good, or undefined when it is. */
  checkTicket(ticket: LeaseTicket, nowMs: number): string | undefined
}

/** Probabilities (0..1) of misfortunes, each drawn from the farm's seed. */
export interface FarmFaults {
  /** A call fails before it had any effect. */
  readonly callFails?: number
  /** A call has its effect and its reply is lost. */
  readonly replyLost?: number
  /** A call never answers. */
  readonly callHangs?: number
  /** An event of the cursor stream is delivered a second time. */
  readonly eventTwice?: number
  /** An event never appears in the cursor stream; a poll without a cursor still shows the state. */
  readonly eventLost?: number
  /** A download breaks off in the middle. */
  readonly downloadBreaks?: number
  /** A download brings a wrong byte. */
  readonly downloadCorrupt?: number
  /** A task makes no more progress from some frame on. */
  readonly taskStalls?: number
  /** A task fails at some frame with `taskFailClass`. */
  readonly taskFails?: number
  readonly taskFailClass?: readonly FailureClass[]
  /** One frame fails and the others go on. */
  readonly frameFails?: number
  /** A commitment carries a wrong signature. */
  readonly commitForged?: number
  /** A task runs this many times slower (see `slowFactor`). */
  readonly taskSlow?: number
  readonly slowFactor?: number
  /** The farm forgets its cursors: a poll starts over. */
  readonly cursorLost?: number
  /** A frame is first reported with bytes that are not its last ones, and again under another hash some seconds later. */
  readonly outputAgain?: number
  /** The events of a page come in any order. */
  readonly pageShuffled?: number
  /** A page is full of what means nothing (farm-garbage.ts). */
  readonly garbage?: number
}

export interface SimulatedFarmOptions {
  readonly id: string
  readonly key?: FarmKey
  /** Time; the system clock when left out. The farm never sleeps: its past is computed when it is asked. */
  readonly clock?: Clock
  readonly seed?: number
  readonly lane?: FarmInfo['lane']
  readonly idempotency?: FarmInfo['idempotency']
  /** Hosts that work at once (1); each takes one task. */
  readonly slots?: number
  /** From submit to the first free host (0). */
  readonly queueMs?: number
  /** Scene load when a host starts a task of a run that it did not work on before (0). */
  readonly startMs?: number
  /** Fixed time a frame (0) and milliseconds a unit of work (1000). */
  readonly perFrameMs?: number
  readonly msPerWork?: number
  /** Reference work of a frame in seconds (1). */
  readonly work?: (frame: number) => number
  readonly currency?: string
  readonly price?: Partial<OfferPrice>
  /** Share of frames that the farm does not render as ordered (0). */
  readonly dishonest?: number
  /** What it delivers; must depend only on its arguments. */
  readonly content?: (task: Task, frame: number, honest: boolean) => Uint8Array
  /** How often commitments are made while a task runs: after this many frames (all of the task's). */
  readonly commitEvery?: number
  /** Least wait that a poll asks for (1000). */
  readonly pollMs?: number
  /** The farm answers no call in these spans of clock time. */
  readonly downAtMs?: readonly { readonly from: number; readonly to: number }[]
  /** Outputs cannot be downloaded before this long after their completion (0). */
  readonly outputDelayMs?: number
  /** A desktop or manual lane asks a person before each task starts; answered by `set(..., { answer })`. */
  readonly ticketPerTask?: boolean
  readonly faults?: FarmFaults
  /** Most calls that it takes: a bucket of `burst` calls that fills by `perSecond`. An empty one answers 429 with Retry-After in whole seconds, as HTTP counts. */
  readonly limit?: { readonly perSecond: number; readonly burst: number }
  /** Count no renders and keep nothing of erased tasks: for millions of frames. */
  readonly lean?: boolean
  /** Reads and checks staged files (false): slower, as a farm that receives bytes does it. */
  readonly checkFiles?: boolean
  /** How far its own clock is off, in milliseconds: every time that it reports is wrong by this much. */
  readonly clockOffMs?: number
  /** Renders tiles of frames, one a task (false). */
  readonly tiles?: boolean
  /** Refuses every quote. */
  readonly declines?: boolean
}

/** A farm in memory with a price, a speed, a queue and faults. `stats` counts what happened, for assertions. */
export interface SimulatedFarm extends Farm {
  readonly stats: SimulatedFarmStats
  /** The key's address: what leases name. */
  readonly address: Address
  /** Throws away everything that a crash of the farm's own machine would lose; tasks and outputs stay. */
  forgetCursors(): void
  /** From now on every call fails, until called with false. */
  setDown(down: boolean): void
}

export interface SimulatedFarmStats {
  calls: number
  /** Calls that were over the limit. */
  refused: number
  /** Effects by idempotency key: a key that made two different tasks would show here. */
  readonly tasksByKey: Map<string, string>
  /** Tasks made for each `run/task/attempt`: more than one is work ordered twice. */
  readonly tasksByAttempt: Map<string, number>
  framesRendered: number
  /** Renders of each `run/task/frame`, to see work done twice under one lease. */
  readonly renders: Map<string, number>
  canceled: number
  erased: number
}
