import type { Failure, TaskState as FarmTaskState, Ticket } from '../contract/farm.ts'
import type { Address, Bytes32, Lease, Signature } from '../contract/messages.ts'
import type { SealedOutput } from '../contract/sealing.ts'
import { type Agenda, emptyAgenda } from './machine.ts'
import type { TaskCommand } from './task-facts.ts'

/** What the job tells a new task. */
export interface TaskOrder {
  readonly lease: LeaseJson
  readonly farm: string
  readonly offer: string
  readonly expectedMs: number
  readonly seq: number
  readonly checkers: readonly Address[]
  readonly quorum: number
  /** Tries at this farm that may fail with a class that counts. */
  readonly maxTries: number
  /** Asks the job before anything is held: another lease covers the same frames. */
  readonly contested: boolean
  readonly priority: number
  readonly reason: 'plan' | 'retry' | 'refused' | 'hedge' | 'replan'
}

/** A lease as journals keep it: money as a decimal string. */
export type LeaseJson = Omit<Lease, 'price'> & { readonly price: string }

export type TaskPhase =
  /** Nothing known yet. */
  | 'new'
  /** The farm is asked to take it. */
  | 'submitting'
  /** The farm has it. */
  | 'rendering'
  /** All commitments are in; the job decides which of several leases counts. */
  | 'contesting'
  /** Checkers are asked to hold the bytes. */
  | 'holding'
  /** Checkers check, reveal and vote. */
  | 'checking'
  /** Votes are in and are merged. */
  | 'judging'
  /** The verdict is known. */
  | 'judged'
  /** It will not be paid; the farm may still have a claim until commitBy. */
  | 'voided'
  /** It will not be paid and nobody can claim. */
  | 'freed'

/** A commitment as it is kept: frames as indexes into the lease. */
export interface KeptCommit {
  readonly index: number
  readonly outputRoot: Bytes32
  readonly signature: Signature
  readonly frames: readonly number[]
  readonly hashes: readonly Bytes32[]
  readonly completedAtMs: readonly number[]
  readonly held: Map<Address, Signature>
}

/** Root and signature of a farm's `Canceled` message, as journals keep it. */
export interface LeaseCancel {
  readonly root: Bytes32
  readonly sig: Signature
}

export type VoidReason = 'failed' | 'refused' | 'canceled' | 'lapsed' | 'lost' | 'contested' | 'unverifiable'

/** A file that is among the artifacts encrypted, and its marked preview. */
export interface FetchedSeal extends SealedOutput {
  readonly preview?: Bytes32
}

export interface TaskStreamState {
  readonly id: string
  phase: TaskPhase
  order: TaskOrder | undefined
  /** Number of the current submit, from 1; part of its key. */
  attempt: number
  failures: number
  ref: { readonly farm: string; readonly ref: string } | undefined
  leaseSignature: Signature | undefined
  wanted: 'run' | 'hold' | 'cancel'
  /** The farm's signed last word on a canceled lease. */
  cancel: LeaseCancel | undefined
  /** Whether the farm confirmed what is wanted. */
  farmEnded: FarmTaskState | undefined
  /** The farm's end and the grace for its last commitments are over. */
  endOver: boolean
  /** commitBy is over. */
  late: boolean
  contestWon: boolean
  /** By frame index: hash of the bytes among the artifacts. */
  readonly fetched: (Bytes32 | undefined)[]
  fetchedCount: number
  /** Fetched files that are here encrypted; left out where none is. */
  sealed?: FetchedSeal[]
  readonly commits: KeptCommit[]
  committedCount: number
  readonly checked: Set<Address>
  /** Checkers that refused to hold, check or vote. */
  readonly silent: Set<Address>
  readonly votes: Map<Address, { readonly blob: Bytes32; readonly verdicts: string }>
  graceOver: boolean
  /** `a`, `r`, `u` by frame index, `-` for a frame without bytes. */
  verdicts: string
  acceptedWeight: number
  failure: Failure | undefined
  voidReason: VoidReason | undefined
  /** It will not be paid, but checkers hold what it committed: its farm may claim. */
  kept?: true
  lastAtMs: number
  readonly tickets: Map<string, Ticket>
  readonly agenda: Agenda<TaskCommand>
}

/** A stream about which nothing is known. */
export function emptyTask(id: string): TaskStreamState {
  return {
    id,
    phase: 'new',
    order: undefined,
    attempt: 0,
    failures: 0,
    ref: undefined,
    leaseSignature: undefined,
    wanted: 'run',
    farmEnded: undefined,
    cancel: undefined,
    endOver: false,
    late: false,
    contestWon: false,
    fetched: [],
    fetchedCount: 0,
    commits: [],
    committedCount: 0,
    checked: new Set(),
    silent: new Set(),
    votes: new Map(),
    graceOver: false,
    verdicts: '',
    acceptedWeight: 0,
    failure: undefined,
    voidReason: undefined,
    lastAtMs: 0,
    tickets: new Map(),
    agenda: emptyAgenda(),
  }
}
