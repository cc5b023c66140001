import type { Finding, Verdict } from '@pictor/core/contract'

/**
 * What a finding means for the verdict.
 * - `refuse`: proof by itself, such as a broken file; no render can answer it.
 * - `suspect`: refused, unless a reference render shows that it is meant (a black frame, a repeated one).
 * - `doubt`: unsure, until a reference or a person looked.
 * - `note`: worth telling, no more.
 */
export type Weight = 'refuse' | 'suspect' | 'doubt' | 'note'

const ORDER: readonly Weight[] = ['refuse', 'suspect', 'doubt', 'note']

/** A finding with its weight; the weight stays inside the checker. */
export interface WeighedFinding extends Finding {
  readonly weight: Weight
}

/** Makes a finding. Values are rounded to six significant digits, so that reports of two machines agree in print. */
export function finding(
  weight: Weight,
  code: string,
  message: string,
  facts: Pick<Finding, 'value' | 'threshold' | 'region'> = {},
): WeighedFinding {
  const { value, threshold, region } = facts
  return {
    weight,
    code,
    message,
    ...(value === undefined || Number.isNaN(value) ? {} : { value: round(value) }),
    ...(threshold === undefined ? {} : { threshold: round(threshold) }),
    ...(region ? { region } : {}),
  }
}

const round = (value: number): number => (Number.isFinite(value) ? Number(value.toPrecision(6)) : value)

/** `refuse` when a finding proves a fault, `unsure` when one needs somebody's eyes, else `accept`. */
export function verdictOf(findings: readonly WeighedFinding[]): Verdict {
  if (findings.some((found) => found.weight === 'refuse' || found.weight === 'suspect')) return 'refuse'
  return findings.some((found) => found.weight === 'doubt') ? 'unsure' : 'accept'
}

/** The finding as it is published, proofs first. */
export function published(findings: readonly WeighedFinding[]): readonly Finding[] {
  return [...findings]
    .sort((a, b) => ORDER.indexOf(a.weight) - ORDER.indexOf(b.weight))
    .map(({ weight: _weight, ...rest }) => rest)
}

/** What remains once a reference explains the findings: suspicions and doubts become notes that end in `why`, proofs stand. */
export function cleared(findings: readonly WeighedFinding[], why = "the checker's own render shows the same"): WeighedFinding[] {
  return findings.map((found) =>
    found.weight === 'suspect' || found.weight === 'doubt'
      ? { ...found, weight: 'note', message: `${found.message}; ${why}` }
      : found,
  )
}

/** Codes of findings of a noise that another frame has too: no other seed or device explains that. Where a frame has the noise of its own render they are cleared. */
export const COPIED_NOISE: ReadonlySet<string> = new Set(['duplicate-frame', 'stale-area'])

/** Whether only a reference render could settle the frame. */
export function needsReference(findings: readonly WeighedFinding[]): boolean {
  return (
    !findings.some((found) => found.weight === 'refuse') &&
    findings.some((found) => found.weight === 'suspect' || found.weight === 'doubt')
  )
}

/** Score 0..1000 of a vote: 1000 without doubts, 0 for a refusal; the closer a statistic came to its threshold, the lower. */
export function scoreOf(findings: readonly WeighedFinding[]): number {
  const verdict = verdictOf(findings)
  if (verdict === 'refuse') return 0
  if (verdict === 'unsure') return 400
  const margins = findings
    .filter((found) => found.value !== undefined && found.threshold !== undefined && found.threshold > 0)
    .map((found) => Math.min(1, Math.max(0, found.value! / found.threshold!)))
  return 1000 - Math.round(300 * Math.max(0, ...margins))
}
