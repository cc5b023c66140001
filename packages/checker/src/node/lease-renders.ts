import type { CallContext, Region } from '@pictor/core/contract'
import { draw, type Draw } from '@pictor/core/proof'
import { tileRenderer } from '../render/own-renders.ts'
import { cropSizeOf, isProbed } from '../sampling/crop-size.ts'
import { drawnWhole } from '../sampling/rate.ts'
import { stripsOf } from '../sampling/strips.ts'
import { differencePicture } from '../verdict/difference-picture.ts'
import { needsReference, verdictOf, type WeighedFinding } from '../verdict/finding.ts'
import type { Examined, ExamineRequest } from './examined.ts'
import { outputOf, pictureOf } from './file-check.ts'
import { compareFrames } from './reference-check.ts'
import { compareSidecars, type SidecarRequest } from './sidecar-check.ts'

/** Decoded pictures held at once while their crops are rendered: a UHD frame takes some 200 MB as floats. */
const DECODED_AT_ONCE = 8

/** Compares the drawn frames and the doubtful ones with own renders; what that says is written into them. `perMille` of the frames are drawn. */
export async function compareWithOwnRenders(
  request: ExamineRequest,
  frames: readonly Examined[],
  perMille: number,
  ctx: CallContext,
): Promise<void> {
  const drawn = new Map(frames.map((one) => [one, drawFor(request, one, perMille)]))
  const compare = frames.filter((one) => one.picture === undefined && wantsReference(request, one, drawn.get(one)!))
  for (let i = 0; i < compare.length; i += DECODED_AT_ONCE) {
    await compareBatch(request, compare.slice(i, i + DECODED_AT_ONCE), drawn, ctx)
  }
}

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
    const crop = whole ? {} : { crop: region, ...beyondCrop(renderSeed, request) }
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
      const alarm = alarmedRegion(result.findings)
      const marks = { places: result.places ?? [], ...(alarm ? { alarm } : {}) }
      one.picture = (await job.files.put(differencePicture(result.compared ?? asked.picture, result.own, marks))).hash
    }
  }
}

/** Where the weightiest finding with a place lies: that of the whole frame before those of its crops. */
function alarmedRegion(findings: readonly WeighedFinding[]): Region | undefined {
  const weights = ['refuse', 'suspect', 'doubt'] as const
  return weights.flatMap((weight) => findings.filter((one) => one.weight === weight && one.region))[0]?.region
}

/** What is looked at outside of the crop of a drawn frame: as the draw says, where the picture is large enough. A tile has no small render of its own. */
function beyondCrop(renderSeed: number, { job, lease, sampling }: ExamineRequest): Pick<SidecarRequest, 'probe' | 'strips'> {
  const output = outputOf(job.spec, lease.part)
  // Other digits of the number than those that draw whole frames.
  const drawn = isProbed(output) && Math.floor(renderSeed / 1000) % 1000 < Math.round(sampling.probe * 1000)
  return drawn ? { probe: lease.part === 0, strips: stripsOf(output, renderSeed) } : {}
}
