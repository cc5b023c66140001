import type { Bytes32, CallContext, RenderSpec, Region } from '@pictor/core/contract'
import type { Picture } from '../compare/picture.ts'
import { PROBE_PCT } from '../compare/probe.ts'
import type { OwnRender, OwnRenderer, OwnRenderResult } from '../render/own-renders.ts'
import type { WeighedFinding } from '../verdict/finding.ts'
import { judgeCrop, judgeProbe } from './judge-crops.ts'
import { judgePlaces, placesOf } from './judge-places.ts'
import { judgeCropStatistics, judgeFull, judgeStatistics } from './judge-renders.ts'

/** A frame to compare with own renders. */
export interface ReferenceRequest {
  readonly frame: number
  readonly picture: Picture
  readonly findings: readonly WeighedFinding[]
  /** The drawn crop; without one the whole frame is rendered at once (replica class, or a doubt that only a full render settles). */
  readonly crop?: Region
  /** Besides the crop, for defects outside of it: a small render of the whole frame, and crops where that makes the frame most suspicious. */
  readonly probe?: boolean
  /** Besides the crop, strips across the frame, drawn as the crop is. */
  readonly strips?: readonly Region[]
  /** Render seed of the first of two independent renders where they are needed; the second has the next number. */
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
  /** What was compared at the ordered seed, where that is not the whole: drawn and directed crops, strips. */
  readonly places?: readonly Region[]
  /** Whether all of the frame was compared, not a crop of it. */
  readonly whole?: true
  /** Where the frame had another seed than ordered: its noise against two own renders. */
  readonly noise?: { readonly noiseRatio: number; readonly noiseRatioError: number }
  readonly renderMs: number
}

/** What is still to be rendered for a frame; undefined: nothing, its findings stand. */
export type NextStep = 'crop' | 'probe' | 'places' | 'full' | 'crop-statistics' | 'statistics'

/** A crop whose place the frame and its probe decide, and why it lies there. */
export interface DirectedCrop {
  readonly region: Region
  readonly why: string
  /** What the probe found, where it is settled by this crop: the whole frame is rendered where the crop cannot be had. */
  readonly settles?: WeighedFinding
}

/** A frame on its way through the comparison. */
export interface Compared {
  readonly request: ReferenceRequest
  readonly result: ReferenceResult
  readonly next: NextStep | undefined
  /** Whether the crop at the ordered seed raised an alarm. */
  readonly cropAlarm?: true
  /** Crops that the probe asks for. */
  readonly directed?: readonly DirectedCrop[]
}

/**
 * Compares frames with own renders, from the cheapest to the dearest, each step in one batch for all frames that need it:
 * 1. the drawn crop at the ordered seed; 2. where it agrees, a small render of the whole frame at a secret seed; 3. where that agrees, the drawn strips, and crops where it makes the
 * frame most suspicious, at the ordered seed; 4. for an alarm, or a suspicion from the file checks, the full frame at the ordered seed; 5. where that differs and its noise is not that
 * of the seed (another device class, fewer or more samples), the statistics against two renders at secret seeds, of the crop first: what they refuse there needs no second full render.
 */
export async function compareFrames(
  renderer: OwnRenderer,
  spec: RenderSpec,
  requests: readonly ReferenceRequest[],
  ctx: CallContext,
): Promise<readonly ReferenceResult[]> {
  let all = requests.map((request): Compared => {
    const result = { findings: request.findings, checked: false, renders: [], renderMs: 0 }
    return { request, result, next: request.crop ? 'crop' : 'full' }
  })
  for (const { step, renders, judge } of STEPS) {
    const due = all.filter((one) => one.next === step)
    if (due.length === 0) continue
    const wanted = due.map(renders)
    const made = [...(await renderer.render(wanted.flat(), ctx))]
    const after = new Map<Compared, Compared>()
    for (const [i, one] of due.entries()) {
      const own = made.splice(0, wanted[i]!.length)
      after.set(one, await judge(spec, withRenders(one, own), own))
    }
    all = all.map((one) => after.get(one) ?? one)
  }
  return all.map(({ result }) => result)
}

interface Step {
  readonly step: NextStep
  readonly renders: (one: Compared) => readonly OwnRender[]
  readonly judge: (spec: RenderSpec, one: Compared, made: readonly OwnRenderResult[]) => Compared | Promise<Compared>
}

const STEPS: readonly Step[] = [
  { step: 'crop', renders: ({ request }) => [{ frame: request.frame, window: { region: request.crop! } }], judge: judgeCrop },
  {
    step: 'probe',
    // At a secret seed: the farm cannot know what the probe will make suspicious.
    renders: ({ request }) => [{ frame: request.frame, window: { resolutionPct: PROBE_PCT, seed: request.renderSeed } }],
    judge: judgeProbe,
  },
  {
    step: 'places',
    renders: (one) => placesOf(one).map((region) => ({ frame: one.request.frame, window: { region } })),
    judge: judgePlaces,
  },
  { step: 'full', renders: ({ request }) => [{ frame: request.frame }], judge: judgeFull },
  {
    step: 'crop-statistics',
    renders: ({ request }) =>
      secretSeeds(request).map((seed) => ({ frame: request.frame, window: { region: request.crop!, seed } })),
    judge: judgeCropStatistics,
  },
  {
    step: 'statistics',
    renders: ({ request }) => secretSeeds(request).map((seed) => ({ frame: request.frame, window: { seed } })),
    judge: judgeStatistics,
  },
]

/**
 * Seeds of the independent renders. The render at the ordered seed serves for neither: the samples of a farm that stopped early are the first of it, so that its frame
 * lies nearer to it than an independent render would, and five eighths of the samples looked like all of them.
 */
const secretSeeds = ({ renderSeed }: ReferenceRequest): number[] => [renderSeed, (renderSeed + 1) % 2 ** 31]

function withRenders(one: Compared, made: readonly OwnRenderResult[]): Compared {
  const { result } = one
  const renders = [...result.renders, ...made.flatMap(({ hash }) => (hash ? [hash] : []))]
  return { ...one, result: { ...result, renders, renderMs: made.reduce((sum, { renderMs }) => sum + renderMs, result.renderMs) } }
}
