import type {
  Address,
  Bytes32,
  CheckerEvent,
  CheckerJob,
  Commit,
  Held,
  Lease,
  LeaseSet,
  SeedReveal,
  FrameReport,
  Terms,
  Vote,
} from '@pictor/core/contract'

/** A lease that this checker saw in a set it was ready for. */
export interface KnownLease {
  readonly lease: Lease
  readonly seq: number
  readonly attested: boolean
  /** Its farm gave it up by signature and nothing of it is held here: it costs nothing, and nothing of it will be held. */
  readonly canceled?: true
}

/** The votes on a lease, made once and never again: a second set of votes would be an equivocation. */
export interface CastVotes {
  readonly votes: readonly Vote[]
  readonly seed: SeedReveal
  readonly reports: readonly FrameReport[]
  readonly cpuMs: number
}

/** What the examination of a lease came to, before it is signed. */
export interface FoundVotes {
  readonly votes: readonly Omit<Vote, 'checker' | 'signature'>[]
  readonly reports: readonly FrameReport[]
  readonly cpuMs: number
}

/** Everything a checker remembers of one job. Plain data; grows with leases and frames, not with actions. */
export interface JobState {
  readonly job: Bytes32
  /** By seq. `refused`: seen and authentic, but not one to be ready for. */
  readonly sets: Record<number, { readonly set: LeaseSet; readonly leases: readonly number[]; readonly refused?: true }>
  readonly leases: Record<number, KnownLease>
  /** By lease, in order of the commitments' index. */
  readonly commits: Record<number, readonly Commit[]>
  readonly held: Record<string, Held>
  readonly cast: Record<number, CastVotes>
  /** By lease: examined, not yet signed. */
  found?: Record<number, FoundVotes>
  /** By lease: the state and number of frames that were last told (`lease-progress`). */
  told?: Record<number, string>
  final?: bigint
  /** The job as its first Ready showed it: what a checker needs to go on without its runner. */
  context?: Omit<CheckerJob, 'files'>
  /** The checkers that the registry drew, where the terms leave them to it. */
  drawn?: readonly Address[]
  /** Files of layers that its outputs name. */
  layers?: readonly Bytes32[]
  /** By lease: the secret that its farm sealed its outputs with. */
  leaseSecrets?: Record<number, Bytes32>
  /** Sealed files that were read. */
  sealedFiles?: readonly Bytes32[]
  /** By the hash of a batch that was signed here, and lease: outputs whose keys are the creator's once the ledger has the batch. */
  keysDue?: Record<string, Record<number, readonly Bytes32[]>>
  /** Its files were removed. */
  swept?: true
}

/** The checkers whose votes and signatures count; of a registry none before it drew them. */
export function committeeOf({ drawn = [] }: Pick<JobState, 'drawn'>, terms: Terms): readonly Address[] {
  return terms.registryDraw === 0 ? terms.checkers : drawn
}

/** A job that nothing is known of. */
export function emptyState(job: Bytes32): JobState {
  return { job, sets: {}, leases: {}, commits: {}, held: {}, cast: {} }
}

/** What this checker thinks of a farm, over all jobs. */
export interface Standing {
  /** Consecutive frames that passed a render comparison; 0 after a refusal. */
  readonly consecutive: number
  /** Evidence of under-sampling, see sampling/evidence; 0 when there is none. */
  readonly evidence: number
}

/** Remembers jobs, events, done actions and farms' standing. Every write is durable when it returns. */
export interface CheckerStore {
  secret(): Uint8Array
  job(job: Bytes32): JobState | undefined
  /** All jobs that anything is known of. */
  jobs(): readonly Bytes32[]
  /** Saves the state, appends the events and marks the action as done, all or nothing. */
  commit(state: JobState, key: string | undefined, events: readonly CheckerEvent[]): void
  done(key: string): boolean
  events(job: Bytes32, from: number, limit: number): readonly CheckerEvent[]
  standing(farm: Address): Standing
  setStanding(farm: Address, standing: Standing): void
  close(): void
}
