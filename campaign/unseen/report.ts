// The figures of campaign/check-unseen.ts in words.
import { lowerBound } from '../../bench/check.ts'
import { PROBE_LIMIT } from '../../packages/checker/src/compare/probe.ts'
import { HARMLESS, type DetectionRow } from './detection.ts'
import type { HonestRow } from './honest.ts'
import type { Way } from './judge.ts'
import type { ManifestRow } from './manifest.ts'
import type { ProbeRow } from './probes.ts'

const WAYS: readonly Way[] = ['crop', 'sidecar', 'replica', 'statistics', 'file-only', 'manifest']
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** Found (refused or unsure) and refused of those cheats that changed something, by way, group and name. Bounds are the lower ends of exact two-sided 95 % intervals (Clopper and Pearson), as if cheats were independent. */
export function reportDetection(all: readonly DetectionRow[]): void {
  if (all.length === 0) return
  const rows = all.filter(({ changed }) => changed >= HARMLESS)
  const scenes = new Set(all.map(({ scene }) => scene)).size
  console.log(
    `\n${rows.length} cheats and defects in ${scenes} scenes; ${all.length - rows.length} more changed no picture visibly`,
  )
  for (const way of WAYS) {
    const judged = rows.filter(({ verdicts }) => verdicts[way] !== undefined)
    if (judged.length === 0) continue
    console.log(`${way}: ${line(judged, way)}`)
    for (const group of ['settings', 'scene', 'sequence', 'edit', 'file'])
      console.log(
        `  ${group.padEnd(9)} ${line(
          judged.filter((row) => row.group === group),
          way,
        )}`,
      )
    const blurred = judged.filter(({ motionBlur }) => motionBlur)
    if (way === 'statistics' && blurred.length > 0)
      console.log(`  with motion blur, whose bias is allowed for: ${line(blurred, way)}`)
    const missed = judged.filter(({ verdicts }) => verdicts[way] === 'accept')
    const names = [...new Set(missed.map(({ name }) => name))].map((name) => {
      const total = judged.filter((row) => row.name === name).length
      const where = missed.filter((row) => row.name === name)
      return `${name} ${where.length} of ${total} (${[...new Set(where.map((row) => `${row.kind} ${row.scene}`))].join(', ')})`
    })
    if (way !== 'file-only' && names.length > 0) console.log(`  missed: ${names.join('; ')}`)
    else if (names.length > 0) console.log(`  missed most: ${names.map((name) => name.replace(/ \(.*/, '')).join('; ')}`)
  }
}

/** What `pictor check MANIFEST` makes of spoilt files and of honest ones. Returns whether none of the latter was refused. */
export function reportManifest(all: readonly ManifestRow[]): boolean {
  if (all.length === 0) return true
  reportDetection(all.filter(({ honest }) => !honest))
  const fair = all.filter(({ honest }) => honest)
  const odd = fair.filter(({ verdicts }) => verdicts.manifest !== 'accept')
  const refused = odd.filter(({ verdicts }) => verdicts.manifest === 'refuse')
  console.log(`manifest, honest files: ${refused.length} of ${fair.length} refused, ${odd.length - refused.length} unsure`)
  for (const { kind, scene, frame, name, verdicts, codes } of odd)
    console.log(`  scene ${scene} ${kind} frame ${frame}, ${name}: ${verdicts.manifest} (${codes.manifest})`)
  return refused.length === 0
}

function line(rows: readonly DetectionRow[], way: Way): string {
  const found = rows.filter(({ verdicts }) => verdicts[way] !== 'accept').length
  const refused = rows.filter(({ verdicts }) => verdicts[way] === 'refuse').length
  if (rows.length === 0) return 'none'
  const bound = percent(lowerBound(found, rows.length))
  return `found ${found} of ${rows.length} (${percent(found / rows.length)}, at least ${bound}), of which ${refused} refused`
}

/** Alarms, refusals and doubts on honest frames. Returns whether none was refused. */
export function reportHonest(rows: readonly HonestRow[]): boolean {
  if (rows.length === 0) return true
  const sum = (pick: (row: HonestRow) => number, of: readonly HonestRow[] = rows): number =>
    of.reduce((total, row) => total + pick(row), 0)
  const scenes = new Set(rows.map(({ scene }) => scene)).size
  const [crops, alarms, refused] = [sum((row) => row.crops), sum((row) => row.alarms), sum((row) => row.refused)]
  const file = rows.filter((row) => row.file !== 'accept')
  console.log(
    `\n${rows.length} honest renders of ${scenes} scenes (${rows.filter((row) => row.adaptive).length} adaptive, ${rows.filter((row) => row.motionBlur).length} with motion blur, ${rows.filter((row) => row.composited).length} composited)`,
  )
  console.log(
    `crops at the job's seed with their strips and directed crops: ${alarms} alarms in ${crops} and ${sum((row) => row.places)} places, ${sum((row) => row.probeAlarms)} of their probes, ${sum((row) => row.probeWholes)} of which rendered whole; confirmed: ${refused} refused, ${sum((row) => row.unsure)} unsure`,
  )
  console.log(
    `statistics at other seeds: ${sum((row) => row.statisticAlarms)} alarms in ${sum((row) => row.statisticCrops)} crops, ${rows.filter((row) => row.wholeAlarm).length} in ${rows.length} whole frames`,
  )
  console.log(
    `file and sequence alone: ${file.filter((row) => row.file === 'refuse').length} refused, ${file.length} not accepted`,
  )
  const nearest = [...rows].sort((p, q) => q.nearest - p.nearest).slice(0, 3)
  console.log(
    `nearest to the tolerance (RMS as a share of its limit): crops ${nearest.map((row) => `${row.nearest.toFixed(2)} ${row.kind}`).join(', ')}; whole frames ${Math.max(...rows.map((row) => row.nearestWhole)).toFixed(2)}`,
  )
  for (const row of rows)
    if (row.alarms + row.probeAlarms + row.refused + row.unsure + row.statisticAlarms > 0 || row.wholeAlarm)
      console.log(
        `  scene ${row.scene} ${row.kind} frame ${row.frame} seed +${row.seed}: ${JSON.stringify({ alarms: row.alarms, probe: row.probeAlarms, refused: row.refused, unsure: row.unsure, statistics: row.statisticAlarms, whole: row.wholeAlarm })} ${row.codes.join(' ')}`,
      )
  return refused === 0
}

/** How near honest frames come to the probe's limit by size, what that costs, and the edits that are found. */
export function reportProbes(rows: readonly ProbeRow[]): void {
  for (const width of new Set(rows.map((row) => row.width))) {
    const sized = rows.filter((row) => row.width === width)
    const honest = sized.filter(({ name }) => name === 'honest')
    const nearest = [...honest].sort((p, q) => q.off - p.off).slice(0, 3)
    const off = honest.filter((row) => row.off > PROBE_LIMIT)
    const names = [...new Set(sized.map(({ name }) => name))].filter((name) => name !== 'honest')
    const found = names.map((name) => {
      const all = sized.filter((row) => row.name === name)
      return `${name} ${all.filter((row) => row.found).length}/${all.length}`
    })
    console.log(
      `drawn frames ${width} px wide: ${off.length} of ${honest.length} honest frames pass the limit of the small render, ${honest.filter((row) => row.whole).length} are rendered whole, ${honest.filter((row) => row.found).length} not accepted (nearest ${nearest.map((row) => `${row.off.toFixed(2)} ${row.kind}`).join(', ')}); found: ${found.join(', ')}`,
    )
  }
}
