import { encodeHdr } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { blockArea, sameGrid, type FrameFeatures } from './features.ts'

/** Pixels must differ by this between the neighbours before a frame in their middle means anything: four 8-bit steps. */
const MOVED = 4 / 255
/** Fewest moved pixels of the whole picture, and of those that were kept. */
const LEAST_MOVED = 200
const LEAST_SAMPLES = 60

/**
 * Suspects a frame that is the mean of its neighbours: where they differ, an honest frame shows moving objects in between, not both half transparent. Interpolated when
 * 90 % of the moved pixels lie within 1.2 steps of 1/255 of the mean. An even fade is the mean of its neighbours honestly, and so is every frame of a cross-dissolve, whose
 * neighbours (seen by the frames `beyond` them) are means as well. Looks at the pixels that {@link FrameFeatures} kept.
 */
export function findInterpolation(
  x: FrameFeatures,
  [a, b]: readonly [FrameFeatures, FrameFeatures],
  [before, after]: readonly [FrameFeatures | undefined, FrameFeatures | undefined],
): WeighedFinding | undefined {
  const share = meanShare(x, a, b)
  if (share === undefined || share < BETWEEN || isFade(a, b)) return undefined
  const dissolves = [before && meanShare(a, before, x), after && meanShare(b, x, after)].filter((one) => one !== undefined)
  if (dissolves.some((one) => one >= BETWEEN / 2)) return undefined
  const message = `${Math.round(share * 100)} % of what moves is the mean of the neighbouring frames: the frame was interpolated, not rendered`
  const steady = Math.abs(meanOf(a) - meanOf(b)) < 0.01 * meanOf(a)
  return finding(dissolves.length > 0 && steady ? 'suspect' : 'doubt', 'interpolated', message, {
    value: share,
    threshold: BETWEEN,
  })
}

/** Mean of the pixels that were kept, all planes. A flickering light may pass through the mean of its neighbours. */
const meanOf = ({ samples }: FrameFeatures): number =>
  samples.reduce((sum, plane) => sum + plane.reduce((total, v) => total + v, 0) / plane.length, 0) / samples.length

/** Share of the moved pixels that lie at the mean. */
const BETWEEN = 0.9

/** Share of the pixels in which `a` and `b` differ that are their mean in `x`; undefined where too few differ. Display values may have been averaged as they are or as light. */
function meanShare(x: FrameFeatures, a: FrameFeatures, b: FrameFeatures): number | undefined {
  if (!sameGrid(x, a) || !sameGrid(x, b)) return undefined
  const shown = x.hdr ? encodeHdr : (v: number): number => v
  let moved = 0
  let between = 0
  let betweenLight = 0
  for (let i = 0; i < x.samples[0]!.length; i++) {
    let apart = 0
    for (let c = 0; c < x.samples.length; c++)
      apart = Math.max(apart, Math.abs(shown(a.samples[c]![i]!) - shown(b.samples[c]![i]!)))
    // Most pixels of most shots stand still: powers are taken of the others only.
    if (!(apart > MOVED)) continue
    let off = 0
    let offLight = 0
    for (let c = 0; c < x.samples.length; c++) {
      const v = x.samples[c]![i]!
      const p = a.samples[c]![i]!
      const q = b.samples[c]![i]!
      const mean = (p + q) / 2
      // The distance is judged as it would be seen: the relative form bounds it for HDR.
      off = Math.max(off, x.hdr ? Math.abs(v - mean) / (1e-3 + 2 * Math.abs(mean)) : Math.abs(v - mean))
      if (!x.hdr) offLight = Math.max(offLight, Math.abs(v - ((p ** 2.2 + q ** 2.2) / 2) ** (1 / 2.2)))
    }
    moved++
    if (off <= NEAR) between++
    if (offLight <= NEAR) betweenLight++
  }
  if (moved < Math.max(LEAST_SAMPLES, LEAST_MOVED / x.step ** 2)) return undefined
  return Math.max(between, x.hdr ? 0 : betweenLight) / moved
}

/** How far from the mean a pixel may lie: rounding, and a little. */
const NEAR = 1.2 / 255

/** Whether `b` is `a` made darker or brighter: one straight line through the pixels' values explains 90 % of the difference. */
function isFade(a: FrameFeatures, b: FrameFeatures): boolean {
  let rest = 0
  let all = 0
  for (let c = 0; c < a.samples.length; c++) {
    const [p, q] = [a.samples[c]!, b.samples[c]!]
    let [sp, sd, spp, spd, sdd] = [0, 0, 0, 0, 0]
    for (let i = 0; i < p.length; i++) {
      const [v, d] = [p[i]!, q[i]! - p[i]!]
      sp += v
      sd += d
      spp += v * v
      spd += v * d
      sdd += d * d
    }
    const variance = spp - (sp * sp) / p.length
    const covariance = spd - (sp * sd) / p.length
    all += sdd
    rest += sdd - (sd * sd) / p.length - (variance > 0 ? covariance ** 2 / variance : 0)
  }
  return rest < 0.1 * all
}

/**
 * Doubts a frame that repeats a neighbour under added noise. The difference of two such frames is white: its block means have the variance of its pixels over the block
 * size, while motion leaves structure. Needs motion between the neighbours, else a still shot with a new seed a frame looks alike. Animation on twos does too,
 * so it is a doubt.
 */
export function findNoisyCopy(x: FrameFeatures, a: FrameFeatures, b: FrameFeatures): WeighedFinding | undefined {
  const moving = whiteness(a, b)
  if (moving === undefined || moving < MOVES) return undefined
  for (const [near, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const copy = whiteness(x, near)
    const rest = whiteness(x, other)
    if (copy === undefined || rest === undefined) continue
    // Half way through an even motion both distances hold a quarter of the whole motion's power; a copy has none of it on one side and all on the other.
    if (copy - 1 < 0.1 * (moving - 1) && copy < 1.5 && rest - 1 > 0.5 * (moving - 1)) {
      const message =
        'the frame differs from a neighbour by white noise only, while the neighbours differ by motion: a copy with noise added'
      return finding('doubt', 'noisy-copy', message, { value: copy, threshold: 1.5 })
    }
  }
  return undefined
}

/** Whiteness from which on two frames differ by motion. */
const MOVES = 3

/**
 * Power of the difference's block sums over what white noise of its power would give: 1 for white noise (within .1 at 200 blocks), more for motion.
 * Undefined where nothing differs or sizes do.
 */
function whiteness(x: FrameFeatures, y: FrameFeatures): number | undefined {
  if (!sameGrid(x, y)) return undefined
  const shown = x.hdr ? encodeHdr : (v: number): number => v
  let power = 0
  let blocks = 0
  for (let c = 0; c < x.means.length; c++) {
    const [p, q] = [x.samples[c]!, y.samples[c]!]
    let squares = 0
    for (let i = 0; i < p.length; i++) squares += (shown(p[i]!) - shown(q[i]!)) ** 2
    power += (squares / p.length) * x.width * x.height
    for (let block = 0; block < x.near.length; block++) {
      const { width, height } = blockArea(x, block)
      // The variance of a sum of n white values is n times theirs, as is the block's power; of a sum made from a share of them, more.
      blocks += x.share * ((x.means[c]![block]! - y.means[c]![block]!) * width * height) ** 2
    }
  }
  return power > 0 ? blocks / power : undefined
}
