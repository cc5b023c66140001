import { decodeImage, pixelHash } from '@pictor/image'
import type { Artifacts, Bytes32, CallContext, RenderSpec } from '@pictor/core/contract'
import { judgeSeedLocked } from '../compare/judge.ts'
import { toPicture, type Picture } from '../compare/picture.ts'
import { compareSeedLocked, seedLockedTolerance, withinTolerance } from '../compare/seed-locked.ts'
import type { OwnRenderer } from '../render/own-renders.ts'
import { cleared, finding, verdictOf, type WeighedFinding } from '../verdict/finding.ts'
import { clearedBySeed } from './judge-renders.ts'
import { layersNamedBy, layersSpecOf, noisyPicture } from './layers.ts'
import { compareFrames, type ReferenceRequest, type ReferenceResult } from './reference-check.ts'

/** A frame of the class `sidecar`, with its bytes. */
export interface SidecarRequest extends ReferenceRequest {
  readonly bytes: Uint8Array
}

/**
 * Compares frames that were denoised or composited, in two steps: a crop of the layers before that is rendered again, as in the class `crop`; and the picture is made again
 * from those layers. What cannot be made again from a file (Cycles denoises while it renders), and frames whose farm named no layers, are compared as a whole.
 */
export async function compareSidecars(
  renderer: OwnRenderer,
  files: Artifacts,
  spec: RenderSpec,
  requests: readonly SidecarRequest[],
  ctx: CallContext,
): Promise<readonly ReferenceResult[]> {
  const results: ReferenceResult[] = []
  for (const request of requests) results.push(await compareSidecar(renderer, files, spec, request, ctx))
  return results
}

async function compareSidecar(
  renderer: OwnRenderer,
  files: Artifacts,
  spec: RenderSpec,
  request: SidecarRequest,
  ctx: CallContext,
): Promise<ReferenceResult> {
  const whole = async (why: string): Promise<ReferenceResult> => {
    const { crop: _crop, ...uncropped } = request
    const [result] = await compareFrames(renderer, spec, [uncropped], ctx)
    return { ...result!, findings: [...result!.findings, finding('note', 'no-layers', why)] }
  }
  const hash = layersNamedBy(request.bytes)
  if (!hash) return whole('the picture names no layers that it was made from: it was compared as a whole')
  if (!(await files.has(hash))) return whole('the layers that the picture names are not there: it was compared as a whole')
  const bytes = await files.read(hash)
  // One view layer, drawn: a farm that saves on any of them does not know which.
  const layer = spec.viewLayers[request.renderSeed % spec.viewLayers.length]!
  const noisy = noisyPicture(bytes, layer)
  if (!noisy || noisy.width !== spec.output.width || noisy.height !== spec.output.height) {
    const wrong = finding('refuse', 'layers-broken', `the file of layers holds no layer ${layer} of the ordered size`)
    return { findings: [wrong, ...request.findings], checked: false, renders: [], renderMs: 0 }
  }
  const again = await compositeAgain(renderer, spec, request, { hash, bytes: bytes.length }, ctx)
  if (!again) return whole('the picture cannot be made again from its layers: it was compared as a whole')
  if (again.findings.length > 0) return { ...again, findings: [...again.findings, ...request.findings], checked: true }
  return withLayers(await compareNoisy(renderer, spec, request, layer, noisy, ctx), again, request)
}

/** What the layers say, together with a picture that follows from them. */
function withLayers(
  layers: ReferenceResult,
  again: Composite,
  { findings: before, sameDevice }: SidecarRequest,
): ReferenceResult {
  // Proven layers and a picture that follows from them prove the picture: what the file checks suspected is what was ordered.
  const proven = layers.checked && layers.whole === true && verdictOf(layers.findings) === 'accept'
  // Layers of another seed prove the content, not that their noise is the frame's own.
  const otherSeed = layers.findings.some(({ code }) => code === 'other-seed')
  const explained = otherSeed ? clearedBySeed(before, sameDevice) : cleared(before)
  const note = finding('note', 'composite-agrees', 'the picture follows from its layers, as the scene composites them')
  return {
    ...layers,
    findings: [...layers.findings, note, ...(proven ? explained : before)],
    renders: [...again.renders, ...layers.renders],
    renderMs: again.renderMs + layers.renderMs,
  }
}

function compareNoisy(
  renderer: OwnRenderer,
  spec: RenderSpec,
  request: SidecarRequest,
  layer: string,
  noisy: Picture,
  ctx: CallContext,
): Promise<ReferenceResult> {
  const layersSpec = layersSpecOf(spec)
  const onLayers: OwnRenderer = {
    render: (wanted, context) =>
      renderer.render(
        wanted.map((one) => ({ ...one, spec: layersSpec })),
        context,
      ),
  }
  const asked = { ...request, picture: noisy, findings: [], read: (bytes: Uint8Array) => noisyPicture(bytes, layer) }
  return compareFrames(onLayers, layersSpec, [asked], ctx).then(([result]) => ({ ...result!, compared: noisy }))
}

type Composite = Pick<ReferenceResult, 'findings' | 'renders' | 'renderMs' | 'replica' | 'own'>

/** The picture made again from its layers; no findings when it is the delivered one. Undefined where the renderer cannot do that. */
async function compositeAgain(
  renderer: OwnRenderer,
  spec: RenderSpec,
  { frame, picture }: SidecarRequest,
  layers: { readonly hash: Bytes32; readonly bytes: number },
  ctx: CallContext,
): Promise<Composite | undefined> {
  const [render] = await renderer.render([{ frame, layers }], ctx)
  const own = render?.bytes ? toPicture(decodeImage(render.bytes)) : undefined
  if (!own || own.width !== picture.width || own.height !== picture.height || own.colour.length !== picture.colour.length)
    return undefined
  const limit = seedLockedTolerance(spec.output.bitDepth, true)
  const found = compareSeedLocked(picture, own, limit)
  const base = {
    renders: render!.hash ? [render!.hash] : [],
    renderMs: render!.renderMs,
    replica: `0x${pixelHash(decodeImage(render!.bytes!))}` as const,
    own,
  }
  if (withinTolerance(found, limit)) return { ...base, findings: [] }
  const alarms = judgeSeedLocked(found, limit, 'the picture')
  const message = 'the picture does not follow from the layers that its farm committed to: it was changed after it was composited'
  return {
    ...base,
    findings: [
      finding('refuse', 'composite-differs', message, {
        value: found.rms,
        threshold: limit.rms,
        ...(found.offArea ? { region: found.offArea } : {}),
      }),
      ...alarms.map((alarm): WeighedFinding => ({ ...alarm, weight: 'note' })),
    ],
  }
}
