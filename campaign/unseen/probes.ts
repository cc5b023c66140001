// Small renders of the whole beside honest and edited frames of several sizes: how near honest frames come to the limit, and which edits of an area pass it.
import { compareWithProbe, PROBE_LIMIT, PROBE_PCT } from '../../packages/checker/src/compare/probe.ts'
import { pictureOf } from '../../packages/checker/src/node/file-check.ts'
import { edits } from './cheats.ts'
import { fileOf, planesOf } from './pixels.ts'
import type { UnseenScene } from './renders.ts'

/** One picture beside its probe. */
export interface ProbeRow {
  readonly scene: number
  readonly kind: string
  readonly width: number
  /** The edit, or `honest`. */
  readonly name: string
  readonly off: number
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
])

/** Compares frames of the scene with probes. Composited scenes have none: their layers are compared instead. */
export async function probes(scene: UnseenScene): Promise<readonly ProbeRow[]> {
  const { facts, number } = scene
  if (facts.composited) return []
  const rows: ProbeRow[] = []
  for (const [width, count] of WIDTHS) {
    const { output } = scene.spec
    const spec = { ...scene.spec, output: { ...output, width, height: Math.round((output.height * width) / output.width) } }
    const frames = Array.from({ length: count }, (_, i) => (count === 1 ? 3 : i + 1))
    const delivered = await scene.deliver('scene', spec, frames)
    const renders = await scene.renderer(spec).render(
      frames.map((frame) => ({ frame, window: { resolutionPct: PROBE_PCT } })),
      { key: `probe ${number} ${width}` },
    )
    for (const [i, frame] of frames.entries()) {
      const probe = renders[i]!.bytes && (await pictureOf(renders[i]!.bytes!))
      if (!probe) throw new Error(`scene ${number} has no probe: ${renders[i]!.failure}`)
      const bytes = delivered.get(frame)!
      const note = async (name: string, file: Uint8Array): Promise<void> => {
        const { off } = compareWithProbe((await pictureOf(file))!, probe)
        rows.push({ scene: number, kind: facts.kind, width, name, off, found: off > PROBE_LIMIT })
      }
      await note('honest', bytes)
      if (frame !== 3) continue
      const format = output.format === 'PNG' ? 'png' : 'exr'
      for (const [name, planes] of edits(planesOf(bytes), format, frame))
        if (EDITED.has(name)) await note(name, fileOf(planes, bytes, format))
    }
  }
  return rows
}
