// Judges a scene's honest and spoilt frames as `pictor check MANIFEST` does, from a folder with a manifest and its reference renders: two of the whole frame at independent seeds,
// three crops at the ordered one.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPath } from '../../packages/checker/src/path/check-path.ts'
import { cheatsOf } from './cheats.ts'
import { changedShare, SPOILT, type DetectionRow } from './detection.ts'
import { placeOf } from './judge.ts'
import type { UnseenScene } from './renders.ts'

/** Honest and spoilt files of one scene, judged. */
export interface ManifestRows {
  readonly cheats: readonly DetectionRow[]
  readonly honest: readonly {
    readonly scene: number
    readonly kind: string
    readonly name: string
    readonly frame: number
    readonly verdict: string
    readonly codes: readonly string[]
  }[]
}

/** Writes the corpus of a scene below `folder` and checks it. */
export async function manifest(scene: UnseenScene, folder: string): Promise<ManifestRows> {
  const { spec, facts, number } = scene
  const format = spec.output.format === 'PNG' ? 'png' : 'exr'
  mkdirSync(folder, { recursive: true })
  const files: object[] = []
  const put = (file: string, bytes: Uint8Array, entry: object): void => {
    writeFileSync(join(folder, file), bytes)
    files.push({ file, sceneRef: 'scene', specRef: 'scene', ...entry })
  }
  const all = Array.from({ length: facts.frames }, (_, i) => i + 1)
  const honest = await scene.deliver('scene', spec, all)
  for (const [frame, bytes] of honest) put(`base_${frame}.${format}`, bytes, { frame, role: 'candidate' })
  const renderer = scene.renderer(spec)
  const changedOf = new Map<string, { frame: number; group: DetectionRow['group']; name: string; changed: number }>()
  for (const frame of SPOILT) {
    const crops = [0, 1, 2].map((index) => placeOf(spec, 97 * number + 31 * frame + 7 * index))
    const more = { samples: Math.round(1.5 * spec.samples), seed: spec.seed + 913 }
    const others = [
      ['seed71', { ...spec, seed: spec.seed + 71 }],
      ['seed72', { ...spec, seed: spec.seed + 7_200 }],
      ['spp150', { ...spec, ...more }],
    ] as const
    for (const [name, ordered] of others)
      put(`${name}_${frame}.${format}`, (await scene.deliver('scene', ordered, [frame])).get(frame)!, {
        frame,
        role: 'candidate',
      })
    const seeds = [1, 2].map((one) => spec.seed + 100_000 * one + frame)
    const own = await renderer.render(
      [...seeds.map((seed) => ({ frame, window: { seed } })), ...crops.map((region) => ({ frame, window: { region } }))],
      {
        key: `manifest ${number} ${frame}`,
      },
    )
    for (const [i, { bytes, failure }] of own.entries()) {
      if (!bytes) throw new Error(failure)
      const crop = crops[i - 2]
      put(
        `own${i}_${frame}.${format}`,
        bytes,
        crop
          ? { frame, role: 'crop', note: JSON.stringify({ x: crop.x, y: crop.y, w: crop.width, h: crop.height }) }
          : { frame, role: 'checker' },
      )
    }
    for (const [index, { group, name, bytes }] of (await cheatsOf(scene, honest, frame)).entries()) {
      const file = `cheat${index}_${frame}.${format}`
      changedOf.set(file, { frame, group, name, changed: group === 'file' ? 1 : changedShare(honest.get(frame)!, bytes) })
      put(file, bytes, { frame, role: 'candidate' })
    }
  }
  const { output } = spec
  const ordered = {
    width: output.width,
    height: output.height,
    format: format.toUpperCase(),
    multilayer: false,
    bitDepth: output.bitDepth,
    channels: output.colorMode,
    samples: spec.samples,
    adaptive: spec.adaptive,
    seed: spec.seed,
    passes: ['Combined'],
    legitBlackFrames: [],
    legitStatic: false,
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ version: 1, specs: { scene: ordered }, files }))
  const rows: ManifestRows = { cheats: [], honest: [] }
  const [cheats, fair] = [rows.cheats as DetectionRow[], rows.honest as ManifestRows['honest'][number][]]
  for await (const line of checkPath(join(folder, 'manifest.json'))) {
    const facts = { scene: number, kind: scene.facts.kind }
    const cheat = changedOf.get(line.file)
    const codes = line.findings.map(({ code }) => code)
    if (cheat)
      cheats.push({
        ...facts,
        motionBlur: scene.facts.motionBlur,
        ...cheat,
        verdicts: { manifest: line.verdict },
        codes: codes[0] ? { manifest: codes[0] } : {},
      } as DetectionRow)
    else fair.push({ ...facts, name: line.file, frame: line.frame, verdict: line.verdict, codes })
  }
  return rows
}
