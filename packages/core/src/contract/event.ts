import type { FrameReport } from './checker.ts'
import type { Bytes32, Verdict } from './messages.ts'

/** What every event of a job carries. */
export interface EventBase {
  /** Position in the run's event order: pass it to `events({ after })` to replay from there. */
  readonly cursor: number
  readonly atMs: number
}

/** Milliseconds that are left, with their band. */
export interface TimeBand {
  readonly low: number
  readonly expected: number
  readonly high: number
}

/** The frame that was delivered last and where it lies; of a split frame that part. */
export interface LastFrame {
  readonly frame: number
  readonly part?: number
  readonly farm: string
  readonly path: string
}

/** What an app sees of a run. Public and open: readers ignore types that they do not know. Names are noun-verb. */
export type JobEvent = EventBase &
  (
    | { readonly type: 'job-start'; readonly run: string; readonly frames: number }
    | { readonly type: 'money-locked'; readonly amount: bigint; readonly currency: string; readonly job: Bytes32 }
    | { readonly type: 'job-ready'; readonly seq: number }
    | {
        readonly type: 'task-start'
        readonly task: number
        readonly farm: string
        readonly frames: string
        /** Which tile of its frames, where frames are split. */
        readonly part?: number
        readonly price: bigint
        readonly reason: 'plan' | 'retry' | 'refused' | 'hedge' | 'replan'
      }
    | {
        readonly type: 'task-end'
        readonly task: number
        readonly farm: string
        readonly outcome: 'committed' | 'failed' | 'canceled' | 'lapsed'
        readonly message?: string
      }
    | {
        readonly type: 'frame-rendered'
        readonly task: number
        readonly farm: string
        readonly frame: number
        readonly part?: number
        readonly hash: Bytes32
        readonly renderMs?: number
        /** When the farm finished it. */
        readonly completedAtMs: number
        /** A small marked picture among the artifacts, where the frame is sealed until it is accepted. */
        readonly preview?: Bytes32
      }
    | {
        readonly type: 'frame-verdict'
        readonly task: number
        readonly farm: string
        readonly frame: number
        readonly part?: number
        readonly hash: Bytes32
        readonly verdict: Verdict
        readonly reports: readonly FrameReport[]
      }
    /** The frame lies at `path`; of a split frame this tile is there, and the frame as soon as all are. */
    | {
        readonly type: 'frame-delivered'
        readonly frame: number
        readonly part?: number
        readonly farm: string
        readonly path: string
      }
    | { readonly type: 'farm-quarantined'; readonly farm: string; readonly reason: string }
    | { readonly type: 'batch-attested'; readonly batch: number; readonly leases: readonly number[]; readonly gas?: bigint }
    | {
        readonly type: 'payment-end'
        readonly batch: number
        readonly paid: readonly { readonly account: string; readonly role: string; readonly amount: bigint }[]
        readonly refunded: bigint
      }
    | { readonly type: 'refund-end'; readonly amount: bigint }
    | { readonly type: 'ticket-open'; readonly farm: string; readonly ticket: string; readonly title: string }
    | { readonly type: 'job-hold' }
    | { readonly type: 'job-resume' }
    | { readonly type: 'job-blocked'; readonly reason: string }
    | {
        readonly type: 'job-end'
        readonly outcome: 'done' | 'partial' | 'failed' | 'canceled'
        readonly framesDelivered: number
        readonly framesMissing: readonly number[]
        readonly message?: string
      }
    /** Passing progress: never journaled, not replayed. Amounts in the smallest unit of `currency`. */
    | {
        readonly type: 'progress'
        readonly framesDone: number
        readonly framesTotal: number
        /** Share of the job that is done, 0 to 100; never falls for one reader. */
        readonly percent?: number
        /** Cost so far, with fees. */
        readonly spent?: bigint
        readonly currency?: string
        readonly leftMs?: TimeBand
        readonly lastFrame?: LastFrame
        readonly farms: Readonly<
          Record<
            string,
            {
              readonly done: number
              readonly leased: number
              /** The frame under work and its share done, 0 to 1. */
              readonly frame?: number
              readonly fraction?: number
              /** What its leases earn so far. */
              readonly spent?: bigint
              readonly leftMs?: TimeBand
              readonly lastFrame?: LastFrame
            }
          >
        >
      }
  )
