import type { FarmIncident, FarmStanding } from './farm-health.ts'
import type { Failure } from '../contract/farm.ts'
import type { Address, Bytes32, Ready, Signature } from '../contract/messages.ts'
import type { KeptLease, LedgerEventJson, PlannedLeaseJson, ReplanReason } from './job-state.ts'
import type { LeaseCancel, VoidReason } from './task-state.ts'

export type JobInput =
  | { readonly type: 'order'; readonly order: string; readonly root: Bytes32; readonly leases: readonly PlannedLeaseJson[] }
  | { readonly type: 'ledger'; readonly event: LedgerEventJson }
  | { readonly type: 'set-signed'; readonly seq: number; readonly root: Bytes32; readonly signature: Signature }
  | { readonly type: 'ready'; readonly ready: Ready }
  | { readonly type: 'checker-refused'; readonly checker: Address; readonly action: string; readonly message: string }
  | { readonly type: 'task-rendered'; readonly task: number }
  | { readonly type: 'task-contest-ready'; readonly task: number }
  | { readonly type: 'task-judged'; readonly task: number; readonly verdicts: string; readonly weight: number }
  | {
      readonly type: 'task-voided'
      readonly task: number
      readonly reason: VoidReason
      readonly freed: boolean
      readonly failure?: Failure
      readonly cancel?: LeaseCancel
      readonly held?: true
    }
  | { readonly type: 'task-freed'; readonly task: number }
  | { readonly type: 'delivered'; readonly task: number; readonly paths: string | readonly string[] }
  /** The lease's sealed frames were never attested: nobody owes their keys. */
  | { readonly type: 'unopened'; readonly task: number }
  | { readonly type: 'replanned'; readonly n: number; readonly leases: readonly PlannedLeaseJson[]; readonly message?: string }
  | { readonly type: 'batch-made'; readonly n: number; readonly hash: Bytes32; readonly blob: Bytes32 }
  | { readonly type: 'batch-signed'; readonly hash: Bytes32; readonly checker: Address; readonly signature: Signature }
  | { readonly type: 'final-signed'; readonly keep: string; readonly checker: Address; readonly signature: Signature }
  | { readonly type: 'evidence'; readonly blob: Bytes32 | null }
  /** An effect was refused for good. */
  | { readonly type: 'refused'; readonly command: string; readonly code: string; readonly message: string }
  /** A farm is quarantined over all jobs, on probation, or trusted again. */
  | { readonly type: 'farm-standing'; readonly farm: string; readonly standing: FarmStanding; readonly reason?: string }
  /** The farm's own journal knows of the incident. */
  | { readonly type: 'farm-told'; readonly task: number }
  | { readonly type: 'blocked'; readonly reason: string | null }
  | { readonly type: 'want'; readonly wanted: 'run' | 'hold' | 'cancel' }
  | { readonly type: 'priority'; readonly priority: number }
  | { readonly type: 'deadline'; readonly atMs: number }
  | {
      readonly type: 'answer'
      readonly farm: string
      readonly ticket: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly type: 'answered'; readonly n: number; readonly result: string }
  | { readonly type: 'tick'; readonly timer: JobTimer }

export type JobTimer = 'batch' | 'replan' | 'hedge' | 'deadline' | 'attest-by' | 'refund' | 'give-up'

interface FactBase {
  readonly v: 1
  readonly at: number
}

