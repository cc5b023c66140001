// Drawn frames of several sizes, honest and edited, judged with their small renders, strips and directed crops: which edits of an area are found, and how often the small render of an honest
// frame asks for the whole.
import { cropSizeOf } from '../../packages/checker/src/sampling/crop-size.ts'
import { edits } from './cheats.ts'
import { judge, placeOf, verdictFor, type Candidate } from './judge.ts'
import { fileOf, planesOf } from './pixels.ts'
import type { UnseenScene } from './renders.ts'

/** One picture, judged. */
export interface ProbeRow {
  readonly scene: number
  readonly kind: string
  readonly width: number
  /** The edit, or `honest`. */
  readonly name: string
  /** The small render's statistic, its limit being 1; 0 where the drawn crop told already. */
  readonly off: number
  /** Whether the whole frame was rendered. */
  readonly whole: boolean
  readonly found: boolean
}

/** Widths besides the scene's own, and how many frames of each are looked at. */
const WIDTHS: readonly (readonly [number, number])[] = [
  [256, 6],
  [480, 1],
  [640, 1],
]
const EDITED: ReadonlySet<string> = new Set([
  'watermark',
  'black tile',
  'small black hole',
  'area copied over another',
  'tile of 4 % more gain',
  'tile shifted by a pixel',
])

/** Judges frames of the scene as drawn ones of the class `crop`. Composited scenes are left out: their layers are compared instead. */
export async function probes(scene: UnseenScene): Promise<readonly ProbeRow[]> {
  const { facts, number } = scene
  if (facts.composited) return []
  const rows: ProbeRow[] = []
  for (const [width, count] of WIDTHS) {
    const { output } = scene.spec
    const spec = { ...scene.spec, output: { ...output, width, height: Math.round((output.height * width) / output.width) } }
    const frames = Array.from({ length: count }, (_, i) => (count === 1 ? 3 : i + 1))
    const delivered = await scene.deliver('scene', spec, frames)
    const names: string[] = []
    const candidates: Candidate[] = []
    const add = (frame: number, name: string, bytes: Uint8Array): void => {
      names.push(name)
      candidates.push({ frame, bytes, findings: [] })
    }
    for (const frame of frames) {
      const bytes = delivered.get(frame)!
      add(frame, 'honest', bytes)
      if (frame !== 3) continue
      const format = output.format === 'PNG' ? 'png' : 'exr'
      for (const [name, planes] of edits(planesOf(bytes), format, frame))
        if (EDITED.has(name)) add(frame, name, fileOf(planes, bytes, format))
    }
    const results = await judge(scene, spec, 'crop', candidates, (index) =>
      placeOf(spec, 331 * number + 17 * width + index, cropSizeOf(spec.output)),
    )
    for (const [i, result] of results.entries()) {
      const off = result.findings.find(({ code }) => code.startsWith('probe-'))?.value ?? 0
      const found = verdictFor(result) !== 'accept'
      rows.push({ scene: number, kind: facts.kind, width, name: names[i]!, off, whole: result.whole === true, found })
    }
  }
  return rows
}
