import { decodeJournal, encodeJournal } from '../contract/codec.ts'
import type { Batch, Bytes32, Commit, Held, Lease, SeedReveal, Signature, Vote } from '../contract/messages.ts'
import type { TaskFact } from '../job/task-facts.ts'
import type { KeptCommit, LeaseJson, TaskStreamState } from '../job/task-state.ts'
import { taskMachine } from '../job/task.ts'
import type { CheckerReport } from '../proof/votes.ts'
import { foldStream } from './fold.ts'
import type { Shared } from './job-host.ts'

/** Folds a task's journal without owning it. */
export async function loadTask(shared: Shared, run: Bytes32, task: number): Promise<TaskStreamState> {
  return (await foldStream<TaskStreamState, TaskFact>(taskMachine, shared.options.store, `task:${run}:${task}`)).state
}

export function leaseOf(lease: LeaseJson): Lease {
  return { ...lease, price: BigInt(lease.price) }
}

/** A commitment as it was signed. */
export function commitOf(state: TaskStreamState, job: Bytes32, kept: KeptCommit): Commit {
  const { lease } = state.order!
  return {
    job,
    lease: lease.id,
    index: kept.index,
    outputRoot: kept.outputRoot,
    outputs: kept.frames.map((frame, i) => ({
      frame: lease.frames[frame]!,
      part: lease.part,
      outputHash: kept.hashes[i]!,
      completedAtMs: kept.completedAtMs[i]!,
    })),
    signature: kept.signature,
  }
}

export function heldOf(state: TaskStreamState, job: Bytes32): Held[] {
  return state.commits.flatMap((kept) =>
    [...kept.held].map(([checker, signature]) => ({
      job,
      lease: state.order!.lease.id,
      outputRoot: kept.outputRoot,
      checker,
      signature,
    })),
  )
}

/** What one checker revealed about one lease; kept as an artifact because it is large and needed once. */
export interface VotesBlob {
  readonly votes: readonly Vote[]
  readonly seed: SeedReveal
  readonly reports: readonly CheckerReport[]
}

const utf8 = new TextDecoder()

export async function readBlob<T>(shared: Shared, hash: Bytes32): Promise<T> {
  return decodeJournal<T>(utf8.decode(await shared.options.artifacts.read(hash)))
}

export async function writeBlob(shared: Shared, value: unknown): Promise<Bytes32> {
  return (await shared.options.artifacts.put(Buffer.from(encodeJournal(value)))).hash
}

export async function votesOf(shared: Shared, state: TaskStreamState): Promise<VotesBlob[]> {
  return Promise.all([...state.votes.values()].map((vote) => readBlob<VotesBlob>(shared, vote.blob)))
}

/** What a batch was made of; kept as an artifact. */
export interface BatchBlob {
  readonly batch: Batch
  /** Signatures of the leaseKey in force then, of sets that another one had signed before it was replaced: a receipt needs them, and the key may be gone by then. */
  readonly signedAgain?: readonly SetSignature[]
}

export interface SetSignature {
  readonly seq: number
  readonly signature: Signature
}
