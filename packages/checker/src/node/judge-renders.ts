import { decodeImage, pixelHash } from '@pictor/image'
import type { Bytes32, RenderSpec } from '@pictor/core/contract'
import { BLUR_ALLOWANCE, judgeRanks, judgeReferences, judgeSeedLocked, noiseRatioLimit, overDelivers } from '../compare/judge.ts'
import { cut, type Picture } from '../compare/picture.ts'
import { compareRanks } from '../compare/ranks.ts'
import { compareWithReferences } from '../compare/references.ts'
import { compareSeedLocked, SAME_SEED, seedLockedTolerance, withinTolerance } from '../compare/seed-locked.ts'
import { SHARED_NOISE, sharedNoise } from '../compare/shared-noise.ts'
import { openFrame } from '../frame/open.ts'
import { checkTraces } from '../frame/traces.ts'
import { cleared, COPIED_NOISE, finding, type WeighedFinding } from '../verdict/finding.ts'
import type { OwnRenderResult } from '../render/own-renders.ts'
import { inFrame, noReference, pictureOf, sameShape, told, type Made } from './compared.ts'
import type { Compared, ReferenceRequest, ReferenceResult } from './reference-check.ts'

/** The full frame at the ordered seed: clears what it shows too, and confirms a difference unless another seed or device may explain it. */
export function judgeFull(spec: RenderSpec, one: Compared, [render]: Made): Compared {
  const { request, result, cropAlarm } = one
  const { picture } = request
  const { findings } = result
  const own = pictureOf(render!, request)
  if (!own || !sameShape(own, picture))
    return told(one, { whole: true, findings: [...demoted(findings), noReference(render!, 'frame')] })
  const replica: Bytes32 = `0x${pixelHash(decodeImage(render!.bytes!))}`
  const base = { whole: true, checked: true, replica, own } as const
  const limit = seedLockedTolerance(spec.output.bitDepth, true)
  const found = compareSeedLocked(picture, own, limit)
  if (withinTolerance(found, limit)) {
    const facts = { value: found.rms, threshold: limit.rms }
    const note = finding('note', 'frame-agrees', "the frame agrees with the checker's own render", facts)
    return told(one, {
      ...base,
      findings: [...cleared(findings, "the whole frame agrees with the checker's own render"), note],
    })
  }
  const alarms = judgeSeedLocked(found, limit, 'the frame')
  if (spec.engine !== 'CYCLES' || (request.sameDevice && found.noiseCorrelation > SAME_SEED))
    return told(one, { ...base, findings: [...findings, ...alarms.map(confirmed)] })
  const before = [...findings, ...alarms]
  if (spec.denoise) {
    // The statistics are about noise: a denoised picture has none that they could tell.
    const message = 'a denoised picture of another device or seed cannot be told from a changed one'
    return told(one, { ...base, findings: [...demoted(before), finding('doubt', 'denoised', message)] })
  }
  return told(one, { ...base, findings: before }, cropAlarm ? 'crop-statistics' : 'statistics')
}

/**
 * The statistics within the crop that raised the alarm: where they refuse, the full frame that differs too is refused. A crop shows less than the
 * whole, so what it does not refuse is not settled by it.
 */
export function judgeCropStatistics(spec: RenderSpec, one: Compared, made: Made): Compared {
  const { request, result } = one
  const crop = request.crop!
  const found = statisticsOf(spec, request, cut(request.picture, crop), made)
  const refusals = found?.judged.filter(({ weight }) => weight === 'refuse') ?? []
  if (!found || refusals.length === 0) return told(one, {}, 'statistics')
  const findings = refusals.map((one) => ({ ...one, region: inFrame(one.region, crop) }))
  return told(one, { findings: [...findings, ...result.findings], noise: found.noise })
}

/** The statistics over the whole frame: what they do not refuse is explained by another seed or device. */
export async function judgeStatistics(spec: RenderSpec, one: Compared, made: Made): Promise<Compared> {
  const { request, result } = one
  const found = statisticsOf(spec, request, request.picture, made)
  if (!found) {
    const failed = made.find((render) => !pictureOf(render, request)) ?? made[0]!
    return told(one, { findings: [...demoted(result.findings), noReference(failed, 'frame')] })
  }
  const { judged, noise, limit } = found
  const changed = changedAfterwards(one, found)
  const against = changed ? [changed, ...judged] : judged
  if (against.length > 0) {
    const refused = against.some(({ weight }) => weight === 'refuse')
    return told(one, { findings: [...against, ...(refused ? result.findings : demoted(result.findings))], noise })
  }
  if (limit > HALF_RATIO) {
    const unclear = 'the frame was rendered with another seed or device, and the picture has too little noise to tell its samples'
    const doubt = finding('doubt', 'too-little-noise', unclear, { value: limit, threshold: HALF_RATIO })
    return told(one, { findings: [doubt, ...demoted(result.findings)], noise })
  }
  const message = 'the frame was rendered with another seed or device, but as well as ordered by its statistics'
  const note = finding('note', 'other-seed', message, { value: noise.noiseRatio, threshold: limit })
  const recoded = await tracesNotIn(made[0]!, spec, one)
  const others = result.findings.filter((found) => !recoded.includes(found))
  const findings = [...recoded, note, ...clearedBySeed(others, request.sameDevice)]
  return told(one, { findings, noise })
}

