import { decodeImage, pixelHash } from '@pictor/image'
import type { Bytes32, CallContext, RenderSpec, Region } from '@pictor/core/contract'
import { compareSeedLocked, seedLockedTolerance, withinTolerance } from '../compare/seed-locked.ts'
import { compareWithReferences } from '../compare/references.ts'
import { BLUR_ALLOWANCE, judgeReferences, judgeSeedLocked, noiseRatioLimit } from '../compare/judge.ts'
import { cut, toPicture, type Picture } from '../compare/picture.ts'
import { compareWithProbe, PROBE_LIMIT, PROBE_PCT } from '../compare/probe.ts'
import { SAME_SEED } from '../compare/with-references.ts'
import type { OwnRender, OwnRenderer, OwnRenderResult } from '../render/own-renders.ts'
import { cleared, finding, type WeighedFinding } from '../verdict/finding.ts'

/** A frame to compare with own renders. */
export interface ReferenceRequest {
  readonly frame: number
  readonly picture: Picture
  readonly findings: readonly WeighedFinding[]
  /** The drawn crop; without one the whole frame is rendered at once (replica class, or a doubt that only a full render settles). */
  readonly crop?: Region
  /** Besides the crop, a small render of the whole frame, for defects outside of it. */
  readonly probe?: boolean
  /** Render seed of the second, independent render where one is needed. */
  readonly renderSeed: number
  /** Whether farm and renderer are of one device class and build, so that one seed gives one noise. */
  readonly sameDevice: boolean
  /** Reads the picture out of an own render; its beauty when left out. */
  readonly read?: (bytes: Uint8Array) => Picture | undefined
}

/** What the comparison says. */
export interface ReferenceResult {
  readonly findings: readonly WeighedFinding[]
  /** Whether the frame really was compared with a render. */
  readonly checked: boolean
  /** sha256 of the checker's own renders, in order. */
  readonly renders: readonly Bytes32[]
  readonly replica?: Bytes32
  readonly own?: Picture
  /** What `own` is to be shown beside, where that is not the delivered picture itself. */
  readonly compared?: Picture
  /** Whether all of the frame was compared, not a crop of it. */
  readonly whole?: true
  /** Where the frame had another seed than ordered: its noise against two own renders. */
  readonly noise?: { readonly noiseRatio: number; readonly noiseRatioError: number }
  readonly renderMs: number
}

/**
 * Compares frames with own renders. Crops first, all in one batch; an alarm on a crop, or a suspicion from the file checks, is settled by an own render of the full
 * frame at the ordered seed; where that differs although its noise is of another seed (another device class, a farm that over-delivers), a third render
 * at a secret seed turns the comparison into the statistics against two references.
 */
export async function compareFrames(
  renderer: OwnRenderer,
  spec: RenderSpec,
  requests: readonly ReferenceRequest[],
  ctx: CallContext,
): Promise<readonly ReferenceResult[]> {
  const small = await renderer.render(requests.flatMap(smallRenders), ctx)
  const results: ReferenceResult[] = []
  let next = 0
  for (const request of requests) {
    if (!request.crop) {
      results.push(await compareFull(renderer, spec, request, ctx))
      continue
    }
    const crop = compareCrop(spec, request, request.crop, small[next++]!)
    const compared = request.probe ? withProbe(request, crop, small[next++]!) : crop
    results.push(compared.settled ? compared.result : await secondOpinion(renderer, spec, request, compared.result, ctx))
  }
  return results
}

const cropOf = (frame: number, region: Region): OwnRender => ({ frame, window: { region } })

/** The renders that a request begins with, in the order in which they are taken. */
function smallRenders({ frame, crop, probe }: ReferenceRequest): OwnRender[] {
  if (!crop) return []
  return [cropOf(frame, crop), ...(probe ? [{ frame, window: { resolutionPct: PROBE_PCT } }] : [])]
}

interface Settled {
  readonly settled: boolean
  readonly result: ReferenceResult
}

