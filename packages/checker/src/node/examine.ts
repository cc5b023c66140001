import { availableParallelism } from 'node:os'
import type {
  Address,
  Bytes32,
  CallContext,
  CheckerJob,
  Commit,
  FrameOutput,
  FrameReport,
  Lease,
  Vote,
} from '@pictor/core/contract'
import { draw, sha256Hex, ZERO_HASH, type Draw } from '@pictor/core/proof'
import { measuredOf, outputOf, pictureOf, type CheckedFile } from './file-check.ts'
import { filePool, type FilePool } from '../path/file-pool.ts'
import { compareFrames, type ReferenceResult } from './reference-check.ts'
import { compareSidecars, type SidecarRequest } from './sidecar-check.ts'
import { tileRenderer, type OwnRenderer } from '../render/own-renders.ts'
import { cropSizeOf, isProbed, type CropSize } from '../sampling/crop-size.ts'
import { addEvidence, EVIDENCE_LIMIT, SHORT_RATIO } from '../sampling/evidence.ts'
import { drawnWhole, escapeBound, samplingPerMille, type SamplingOptions } from '../sampling/rate.ts'
import { sequenceCheck, type SequenceItem } from '../sequence/check.ts'
import { differencePicture } from '../verdict/difference-picture.ts'
import { finding, needsReference, published, scoreOf, verdictOf, type WeighedFinding } from '../verdict/finding.ts'
import { sha256 } from './ready.ts'
import type { Standing } from './state.ts'

/** A lease to examine, all commitments in. */
export interface ExamineRequest {
  readonly job: CheckerJob
  readonly lease: Lease
  readonly commits: readonly Commit[]
  /** Accepted frames around the lease's; `farm` where this checker knows who committed to them. */
  readonly neighbours: readonly { readonly frame: number; readonly hash: Bytes32; readonly farm?: Address }[]
  readonly seed: Bytes32
  /** Frames of the whole job, as far as its lease sets are known. */
  readonly jobFrames: number
  /** What was known of the farm before this lease. */
  readonly standing: Standing
  readonly sampling: SamplingOptions
  /** Left out, it follows from the size of the picture. */
  readonly crop: CropSize | undefined
  readonly sameDevice: boolean
  readonly renderer: OwnRenderer
}

/** What a checker found out about a lease; unsigned. */
export interface Examination {
  readonly votes: readonly Omit<Vote, 'checker' | 'signature'>[]
  readonly reports: readonly FrameReport[]
  /** What is known of the farm after this lease. */
  readonly standing: Standing
  readonly renderMs: number
}

interface Examined {
  readonly output: FrameOutput
  readonly outputRoot: Bytes32
  readonly bytes: () => Promise<Uint8Array>
  readonly ms: number
  findings: WeighedFinding[]
  reference?: ReferenceResult
  picture?: Bytes32
}

/** Checks every frame as a file and in its sequence, the drawn and the suspicious ones against own renders, and words the votes. */
export async function examineLease(request: ExamineRequest, ctx: CallContext): Promise<Examination> {
  const { job, lease } = request
  const frames = await checkFiles(request, ctx)
  const perMille = samplingPerMille(request.jobFrames, request.standing.consecutive, request.sampling)
  const drawn = new Map(frames.map((one) => [one, drawFor(request, one, perMille)]))
  const compare = frames.filter((one) => one.picture === undefined && wantsReference(request, one, drawn.get(one)!))
  for (let i = 0; i < compare.length; i += DECODED_AT_ONCE) {
    await compareBatch(request, compare.slice(i, i + DECODED_AT_ONCE), drawn, ctx)
  }
  for (const one of frames) {
    if (!one.reference && verdictOf(one.findings) !== 'refuse') one.findings.push(notDrawn(request, perMille))
  }
  const evidence = judgeEvidence(frames, request.standing.evidence)
  let { consecutive } = request.standing
  for (const one of frames)
    consecutive = verdictOf(one.findings) === 'refuse' ? 0 : consecutive + (one.reference?.checked ? 1 : 0)
  return {
    votes: frames.map((one) => voteOn(job.job, lease, one)),
    reports: frames.map((one) => reportOn(lease, one)),
    standing: { consecutive, evidence },
    renderMs: frames.reduce((sum, one) => sum + (one.reference?.renderMs ?? 0), 0),
  }
}

/**
 * Adds what the lease's frames say about the farm's samples to what was known. Once the evidence suffices, those of its frames that lie nearer to a cheat than to an honest
 * frame are refused, though none of them would be by itself.
 */
function judgeEvidence(frames: readonly Examined[], before: number): number {
  let evidence = before
  let reached = false
  for (const one of frames) {
    if (!one.reference?.noise) continue
    evidence = addEvidence(evidence, one.reference.noise)
    reached ||= evidence > EVIDENCE_LIMIT
  }
  if (!reached) return evidence
  for (const one of frames) {
    const ratio = one.reference?.noise?.noiseRatio
    if (ratio === undefined || ratio < SHORT_RATIO / 2 || verdictOf(one.findings) === 'refuse') continue
    const message = "the farm's frames together are noisier than ordered: a little less than the ordered samples in each of them"
    one.findings.unshift(finding('refuse', 'under-sampling', message, { value: evidence, threshold: EVIDENCE_LIMIT }))
  }
  return evidence
}

