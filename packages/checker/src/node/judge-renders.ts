import { decodeImage, pixelHash } from '@pictor/image'
import type { Bytes32, Region, RenderSpec } from '@pictor/core/contract'
import { BLUR_ALLOWANCE, judgeReferences, judgeSeedLocked, noiseRatioLimit } from '../compare/judge.ts'
import { cut, toPicture, type Picture } from '../compare/picture.ts'
import { compareWithProbe, PROBE_LIMIT } from '../compare/probe.ts'
import { compareWithReferences } from '../compare/references.ts'
import { compareSeedLocked, seedLockedTolerance, withinTolerance } from '../compare/seed-locked.ts'
import { SAME_SEED } from '../compare/with-references.ts'
import type { OwnRenderResult } from '../render/own-renders.ts'
import { cleared, finding, type WeighedFinding } from '../verdict/finding.ts'
import type { Compared, NextStep, ReferenceRequest, ReferenceResult } from './reference-check.ts'

type Made = readonly OwnRenderResult[]

/** The same frame with more known of it; no step left where `next` is not given. */
const told = (one: Compared, result: Partial<ReferenceResult>, next?: NextStep): Compared => ({
  ...one,
  result: { ...one.result, ...result },
  next,
})

/** A crop at the ordered seed. An alarm is no refusal: it asks for the full frame. */
export function judgeCrop(spec: RenderSpec, one: Compared, [render]: Made): Compared {
  const { request, result } = one
  const crop = request.crop!
  const own = pictureOf(render!, request)
  if (!own || own.width !== crop.width || own.height !== crop.height)
    return told(one, { findings: [...result.findings, noReference(render!, 'crop')] })
  const limit = seedLockedTolerance(spec.output.bitDepth)
  const found = compareSeedLocked(cut(request.picture, crop), own, limit)
  const where = `the crop at (${crop.x}, ${crop.y})`
  const alarms = judgeSeedLocked(found, limit, where).map((alarm) => ({ ...alarm, region: inFrame(alarm.region, crop) }))
  if (alarms.length > 0)
    return { ...told(one, { findings: [...result.findings, ...alarms], checked: true }, 'full'), cropAlarm: true }
  const facts = { value: found.rms, threshold: limit.rms, region: crop }
  const note = finding('note', 'crop-agrees', `${where} agrees with the checker's own render`, facts)
  const open = result.findings.some(({ weight }) => weight === 'suspect' || weight === 'doubt')
  const next = open ? 'full' : request.probe ? 'probe' : undefined
  return told(one, { findings: [...result.findings, note], checked: true }, next)
}

/** A small render of the whole frame: an area that is off is no refusal, it asks for the full frame. A probe that fails says nothing. */
export function judgeProbe(_spec: RenderSpec, one: Compared, [render]: Made): Compared {
  const { request, result } = one
  const probe = pictureOf(render!, request)
  if (!probe || probe.colour.length !== request.picture.colour.length || probe.width < 8 || probe.height < 8) return told(one, {})
  const { off, area } = compareWithProbe(request.picture, probe)
  const facts = { value: off, threshold: PROBE_LIMIT }
  if (off <= PROBE_LIMIT) {
    const note = finding('note', 'probe-agrees', 'the whole frame agrees with a small render of it', facts)
    return told(one, { findings: [...result.findings, note] })
  }
  const message = 'an area differs from a small render of the whole frame'
  return told(
    one,
    { findings: [...result.findings, finding('suspect', 'probe-differs', message, { ...facts, region: area })] },
    'full',
  )
}

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
  const { request } = one
  const crop = request.crop!
  const found = statisticsOf(spec, request, cut(request.picture, crop), made)
  const refusals = found?.judged.filter(({ weight }) => weight === 'refuse') ?? []
  if (!found || refusals.length === 0) return told(one, {}, 'statistics')
  const findings = refusals.map((one) => ({ ...one, region: inFrame(one.region, crop) }))
  return told(one, { findings: [...findings, ...one.result.findings], noise: found.noise })
}

