import type { Region } from '@pictor/core/contract'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import type { RankMeasure } from './rank-scores.ts'
import type { RankScore, RankStatistics } from './ranks.ts'
import type { ReferenceStatistics } from './references.ts'
import type { SeedLockedStatistics, SeedLockedTolerance } from './seed-locked.ts'

/** Limits of the bias at one block size. */
export interface BiasLimits {
  readonly bias: number
  readonly biasMax: number
}

/** Noise ratios below this are not worth a refusal: 90 % of the samples give .054. */
const LEAST_NOISE_RATIO = 0.05
/** Standard errors that a noise ratio must exceed: 3e-5 for a normal variable. Measured on 1,584 honest triples of 11 scenes: at most 3.7 at blocks of 12. */
const NOISE_RATIO_ERRORS = 4

/**
 * Limits for `blocks` blocks with `channels` channels, by theory with room for heavy tails.
 * - bias: the mean of squared z over n blocks is chi-squared over n; its quantile at z = 4.26 (1e-5) by Wilson and Hilferty, n (1 - 2/(9n) + z sqrt(2/(9n)))^3.
 * - biasMax: with a chance t that one |z| is larger, two of `blocks` x `channels` are with about (n t)^2 / 2; 1e-5 gives t = .0045 / n, and path-traced noise,
 *   whose block means are not quite normal, gets 20 % more. Honest values measured reach 70 % of it.
 */
export function biasLimits(blocks: number, channels: number): BiasLimits {
  const spread = 2 / (9 * blocks)
  return {
    bias: Math.log((1 - spread + 4.26 * Math.sqrt(spread)) ** 3) + 0.05,
    biasMax: 1.2 * normalTail(0.0045 / (blocks * channels)),
  }
}

/** The z with a two-sided tail of `p`, for small p: Abramowitz and Stegun 26.2.23, error below 4.5e-4. */
function normalTail(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p / 2))
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3)
}

/**
 * Limit of the scan statistic over `blocks` x `channels` blocks: the normal quantile of 1e-5, shared by four rectangles a block, since those that overlap move together. Honest values of 240
 * comparisons of four scenes reached .76 of it.
 */
export function scanLimit(blocks: number, channels: number): number {
  return normalTail(1e-5 / (4 * blocks * channels))
}

/** A scan of rectangles sees shifts half as large as single blocks do, so small that another device might cause them: up to this many times its limit it is a doubt. */
const SCAN_ALLOWANCE = 1.5

/** Excess correlations below this are not worth a refusal; honest full frames of 11 scenes reach .015. */
const LEAST_CORRELATION = 0.03

/**
 * An error that is itself estimated from few blocks is unsure: quantiles of Student's t over those of the normal distribution at z = 4.5, by Cornish and Fisher's expansion
 * 1 + (z^2 + 1) / (4 v) + (5 z^4 + 16 z^2 + 3) / (96 v^2). 3 times at 6 blocks, 1.3 at 20, 1.01 at 390.
 */
function unsure(blocks: number): number {
  const freedom = Math.max(1, blocks - 1)
  return 1 + 5.3 / freedom + 24.8 / freedom ** 2
}

/** Fewest equal blocks that a standard error can be had from: one block alone has no spread, and an honest crop with one was refused for its correlation. */
const FEWEST_BLOCKS = 3

/** Limit of the excess correlation, from its own standard error: 4.5 of them, 3e-6 for a normal variable, since few noisy edges make it less than normal. None where too few blocks have noise. */
export function correlationLimit(found: Pick<ReferenceStatistics, 'correlationError' | 'correlationBlocks'>): number {
  if (found.correlationBlocks < FEWEST_BLOCKS) return Infinity
  return Math.max(LEAST_CORRELATION, 4.5 * unsure(found.correlationBlocks) * found.correlationError)
}

/** Limit of the noise ratio, from its own standard error over the blocks that have noise. */
export function noiseRatioLimit(found: Pick<ReferenceStatistics, 'noiseRatioError' | 'activeBlocks'>): number {
  return Math.max(LEAST_NOISE_RATIO, NOISE_RATIO_ERRORS * unsure(found.activeBlocks) * found.noiseRatioError)
}

