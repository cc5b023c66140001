// pnpm campaign check-unseen FOLDER FIRST LAST [detection|honest|probes|manifest|render]: scenes FIRST to LAST of unseen/scenes.py, which no limit was fitted to, rendered by a real farm. Detection of
// planted cheats and defects for each check class; alarms on honest crops and refusals of honest frames; probes at several sizes; what `pictor check MANIFEST` finds. FOLDER keeps renders and results, so that parts
// can be run one by one. `render` makes the renders of detection and keeps no verdict, so that the checker can be worked on meanwhile and still judge blind. Fails when an honest frame is refused.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Campaign } from '../scripts/campaign.ts'
import { detection, type DetectionRow } from './unseen/detection.ts'
import { honest, type HonestRow } from './unseen/honest.ts'
import { manifest, type ManifestRow } from './unseen/manifest.ts'
import { probes, type ProbeRow } from './unseen/probes.ts'
import { reportDetection, reportHonest, reportManifest, reportProbes } from './unseen/report.ts'
import { openScene, type UnseenScene } from './unseen/renders.ts'

export const campaign: Campaign = async ([folder, first, last, part]) => {
  if (
    !folder ||
    !first ||
    !last ||
    !(Number(first) <= Number(last)) ||
    (part && !['detection', 'honest', 'probes', 'manifest', 'render'].includes(part))
  ) {
    console.error('usage: pnpm campaign check-unseen FOLDER FIRST LAST [detection|honest|probes|manifest|render]')
    return false
  }
  const results = join(folder, 'results')
  mkdirSync(results, { recursive: true })
  for (let number = Number(first); number <= Number(last); number++) {
    if (part === 'render') {
      const scene = await openScene(folder, number)
      await detection(scene).finally(() => scene.close())
      console.log(`scene ${number} (${scene.facts.kind}) is rendered`)
      continue
    }
    for (const [name, make] of [
      ['detection', detection],
      ['honest', honest],
      ['probes', probes],
      ['manifest', (scene: UnseenScene) => manifest(scene, join(folder, String(scene.number), 'manifest'))],
    ] as const) {
      const at = join(results, `${name}-${number}.json`)
      if ((part && part !== name) || existsSync(at)) continue
      const startedAt = performance.now()
      const scene = await openScene(folder, number)
      try {
        writeFileSync(at, JSON.stringify(await make(scene)))
      } finally {
        await scene.close()
      }
      console.log(`scene ${number} (${scene.facts.kind}): ${name} in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
    }
  }
  const rows = <T>(name: string): T[] =>
    readdirSync(results)
      .filter((file) => file.startsWith(`${name}-`))
      .filter((file) => {
        const number = Number(/\d+/.exec(file)![0])
        return number >= Number(first) && number <= Number(last)
      })
      .flatMap((file) => JSON.parse(readFileSync(join(results, file), 'utf8')) as T[])
  reportDetection(rows<DetectionRow>('detection'))
  reportProbes(rows<ProbeRow>('probes'))
  const honestPass = reportHonest(rows<HonestRow>('honest'))
  return reportManifest(rows<ManifestRow>('manifest')) && honestPass
}