/** Adds what a probe of the whole frame says: an area that is off is no refusal, it asks for a render of the whole frame. A probe that fails says nothing. */
function withProbe(request: ReferenceRequest, { settled, result }: Settled, render: OwnRenderResult): Settled {
  const probe = pictureOf(render, request.read)
  const own = {
    ...result,
    renders: [...result.renders, ...(render.hash ? [render.hash] : [])],
    renderMs: result.renderMs + render.renderMs,
  }
  if (!probe || probe.colour.length !== request.picture.colour.length || probe.width < 8 || probe.height < 8)
    return { settled, result: own }
  const { off, area } = compareWithProbe(request.picture, probe)
  const facts = { value: off, threshold: PROBE_LIMIT }
  const found =
    off > PROBE_LIMIT
      ? finding('suspect', 'probe-differs', 'an area differs from a small render of the whole frame', { ...facts, region: area })
      : finding('note', 'probe-agrees', 'the whole frame agrees with a small render of it', facts)
  return { settled: settled && off <= PROBE_LIMIT, result: { ...own, findings: [...result.findings, found] } }
}

function compareCrop(spec: RenderSpec, request: ReferenceRequest, crop: Region, render: OwnRenderResult): Settled {
  const base = { renders: render.hash ? [render.hash] : [], renderMs: render.renderMs }
  const own = pictureOf(render, request.read)
  if (!own || own.width !== crop.width || own.height !== crop.height) {
    return { settled: true, result: { ...base, findings: [...request.findings, noReference(render, 'crop')], checked: false } }
  }
  const limit = seedLockedTolerance(spec.output.bitDepth)
  const found = compareSeedLocked(cut(request.picture, crop), own, limit)
  const where = `the crop at (${crop.x}, ${crop.y})`
  const alarms = judgeSeedLocked(found, limit, where).map((alarm) => ({ ...alarm, region: inFrame(alarm.region, crop) }))
  if (alarms.length > 0) return { settled: false, result: { ...base, findings: [...request.findings, ...alarms], checked: true } }
  const note = finding('note', 'crop-agrees', `${where} agrees with the checker's own render`, {
    value: found.rms,
    threshold: limit.rms,
    region: crop,
  })
  const open = request.findings.some((one) => one.weight === 'suspect' || one.weight === 'doubt')
  return { settled: !open, result: { ...base, findings: [...request.findings, note], checked: true } }
}

const inFrame = (region: Region | undefined, crop: Region): Region =>
  region ? { ...region, x: region.x + crop.x, y: region.y + crop.y } : crop

async function secondOpinion(
  renderer: OwnRenderer,
  spec: RenderSpec,
  request: ReferenceRequest,
  before: ReferenceResult,
  ctx: CallContext,
): Promise<ReferenceResult> {
  const full = await compareFull(renderer, spec, { ...request, findings: before.findings }, ctx)
  return {
    ...full,
    renders: [...before.renders, ...full.renders],
    renderMs: before.renderMs + full.renderMs,
    checked: before.checked || full.checked,
  }
}

async function compareFull(
  renderer: OwnRenderer,
  spec: RenderSpec,
  request: ReferenceRequest,
  ctx: CallContext,
): Promise<ReferenceResult> {
  const { frame, picture, findings } = request
  const [render] = await renderer.render([{ frame }], ctx)
  const own = pictureOf(render!, request.read)
  const base = { renders: render!.hash ? [render!.hash] : [], renderMs: render!.renderMs, whole: true as const }
  if (!own || own.width !== picture.width || own.height !== picture.height || own.colour.length !== picture.colour.length) {
    return { ...base, findings: [...demoted(findings), noReference(render!, 'frame')], checked: false }
  }
  const replica: Bytes32 = `0x${pixelHash(decodeImage(render!.bytes!))}`
  const limit = seedLockedTolerance(spec.output.bitDepth)
  const found = compareSeedLocked(picture, own, limit)
  if (withinTolerance(found, limit)) {
    const note = finding('note', 'frame-agrees', "the frame agrees with the checker's own render", {
      value: found.rms,
      threshold: limit.rms,
    })
    return {
      ...base,
      findings: [...cleared(findings, "the whole frame agrees with the checker's own render"), note],
      checked: true,
      replica,
      own,
    }
  }
  const alarms = judgeSeedLocked(found, limit, 'the frame')
  const before: ReferenceResult = { ...base, findings: [...findings, ...alarms], checked: true, replica, own }
  if (spec.engine !== 'CYCLES' || (request.sameDevice && found.noiseCorrelation > SAME_SEED)) {
    return { ...before, findings: [...findings, ...alarms.map(confirmed)] }
  }
  if (spec.denoise) {
    // The statistics are about noise: a denoised picture has none that they could tell.
    const message = 'a denoised picture of another device or seed cannot be told from a changed one'
    return { ...before, findings: [...demoted(before.findings), finding('doubt', 'denoised', message)] }
  }
  return compareStatistically(renderer, spec, request, own, before, ctx)
}

