import type { Failure, TaskState as FarmTaskState, Ticket } from '../contract/farm.ts'
import type { Address, Bytes32, Commit, Signature } from '../contract/messages.ts'
import type { FetchedSeal, LeaseCancel, TaskOrder, VoidReason } from './task-state.ts'

export type TaskInput =
  | { readonly type: 'open'; readonly order: TaskOrder }
  | { readonly type: 'submitted'; readonly attempt: number; readonly ref: string; readonly leaseSignature?: Signature }
  /** The farm will not take it, or nobody knows whether it did (`unknown`). */
  | { readonly type: 'submit-failed'; readonly attempt: number; readonly failure: Failure; readonly unknown: boolean }
  | { readonly type: 'farm-state'; readonly ref: string; readonly state: FarmTaskState; readonly failure?: Failure }
  | { readonly type: 'commit'; readonly ref: string; readonly commit: Commit }
  /** A commitment whose signature, root or hashes do not hold. */
  | { readonly type: 'commit-bad'; readonly ref: string; readonly message: string }
  | {
      readonly type: 'fetched'
      readonly ref: string
      readonly frames: readonly number[]
      readonly hashes: readonly Bytes32[]
      readonly renderMs: readonly number[]
      readonly completedAtMs: readonly number[]
      readonly sealed?: readonly FetchedSeal[]
    }
  | { readonly type: 'canceled'; readonly ref: string; readonly cancel?: LeaseCancel }
  | { readonly type: 'stalled'; readonly ref: string; readonly quietMs: number }
  | { readonly type: 'ticket'; readonly ticket: Ticket }
  | { readonly type: 'held'; readonly checker: Address; readonly outputRoot: Bytes32; readonly signature: Signature }
  | { readonly type: 'checked'; readonly checker: Address }
  | { readonly type: 'votes'; readonly checker: Address; readonly blob: Bytes32; readonly verdicts: string }
  | { readonly type: 'checker-silent'; readonly checker: Address; readonly action: string; readonly reason: string }
  | { readonly type: 'judged'; readonly verdicts: string; readonly acceptedWeight: number }
  | { readonly type: 'judge-failed'; readonly message: string }
  /** The job's answer to a contest. */
  | { readonly type: 'contest'; readonly won: boolean }
  /** From now on ask before holding; answered by a report. */
  | { readonly type: 'contested' }
  | { readonly type: 'want'; readonly wanted: 'run' | 'hold' | 'cancel'; readonly reason: string }
  | { readonly type: 'priority'; readonly priority: number }
  /** Ends whatever is open: nothing can be attested any more. */
  | { readonly type: 'give-up'; readonly reason: VoidReason }
  | { readonly type: 'tick'; readonly timer: TaskTimer }

interface FactBase {
  readonly v: 1
  /** When it was accepted, Unix milliseconds. */
  readonly at: number
}

export type TaskFact = FactBase &
  (
    | { readonly t: 'opened'; readonly order: TaskOrder }
    | { readonly t: 'submitted'; readonly ref: string; readonly sig?: Signature }
    | {
        readonly t: 'attempt-failed'
        readonly failure: Failure
        readonly counts: boolean
        /** When to try again; null: no more here. */
        readonly againAtMs: number | null
      }
    | {
        readonly t: 'fetched'
        readonly frames: readonly number[]
        /** Left out when they are the committed ones. */
        readonly hashes?: string
        readonly ms: readonly number[]
        /** How long before `at` the farm finished each frame, in milliseconds. */
        readonly ago: readonly number[]
        /** Files of these frames that are here encrypted. */
        readonly sealed?: readonly FetchedSeal[]
      }
    | {
        readonly t: 'commit'
        readonly index: number
        readonly root: Bytes32
        readonly sig: Signature
        readonly frames: readonly number[]
        /** Left out when they are the fetched ones. */
        readonly hashes?: string
        readonly doneAtMs: readonly number[]
      }
    | { readonly t: 'farm-ended'; readonly state: FarmTaskState; readonly failure?: Failure; readonly cancel?: LeaseCancel }
    | { readonly t: 'contested' }
    | { readonly t: 'rendered'; readonly ask: boolean }
    | { readonly t: 'holding' }
    | { readonly t: 'held'; readonly checker: Address; readonly root: Bytes32; readonly sig: Signature }
    /** Some commitments were not held in time and are dropped. */
    | { readonly t: 'all-held'; readonly dropped: readonly number[] }
    | { readonly t: 'checked'; readonly checker: Address }
    | { readonly t: 'voted'; readonly checker: Address; readonly blob: Bytes32; readonly verdicts: string }
    | { readonly t: 'checker-silent'; readonly checker: Address; readonly action: string; readonly reason: string }
    | { readonly t: 'grace-over' }
    | { readonly t: 'end-over' }
    | { readonly t: 'commit-by' }
    | { readonly t: 'judging' }
    | { readonly t: 'judged'; readonly verdicts: string; readonly weight: number }
    | {
        readonly t: 'voided'
        readonly reason: VoidReason
        readonly freed: boolean
        readonly failure?: Failure
        readonly held?: true
      }
    | { readonly t: 'freed' }
    | { readonly t: 'wanted'; readonly wanted: 'run' | 'hold' | 'cancel'; readonly reason: string }
    | { readonly t: 'priority'; readonly priority: number }
    | { readonly t: 'ticket'; readonly ticket: Ticket }
  )

export type TaskTimer = 'commit-by' | 'vote-grace' | 'cancel-grace' | 'end-grace'

export type TaskCommand = { readonly id: string } & (
  | { readonly kind: 'submit'; readonly attempt: number; readonly notBeforeAtMs: number }
  /** Watch the farm, download outputs, bring commitments; until ended. */
  | { readonly kind: 'collect'; readonly ref: string }
  | { readonly kind: 'set'; readonly ref: string; readonly desired: 'run' | 'hold' | 'cancel'; readonly priority?: number }
  | { readonly kind: 'hold'; readonly checker: Address; readonly commit: number }
  | { readonly kind: 'check'; readonly checker: Address }
  | { readonly kind: 'reveal'; readonly checker: Address }
  | { readonly kind: 'judge' }
  | { readonly kind: 'report'; readonly report: TaskReport }
  | { readonly kind: 'timer'; readonly timer: TaskTimer; readonly atMs: number }
)

/** What a task tells its job. */
export type TaskReport = 'rendered' | 'contest-ready' | 'judged' | 'voided' | 'freed'
