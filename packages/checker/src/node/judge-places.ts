import type { Region, RenderSpec } from '@pictor/core/contract'
import { judgeSeedLocked } from '../compare/judge.ts'
import { cut } from '../compare/picture.ts'
import { compareSeedLocked, seedLockedTolerance } from '../compare/seed-locked.ts'
import { cleared, finding, type WeighedFinding } from '../verdict/finding.ts'
import { inFrame, pictureOf, told, type Made } from './compared.ts'
import type { Compared } from './reference-check.ts'

/** What is compared besides the drawn crop: crops that the probe asks for, then the drawn strips. */
export const placesOf = ({ request, directed = [] }: Compared): readonly Region[] => [
  ...directed.map(({ region }) => region),
  ...(request.strips ?? []),
]

/**
 * Directed crops and strips at the ordered seed: an alarm asks for the full frame, as that of the drawn crop does. A place that cannot be rendered says nothing, except where it was to
 * settle what the probe found.
 */
export function judgePlaces(spec: RenderSpec, one: Compared, made: Made): Compared {
  const { request, result, directed = [] } = one
  const limit = seedLockedTolerance(spec.output.bitDepth)
  const alarms: WeighedFinding[] = []
  const notes: WeighedFinding[] = []
  const compared: Region[] = []
  let strips = 0
  let settled: WeighedFinding | undefined
  for (const [i, region] of placesOf(one).entries()) {
    const own = pictureOf(made[i]!, request)
    const { why, settles } = directed[i] ?? {}
    if (!own || own.width !== region.width || own.height !== region.height) {
      if (settles) alarms.push(settles)
      continue
    }
    compared.push(region)
    const found = compareSeedLocked(cut(request.picture, region), own, limit)
    const where = `the ${why ? 'crop' : 'strip'} at (${region.x}, ${region.y})`
    const judged = judgeSeedLocked(found, limit, where).map((alarm) => ({ ...alarm, region: inFrame(alarm.region, region) }))
    alarms.push(...judged)
    if (judged.length > 0) continue
    const facts = { value: found.rms, threshold: limit.rms, region }
    if (why) notes.push(finding('note', 'directed-crop-agrees', `${where}, ${why}, agrees with the checker's own render`, facts))
    else strips++
    if (settles) settled = settles
  }
  if (settled) notes.push(...cleared([settled], 'crops there at the ordered seed agree'))
  if (strips > 0)
    notes.push(finding('note', 'strips-agree', `${strips} strips across the frame agree with the checker's own render`))
  const places = [...(result.places ?? []), ...compared]
  return told(one, { places, findings: [...result.findings, ...alarms, ...notes] }, alarms.length > 0 ? 'full' : undefined)
}