export type JobFact = FactBase &
  (
    | { readonly t: 'ordered'; readonly order: string; readonly root: Bytes32 }
    | { readonly t: 'leases'; readonly seq: number; readonly leases: readonly KeptLease[] }
    | { readonly t: 'set'; readonly seq: number; readonly reason: ReplanReason | 'plan' }
    | { readonly t: 'set-signed'; readonly seq: number; readonly root: Bytes32; readonly sig: Signature }
    | { readonly t: 'ready'; readonly ready: Ready }
    | {
        readonly t: 'checker-refused'
        readonly seq: number
        readonly batch: number
        readonly checker: Address
        readonly action: string
        readonly message: string
      }
    | { readonly t: 'set-ready'; readonly seq: number }
    | { readonly t: 'set-void'; readonly seq: number }
    | { readonly t: 'task-rendered'; readonly task: number }
    | { readonly t: 'contest'; readonly tasks: readonly number[] }
    | { readonly t: 'contest-ready'; readonly task: number }
    | { readonly t: 'contest-won'; readonly task: number; readonly won: boolean }
    | { readonly t: 'task-judged'; readonly task: number; readonly verdicts: string }
    | {
        readonly t: 'task-voided'
        readonly task: number
        readonly reason: VoidReason
        readonly freed: boolean
        readonly failure?: Failure
        readonly blame?: boolean
        readonly cancel?: LeaseCancel
        /** Checkers hold what it committed: its price stays bound. */
        readonly held?: true
      }
    | { readonly t: 'task-freed'; readonly task: number }
    | { readonly t: 'farm-excluded'; readonly farm: string; readonly reason: string }
    | { readonly t: 'farm-standing'; readonly farm: string; readonly standing: FarmStanding; readonly reason?: string }
    | { readonly t: 'farm-told'; readonly task: number }
    | { readonly t: 'delivered'; readonly task: number; readonly paths: string | readonly string[] }
    | { readonly t: 'unopened'; readonly task: number }
    | { readonly t: 'replan-started'; readonly n: number; readonly reason: ReplanReason; readonly hedges: readonly number[] }
    | { readonly t: 'replan-empty'; readonly n: number; readonly againAtMs: number; readonly message?: string }
    | { readonly t: 'replan-due' }
    | { readonly t: 'missing'; readonly frames: readonly number[]; readonly reason: string }
    | { readonly t: 'batch-due' }
    | { readonly t: 'batched'; readonly n: number; readonly leases: readonly number[] }
    | { readonly t: 'batch-made'; readonly n: number; readonly hash: Bytes32; readonly blob: Bytes32 }
    | { readonly t: 'batch-signed'; readonly n: number; readonly checker: Address; readonly sig: Signature }
    | { readonly t: 'batch-broken'; readonly n: number; readonly message: string }
    | { readonly t: 'ledger'; readonly event: LedgerEventJson }
    | { readonly t: 'settling'; readonly keep: string }
    | { readonly t: 'final-signed'; readonly checker: Address; readonly sig: Signature }
    | { readonly t: 'evidence'; readonly blob: Bytes32 | null }
    | { readonly t: 'refused'; readonly command: string; readonly code: string; readonly message: string }
    | { readonly t: 'blocked'; readonly reason: string | null }
    | { readonly t: 'wanted'; readonly wanted: 'run' | 'hold' | 'cancel' }
    | { readonly t: 'priority'; readonly priority: number }
    | { readonly t: 'deadline'; readonly deadlineAtMs: number }
    | {
        readonly t: 'answer'
        readonly n: number
        readonly farm: string
        readonly ticket: string
        readonly fields: Readonly<Record<string, string>>
      }
    | { readonly t: 'answered'; readonly n: number; readonly result: string }
    | { readonly t: 'past-deadline' }
    | { readonly t: 'attest-over' }
    | { readonly t: 'refund-due' }
    | { readonly t: 'ended'; readonly outcome: 'done' | 'partial' | 'failed' | 'canceled'; readonly message?: string }
  )

export type JobCommand = { readonly id: string } & (
  | { readonly kind: 'open' }
  | { readonly kind: 'watch' }
  | { readonly kind: 'sign-set'; readonly seq: number }
  | { readonly kind: 'ready'; readonly seq: number; readonly checker: Address }
  | { readonly kind: 'post-ready' }
  /** Keep the task going and tell it what is wanted. */
  | { readonly kind: 'task'; readonly task: number }
  /** Tell the farm's journal of an incident. */
  | {
      readonly kind: 'tell-farm'
      readonly task: number
      readonly farm: string
      readonly incident: FarmIncident['kind']
      readonly message: string
    }
  | { readonly kind: 'deliver'; readonly task: number }
  | { readonly kind: 'replan'; readonly n: number }
  | { readonly kind: 'make-batch'; readonly n: number }
  | { readonly kind: 'sign-batch'; readonly n: number; readonly checker: Address }
  | { readonly kind: 'attest'; readonly n: number }
  | { readonly kind: 'release'; readonly n: number; readonly notBeforeAtMs: number }
  | { readonly kind: 'sign-final'; readonly checker: Address; readonly keep: string }
  | { readonly kind: 'final'; readonly keep: string }
  | { readonly kind: 'refund' }
  | { readonly kind: 'evidence' }
  | {
      readonly kind: 'answer'
      readonly n: number
      readonly farm: string
      readonly ticket: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly kind: 'timer'; readonly timer: JobTimer; readonly atMs: number }
)
