// Which cheats and defects are found in a scene, by each way of judging.
import { verdictOf } from '../../packages/checker/src/verdict/finding.ts'
import { cheatsOf, type CheatGroup } from './cheats.ts'
import { fileFindings, judge, placeOf, verdictFor, type Candidate, type Way } from './judge.ts'
import { planesOf } from './pixels.ts'
import type { UnseenScene } from './renders.ts'

/** One cheat, judged. */
export interface DetectionRow {
  readonly scene: number
  readonly kind: string
  readonly motionBlur: boolean
  readonly frame: number
  readonly group: CheatGroup
  readonly name: string
  /** Share of the pixels that differ visibly from the honest frame at the same seed; below {@link HARMLESS} the cheat did no harm and is not counted. 1 for files that hold no picture. */
  readonly changed: number
  readonly verdicts: Readonly<Partial<Record<Way, string>>>
  /** Code of the first finding, by way. */
  readonly codes: Readonly<Partial<Record<Way, string>>>
}

/** The frames that are spoilt; each has two honest ones on both sides. */
export const SPOILT = [3, 4]

/** Spoils frames of the scene in every way and judges each in every way that applies. */
export async function detection(scene: UnseenScene): Promise<readonly DetectionRow[]> {
  const { spec, facts, number } = scene
  const honest = await scene.deliver(
    'scene',
    spec,
    Array.from({ length: facts.frames }, (_, i) => i + 1),
  )
  const rows: DetectionRow[] = []
  for (const frame of SPOILT) {
    const cheats = await cheatsOf(scene, honest, frame)
    const candidates: Candidate[] = []
    for (const { bytes } of cheats)
      candidates.push({ frame, bytes, findings: await fileFindings(new Map([...honest, [frame, bytes]]), spec, frame) })
    const verdicts = cheats.map((): Partial<Record<Way, string>> => ({}))
    const codes = cheats.map((): Partial<Record<Way, string>> => ({}))
    for (const way of [facts.composited ? 'sidecar' : 'crop', 'replica', 'statistics', 'file-only'] as const) {
      // Statistics are about noise before the compositor smears it.
      if (way === 'statistics' && facts.composited) continue
      const results = await judge(scene, spec, way, candidates, (index) => placeOf(spec, 97 * number + 31 * frame + index))
      for (const [i, result] of results.entries()) {
        verdicts[i]![way] = verdictFor(result)
        const first = [...result.findings].sort((p, q) => WEIGHTS.indexOf(p.weight) - WEIGHTS.indexOf(q.weight))[0]
        if (first && verdictOf(result.findings) !== 'accept') codes[i]![way] = first.code
      }
    }
    for (const [i, { group, name, bytes }] of cheats.entries()) {
      const changed = group === 'file' ? 1 : changedShare(honest.get(frame)!, bytes)
      const facts = { scene: number, kind: scene.facts.kind, motionBlur: scene.facts.motionBlur }
      rows.push({ ...facts, frame, group, name, changed, verdicts: verdicts[i]!, codes: codes[i]! })
    }
  }
  return rows
}

const WEIGHTS: readonly string[] = ['refuse', 'suspect', 'doubt', 'note']

/** Cheats that change fewer of the pixels visibly do no harm, such as fewer bounces where light does not bounce. */
export const HARMLESS = 0.0005

/** Share of pixels with a channel off by more than one 8-bit step as displayed. */
export function changedShare(honest: Uint8Array, spoilt: Uint8Array): number {
  const [p, q] = [planesOf(honest), planesOf(spoilt)]
  if (p.data[0]!.length !== q.data[0]!.length) return 1
  const linear = honest[0] === 0x76
  const display = (v: number): number => (linear ? Math.max(0, Math.min(8, v)) ** (1 / 2.2) : v)
  let off = 0
  for (let i = 0; i < p.data[0]!.length; i++)
    // NaN is off as well.
    if (p.data.some((plane, c) => !(Math.abs(display(plane[i]!) - display(q.data[c]![i]!)) <= 1.01 / 255))) off++
  return off / p.data[0]!.length
}
