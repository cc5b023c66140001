import { finding, type WeighedFinding } from '../verdict/finding.ts'
import type { ReferenceStatistics } from './references.ts'
import type { SeedLockedStatistics, SeedLockedTolerance } from './seed-locked.ts'

/** Limits of {@link ReferenceStatistics} for an honest frame. */
export interface ReferenceLimits {
  readonly noiseRatio: number
  readonly bias: number
  readonly biasMax: number
  readonly correlation: number
}

/**
 * Limits for a comparison over `blocks` blocks. Full frames of the study (390 blocks) start from .10, .35, 5.5 and .03; every statistic is a mean over blocks
 * or their maximum, so the limits widen with 1/sqrt(blocks) for the means, which is what a crop needs.
 */
export function referenceLimits(blocks: number): ReferenceLimits {
  const widen = Math.max(1, Math.sqrt(390 / blocks))
  return { noiseRatio: 0.1 * widen, bias: 0.35 * widen, biasMax: 5.5, correlation: 0.03 * widen }
}

/** Statistics against two references, in words. Over-delivery (less noise than ordered) passes. */
export function judgeReferences(found: ReferenceStatistics, limits: ReferenceLimits): readonly WeighedFinding[] {
  const findings: WeighedFinding[] = []
  const { noiseRatio, bias, biasMax, correlation } = found
  if (noiseRatio > limits.noiseRatio) {
    const share = Math.round(100 / (2 * Math.exp(noiseRatio) - 1))
    const message =
      noiseRatio < 1.6
        ? `the frame is noisier than ordered, as with about ${share} % of the samples`
        : 'the frame differs from two renders by much more than they differ from each other'
    findings.push(finding('refuse', 'noise-ratio', message, { value: noiseRatio, threshold: limits.noiseRatio }))
  }
  if (bias > limits.bias) {
    const message =
      'brightness, colour or content differ over the whole picture: exposure, colour space, materials, lights or the wrong scene'
    findings.push(finding('refuse', 'bias', message, { value: bias, threshold: limits.bias }))
  }
  if (biasMax > limits.biasMax) {
    const message = 'a part of the picture differs from two renders: a tile, an object, a watermark'
    findings.push(finding('refuse', 'local-bias', message, { value: biasMax, threshold: limits.biasMax, region: found.biasArea }))
  }
  if (correlation > limits.correlation) {
    const message = 'the noise is smeared: the frame was denoised, blurred, upscaled or recompressed without an order'
    findings.push(finding('refuse', 'noise-correlation', message, { value: correlation, threshold: limits.correlation }))
  }
  return findings
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
