import { createHash } from 'node:crypto'
import {
  storeStream,
  type Address,
  type Artifacts,
  type Bytes32,
  type CheckerJob,
  type Commit,
  type Lease,
} from '@pictor/core/contract'
import { leaseLeaf, verifyCommit } from '@pictor/core/proof'
import { layersNamedBy } from './layers.ts'
import { refuse } from './refusal.ts'
import type { OpenedFiles } from './sealed-outputs.ts'
import type { JobState } from './state.ts'

/** How far a farm's clock may run ahead of the checker's. */
const CLOCK_SKEW_MS = 120_000

/** The lease as this checker knows it. @throws checker-refused when it was in no set that it is ready for */
export function requireKnownLease(state: JobState, lease: Lease): void {
  const known = state.leases[lease.id]
  if (!known) throw refuse('lease-unknown', `lease ${lease.id} is in no set that this checker is ready for`)
  if (leaseLeaf(known.lease) !== leaseLeaf(lease))
    throw refuse('lease-again', `lease ${lease.id} was seen before with other content`)
}

/**
 * Whether a commitment counts: signed by the lease's farm over the root of its outputs, in time, only frames of the lease and each once.
 * @throws checker-refused or signature-invalid
 */
export function inspectCommit(
  state: JobState,
  job: CheckerJob,
  lease: Lease,
  commit: Commit,
  farm: Address,
  nowMs: number,
): void {
  requireKnownLease(state, lease)
  if (state.leases[lease.id]!.canceled) throw refuse('canceled', `lease ${lease.id} was given up by its farm`)
  if (farm !== lease.farm) throw refuse('other-farm', `lease ${lease.id} belongs to ${lease.farm}, not ${farm}`)
  if (commit.job !== job.job || commit.lease !== lease.id)
    throw refuse('other-lease', `the commitment is for lease ${commit.lease} of ${commit.job}`)
  verifyCommit(job.domain, commit, lease.farm)
  const others = (state.commits[lease.id] ?? []).filter((one) => one.outputRoot !== commit.outputRoot)
  if (others.some((one) => one.index === commit.index))
    throw refuse('commit-again', `part ${commit.index} of lease ${lease.id} was committed before with other content`)
  if (nowMs > lease.commitByS * 1000)
    throw refuse(
      'late-commit',
      `lease ${lease.id} had to be committed and held by ${new Date(lease.commitByS * 1000).toISOString()}`,
    )
  const before = new Set(others.flatMap((one) => one.outputs.map((output) => output.frame)))
  if (commit.outputs.length === 0) throw refuse('empty-commit', 'the commitment holds no frame')
  for (const output of commit.outputs) {
    if (!lease.frames.includes(output.frame) || output.part !== lease.part)
      throw refuse('frame-of-other-lease', `frame ${output.frame} part ${output.part} is not in lease ${lease.id}`)
    if (before.has(output.frame)) throw refuse('frame-again', `frame ${output.frame} was committed before`)
    if (output.completedAtMs > nowMs + CLOCK_SKEW_MS)
      throw refuse('time-ahead', `frame ${output.frame} is said to be done in the future`)
  }
}

/** Where the bytes of a commitment are read, and where this checker keeps what it swore to hold. */
export interface HoldingPlaces {
  readonly files: OpenedFiles
  /** Left out: they stay with the job. */
  readonly keep: Artifacts | undefined
  /** Reads a file that is held. */
  readonly read: (hash: Bytes32) => Promise<Uint8Array>
}

/**
 * Reads the bytes of every output in pieces, compares their sha256, and copies them to where this checker keeps what it swore to hold. Returns the files of layers that they name.
 * @throws checker-refused naming the first frame whose bytes are missing or differ
 */
export async function holdOutputs(
  places: HoldingPlaces,
  lease: Pick<Lease, 'checkClass'>,
  commit: Commit,
  signal: AbortSignal,
): Promise<readonly Bytes32[]> {
  const held: Bytes32[] = []
  for (const { frame, outputHash } of commit.outputs) {
    signal.throwIfAborted()
    await holdFile(places, outputHash, `the bytes of frame ${frame}`, `frame ${frame}: the farm committed to`, signal)
    const layers = lease.checkClass === 'sidecar' ? layersNamedBy(await places.read(outputHash)) : undefined
    if (!layers) continue
    // They are part of what was committed to: the frame's own hash covers theirs.
    await holdFile(places, layers, `the layers of frame ${frame}`, `frame ${frame} names the layers`, signal)
    held.push(layers)
  }
  return held
}

async function holdFile(
  { files, keep }: HoldingPlaces,
  hash: Bytes32,
  what: string,
  named: string,
  signal: AbortSignal,
): Promise<void> {
  if (!(await files.has(hash))) throw refuse('bytes-missing', `${what} (${hash}) are not there`)
  async function* hashed(): AsyncGenerator<Uint8Array> {
    const digest = createHash('sha256')
    for await (const chunk of files.stream(hash)) {
      signal.throwIfAborted()
      digest.update(chunk)
      yield chunk
    }
    const found = `0x${digest.digest('hex')}`
    if (found !== hash) throw refuse('bytes-differ', `${named} ${hash}, the bytes hash to ${found}`)
  }
  if (keep) await storeStream(keep, hashed())
  else for await (const _ of hashed());
}