/** The statistics over the whole frame: what they do not refuse is explained by another seed or device. */
export function judgeStatistics(spec: RenderSpec, one: Compared, made: Made): Compared {
  const { request, result } = one
  const found = statisticsOf(spec, request, request.picture, made)
  if (!found) {
    const failed = made.find((render) => !pictureOf(render, request)) ?? made[0]!
    return told(one, { findings: [...demoted(result.findings), noReference(failed, 'frame')] })
  }
  const { judged, noise, limit } = found
  if (judged.length > 0) {
    const refused = judged.some(({ weight }) => weight === 'refuse')
    return told(one, { findings: [...judged, ...(refused ? result.findings : demoted(result.findings))], noise })
  }
  if (limit > HALF_RATIO) {
    const unclear = 'the frame was rendered with another seed or device, and the picture has too little noise to tell its samples'
    const doubt = finding('doubt', 'too-little-noise', unclear, { value: limit, threshold: HALF_RATIO })
    return told(one, { findings: [doubt, ...demoted(result.findings)], noise })
  }
  const message = 'the frame was rendered with another seed or device, but as well as ordered by its statistics'
  const note = finding('note', 'other-seed', message, { value: noise.noiseRatio, threshold: limit })
  return told(one, { findings: [note, ...cleared(result.findings, 'explained by another seed or device')], noise })
}

/** Noise ratio of half the ordered samples, ln((1/.5 + 1) / 2). Statistics that could not have refused that clear nobody (a small or flat picture). */
const HALF_RATIO = Math.log(1.5)

/** Statistics of a picture against two independent renders; undefined where one of them cannot be had. */
function statisticsOf(
  spec: RenderSpec,
  request: ReferenceRequest,
  picture: Picture,
  made: Made,
):
  | { readonly judged: readonly WeighedFinding[]; readonly noise: NonNullable<ReferenceResult['noise']>; readonly limit: number }
  | undefined {
  const [a, b] = made.map((one) => pictureOf(one, request))
  if (!a || !b || !sameShape(a, picture) || !sameShape(b, picture)) return undefined
  const statistics = compareWithReferences(picture, a, b)
  const allowance = spec.motionBlur && !request.sameDevice ? BLUR_ALLOWANCE : 1
  const { noiseRatio, noiseRatioError } = statistics
  return {
    judged: judgeReferences(statistics, picture.colour.length, allowance),
    noise: { noiseRatio, noiseRatioError },
    limit: noiseRatioLimit(statistics),
  }
}

const sameShape = (p: Picture, q: Picture): boolean =>
  p.width === q.width && p.height === q.height && p.colour.length === q.colour.length

const inFrame = (region: Region | undefined, crop: Region): Region =>
  region ? { ...region, x: region.x + crop.x, y: region.y + crop.y } : crop

function pictureOf(render: OwnRenderResult, { read = beauty }: ReferenceRequest): Picture | undefined {
  if (!render.bytes) return undefined
  try {
    return read(render.bytes)
  } catch {
    // A broken own render is no reference; the finding says so.
    return undefined
  }
}

const beauty = (bytes: Uint8Array): Picture | undefined => toPicture(decodeImage(bytes))

const noReference = (render: OwnRenderResult, what: string): WeighedFinding =>
  finding(
    'doubt',
    'no-reference',
    `the checker could not render its own ${what} (${render.failure ?? 'its render has another shape'})`,
  )

const confirmed = (found: WeighedFinding): WeighedFinding => ({ ...found, weight: 'refuse' })

/** Without a reference a suspicion cannot be confirmed: it stays a doubt. */
const demoted = (findings: readonly WeighedFinding[]): WeighedFinding[] =>
  findings.map((found) => (found.weight === 'suspect' ? { ...found, weight: 'doubt' } : found))
