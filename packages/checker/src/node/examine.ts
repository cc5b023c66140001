import type { Bytes32, CallContext, FrameReport, Lease, Vote } from '@pictor/core/contract'
import { sha256Hex, ZERO_HASH } from '@pictor/core/proof'
import { addEvidence, EVIDENCE_LIMIT, SHORT_RATIO } from '../sampling/evidence.ts'
import { escapeBound, samplingPerMille } from '../sampling/rate.ts'
import { finding, published, scoreOf, verdictOf, type WeighedFinding } from '../verdict/finding.ts'
import type { Examined, ExamineRequest } from './examined.ts'
import { checkFiles } from './lease-files.ts'
import { compareWithOwnRenders } from './lease-renders.ts'
import type { Standing } from './state.ts'

/** What a checker found out about a lease; unsigned. */
export interface Examination {
  readonly votes: readonly Omit<Vote, 'checker' | 'signature'>[]
  readonly reports: readonly FrameReport[]
  /** What is known of the farm after this lease. */
  readonly standing: Standing
  readonly renderMs: number
}

/** Checks every frame as a file and in its sequence, the drawn and the suspicious ones against own renders, and words the votes. */
export async function examineLease(request: ExamineRequest, ctx: CallContext): Promise<Examination> {
  const { job, lease } = request
  const frames = await checkFiles(request, ctx)
  const perMille = samplingPerMille(request.jobFrames, request.standing.consecutive, request.sampling)
  await compareWithOwnRenders(request, frames, perMille, ctx)
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
