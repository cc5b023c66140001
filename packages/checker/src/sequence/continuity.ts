import { enclosing, type Area } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { blockArea, contentDistance, median, sameGrid, type FrameFeatures } from './features.ts'

/** Two frames that surround a frame, or the two nearest on one side of it; a fade or a cut lies in nobody's middle, so `surround` matters. */
export interface Neighbours {
  readonly a: FrameFeatures
  readonly b: FrameFeatures
  readonly surround: boolean
  /** Frames before `a` and after `b`, of two that surround the frame, as far as there are any. */
  readonly beyond?: readonly FrameFeatures[]
}

/** Noise and levels of one frame relative to another, as medians over blocks, which the few blocks where something moves do not shift. */
export interface Relation {
  /** ln of the noise energy's ratio. */
  readonly noise: number
  readonly noiseError: number
  /** Change of ln(near / far): below 0 where the noise was smeared. */
  readonly shape: number
  /** ln of the level's ratio. */
  readonly gain: number
  readonly blocks: number
}

/** A quarter of an 8-bit step, squared. */
const Q2 = (1 / 1020) ** 2

/**
 * Limits of a frame against neighbours that agree with each other. Calibrated on honest sequences (docs/checker.md): noise within .04 with another seed and
 * down to -.19 with 1.5 x samples, shape within .05, gain within .001; 75 % of the samples give noise of .18 or more, blurs and denoisers shape below -.35.
 */
const LIMITS = {
  noise: 0.12,
  certainNoise: 0.35,
  agree: 0.06,
  shape: 0.25,
  gain: 0.008,
  gainAgree: 0.003,
  distance: 3,
  least: 0.02,
} as const

/** Relates a frame to another of the same grid. */
export function relate(x: FrameFeatures, y: FrameFeatures): Relation {
  const noise: number[] = []
  const shape: number[] = []
  const gain: number[] = []
  for (let i = 0; i < x.near.length; i++) {
    const level = y.means.reduce((sum, plane) => sum + plane[i]!, 0)
    if (level > 0.03) gain.push(Math.log((x.means.reduce((sum, plane) => sum + plane[i]!, 0) + 1e-3) / (level + 1e-3)))
    if (!(y.near[i]! > 4 * Q2)) continue
    noise.push(Math.log((x.near[i]! + Q2) / (y.near[i]! + Q2)))
    shape.push(Math.log((x.near[i]! + Q2) / (x.far[i]! + Q2)) - Math.log((y.near[i]! + Q2) / (y.far[i]! + Q2)))
  }
  const level = median(noise)
  return {
    noise: level.middle,
    noiseError: level.error,
    shape: median(shape).middle,
    gain: gain.length < 8 ? 0 : median(gain).middle,
    blocks: noise.length,
  }
}

/**
 * Compares a frame with two neighbours that are like each other: a single frame that is noisier, smoother, brighter or of other content than both is doubtful.
 * Lightning, strobes and flashes change content and light honestly, so those are doubts for a reference or a person to settle. Much more noise, or smeared
 * noise, under the same content and light is suspect.
 */
export function checkContinuity(x: FrameFeatures, { a, b, surround, beyond = [] }: Neighbours): readonly WeighedFinding[] {
  if (!sameGrid(x, a) || !sameGrid(x, b)) return []
  const apart = contentDistance(a, b)
  const distance = Math.min(contentDistance(x, a), contentDistance(x, b))
  const limit = LIMITS.distance * apart + LIMITS.least
  const findings: WeighedFinding[] = []
  if (distance > limit) {
    // Beside a cut, the frames of one side are alike and this one is not: only a frame between them is odd.
    if (!surround) return []
    // A light or screen that blinks: what is like the frames on both sides beyond its neighbours belongs to the shot.
    if (beyond.length === 2 && beyond.every((one) => sameGrid(x, one) && contentDistance(x, one) <= limit)) return []
    const message =
      'the frame is like neither of its neighbours, which are like each other: another scene, camera, object or light'
    findings.push(finding('doubt', 'content-jump', message, { value: distance, threshold: limit }))
  }
  findings.push(...checkFireflies(x, a, b))
  const between = relate(a, b)
  const toA = relate(x, a)
  const toB = relate(x, b)
  const enough = Math.min(toA.blocks, toB.blocks, between.blocks) >= 16
  if (enough && Math.abs(between.noise) < LIMITS.agree) {
    const noise = Math.min(toA.noise, toB.noise)
    const noiseLimit = Math.max(LIMITS.noise, 5 * Math.max(toA.noiseError, toB.noiseError))
    // With the same content and light, nothing honest makes one frame much noisier or smoother than both neighbours.
    const alike = surround && findings.length === 0 && Math.min(Math.abs(toA.gain), Math.abs(toB.gain)) < LIMITS.gain
    if (noise > noiseLimit) {
      const message = `the frame is noisier than its neighbours, as with about ${Math.round(100 * Math.exp(-noise))} % of their samples`
      const weight = alike && noise > Math.max(LIMITS.certainNoise, noiseLimit) ? 'suspect' : 'doubt'
      findings.push(finding(weight, 'noise-jump', message, { value: noise, threshold: noiseLimit }))
    }
    const shape = Math.max(toA.shape, toB.shape)
    if (shape < -LIMITS.shape && Math.abs(between.shape) < LIMITS.shape / 4) {
      const message = 'the noise of the frame is smeared, that of its neighbours is not: denoised, blurred or upscaled'
      findings.push(finding(alike ? 'suspect' : 'doubt', 'sharpness-jump', message, { value: -shape, threshold: LIMITS.shape }))
    }
  }
  const gain = Math.abs(toA.gain) < Math.abs(toB.gain) ? toA.gain : toB.gain
  if (
    surround &&
    Math.abs(gain) > LIMITS.gain &&
    Math.abs(between.gain) < LIMITS.gainAgree &&
    Math.sign(toA.gain) === Math.sign(toB.gain)
  ) {
    const percent = ((Math.exp(gain) - 1) * 100).toFixed(1)
    findings.push(
      finding('doubt', 'exposure-jump', `the frame is ${percent} % brighter than its neighbours all over`, {
        value: Math.abs(gain),
        threshold: LIMITS.gain,
      }),
    )
  }
  return findings
}