/** What remains of findings on a frame that another seed or device explains: not the noise of another frame. */
export function clearedBySeed(findings: readonly WeighedFinding[], sameDevice: boolean): readonly WeighedFinding[] {
  const copied = findings.filter(({ code, weight }) => COPIED_NOISE.has(code) && weight !== 'note')
  const others = findings.filter((found) => !copied.includes(found))
  return [...(sameDevice ? copied : demoted(copied)), ...cleared(others, 'explained by another seed or device')]
}

/** A frame that differs from the render at the ordered seed and yet has its noise is no render of another seed: somebody changed it. */
function changedAfterwards({ request, result }: Compared, { over, references }: FoundStatistics): WeighedFinding | undefined {
  if (!request.sameDevice || !result.own || over) return undefined
  const shared = sharedNoise(request.picture, result.own, ...references)
  const message = 'the frame has the noise of the ordered seed, but not its picture: it was changed after rendering'
  return shared > SHARED_NOISE
    ? finding('refuse', 'changed-picture', message, { value: shared, threshold: SHARED_NOISE })
    : undefined
}

/** Traces of encoding that the checker's own render of the frame does not have: no seed or device leaves them. Pictures made from layers are not what the own render is. */
async function tracesNotIn(
  own: OwnRenderResult,
  { output }: RenderSpec,
  { request, result }: Compared,
): Promise<readonly WeighedFinding[]> {
  const traces = result.findings.filter(({ code, weight }) => TRACES.has(code) && weight !== 'note')
  if (traces.length === 0 || request.read) return []
  const { stats, measures } = await openFrame(own.bytes!, output)
  const shown = stats && measures ? checkTraces(stats, measures, output) : []
  return traces.filter(({ code }) => !shown.some((found) => found.code === code))
}

const TRACES: ReadonlySet<string> = new Set(['jpeg-grid', 'few-levels'])

/** Noise ratio of half the ordered samples, ln((1/.5 + 1) / 2). Statistics that could not have refused that clear nobody (a small or flat picture). */
const HALF_RATIO = Math.log(1.5)

/** What two independent renders say of a picture. */
interface FoundStatistics {
  readonly judged: readonly WeighedFinding[]
  readonly noise: NonNullable<ReferenceResult['noise']>
  readonly limit: number
  /** Whether it has clearly less noise than they. */
  readonly over: boolean
  readonly references: readonly [Picture, Picture]
}

/** Statistics and ranks of a picture against two independent renders; undefined where one of the two cannot be had. */
function statisticsOf(spec: RenderSpec, request: ReferenceRequest, picture: Picture, made: Made): FoundStatistics | undefined {
  const [a, b] = made.map((one) => pictureOf(one, request))
  if (!a || !b || !sameShape(a, picture) || !sameShape(b, picture)) return undefined
  const statistics = compareWithReferences(picture, a, b)
  const allowance = spec.motionBlur && !request.sameDevice ? BLUR_ALLOWANCE : 1
  const { noiseRatio, noiseRatioError } = statistics
  const channels = picture.colour.length
  const ranks = judgeRanks(compareRanks(picture, [a, b]), statistics, channels, allowance)
  return {
    judged: [...judgeReferences(statistics, channels, allowance), ...ranks],
    noise: { noiseRatio, noiseRatioError },
    limit: noiseRatioLimit(statistics),
    over: overDelivers(statistics),
    references: [a, b],
  }
}

const confirmed = (found: WeighedFinding): WeighedFinding => ({ ...found, weight: 'refuse' })

/** Without a reference a suspicion cannot be confirmed: it stays a doubt. */
const demoted = (findings: readonly WeighedFinding[]): WeighedFinding[] =>
  findings.map((found) => (found.weight === 'suspect' ? { ...found, weight: 'doubt' } : found))
