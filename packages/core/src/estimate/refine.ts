import { invertPositive } from './symmetric.ts'

/** Render times of one job as they came in, against what was planned for the same units at the same farms. */
export interface ObservedTimes {
  /** Natural logarithm of observed over planned time, by unit; NaN where nothing is known. */
  readonly logRatio: Float32Array
  /** Number of the farm that rendered the unit; only meaningful where something is known. */
  readonly farmOf: Uint16Array
  readonly farms: number
}

/** Planned time of units that one farm has still to render. */
export interface PlannedShare {
  readonly farm: number
  /** By cell of the timeline ({@link RefinedWork.cellOf}): planned time in milliseconds, and the sum of its squares over units. */
  readonly cells: Float64Array
  readonly squares: Float64Array
}

/** An estimate after what was observed. Factors are medians; 1 = as planned. */
export interface RefinedWork {
  readonly observed: number
  readonly cells: number
  cellOf(unit: number): number
  /** What a unit costs everywhere, over its estimate. */
  workFactor(unit: number): number
  /** How much slower a farm is than planned, for work as refined. */
  farmFactor(farm: number): number
  /** Time of several shares together, with the standard deviation of its logarithm. */
  total(shares: readonly PlannedShare[]): { readonly ms: number; readonly sd: number }
}

/**
 * Standard deviations of logarithms before anything was observed. Scene and local: `pnpm bench estimate` of 26 November 2026 was wrong by 4.9 % of a job on average
 * (17 % at most) and by 7.3 % of a frame. Farm: processor time of one frame moved by up to 25 % within minutes on the machine that measured it.
 */
const PRIOR = { scene: 0.08, local: 0.12, farm: 0.15, noise: 0.06 } as const
/** As many observations as the prior of a variance counts for. */
const PRIOR_WEIGHT = 8
/** The curve is known at about so many places of the timeline: it is wrong in the same way over that length. */
const PROBED_PLACES = 12
const MOST_CELLS = 36
/** Degrees of freedom of the noise: low, because some frames straggle. Lange, Little and Taylor 1989 use 4 for robust regression. */
const FREEDOM = 4
const ROUNDS = 6
/** Of more observations an even choice is used: the rest would tell nothing new and cost time. */
const MOST_OBSERVATIONS = 20_000
/** One straggler counts at most for so many frames in the mean. */
const MOST_SMEAR = 4

/**
 * The estimate, given the frames that were rendered. Model: log(observed / planned) = scene + local(place on the timeline) + farm + noise, all normal a priori; `local` is a
 * first-order autoregression over cells of the timeline, so frames near a rendered one learn from it and far ones learn what all have in common. The posterior is exact
 * (Bayesian linear regression, conjugate normal prior) given the noise, which is Student's t, taken as a scale mixture of normals: each round reweights outliers (Lange, Little and
 * Taylor, Robust statistical modeling using the t distribution, JASA 1989) and sets both variances to their conjugate inverse-gamma estimates. Means of times come
 * from medians by Duan's smearing estimate (JASA 1983). O(units x rounds + (cells + farms)^3).
 */
