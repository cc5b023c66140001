import { availableParallelism } from 'node:os'
import type { Address, Bytes32, CallContext, CheckerJob, FrameOutput } from '@pictor/core/contract'
import { filePool, type FilePool } from '../path/file-pool.ts'
import { sequenceCheck, type SequenceItem } from '../sequence/check.ts'
import { finding } from '../verdict/finding.ts'
import type { Examined, ExamineRequest } from './examined.ts'
import { measuredOf, outputOf, type CheckedFile } from './file-check.ts'
import { sha256 } from './ready.ts'

/** Pixels of a lease from which on its files are read on threads of their own; a thread takes longer to start than a few small files to read. */
const THREADS_FROM = 1 << 24

/** Checks every frame of the lease as a file and in its sequence, in order of frames. */
export async function checkFiles(request: ExamineRequest, ctx: CallContext): Promise<Examined[]> {
  const { width, height } = outputOf(request.job.spec, request.lease.part)
  const large = request.lease.frames.length * width * height >= THREADS_FROM
  const pool = filePool({ threads: large ? availableParallelism() : 1, ...(ctx.signal ? { signal: ctx.signal } : {}) })
  try {
    return await checkOnPool(request, pool, large ? 2 * availableParallelism() : 0, ctx)
  } finally {
    await pool.close()
  }
}

/** Checks the lease's files in order, the next `ahead` of them meanwhile. */
async function checkOnPool(request: ExamineRequest, pool: FilePool, ahead: number, ctx: CallContext): Promise<Examined[]> {
  const { job, lease, commits } = request
  const outputs = commits.flatMap((commit) => commit.outputs.map((output) => ({ output, outputRoot: commit.outputRoot })))
  outputs.sort((p, q) => p.output.frame - q.output.frame)
  const own = new Set(outputs.map(({ output }) => output.frame))
  // A frame is measured when its line comes or a neighbour asks, and forgotten after its line: the sequence check keeps what it still needs.
  const checks = new Map<number, Promise<CheckedFile>>()
  const check = (index: number): Promise<CheckedFile> => {
    const known = checks.get(index) ?? checkCommitted(job, outputs[index]!.output, lease.part, pool)
    checks.set(index, known)
    // Whoever waits for the frame hears of what went wrong.
    known.catch(() => {})
    return known
  }
  const items = outputs.map(({ output }, index) => itemOf(job, output.frame, output.outputHash, lease.farm, () => check(index)))
  const others = request.neighbours
    .filter(({ frame }) => !own.has(frame))
    .map(({ frame, hash, farm }) => itemOf(job, frame, hash, farm, () => checkNeighbour(job, frame, hash, pool)))
  const sequence = sequenceCheck([...items, ...others])
  const frames: Examined[] = []
  for (const [index, { output, outputRoot }] of outputs.entries()) {
    ctx.signal?.throwIfAborted()
    for (let next = index + 1; next <= Math.min(outputs.length - 1, index + ahead); next++) void check(next)
    const startedAt = performance.now()
    const alone = (await check(index)).findings
    const findings = [...(lease.part === 0 ? await sequence.findings(items[index]!, alone) : alone)]
    checks.delete(index)
    const bytes = (): Promise<Uint8Array> => job.files.read(output.outputHash)
    frames.push({ output, outputRoot, bytes, ms: performance.now() - startedAt, findings })
  }
  return frames
}

async function checkCommitted(
  job: CheckerJob,
  { frame, outputHash }: FrameOutput,
  part: number,
  pool: FilePool,
): Promise<CheckedFile> {
  const bytes = await job.files.read(outputHash)
  if (sha256(bytes) === outputHash) return pool.check({ from: { bytes }, frame, spec: job.spec, part })
  return { findings: [finding('refuse', 'hash-differs', 'the bytes are not those that the farm committed to')] }
}

/** A frame of another lease, which the quorum accepted; where its bytes are gone nothing is compared with it. */
async function checkNeighbour(job: CheckerJob, frame: number, hash: Bytes32, pool: FilePool): Promise<CheckedFile> {
  const bytes = await job.files.read(hash).catch(() => undefined)
  return bytes ? pool.check({ from: { bytes }, frame, spec: job.spec }) : { findings: [] }
}

const itemOf = (
  job: CheckerJob,
  frame: number,
  hash: Bytes32,
  farm: Address | undefined,
  check: () => Promise<CheckedFile>,
): SequenceItem => ({
  ...(farm === undefined ? {} : { farm }),
  id: `${frame} ${hash}`,
  frame,
  legitBlack: job.spec.legitBlackFrames?.includes(frame) ?? false,
  legitStatic: job.spec.legitStatic ?? false,
  animatedSeed: job.spec.animatedSeed,
  measure: async () => {
    // A neighbour whose bytes cannot be had serves nobody.
    const found = await check().catch(() => undefined)
    return found && measuredOf(found)
  },
})
