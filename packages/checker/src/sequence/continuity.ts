import { blockArea, blockGrid } from '../compare/blocks.ts'
import type { Area } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { contentDistance, median, sameGrid, type FrameFeatures } from './features.ts'

/** Two frames that surround a frame, or the two nearest on one side of it; a fade or a cut lies in nobody's middle, so `surround` matters. */
export interface Neighbours {
  readonly a: FrameFeatures
  readonly b: FrameFeatures
  readonly surround: boolean
}

/** Noise and levels of one frame relative to another, as medians over blocks, which the few blocks where something moves do not shift. */
interface Relation {
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
const LIMITS = { noise: 0.12, agree: 0.06, shape: 0.25, gain: 0.008, gainAgree: 0.003, distance: 3, least: 0.02 } as const

function relate(x: FrameFeatures, y: FrameFeatures): Relation {
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
 * Lightning, strobes and flashes do the same honestly, so these are doubts for a reference or a person to settle, never refusals by themselves.
 */
export function checkContinuity(x: FrameFeatures, { a, b, surround }: Neighbours): readonly WeighedFinding[] {
  if (!sameGrid(x, a) || !sameGrid(x, b)) return []
  const apart = contentDistance(a, b)
  const distance = Math.min(contentDistance(x, a), contentDistance(x, b))
  const limit = LIMITS.distance * apart + LIMITS.least
  const findings: WeighedFinding[] = []
  if (distance > limit) {
    // Beside a cut, the frames of one side are alike and this one is not: only a frame between them is odd.
    if (!surround) return []
    const message =
      'the frame is like neither of its neighbours, which are like each other: another scene, camera, object or light'
    findings.push(finding('doubt', 'content-jump', message, { value: distance, threshold: limit }))
  }
  const between = relate(a, b)
  const toA = relate(x, a)
  const toB = relate(x, b)
  const enough = Math.min(toA.blocks, toB.blocks, between.blocks) >= 16
  if (enough && Math.abs(between.noise) < LIMITS.agree) {
    const noise = Math.min(toA.noise, toB.noise)
    const noiseLimit = Math.max(LIMITS.noise, 5 * Math.max(toA.noiseError, toB.noiseError))
    if (noise > noiseLimit) {
      const message = `the frame is noisier than its neighbours, as with about ${Math.round(100 * Math.exp(-noise))} % of their samples`
      findings.push(finding('doubt', 'noise-jump', message, { value: noise, threshold: noiseLimit }))
    }
    const shape = Math.max(toA.shape, toB.shape)
    if (shape < -LIMITS.shape && Math.abs(between.shape) < LIMITS.shape / 4) {
      const message = 'the noise of the frame is smeared, that of its neighbours is not: denoised, blurred or upscaled'
      findings.push(finding('doubt', 'sharpness-jump', message, { value: -shape, threshold: LIMITS.shape }))
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

/**
 * Suspects an area that is exactly of one colour here and has content in both neighbours: tiles that never arrived, rows that were never written. At least four
 * blocks of 16 pixels (a 32 pixel tile).
 */
export function checkBlankArea(x: FrameFeatures, { a, b }: Neighbours, width: number, height: number): readonly WeighedFinding[] {
  if (!sameGrid(x, a) || !sameGrid(x, b)) return []
  const grid = blockGrid(width, height, 16)
  let count = 0
  let box: Area | undefined
  for (let i = 0; i < x.blank.length; i++) {
    // Alike within dither is not content: both neighbours must show noise or structure there.
    if (!x.blank[i] || !(a.near[i]! > 4 * Q2) || !(b.near[i]! > 4 * Q2)) continue
    count++
    box = around(box, blockArea(grid, i))
  }
  if (count < 4 || !box) return []
  const message = `an area of ${box.width} x ${box.height} pixels has one flat colour here and content in the neighbouring frames: a tile or rows that never arrived`
  return [finding('suspect', 'blank-area', message, { value: count, threshold: 3, region: box })]
}

function around(box: Area | undefined, add: Area): Area {
  if (!box) return add
  const x = Math.min(box.x, add.x)
  const y = Math.min(box.y, add.y)
  return {
    x,
    y,
    width: Math.max(box.x + box.width, add.x + add.width) - x,
    height: Math.max(box.y + box.height, add.y + add.height) - y,
  }
}
