// Judges a scene's frames as `pictor check MANIFEST` does, from a folder with a manifest and reference renders: two of the whole frame at other seeds, three crops at the ordered one.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPath } from '../../packages/checker/src/path/check-path.ts'
import { cheatsOf } from './cheats.ts'
import { changedShare, SPOILT, type DetectionRow } from './detection.ts'
import { placeOf } from './judge.ts'
import type { UnseenScene } from './renders.ts'

/** One file of the folder, judged; honest ones have changed nothing. */
export interface ManifestRow extends DetectionRow {
  readonly honest: boolean
}

/** What the manifest says of a file, and what it is. */
type Entry = Pick<ManifestRow, 'frame' | 'group' | 'name' | 'changed' | 'honest'>

/** Writes the scene's files and manifest to `folder` and checks them; nothing for composited scenes, of which a crop shows something else. */
export async function manifest(scene: UnseenScene, folder: string): Promise<readonly ManifestRow[]> {
  const { spec, facts, number } = scene
  if (facts.composited) return []
  mkdirSync(folder, { recursive: true })
  const { output } = spec
  const format = output.format === 'PNG' ? 'png' : 'exr'
  const files: object[] = []
  const candidates = new Map<string, Entry>()
  const write = (bytes: Uint8Array, entry: object): string => {
    const file = `${files.length}.${format}`
    writeFileSync(join(folder, file), bytes)
    files.push({ file, sceneRef: 'scene', specRef: 'scene', ...entry })
    return file
  }
  const fair = (frame: number, name: string, bytes: Uint8Array): void => {
    const file = write(bytes, { frame, role: 'candidate' })
    candidates.set(file, { frame, group: 'file', name, changed: 0, honest: true })
  }
  const all = Array.from({ length: facts.frames }, (_, i) => i + 1)
  const honest = await scene.deliver('scene', spec, all)
  for (const [frame, bytes] of honest) fair(frame, 'as ordered', bytes)
  for (const frame of SPOILT) {
    for (const [name, changed] of HONEST)
      fair(frame, name, (await scene.deliver('scene', { ...spec, ...changed(spec) }, [frame])).get(frame)!)
    for (const { bytes, entry } of await references(scene, frame)) write(bytes, { frame, ...entry })
    for (const { group, name, bytes } of await cheatsOf(scene, honest, frame)) {
      const changed = group === 'file' ? 1 : changedShare(honest.get(frame)!, bytes)
      candidates.set(write(bytes, { frame, role: 'candidate' }), { frame, group, name, changed, honest: false })
    }
  }
  const { width, height, bitDepth, colorMode } = output
  const { samples, adaptive, seed } = spec
  const ordered = {
    width,
    height,
    format: format.toUpperCase(),
    multilayer: false,
    bitDepth,
    channels: colorMode,
    samples,
    adaptive,
    seed,
  }
  const path = join(folder, 'manifest.json')
  writeFileSync(path, JSON.stringify({ version: 1, specs: { scene: ordered }, files }))
  const rows: ManifestRow[] = []
  for await (const { file, verdict, findings } of checkPath(path)) {
    const codes = findings[0] && verdict !== 'accept' ? { manifest: findings[0].code } : {}
    const about = { scene: number, kind: facts.kind, motionBlur: facts.motionBlur }
    rows.push({ ...about, ...candidates.get(file)!, verdicts: { manifest: verdict }, codes })
  }
  return rows
}

type Spec = UnseenScene['spec']

/** What a farm may do and still be honest, besides what was ordered. */
const HONEST: readonly (readonly [string, (spec: Spec) => Partial<Spec>])[] = [
  ['another seed', ({ seed }) => ({ seed: seed + 71 })],
  ['one more seed', ({ seed }) => ({ seed: seed + 7_200 })],
  ['half as many samples again, another seed', ({ seed, samples }) => ({ seed: seed + 913, samples: Math.round(1.5 * samples) })],
]

/** The renders that a manifest brings for one frame. */
async function references(scene: UnseenScene, frame: number): Promise<readonly { bytes: Uint8Array; entry: object }[]> {
  const { spec, number } = scene
  const seeds = [1, 2].map((one) => spec.seed + 100_000 * one + frame)
  const crops = [0, 1, 2].map((index) => placeOf(spec, 97 * number + 31 * frame + 7 * index))
  const windows = [...seeds.map((seed) => ({ seed })), ...crops.map((region) => ({ region }))]
  const renders = windows.map((window) => ({ frame, window }))
  const made = await scene.renderer(spec).render(renders, { key: `manifest ${number} ${frame}` })
  return made.map(({ bytes, failure }, i) => {
    if (!bytes) throw new Error(failure)
    const crop = crops[i - seeds.length]
    if (!crop) return { bytes, entry: { role: 'checker' } }
    return { bytes, entry: { role: 'crop', note: { x: crop.x, y: crop.y, w: crop.width, h: crop.height } } }
  })
}
