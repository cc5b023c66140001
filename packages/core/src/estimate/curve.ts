import { likenessOf, type Likeness } from './looks.ts'
import { invertPositive } from './symmetric.ts'

/** One look at what a frame costs as a whole. */
export interface Sight {
  readonly frame: number
  /** Logarithm of milliseconds. */
  readonly log: number
  /** Standard deviation of `log`. */
  readonly sd: number
  /** By the model of windows, which may be off by one factor for the whole job; else measured whole. */
  readonly modelled: boolean
}

/** How far the model of windows may be off in the same way at every frame, as a standard deviation of the logarithm: scenes were off by 2 to 15 %. */
const MODEL_SD = 0.1
/** Standard deviations of how far the cost wanders over the whole job; the likeliest is taken. */
const WANDERS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2] as const
/** Standard deviations of what all that is switched on, or another camera, changes; the likeliest is taken where the file switches any. */
const SWITCHES = [0.1, 0.3, 0.8] as const
/** The level of the cost is not known before. */
const LEVEL_SD = 3

/**
 * The cost of frames along the timeline by all that was seen of it: the logarithm of milliseconds at a frame. It is a random walk (so a straight line between two sights); sights
 * have errors, and those by the model of windows have one more in common. Where the file switches objects, it is besides a random walk along how much is shown, and has an offset for each camera. The posterior mean is exact (Gaussian process regression: Rasmussen and Williams, Gaussian
 * Processes for Machine Learning, section 2.2); how far the walk wanders is what makes the sights likeliest (section 5.4). `sights` has at least one.
 */
export function costCurve(sights: readonly Sight[], likeness?: Likeness): (frame: number) => number {
  const centre = sights.reduce((sum, one) => sum + one.log, 0) / sights.length
  const rest = Float64Array.from(sights, (one) => one.log - centre)
  const switches = likeness ? SWITCHES : ([0] as const)
  const fits = WANDERS.flatMap((wander) =>
    switches.map((switched) => fitted(sights, rest, wander, switched, likeness ?? likenessOf())),
  )
  const { weights, covariance } = fits.reduce((best, one) => (one.likelihood > best.likelihood ? one : best))
  return (frame) => centre + sights.reduce((sum, one, i) => sum + covariance(frame, one.frame) * weights[i]!, 0)
}

interface Fit {
  readonly likelihood: number
  readonly weights: Float64Array
  /** What the costs of two frames have in common. */
  covariance(a: number, b: number): number
}

function fitted(
  sights: readonly Sight[],
  rest: Float64Array,
  wander: number,
  switched: number,
  { shown, camera }: Likeness,
): Fit {
  const size = sights.length
  const start = Math.min(...sights.map((one) => one.frame))
  const span = Math.max(1, Math.max(...sights.map((one) => one.frame)) - start)
  // Before its start the walk stands still: the cost of the first frame that was seen counts for those before it.
  const covariance = (a: number, b: number): number =>
    LEVEL_SD ** 2 +
    (wander ** 2 * Math.max(0, Math.min(a, b) - start)) / span +
    switched ** 2 * (Math.min(shown(a), shown(b)) + (camera(a) === camera(b) ? 1 : 0))
  const matrix = new Float64Array(size * size)
  for (const [i, a] of sights.entries())
    for (const [j, b] of sights.entries())
      matrix[i * size + j] =
        covariance(a.frame, b.frame) + (a.modelled && b.modelled ? MODEL_SD ** 2 : 0) + (i === j ? a.sd ** 2 : 0)
  const { inverse, logDeterminant } = invertPositive(matrix, size)
  const weights = rest.map((_, i) => rest.reduce((sum, one, j) => sum + inverse[i * size + j]! * one, 0))
  const likelihood = -0.5 * (rest.reduce((sum, one, i) => sum + one * weights[i]!, 0) + logDeterminant)
  return { likelihood, weights, covariance }
}
