// Judges frames as a checker does for a lease of each class, with renders that are kept: the same checks and comparisons in the same order as node/examine.ts.
import type { Region, RenderSpec } from '@pictor/core/contract'
import { compareFrames, type ReferenceRequest, type ReferenceResult } from '../../packages/checker/src/node/reference-check.ts'
import { compareSidecars } from '../../packages/checker/src/node/sidecar-check.ts'
import { checkFile, measuredOf, pictureOf } from '../../packages/checker/src/node/file-check.ts'
import { sequenceCheck, type SequenceItem } from '../../packages/checker/src/sequence/check.ts'
import type { CropSize } from '../../packages/checker/src/sampling/crop-size.ts'
import { stripsOf } from '../../packages/checker/src/sampling/strips.ts'
import { needsReference, verdictOf, type WeighedFinding } from '../../packages/checker/src/verdict/finding.ts'
import type { OwnRenderer } from '../../packages/checker/src/render/own-renders.ts'
import type { UnseenScene } from './renders.ts'

/**
 * Ways in which a frame is judged. `crop` and `sidecar` are the protocol's classes with a probe and without whole frames drawn; `replica` renders the whole frame;
 * `statistics` does so on a renderer whose noise is another, as another kind of device makes it; `file-only` renders nothing; `manifest` has references that somebody rendered before.
 */
export type Way = 'crop' | 'sidecar' | 'replica' | 'statistics' | 'file-only' | 'manifest'

/** What the checks of file and sequence found on one frame among honest ones. */
export async function fileFindings(
  frames: ReadonlyMap<number, Uint8Array>,
  spec: RenderSpec,
  frame: number,
): Promise<readonly WeighedFinding[]> {
  const items = [...frames].map(([number, bytes]): SequenceItem => ({
    id: String(number),
    frame: number,
    legitBlack: false,
    legitStatic: false,
    animatedSeed: spec.animatedSeed,
    measure: async () => measuredOf(await checkFile(bytes, spec, number)),
  }))
  const alone = (await checkFile(frames.get(frame)!, spec, frame)).findings
  return sequenceCheck(items).findings(
    items.find((item) => item.frame === frame)!,
    alone,
  )
}

/** A frame to judge, with what its file said. */
export interface Candidate {
  readonly frame: number
  readonly bytes: Uint8Array
  readonly findings: readonly WeighedFinding[]
}

/** Seed of the renders at a secret seed, and of what is drawn by it. */
const SECRET = 77_000

/** Candidates share renders of strips at this many heights, so that a campaign ends. */
const STRIP_PLACES = 12

/** A number that draws one of them. */
const stripSeed = (...of: readonly number[]): number =>
  (of.reduce((mixed, number) => Math.imul(mixed + number + 1, 0x9e3779b1) >>> 8, 0) % STRIP_PLACES) *
  Math.floor(2 ** 31 / STRIP_PLACES)

/** The verdicts on candidates of one scene, in their order; `cropOf` gives each its crop. */
export async function judge(
  scene: UnseenScene,
  spec: RenderSpec,
  way: Way,
  candidates: readonly Candidate[],
  cropOf: (index: number) => Region,
): Promise<readonly ReferenceResult[]> {
  const results: ReferenceResult[] = candidates.map(({ findings }) => ({ findings, checked: false, renders: [], renderMs: 0 }))
  const asked: { index: number; request: ReferenceRequest & { bytes: Uint8Array } }[] = []
  for (const [index, { frame, bytes, findings }] of candidates.entries()) {
    if (way === 'file-only' || findings.some((one) => one.weight === 'refuse')) continue
    const picture = await pictureOf(bytes)
    if (!picture) continue
    const whole = way === 'replica' || way === 'statistics' || needsReference(findings)
    const crop = whole
      ? {}
      : { crop: cropOf(index), probe: true, strips: stripsOf(spec.output, stripSeed(scene.number, frame, index)) }
    const request = { frame, bytes, picture, findings, renderSeed: SECRET + frame, sameDevice: way !== 'statistics', ...crop }
    asked.push({ index, request })
  }
  const requests = asked.map(({ request }) => request)
  const renderer = scene.renderer(spec)
  const compared =
    way === 'sidecar'
      ? await compareSidecars(renderer, scene.files, spec, requests, { key: `${way} ${scene.number}` })
      : await compareFrames(way === 'statistics' ? otherNoise(renderer, spec) : renderer, spec, requests, {
          key: `${way} ${scene.number}`,
        })
  for (const [i, { index }] of asked.entries()) results[index] = compared[i]!
  return results
}

/** A renderer whose noise at a seed is that of another seed here. */
const otherNoise = (renderer: OwnRenderer, spec: RenderSpec): OwnRenderer => ({
  render: (requests, ctx) =>
    renderer.render(
      requests.map((one) => ({ ...one, window: { ...one.window, seed: (one.window?.seed ?? spec.seed) + 500_000 } })),
      ctx,
    ),
})

/** `refuse`, `unsure` or `accept`. */
export const verdictFor = ({ findings }: ReferenceResult): ReturnType<typeof verdictOf> => verdictOf(findings)

/** Places of a size, drawn from a number; 64 x 48 pixels are a twentieth to a twelfth of the scenes' pictures. */
export function placeOf(spec: RenderSpec, number: number, size: CropSize = { width: 64, height: 48 }): Region {
  const { width, height } = spec.output
  const mixed = Math.imul(number + 1, 0x9e3779b1) >>> 0
  return { x: mixed % (width - size.width + 1), y: Math.floor(mixed / 65_536) % (height - size.height + 1), ...size }
}
