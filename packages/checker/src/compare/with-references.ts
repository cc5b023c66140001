import { cleared, COPIED_NOISE, finding, type WeighedFinding } from '../verdict/finding.ts'
import { judgeReferences, judgeSeedLocked, noiseRatioLimit, overDelivers } from './judge.ts'
import { cut, type Area, type Picture } from './picture.ts'
import { compareWithReferences } from './references.ts'
import { compareSeedLocked, SAME_SEED, seedLockedTolerance, withinTolerance } from './seed-locked.ts'
import { SHARED_NOISE, sharedNoise } from './shared-noise.ts'

/** Renders that somebody trusted made beforehand. */
export interface References {
  /** The whole frame at the ordered settings, independent seeds; two are used. */
  readonly renders: readonly Picture[]
  /** Regions at the ordered seed. */
  readonly crops: readonly { readonly picture: Picture; readonly area: Area }[]
}

/**
 * Judges a frame by given references. Crops at the ordered seed prove a frame or raise an alarm; an alarm with the noise of the ordered seed is a changed
 * picture, an alarm with other noise is another seed or device and left to the statistics against the two full renders. What the references show alike
 * clears the suspicions of the file checks.
 */
export function judgeByReferences(
  picture: Picture,
  bitDepth: number,
  references: References,
  before: readonly WeighedFinding[],
): readonly WeighedFinding[] {
  const findings: WeighedFinding[] = []
  const usable = references.renders.filter(
    (own) => own.width === picture.width && own.height === picture.height && own.colour.length === picture.colour.length,
  )
  const [a, b] = usable
  const statistics = a && b ? compareWithReferences(picture, a, b) : undefined
  if (statistics) findings.push(...judgeReferences(statistics, picture.colour.length))
  const limit = seedLockedTolerance(bitDepth)
  let agreeing = 0
  for (const { picture: own, area } of references.crops) {
    const found = compareSeedLocked(cut(picture, area), own, limit)
    if (withinTolerance(found, limit)) {
      agreeing++
      continue
    }
    const where = `the crop at (${area.x}, ${area.y})`
    const alarms = judgeSeedLocked(found, limit, where).map((alarm): WeighedFinding => ({ ...alarm, region: area }))
    const changed = statistics
      ? !overDelivers(statistics) && sharedNoise(cut(picture, area), own, cut(a!, area), cut(b!, area)) > SHARED_NOISE
      : found.noiseCorrelation > SAME_SEED
    findings.push(
      ...alarms.map((alarm) => ({
        ...alarm,
        weight: changed ? ('refuse' as const) : statistics ? ('note' as const) : ('suspect' as const),
      })),
    )
  }
  if (findings.some((found) => found.weight !== 'note')) return [...findings, ...before]
  if (statistics) {
    const message = "the frame's noise and levels are those of two independent renders"
    const otherNoise = findings.length > 0
    const copied = before.filter(({ code, weight }) => otherNoise && COPIED_NOISE.has(code) && weight !== 'note')
    return [
      ...copied,
      ...cleared(before.filter((found) => !copied.includes(found))),
      ...findings,
      finding('note', 'references-agree', message, { value: statistics.noiseRatio, threshold: noiseRatioLimit(statistics) }),
    ]
  }
  if (agreeing === 0) return before
  // Crops alone prove the settings, not what lies between them.
  return [...before, finding('note', 'crops-agree', `${agreeing} crops agree with renders at the ordered seed`)]
}