/** Whether the frame clearly has less noise than two renders at the ordered settings: more samples, of which those ordered may be the first. */
export function overDelivers(found: ReferenceStatistics): boolean {
  return found.noiseRatio < -noiseRatioLimit(found)
}

/**
 * How far beyond a limit of bias an honest frame with motion blur may lie when farm and checker are of different device classes: which of two coincident
 * faces that move a ray meets first is decided by rounding, differently on each (traced on an H100). Of 18 honest frames of an H100 (CUDA) against CPU renders six lay beyond a limit, one beyond twice, none beyond three times; without motion blur
 * none of 126 lay beyond (docs/checker.md).
 */
export const BLUR_ALLOWANCE = 3

/**
 * Statistics against two references, in words. Over-delivery (less noise than ordered) passes. A bias up to `allowance` times its limit is a doubt only: 1 where
 * farm and references are of one device class.
 */
export function judgeReferences(found: ReferenceStatistics, channels = 3, allowance = 1): readonly WeighedFinding[] {
  const findings: WeighedFinding[] = []
  const { noiseRatio, correlation } = found
  const noiseLimit = noiseRatioLimit(found)
  if (noiseRatio > noiseLimit) {
    const share = Math.round(100 / (2 * Math.exp(noiseRatio) - 1))
    const message =
      noiseRatio < 1.6
        ? `the frame is noisier than ordered, as with about ${share} % of the samples`
        : 'the frame differs from two renders by much more than they differ from each other'
    findings.push(finding('refuse', 'noise-ratio', message, { value: noiseRatio, threshold: noiseLimit }))
  }
  for (const scale of found.scales) {
    const limits = biasLimits(scale.blocks, channels)
    const weigh = (code: string, value: number, threshold: number, allowed: number, message: string, region?: Region): void => {
      const weight = value > allowed ? 'refuse' : 'doubt'
      if (value > threshold && !findings.some((one) => one.code === code && (one.weight === 'refuse' || weight === 'doubt')))
        findings.push(finding(weight, code, message, { value, threshold, ...(region ? { region } : {}) }))
    }
    const blocks = `(blocks of ${scale.size} px)`
    const overall = `brightness, colour or content differ over the picture ${blocks}: exposure, colour space, materials, lights or the wrong scene`
    weigh('bias', scale.bias, limits.bias, limits.bias + Math.log(allowance), overall) // a logarithm
    const local = `a part of the picture differs from two renders ${blocks}: a tile, an object, a watermark`
    weigh('local-bias', scale.biasMax, limits.biasMax, limits.biasMax * allowance, local, scale.biasArea)
  }
  const scanned = scanLimit(found.blocks, channels)
  if (found.scan && found.scan.value > scanned && !findings.some(({ weight }) => weight === 'refuse')) {
    const { value, area } = found.scan
    const message =
      'an area lies steadily to one side of two renders, though each block of it is within the noise: a faint tile or mark, or light cut off'
    const weight = value > scanned * Math.max(allowance, SCAN_ALLOWANCE) ? 'refuse' : 'doubt'
    findings.push(finding(weight, 'area-bias', message, { value, threshold: scanned, region: area }))
  }
  const smeared = correlationLimit(found)
  if (correlation > smeared) {
    const message = 'the noise is smeared: the frame was denoised, blurred, upscaled or recompressed without an order'
    findings.push(finding('refuse', 'noise-correlation', message, { value: correlation, threshold: smeared }))
  }
  return findings
}

/** Chance that a measure of ranks alarms for an honest picture, shared by all of them. */
const RANK_RISK = 1e-5

/**
 * Whether ranks can be held against a frame: not where it seems to have less noise than the references, by its variance or by how seldom its pixels are extremes. More samples make skewed noise less so,
 * and its median moves towards its mean: frames of 1.5 times the samples lay at up to 3.7 times a limit. Of 44 such in 22 scenes 38 were known by their pixels, the other 6 by their variance.
 */
export function ranksCount(
  { noiseRatio, noiseRatioError }: Pick<ReferenceStatistics, 'noiseRatio' | 'noiseRatioError'>,
  { spread }: Pick<RankStatistics, 'spread'>,
): boolean {
  return noiseRatio >= -1.5 * noiseRatioError && spread >= -3
}