/** Isolated bright pixels come in similar numbers in all frames of a shot; counts are allowed to scatter by a factor and by chance. */
function checkFireflies(x: FrameFeatures, a: FrameFeatures, b: FrameFeatures): WeighedFinding[] {
  const limit = 3 * Math.max(a.hot, b.hot) + 12
  if (x.hot <= limit) return []
  const message = `${x.hot} isolated bright pixels, the neighbouring frames have ${a.hot} and ${b.hot}: fireflies that only this frame has`
  return [finding('doubt', 'fireflies', message, { value: x.hot, threshold: limit })]
}

/** A block counts as empty here and filled in the neighbours when its level differs from both by this: three 8-bit steps. */
const LEVEL_STEP = 3 / 255
/** Fewest blocks: a tile of 32 pixels, of 64 above Full HD. */
const LEAST_BLANK = 4

/**
 * Finds an area that is exactly of one colour here and has other content in both neighbours: tiles that never arrived, rows that were never written. A black one that fills
 * its rectangle is suspect; other flat areas may be flat-coloured objects passing by, and are doubts, as are black ones where frames around have black areas too: something
 * black flies by, or a screen blinks.
 */
export function checkBlankArea(
  x: FrameFeatures,
  { a, b }: Pick<Neighbours, 'a' | 'b'>,
  wide: readonly FrameFeatures[],
): readonly WeighedFinding[] {
  if (!sameGrid(x, a) || !sameGrid(x, b)) return []
  const blank = new Set<number>()
  let black = 0
  let pixels = 0
  let box: Area | undefined
  for (let i = 0; i < x.blank.length; i++) {
    if (!x.blank[i] || a.blank[i] || b.blank[i]) continue
    const level = levelOf(x, i)
    if (Math.abs(level - levelOf(a, i)) < LEVEL_STEP || Math.abs(level - levelOf(b, i)) < LEVEL_STEP) continue
    blank.add(i)
    if (level === 0) black++
    const area = blockArea(x, i)
    pixels += area.width * area.height
    box = box ? enclosing(box, area) : area
  }
  if (blank.size < LEAST_BLANK || !box) return []
  const filled = pixels / (box.width * box.height)
  const message = `an area of ${box.width} x ${box.height} pixels has one flat colour here and content in the neighbouring frames: a tile or rows that never arrived`
  const others = Math.max(...wide.map((frame) => passingBlack(frame, x, blank)))
  const certain = black === blank.size && filled > 0.8 && others < blank.size / 4
  return [
    finding(certain ? 'suspect' : 'doubt', 'blank-area', message, { value: blank.size, threshold: LEAST_BLANK - 1, region: box }),
  ]
}

/** Blocks of a frame that are black where `x` is not, or where `x` has its blank area: black that comes and goes. */
function passingBlack(frame: FrameFeatures, x: FrameFeatures, blank: ReadonlySet<number>): number {
  if (!sameGrid(frame, x)) return 0
  let count = 0
  for (let i = 0; i < frame.blank.length; i++) {
    if (frame.blank[i] && levelOf(frame, i) === 0 && (blank.has(i) || !x.blank[i])) count++
  }
  return count
}

const levelOf = (frame: FrameFeatures, block: number): number =>
  frame.means.reduce((sum, plane) => sum + plane[block]!, 0) / frame.means.length
