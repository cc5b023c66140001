import { interpolate, rawSlopes } from './fit.ts'
import { likenessOf, sameLook } from './looks.ts'
import type { ProbeSample } from './fit.ts'
import type { ProbePlan } from './probe-plan.ts'

/**
 * The band before any probe, and as many probes as that counts for: with it 95 % of all frames of seven scenes that change in jumps lay in their bands (docs/estimates.md, Replayed).
 */
const PRIOR = { high: 1.3, weight: 4 } as const
/** Standard deviation of what is wrong in the same way at every frame, which neighbours do not show: jobs as a whole were wrong by 4.9 % on average there. */
const COMMON_SD = 0.06

/** Within `[low, high]` times the prediction the true cost of a frame lies in at least nine of ten frames. */
export interface Band {
  readonly low: number
  readonly high: number
  /** Probes whose scatter it rests on. */
  readonly probes: number
}

/**
 * The band by the probes' own scatter: each probed frame but the first and the last is predicted from its neighbours of the same look, as frames between probes are. The variance of the
 * logarithm is the conjugate (inverse-gamma) update of the usual one, so few probes say little against it, and a frame to come then lies about its prediction as Student's t
 * (Gelman et al., Bayesian Data Analysis, section 3.2).
 */
export function bandOf(plan: ProbePlan, samples: readonly ProbeSample[]): Band {
  const raw = rawSlopes(plan, samples)
  const modelled = raw.some((one) => one.modelled) ? raw.filter((one) => one.modelled) : raw
  const likeness = likenessOf(plan.looks)
  const squares: number[] = []
  for (const [i, { frame, ms }] of modelled.entries()) {
    const alike = (other: { readonly frame: number }): boolean => sameLook(likeness, frame, other.frame)
    const [before, after] = [modelled.slice(0, i).findLast(alike), modelled.slice(i + 1).find(alike)]
    if (!before || !after) continue
    const [expected] = interpolate([before, after], [frame]) as [number]
    squares.push(Math.log(ms / expected) ** 2)
  }
  const usual = (Math.log(PRIOR.high) / nineOfTen(PRIOR.weight)) ** 2 - COMMON_SD ** 2
  const freedom = PRIOR.weight + squares.length
  const variance = squares.reduce((total, one) => total + one, PRIOR.weight * usual) / freedom
  const factor = Math.exp(nineOfTen(freedom) * Math.sqrt(variance + COMMON_SD ** 2))
  return { low: 1 / factor, high: factor, probes: squares.length }
}

/** Quantile 0.95 of Student's t: the normal one and its first correction for few degrees of freedom (Abramowitz and Stegun 26.7.5). */
function nineOfTen(freedom: number): number {
  const z = 1.645
  return z + (z ** 3 + z) / (4 * freedom)
}
