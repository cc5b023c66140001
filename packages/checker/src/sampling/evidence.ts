/** Noise ratio of a frame made with 75 % of the ordered samples: ln((1/.75 + 1) / 2). The least cheat that pays. */
export const SHORT_RATIO: number = Math.log((1 / 0.75 + 1) / 2)

/** Evidence at which a farm counts as under-sampling: ln(1000). Wald's bound: an honest farm reaches it from a fresh start with a chance of at most 1/1000. */
export const EVIDENCE_LIMIT: number = Math.log(1000)

/** No single frame may weigh more than an error of .02 would make it: block errors of very smooth pictures are too good to be true. */
const LEAST_ERROR = 0.02

/**
 * Sequential test (Page's CUSUM of the log-likelihood ratio, Wald 1945, Page 1954) of "the farm's noise ratio is {@link SHORT_RATIO}" against "it is 0", one frame more.
 * Below 0 it starts anew, so that a farm cannot save up credit for later cheats.
 */
export function addEvidence(before: number, found: { readonly noiseRatio: number; readonly noiseRatioError: number }): number {
  const error = Math.max(LEAST_ERROR, found.noiseRatioError)
  return Math.max(0, before + (SHORT_RATIO * found.noiseRatio - SHORT_RATIO ** 2 / 2) / error ** 2)
}