/**
 * Judges a frame whose noise is not the checker's own by the statistics against two independent renders. The render at the ordered seed serves as one of them, unless the
 * farm's device is of another class: there the same seed may give noise that is neither equal nor independent, and both are made at secret seeds.
 */
async function compareStatistically(
  renderer: OwnRenderer,
  spec: RenderSpec,
  request: ReferenceRequest,
  own: Picture,
  before: ReferenceResult,
  ctx: CallContext,
): Promise<ReferenceResult> {
  const { frame, picture, renderSeed } = request
  const seeds = request.sameDevice ? [renderSeed] : [renderSeed, (renderSeed + 1) % 2 ** 31]
  const rendered = await renderer.render(
    seeds.map((seed) => ({ frame, window: { seed } })),
    ctx,
  )
  const pictures = rendered.map((one) => pictureOf(one, request.read))
  const result: ReferenceResult = {
    ...before,
    renders: [...before.renders, ...rendered.flatMap((one) => (one.hash ? [one.hash] : []))],
    renderMs: rendered.reduce((sum, one) => sum + one.renderMs, before.renderMs),
  }
  const [a, b] = request.sameDevice ? [own, pictures[0]] : pictures
  if (!a || !b || a.width !== own.width || b.width !== own.width || a.height !== own.height || b.height !== own.height) {
    const failed = rendered.find((_one, i) => !pictures[i]) ?? rendered[0]!
    return { ...result, findings: [...demoted(before.findings), noReference(failed, 'frame')] }
  }
  const statistics = compareWithReferences(picture, a, b)
  const allowance = spec.motionBlur && !request.sameDevice ? BLUR_ALLOWANCE : 1
  const judged = judgeReferences(statistics, picture.colour.length, allowance)
  const noise = { noiseRatio: statistics.noiseRatio, noiseRatioError: statistics.noiseRatioError }
  if (judged.length > 0) {
    const refused = judged.some((one) => one.weight === 'refuse')
    return { ...result, findings: [...judged, ...(refused ? before.findings : demoted(before.findings))], noise }
  }
  const limit = noiseRatioLimit(statistics)
  if (limit > HALF_RATIO) {
    const unclear = 'the frame was rendered with another seed or device, and the picture has too little noise to tell its samples'
    const doubt = finding('doubt', 'too-little-noise', unclear, { value: limit, threshold: HALF_RATIO })
    return { ...result, findings: [doubt, ...demoted(before.findings)], noise }
  }
  const message = 'the frame was rendered with another seed or device, but as well as ordered by its statistics'
  const note = finding('note', 'other-seed', message, { value: statistics.noiseRatio, threshold: limit })
  return { ...result, findings: [note, ...cleared(before.findings, 'explained by another seed or device')], noise }
}

/** Noise ratio of half the ordered samples, ln((1/.5 + 1) / 2). Statistics that could not have refused that clear nobody (a small or flat picture). */
const HALF_RATIO = Math.log(1.5)

function pictureOf(
  render: OwnRenderResult,
  read: (bytes: Uint8Array) => Picture | undefined = (bytes) => toPicture(decodeImage(bytes)),
): Picture | undefined {
  if (!render.bytes) return undefined
  try {
    return read(render.bytes)
  } catch {
    // A broken own render is no reference; the finding says so.
    return undefined
  }
}

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