/** Where a frame has a little less noise than the references, so that it may have more samples, ranks refuse it only from this many times a limit on. */
const LESS_NOISE_ALLOWANCE = 3

/** Ranks among independent renders, in words: at most one finding. Up to `SCAN_ALLOWANCE` times a limit, or `allowance` where that is more, it is a doubt. `noise` is of the same comparison. */
export function judgeRanks(
  found: RankStatistics,
  noise: Pick<ReferenceStatistics, 'noiseRatio' | 'noiseRatioError'>,
  channels = 3,
  allowance = 1,
): readonly WeighedFinding[] {
  if (!ranksCount(noise, found)) return []
  const measures = Object.entries(found.measures) as [RankMeasure, RankScore][]
  const tests = measures.length * channels
  const whole = normalTail(RANK_RISK / tests)
  const scan = normalTail(RANK_RISK / (4 * found.blocks * tests))
  const square = Math.exp(biasLimits(found.blocks, channels).bias)
  const shares: { readonly share: number; readonly what: RankMeasure; readonly region?: Region }[] = [
    ...measures.flatMap(([what, score]) => [
      { share: score.whole / whole, what },
      { share: score.meanSquare / square, what },
      { share: score.scan / scan, what, region: score.area },
    ]),
    { share: Math.sqrt(found.ceiling / -Math.log(RANK_RISK / channels)), what: 'brighter' },
  ]
  const { share, what, region } = shares.reduce((most, one) => (one.share > most.share ? one : most))
  if (share <= 1) return []
  const allowed = Math.max(allowance, noise.noiseRatio < 0 ? LESS_NOISE_ALLOWANCE : SCAN_ALLOWANCE)
  const weight = share > allowed ? 'refuse' : 'doubt'
  return [finding(weight, RANK_CODES[what], RANK_WORDS[what], { value: share, threshold: 1, ...(region ? { region } : {}) })]
}

const RANK_CODES: Readonly<Record<RankMeasure, string>> = {
  side: 'rank-bias',
  across: 'edges-differ',
  down: 'edges-differ',
  bright: 'light-differs',
  brighter: 'light-differs',
  local: 'light-differs',
}

const EDGES =
  'edges lie elsewhere than in independent renders: a shifted area, an object of another frame, motion blur or depth of field left out'
const LIGHT = 'the brightest pixels are fewer or darker than in independent renders: light clamped or clipped, bounces left out'

const RANK_WORDS: Readonly<Record<RankMeasure, string>> = {
  side: 'more pixels lie on one side of independent renders than noise explains, though their mean is within it: a faint change of light, a tile, rounded or recompressed levels',
  across: EDGES,
  down: EDGES,
  bright: LIGHT,
  brighter: LIGHT,
  local: LIGHT,
}

/** A seed-locked comparison in words: no finding where it holds. `where` names what was compared. */
export function judgeSeedLocked(
  found: SeedLockedStatistics,
  limit: SeedLockedTolerance,
  where: string,
): readonly WeighedFinding[] {
  const region = found.offArea ? { region: found.offArea } : {}
  const findings: WeighedFinding[] = []
  if (found.rms > limit.rms) {
    findings.push(
      finding('suspect', 'render-differs', `${where} differs from the checker's own render at the ordered seed`, {
        value: found.rms,
        threshold: limit.rms,
        ...region,
      }),
    )
  }
  if (found.offShare > limit.offShare) {
    const percent = (found.offShare * 100).toFixed(1)
    findings.push(
      finding('suspect', 'pixels-differ', `${percent} % of the pixels of ${where} differ visibly from the checker's own render`, {
        value: found.offShare,
        threshold: limit.offShare,
        ...region,
      }),
    )
  }
  if (found.offBlock > limit.offBlock && found.offShare <= limit.offShare) {
    const percent = Math.round(found.offBlock * 100)
    const message = `up to ${percent} % of the pixels of a 16 px block of ${where} differ visibly: a mark, a hole or an object`
    findings.push(finding('suspect', 'area-differs', message, { value: found.offBlock, threshold: limit.offBlock, ...region }))
  }
  if (found.gain > limit.gain) {
    findings.push(
      finding('suspect', 'brightness-differs', `${where} has another brightness than the checker's own render`, {
        value: found.gain,
        threshold: limit.gain,
      }),
    )
  }
  return findings
}