export function refineWork(times: ObservedTimes): RefinedWork {
  const { logRatio, farmOf, farms } = times
  const units = logRatio.length
  const cells = Math.max(1, Math.min(MOST_CELLS, units))
  const cellOf = (unit: number): number => Math.min(cells - 1, Math.floor((unit * cells) / units))
  const known: number[] = []
  for (let unit = 0; unit < units; unit++) if (!Number.isNaN(logRatio[unit]!)) known.push(unit)
  const step = Math.ceil(known.length / MOST_OBSERVATIONS)
  const seen = step > 1 ? known.filter((_, i) => i % step === 0) : known

  // Unknowns: local of each cell, scene, farm of each farm.
  const size = cells + 1 + farms
  const persistence = Math.exp(-PROBED_PLACES / cells)
  let noise = PRIOR.noise ** 2
  let local = PRIOR.local ** 2
  let mean: Float64Array = new Float64Array(size)
  let covariance: Float64Array = new Float64Array(0)
  const weight = new Float64Array(seen.length).fill(1)
  for (let round = 0; round < ROUNDS; round++) {
    const precision = priorPrecision(cells, farms, persistence, local)
    const target = new Float64Array(size)
    seen.forEach((unit, i) => {
      const at = [cellOf(unit), cells, cells + 1 + farmOf[unit]!]
      const trust = weight[i]! / noise
      for (const a of at) {
        target[a]! += trust * logRatio[unit]!
        for (const b of at) precision[a * size + b]! += trust
      }
    })
    covariance = invertPositive(precision, size).inverse
    mean = product(covariance, target)
    let squares = 0
    seen.forEach((unit, i) => {
      const error = logRatio[unit]! - mean[cellOf(unit)]! - mean[cells]! - mean[cells + 1 + farmOf[unit]!]!
      weight[i] = (FREEDOM + 1) / (FREEDOM + error ** 2 / noise)
      squares += weight[i]! * error ** 2
    })
    noise = (PRIOR_WEIGHT * PRIOR.noise ** 2 + squares) / (PRIOR_WEIGHT + seen.length)
    local = localVariance(mean, covariance, size, new Set(seen.map(cellOf)))
  }

  // What stragglers add to a mean, and how far single units scatter about it.
  let [smear, scatter] = [PRIOR_WEIGHT, PRIOR_WEIGHT * (1 + PRIOR.noise ** 2)]
  for (const unit of seen) {
    const ratio = Math.min(
      MOST_SMEAR,
      Math.exp(logRatio[unit]! - mean[cellOf(unit)]! - mean[cells]! - mean[cells + 1 + farmOf[unit]!]!),
    )
    smear += ratio
    scatter += ratio ** 2
  }
  smear /= PRIOR_WEIGHT + seen.length
  scatter = scatter / (PRIOR_WEIGHT + seen.length) / smear ** 2 - 1
  const workFactors = mean.slice(0, cells).map((one) => Math.exp(one + mean[cells]!))
  return {
    observed: known.length,
    cells,
    cellOf,
    workFactor: (unit) => workFactors[cellOf(unit)]!,
    farmFactor: (farm) => Math.exp(mean[cells + 1 + farm]!),
    total(shares) {
      const slope = new Float64Array(size)
      let [ms, single] = [0, 0]
      for (const share of shares)
        share.cells.forEach((planned, cell) => {
          if (planned === 0) return
          const at = [cell, cells, cells + 1 + share.farm]
          const factor = smear * Math.exp(at.reduce((sum, i) => sum + mean[i]!, 0))
          ms += factor * planned
          single += factor ** 2 * share.squares[cell]!
          for (const i of at) slope[i]! += factor * planned
        })
      if (ms === 0) return { ms: 0, sd: 0 }
      const spread = product(covariance, slope)
      const common = slope.reduce((sum, one, i) => sum + one * spread[i]!, 0)
      return { ms, sd: Math.sqrt(Math.max(0, common) + scatter * single) / ms }
    },
  }
}

/** Precision of all unknowns before anything was observed: a stationary autoregression over the cells, the others independent. */
function priorPrecision(cells: number, farms: number, persistence: number, local: number): Float64Array {
  const size = cells + 1 + farms
  const precision = new Float64Array(size * size)
  const scale = 1 / (local * (1 - persistence ** 2))
  for (let cell = 0; cell < cells; cell++) {
    const inner = cell > 0 && cell < cells - 1
    precision[cell * size + cell] = cells === 1 ? 1 / local : scale * (inner ? 1 + persistence ** 2 : 1)
    if (cell > 0) {
      precision[cell * size + cell - 1] = -scale * persistence
      precision[(cell - 1) * size + cell] = -scale * persistence
    }
  }
  precision[cells * size + cells] = 1 / PRIOR.scene ** 2
  for (let farm = cells + 1; farm < size; farm++) precision[farm * size + farm] = 1 / PRIOR.farm ** 2
  return precision
}

/** How far the curve is off from place to place, by the cells that were looked at; as many independent places as the curve has count. */
function localVariance(mean: Float64Array, covariance: Float64Array, size: number, looked: ReadonlySet<number>): number {
  if (looked.size === 0) return PRIOR.local ** 2
  let squares = 0
  for (const cell of looked) squares += mean[cell]! ** 2 + covariance[cell * size + cell]!
  const places = Math.min(looked.size, PROBED_PLACES)
  return (PRIOR_WEIGHT * PRIOR.local ** 2 + (squares / looked.size) * places) / (PRIOR_WEIGHT + places)
}

function product(matrix: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length
  return vector.map((_, row) => {
    let sum = 0
    for (let column = 0; column < size; column++) sum += matrix[row * size + column]! * vector[column]!
    return sum
  })
}