/** Decoded pictures held at once while their crops are rendered: a UHD frame takes some 200 MB as floats. */
const DECODED_AT_ONCE = 8

/** Pixels of a lease from which on its files are read on threads of their own; a thread takes longer to start than a few small files to read. */
const THREADS_FROM = 1 << 24

async function checkFiles(request: ExamineRequest, ctx: CallContext): Promise<Examined[]> {
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

function drawFor(request: ExamineRequest, one: Examined, perMille: number): Draw {
  const output = outputOf(request.job.spec, request.lease.part)
  const crop = cropSizeOf(output, request.crop)
  return draw(request.seed, one.outputRoot, one.output.frame, {
    width: output.width,
    height: output.height,
    cropWidth: crop.width,
    cropHeight: crop.height,
    samplingPerMille: perMille,
  })
}

/** A broken file needs no render; a doubtful one always does; the rest as drawn. File-only leases cannot be rendered alike. */
function wantsReference({ lease }: ExamineRequest, one: Examined, drawn: Draw): boolean {
  if (lease.checkClass === 'file-only') return false
  if (one.findings.some((found) => found.weight === 'refuse')) return false
  return drawn.sampled || needsReference(one.findings)
}

async function compareBatch(
  request: ExamineRequest,
  batch: readonly Examined[],
  drawn: ReadonlyMap<Examined, Draw>,
  ctx: CallContext,
): Promise<void> {
  const { job, lease } = request
  const renderer = lease.part === 0 ? request.renderer : tileRenderer(request.renderer, job.spec.tiles![lease.part - 1]!)
  const wanted: { one: Examined; request: SidecarRequest }[] = []
  for (const one of batch) {
    const bytes = await one.bytes()
    const picture = await pictureOf(bytes)
    if (!picture) continue
    const { region, renderSeed } = drawn.get(one)!
    const whole = lease.checkClass === 'replica' || needsReference(one.findings) || drawnWhole(renderSeed, request.sampling.full)
    const crop = whole ? {} : { crop: region, probe: lease.part === 0 && drawnProbe(renderSeed, request) }
    wanted.push({
      one,
      request: {
        frame: one.output.frame,
        bytes,
        picture,
        findings: one.findings,
        renderSeed,
        sameDevice: request.sameDevice,
        ...crop,
      },
    })
  }
  const requests = wanted.map((entry) => entry.request)
  const results =
    lease.checkClass === 'sidecar'
      ? await compareSidecars(renderer, job.files, job.spec, requests, ctx)
      : await compareFrames(renderer, job.spec, requests, ctx)
  for (const [i, { one, request: asked }] of wanted.entries()) {
    const result = results[i]!
    one.findings = [...result.findings]
    one.reference = result
    if (result.own && verdictOf(result.findings) !== 'accept') {
      const region = result.findings.find((found) => found.region)?.region
      one.picture = (await job.files.put(differencePicture(result.compared ?? asked.picture, result.own, region))).hash
    }
  }
}

/** Whether a drawn frame is probed as a whole besides its crop: as the draw says, where the picture is large enough. */
function drawnProbe(renderSeed: number, { job, sampling }: ExamineRequest): boolean {
  if (!isProbed(job.spec.output)) return false
  // Other digits of the number than those that draw whole frames.
  return Math.floor(renderSeed / 1000) % 1000 < Math.round(sampling.probe * 1000)
}

function notDrawn(request: ExamineRequest, perMille: number): WeighedFinding {
  const { lease, jobFrames, sampling } = request
  if (lease.checkClass === 'file-only') {
    return finding('note', 'file-only', 'this scene cannot be rendered again alike: only file and sequence were checked')
  }
  const escape = escapeBound(perMille / 1000, jobFrames, sampling)
  const share = Math.round(sampling.cheatShare * 100)
  const message = `not rendered again (${perMille / 10} % of frames are); a farm that cheats on ${share} % of the job stays unseen with at most ${escape.toPrecision(2)}`
  return finding('note', 'sampling', message, { value: perMille / 1000 })
}

function voteOn(job: Bytes32, lease: Lease, one: Examined): Omit<Vote, 'checker' | 'signature'> {
  const { frame, part, outputHash } = one.output
  const renders = one.reference?.renders ?? []
  const verdict = verdictOf(one.findings)
  const crops = renders.length === 0 ? ZERO_HASH : sha256Hex(renders.join('\n'))
  return {
    job,
    lease: lease.id,
    frame,
    part,
    outputHash,
    checked: one.reference?.checked ?? false,
    verdict,
    score: scoreOf(one.findings),
    // A refusal commits to the checker's full render, on which refusals must agree; one that rests on the file alone commits to nothing.
    cropsHash: verdict === 'refuse' ? (one.reference?.replica ?? ZERO_HASH) : crops,
  }
}

function reportOn(lease: Lease, one: Examined): FrameReport {
  return {
    lease: lease.id,
    frame: one.output.frame,
    part: one.output.part,
    verdict: verdictOf(one.findings),
    checked: one.reference?.checked ?? false,
    findings: published(one.findings),
    ...(one.picture ? { picture: one.picture } : {}),
    ms: Math.round(one.ms),
    ...(one.reference?.replica ? { replica: one.reference.replica } : {}),
  }
}
