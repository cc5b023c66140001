// pnpm campaign check-sequences [SCENES] [FIRST]: synthetic scenes that no limit was fitted to, as 8-bit PNG and half EXR files, checked without references: honest sequences of many kinds, of which no frame
// may be refused, and one spoilt frame among honest ones. Default: 12 scenes from number 1000 on.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Campaign } from '../scripts/campaign.ts'
import {
  DEFECTS,
  drawScene,
  encodeShot,
  HONEST,
  type SceneRecipe,
  type Sequence,
} from '../packages/checker/calibration/sequences.ts'
import { checkPath, type CheckLine } from '../packages/checker/src/index.ts'

const FRAMES = 10
/** The frame that is spoilt. */
const SPOILT = 5

async function checkSequence(
  folder: string,
  scene: SceneRecipe,
  format: 'png' | 'exr',
  frameOf: Sequence,
  dithers: boolean,
): Promise<CheckLine[]> {
  const shot = join(folder, 'shot')
  mkdirSync(shot, { recursive: true })
  for (let frame = 1; frame <= FRAMES; frame++) {
    const name = `f_${String(frame).padStart(4, '0')}.${format}`
    writeFileSync(join(shot, name), encodeShot(frameOf(scene, frame), format, dithers ? scene.seed : 0))
  }
  const lines: CheckLine[] = []
  for await (const line of checkPath(shot, { threads: 1 })) lines.push(line)
  rmSync(shot, { recursive: true })
  return lines
}

/** Counts of one kind. */
interface Tally {
  frames: number
  refuse: number
  unsure: number
  codes: Map<string, number>
}

function count(tally: Map<string, Tally>, name: string, lines: readonly CheckLine[]): void {
  const one = tally.get(name) ?? { frames: 0, refuse: 0, unsure: 0, codes: new Map<string, number>() }
  tally.set(name, one)
  for (const { verdict, findings } of lines) {
    one.frames++
    if (verdict === 'accept') continue
    one[verdict]++
    const code = `${verdict === 'refuse' ? '!' : ''}${findings[0]!.code}`
    one.codes.set(code, (one.codes.get(code) ?? 0) + 1)
  }
}

function print(title: string, tally: ReadonlyMap<string, Tally>): { frames: number; refuse: number; unsure: number } {
  const total = { frames: 0, refuse: 0, unsure: 0 }
  console.log(`${title.padEnd(44)} frames refused unsure`)
  for (const [name, { frames, refuse, unsure, codes }] of tally) {
    total.frames += frames
    total.refuse += refuse
    total.unsure += unsure
    const why = [...codes].map(([code, n]) => `${code} ${n}`).join(', ')
    console.log(
      `${name.padEnd(44)} ${String(frames).padStart(6)} ${String(refuse).padStart(7)} ${String(unsure).padStart(6)}  ${why}`,
    )
  }
  console.log(
    `${'TOTAL'.padEnd(44)} ${String(total.frames).padStart(6)} ${String(total.refuse).padStart(7)} ${String(total.unsure).padStart(6)}`,
  )
  return total
}

export const campaign: Campaign = async (args) => {
  const scenes = Number(args[0] ?? 12)
  const first = Number(args[1] ?? 1000)
  const folder = mkdtempSync(join(tmpdir(), 'check-sequences-'))
  const honest = new Map<string, Tally>()
  const spoilt = new Map<string, Tally>()
  const around = new Map<string, Tally>()
  for (let seed = first; seed < first + scenes; seed++) {
    const format = seed % 2 === 0 ? 'png' : 'exr'
    const scene = drawScene(seed)
    for (const [name, sequence] of Object.entries(HONEST))
      count(honest, name, await checkSequence(folder, scene, format, sequence, name !== 'pixel art'))
    for (const [name, spoil] of Object.entries(DEFECTS)) {
      const plain = HONEST['plain animation']!
      const lines = await checkSequence(
        folder,
        scene,
        format,
        (from, frame) => (frame === SPOILT ? spoil : plain)(from, frame),
        true,
      )
      count(
        spoilt,
        name,
        lines.filter(({ frame }) => frame === SPOILT),
      )
      count(
        around,
        'frames beside a spoilt one',
        lines.filter(({ frame }) => frame !== SPOILT),
      )
    }
  }
  rmSync(folder, { recursive: true })
  const good = print('honest', honest)
  const beside = print('honest', around)
  const bad = print('one spoilt frame', spoilt)
  console.log(
    `found ${bad.refuse + bad.unsure} of ${bad.frames} (${((100 * (bad.refuse + bad.unsure)) / bad.frames).toFixed(1)} %), refused ${bad.refuse}; honest refused ${good.refuse + beside.refuse} of ${good.frames + beside.frames}`,
  )
  return good.refuse + beside.refuse === 0
}
