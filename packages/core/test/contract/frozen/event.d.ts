import type { FrameReport } from './checker.js'
import type { Bytes32, Verdict } from './messages.js'
export interface EventBase {
  readonly cursor: number
  readonly atMs: number
}
export type JobEvent = EventBase &
  (
    | {
        readonly type: 'job-start'
        readonly run: string
        readonly frames: number
      }
    | {
        readonly type: 'money-locked'
        readonly amount: bigint
        readonly currency: string
        readonly job: Bytes32
      }
    | {
        readonly type: 'job-ready'
        readonly seq: number
      }
    | {
        readonly type: 'task-start'
        readonly task: number
        readonly farm: string
        readonly frames: string
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
        readonly completedAtMs: number
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
    | {
        readonly type: 'frame-delivered'
        readonly frame: number
        readonly part?: number
        readonly farm: string
        readonly path: string
      }
    | {
        readonly type: 'farm-quarantined'
        readonly farm: string
        readonly reason: string
      }
    | {
        readonly type: 'batch-attested'
        readonly batch: number
        readonly leases: readonly number[]
        readonly gas?: bigint
      }
    | {
        readonly type: 'payment-end'
        readonly batch: number
        readonly paid: readonly {
          readonly account: string
          readonly role: string
          readonly amount: bigint
        }[]
        readonly refunded: bigint
      }
    | {
        readonly type: 'refund-end'
        readonly amount: bigint
      }
    | {
        readonly type: 'ticket-open'
        readonly farm: string
        readonly ticket: string
        readonly title: string
      }
    | {
        readonly type: 'job-hold'
      }
    | {
        readonly type: 'job-resume'
      }
    | {
        readonly type: 'job-blocked'
        readonly reason: string
      }
    | {
        readonly type: 'job-end'
        readonly outcome: 'done' | 'partial' | 'failed' | 'canceled'
        readonly framesDelivered: number
        readonly framesMissing: readonly number[]
        readonly message?: string
      }
    | {
        readonly type: 'progress'
        readonly framesDone: number
        readonly framesTotal: number
        readonly farms: Readonly<
          Record<
            string,
            {
              readonly done: number
              readonly leased: number
              readonly frame?: number
              readonly fraction?: number
            }
          >
        >
      }
  )
