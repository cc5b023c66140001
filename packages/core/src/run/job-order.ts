import type { JobSpec } from '../contract/job.ts'
import type { Address, Bytes32, Lease, Terms } from '../contract/messages.ts'
import type { Quote } from '../contract/quote.ts'
import type { SealKey } from '../contract/sealing.ts'

/** A lease with the farm and the offer that it was made from. `splitRoute` makes them. */
export interface PlannedLease {
  readonly lease: Lease
  /** Id of the farm among the runner's farms. */
  readonly farm: string
  /** Id of the offer in the farm's quote. */
  readonly offer: string
  /** Host time that the plan expects for the lease, in milliseconds; stalls and hedges are judged by it. */
  readonly expectedMs: number
}

/** Who stands behind a farm id in leases: the key that signs, the account that is paid. */
export interface FarmParty {
  readonly key: Address
  readonly payTo: Address
}

/** How a job behaves. Left out: the default in brackets. */
export interface JobOptions {
  /** How many farms or times one frame may be leased before it is given up (4). */
  readonly maxAttempts?: number
  /** Render the first, the middle and the last frame first; the rest is released when they pass (false). */
  readonly scouts?: boolean
  /** The job ends at this time whatever happened. Later than the terms' refundAfter, so that the money is back. */
  readonly giveUpAtMs: number
  /** Where `deliver` puts the frames. */
  readonly outDir: string
  /** Lease tail frames a second time at another farm when their farm is slow and the budget has room (true). */
  readonly hedge?: boolean
  /** The most leases settled by one batch (64). */
  readonly batchLeases?: number
  /** How long a judged lease waits for others before its batch is made (10,000 ms). */
  readonly batchWaitMs?: number
}

/** One creator's confirmed order: everything the machine needs to run to the end without asking anybody again. */
export interface JobOrder {
  /** The run's id: 32 random bytes as `0x` hex; equal to `terms.runId`. */
  readonly run: Bytes32
  readonly spec: JobSpec
  readonly terms: Terms
  /** Leases of set 0, in order of id from 1, all frames once. */
  readonly leases: readonly PlannedLease[]
  /** Keys and payees of every farm that the job may use, by farm id. */
  readonly parties: Readonly<Record<string, FarmParty>>
  /** Kept for re-plans: the quotes that the plan was made from. */
  readonly quotes: readonly Quote[]
  /** Reference work of each frame in the order of the expanded frames (seconds); weights of later leases come from it. */
  readonly work: readonly number[]
  readonly options: JobOptions
  /** Keys of checkers that farms can seal outputs to. */
  readonly sealKeys?: readonly SealKey[]
}

/** Where frames go that were refused, lost or never rendered. */
export interface Allocation {
  readonly farm: string
  readonly offer: string
  /** Frame numbers, ascending. */
  readonly frames: readonly number[]
}

/** What a job has seen of a farm that works for it. */
export interface FarmObserved {
  /** The offer its leases are of; a farm does not take a job on two at once. */
  readonly offer: string
  /** Host time of rendered leases over what was planned for them, at the request's `work`; left out while nothing is rendered. */
  readonly slowness?: number
  /** Frames this rests on. */
  readonly sampled: number
  /** Time until its hosts are through with the leases they have, at the observed speed. */
  readonly busyMs: number
  /** Host time planned for the leases it has had or has, for minimum charges and volume prices. */
  readonly usedMs: number
}

export interface ReplanRequest {
  readonly run: Bytes32
  readonly reason: 'refused' | 'failed' | 'lapsed' | 'hedge' | 'deadline'
  readonly spec: JobSpec
  readonly terms: Terms
  readonly quotes: readonly Quote[]
  /** Reference work of each frame, as the frames that were rendered refine the estimate. */
  readonly work: readonly number[]
  readonly atMs: number
  /** Frame numbers that need a farm, ascending; where frames are split, of one tile, and `work` is that tile's. */
  readonly frames: readonly number[]
  /** Farms that get nothing more of this job, and why. */
  readonly excluded: Readonly<Record<string, string>>
  /** Frames that each farm still has under lease. */
  readonly busy: Readonly<Record<string, number>>
  /** By farm: how the farms that were leased to have kept what they quoted. */
  readonly observed: Readonly<Record<string, FarmObserved>>
  readonly farmBudgetLeft: bigint
  readonly checkBudgetLeft: bigint
  readonly deadlineAtMs: number
}

/** Places frames again; an empty answer means that nobody can take them now. Called at most once at a time for a job; must not throw for lack of farms. */
export type Replan = (request: ReplanRequest) => Promise<readonly Allocation[]> | readonly Allocation[]
