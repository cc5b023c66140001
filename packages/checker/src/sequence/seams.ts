import { finding, type WeighedFinding } from '../verdict/finding.ts'
import type { Measured } from './check.ts'
import { relate } from './continuity.ts'
import { contentDistance, sameGrid, type FrameFeatures } from './features.ts'

/** Frames of one farm beside a seam, in order; the names are for people. */
interface Run {
  readonly farm: string
  readonly frames: readonly Measured[]
}

/** What changes where one farm's frames end and another's begin: a measure of a step from one frame to the next, the least change worth telling, and how it is told. */
interface SeamMeasure {
  readonly code: string
  /** Signed where a direction means something. */
  readonly step: (from: FrameFeatures, to: FrameFeatures) => number
  readonly least: number
  readonly words: (value: number) => string
  readonly cause: string
}

const percent = (ln: number): string => `${(100 * Math.abs(Math.exp(ln) - 1)).toFixed(1)} %`

/** The limits of a single frame beside its neighbours (continuity.ts), since the frames beside a seam are measured alike. */
const MEASURES: readonly SeamMeasure[] = [
  {
    code: 'seam-brightness',
    step: (from, to) => relate(to, from).gain,
    least: 0.008,
    words: (value) => `the brightness changes by ${percent(value)}`,
    cause: 'exposure, colour management or scene version',
  },
  {
    code: 'seam-noise',
    step: (from, to) => relate(to, from).noise,
    least: 0.12,
    words: (value) => `the strength of the noise changes by ${percent(value / 2)}`,
    cause: 'samples or renderer settings',
  },
  {
    code: 'seam-sharpness',
    step: (from, to) => relate(to, from).shape,
    least: 0.25,
    words: () => 'the grain of the noise changes',
    cause: 'denoiser, filter or resolution',
  },
  {
    code: 'seam-content',
    step: contentDistance,
    least: 0.02,
    words: (value) => `the levels change by ${(100 * value).toFixed(1)} % of white`,
    cause: 'materials, lights, colour management or scene version',
  },
]

/** A change across a seam must exceed what is usual within the farms' own runs by this factor, besides the least. */
const FACTOR = 2
/** Block means of the frames beside a seam correlate at least so much where the shot goes on; a cut falls below. */
const SAME_SHOT = 0.9
/** Fewest frames of each farm, and steps within farms, from which something is concluded. */
const [LEAST_FRAMES, LEAST_STEPS] = [2, 2]

/**
 * Doubts a frame that lies where one farm's frames end and another's begin, when the picture changes there and goes on changed, by more than within either farm's run. Frames
 * are of one shot when their block means correlate: a cut that falls on a seam is nothing. Which of the two farms is right is not known: both frames are doubtful.
 * `wide` are the frames around, in order.
 */
export function checkSeam(own: Measured, wide: readonly Measured[]): readonly WeighedFinding[] {
  const seam = seamAt(own, wide)
  if (!seam) return []
  const [before, after] = seam
  const [last, first] = [before.frames.at(-1)!, after.frames[0]!]
  if (blockCorrelation(last.features, first.features) < SAME_SHOT) return []
  const findings: WeighedFinding[] = []
  for (const { code, step, least, words, cause } of MEASURES) {
    const inside = [before, after].flatMap(({ frames }) =>
      frames.slice(1).map((frame, i) => Math.abs(step(frames[i]!.features, frame.features))),
    )
    if (inside.length < LEAST_STEPS) return []
    const scatter = Math.max(...inside)
    const limit = least + FACTOR * scatter
    const value = lastingStep(step, before.frames.slice(-2), after.frames.slice(0, 2))
    if (Math.abs(value) <= limit) continue
    const place = `between frame ${last.entry.frame} of farm ${before.farm} and frame ${first.entry.frame} of farm ${after.farm}`
    const message = `${words(value)} ${place}, and stays so; within each farm's frames it changes by ${(scatter / Math.abs(value)).toFixed(2)} of that at most: the two farms differ in ${cause}`
    findings.push(finding('doubt', code, message, { value: Math.abs(value), threshold: limit }))
  }
  return findings
}

/** The runs before and after the seam at which `own` is the last or first frame, if it is. */
function seamAt(own: Measured, wide: readonly Measured[]): readonly [Run, Run] | undefined {
  const { farm } = own.entry
  if (farm === undefined) return undefined
  const frames = [...wide.filter((one) => one.entry.frame !== own.entry.frame), own]
    .filter((one) => !one.entry.legitBlack && sameGrid(one.features, own.features))
    .toSorted((p, q) => p.entry.frame - q.entry.frame)
  const at = frames.indexOf(own)
  for (const [left, right] of [
    [at, at + 1],
    [at - 1, at],
  ] as const) {
    const [p, q] = [frames[left], frames[right]]
    if (p?.entry.farm === undefined || q?.entry.farm === undefined || p.entry.farm === q.entry.farm) continue
    const before = runOf(frames.slice(0, left + 1).toReversed()).toReversed()
    const after = runOf(frames.slice(right))
    if (Math.min(before.length, after.length) < LEAST_FRAMES) continue
    return [
      { farm: p.entry.farm, frames: before },
      { farm: q.entry.farm, frames: after },
    ]
  }
  return undefined
}

/** The first frames that are of one farm. */
function runOf(frames: readonly Measured[]): readonly Measured[] {
  const end = frames.findIndex((one) => one.entry.farm !== frames[0]!.entry.farm)
  return end < 0 ? frames : frames.slice(0, end)
}

/** The smallest change from any of the last frames of one run to any of the first of the next; 0 when they differ in direction, as when only one frame is odd. */
function lastingStep(step: SeamMeasure['step'], before: readonly Measured[], after: readonly Measured[]): number {
  const values = before.flatMap((p) => after.map((q) => step(p.features, q.features)))
  if (values.some((value) => Math.sign(value) !== Math.sign(values[0]!))) return 0
  return values.reduce((least, value) => (Math.abs(value) < Math.abs(least) ? value : least))
}

/** Pearson's correlation of the block means of two frames over all planes; 1 where one of them is flat. */
function blockCorrelation(p: FrameFeatures, q: FrameFeatures): number {
  const [x, y] = [p, q].map((frame) => frame.means.flatMap((plane) => [...plane])) as [number[], number[]]
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
  const [mx, my] = [mean(x), mean(y)]
  let [xx, yy, xy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    xx += (x[i]! - mx) ** 2
    yy += (y[i]! - my) ** 2
    xy += (x[i]! - mx) * (y[i]! - my)
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 1
}
