// pnpm campaign check FOLDER [FILE.blend...]: false alarms and detection on independent renders of scenes that no threshold was fitted to one by one.
// Renders what FOLDER lacks (Blender, about 40 minutes of CPU for 8 scenes), then judges every picture in many roles. Fails when an honest full frame is refused.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { decodeImage } from '@pictor/image'
import type { Campaign } from '../scripts/campaign.ts'
import {
  biasLimits,
  compareSeedLocked,
  compareWithReferences,
  correlationLimit,
  cut,
  judgeReferences,
  noiseRatioLimit,
  seedLockedTolerance,
  toPicture,
  withinTolerance,
  type Picture,
  type ReferenceStatistics,
} from '../packages/checker/src/index.ts'
import { addEvidence, EVIDENCE_LIMIT } from '../packages/checker/src/sampling/evidence.ts'
import { sequenceCheck, type MeasuredFrame, type SequenceItem } from '../packages/checker/src/sequence/check.ts'
import { measurePicture } from '../packages/checker/src/sequence/features.ts'

const BUILT = ['lamps', 'field', 'motion', 'glassy', 'volume', 'bokeh', 'sss', 'interior']
const SCRIPT = new URL('../packages/checker/calibration/scenes.py', import.meta.url).pathname
/** The roles a, b and x rotate, so that every honest render is judged against others. */
const ROTATIONS = [
  [0, 1, 2],
  [1, 0, 2],
  [2, 0, 1],
] as const

/** Renders what `folder` lacks of the calibration scenes and of `files`, on a device as Cycles names it; all cores are used. */
export async function renderCalibration(folder: string, files: readonly string[], device = 'CPU'): Promise<void> {
  const scenes = [
    ...BUILT.map((name) => ({ name, file: undefined })),
    ...files.map((file) => ({ name: basename(file, '.blend'), file })),
  ]
  const missing = scenes.filter(({ name }) => {
    const path = join(folder, name)
    return !existsSync(path) || readdirSync(path).filter((one) => /^honest.*\.exr$/.test(one)).length < 30
  })
  const threads = String(Math.max(1, Math.floor(availableParallelism() / Math.max(1, missing.length))))
  const render = async (): Promise<void> => {
    for (let next = missing.shift(); next; next = missing.shift()) {
      const { name, file } = next
      console.log(`rendering ${name} on ${device}`)
      mkdirSync(join(folder, name), { recursive: true })
      const script = ['-P', SCRIPT, '--', name, join(folder, name), device]
      const argv = ['-b', '--factory-startup', '-Y', '-t', threads, ...(file ? [file] : []), ...script]
      await once(spawn('blender', argv, { stdio: 'ignore' }), 'close')
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, render))
}

/** Pictures of one scene in one format, decoded once. */
export function library(folder: string, ending: string): { names: string[]; get(name: string): Picture } {
  const pictures = new Map<string, Picture>()
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length - 1))
  return {
    names,
    get(name) {
      const known = pictures.get(name) ?? toPicture(decodeImage(readFileSync(join(folder, `${name}.${ending}`))))!
      pictures.set(name, known)
      return known
    },
  }
}

/** The statistic nearest to its limit, as a share of the limit. */
function nearest(found: ReferenceStatistics): number {
  const shares = found.scales.flatMap((scale) => {
    const limits = biasLimits(scale.blocks, 3)
    return [Math.exp(scale.bias) / Math.exp(limits.bias), scale.biasMax / limits.biasMax]
  })
  return Math.max(...shares, found.noiseRatio / noiseRatioLimit(found), found.correlation / correlationLimit(found))
}

/** A generator of crop corners; any will do, so that a run can be repeated. */
export function corners(): (below: number) => number {
  let state = 1
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function honestAndDefects(folder: string, scenes: readonly string[]): number {
  let refused = 0
  for (const ending of ['exr', 'png']) {
    for (const [width, height] of [
      [256, 144],
      [128, 96],
      [64, 48],
    ] as const) {
      const whole = width === 256
      const random = corners()
      let comparisons = 0
      const alarms = new Map<string, number>()
      const found = new Map<string, [number, number]>()
      const margins: string[] = []
      for (const scene of scenes) {
        const { names, get } = library(join(folder, scene), ending)
        const compare = (x: string, a: string, b: string): ReferenceStatistics => {
          const area = { x: random(257 - width), y: random(145 - height), width, height }
          return compareWithReferences(cut(get(x), area), cut(get(a), area), cut(get(b), area))
        }
        let margin = 0
        for (const frame of [1, 2, 3]) {
          for (let seed = 1; seed <= 8; seed++) {
            for (const roles of ROTATIONS) {
              for (let repeat = 0; repeat < (whole ? 1 : 3); repeat++) {
                const [x, a, b] = roles.map((role) => `honest_f${frame}_s${seed + role}`) as [string, string, string]
                const statistics = compare(x, a, b)
                margin = Math.max(margin, nearest(statistics))
                comparisons++
                for (const { code } of judgeReferences(statistics))
                  alarms.set(`${scene} ${code}`, (alarms.get(`${scene} ${code}`) ?? 0) + 1)
              }
            }
          }
        }
        margins.push(`${scene} ${margin.toFixed(2)}`)
        for (const name of names.filter((one) => !/^(honest|crop)/.test(one))) {
          const kind = name.split('_')[0]!
          for (let seed = 1; seed <= 9; seed++) {
            const tally = found.get(kind) ?? [0, 0]
            tally[1]++
            if (judgeReferences(compare(name, `honest_f2_s${seed}`, `honest_f2_s${seed + 1}`)).length > 0) tally[0]++
            found.set(kind, tally)
          }
        }
      }
      const total = [...alarms.values()].reduce((sum, count) => sum + count, 0)
      if (whole) refused += total
      console.log(
        `${ending} ${width} x ${height}: ${total} alarms in ${comparisons} honest comparisons ${[...alarms].map(([what, count]) => `${what} ${count}`).join(', ')}`,
      )
      console.log(`  found: ${[...found].map(([kind, [hits, all]]) => `${kind} ${hits}/${all}`).join(', ')}`)
      console.log(`  nearest to a limit by scene, 1 = alarm: ${margins.join(', ')}`)
    }
  }
  return refused
}

function seedLocked(folder: string, scenes: readonly string[]): void {
  for (const ending of ['png', 'exr']) {
    const limit = seedLockedTolerance(ending === 'png' ? 8 : 16)
    let honest = 0
    let other = 0
    let count = 0
    let worst = 0
    for (const scene of scenes) {
      const { names, get } = library(join(folder, scene), ending)
      for (const name of names) {
        const match = /^crop-(\d+)-(\d+)-(\d+)-(\d+)_f2_s1$/.exec(name)
        if (!match) continue
        const [x, y, width, height] = match.slice(1).map(Number) as [number, number, number, number]
        const compare = (frame: string) => compareSeedLocked(cut(get(frame), { x, y, width, height }), get(name), limit)
        const same = compare('honest_f2_s1')
        count++
        worst = Math.max(
          worst,
          same.rms / limit.rms,
          same.offShare / limit.offShare,
          same.offBlock / limit.offBlock,
          same.gain / limit.gain,
        )
        if (withinTolerance(same, limit)) honest++
        if (!withinTolerance(compare('honest_f2_s2'), limit)) other++
      }
    }
    console.log(
      `${ending} seed-locked crops 64 x 48: ${honest} of ${count} honest agree (worst ${worst.toFixed(2)} of a limit), ${other} of ${count} of another seed raise an alarm`,
    )
  }
}

async function sequences(folder: string, scenes: readonly string[]): Promise<void> {
  let frames = 0
  const doubts = new Map<string, number>()
  for (const ending of ['png', 'exr']) {
    for (const scene of scenes) {
      const { get } = library(join(folder, scene), ending)
      const measured = (name: string): MeasuredFrame => ({
        features: measurePicture(get(name)),
        pixelHash: `${name.split('_s')[1]} ${get(name).raw[0]!.reduce((sum, v) => sum + v, 0)}`,
        codes: [],
      })
      for (let seed = 0; seed < 10; seed++) {
        for (const step of [0, 1, 3]) {
          const items = [1, 2, 3].map((frame): SequenceItem => ({
            id: `honest_f${frame}_s${((seed + frame * step) % 10) + 1}`,
            frame,
            legitBlack: false,
            legitStatic: false,
            animatedSeed: false,
            measure: async () => measured(`honest_f${frame}_s${((seed + frame * step) % 10) + 1}`),
          }))
          const check = sequenceCheck(items)
          for (const item of items) {
            frames++
            for (const one of await check.findings(item, []))
              doubts.set(`${scene} ${one.weight} ${one.code}`, (doubts.get(`${scene} ${one.weight} ${one.code}`) ?? 0) + 1)
          }
        }
      }
    }
  }
  console.log(
    `sequence checks: ${frames} honest frames, findings: ${[...doubts].map(([what, count]) => `${what} ${count}`).join(', ') || 'none'}`,
  )
}

function evidence(folder: string, scenes: readonly string[]): void {
  for (const scene of scenes) {
    const { names, get } = library(join(folder, scene), 'exr')
    const statistics = (x: string, a: string, b: string) => compareWithReferences(get(x), get(a), get(b))
    let honest = 0
    let worst = 0
    for (const frame of [1, 2, 3]) {
      for (let seed = 1; seed <= 8; seed++) {
        honest = addEvidence(
          honest,
          statistics(`honest_f${frame}_s${seed}`, `honest_f${frame}_s${seed + 1}`, `honest_f${frame}_s${seed + 2}`),
        )
        worst = Math.max(worst, honest)
      }
    }
    if (!names.includes('low75_f2_s9')) continue
    let short = 0
    let needed = 0
    while (short <= EVIDENCE_LIMIT && needed < 9) {
      needed++
      short = addEvidence(short, statistics('low75_f2_s9', `honest_f2_s${needed}`, `honest_f2_s${(needed % 10) + 1}`))
    }
    const frames = short > EVIDENCE_LIMIT ? `after ${needed} frames` : 'not after 9 frames'
    console.log(
      `evidence ${scene}: 24 honest frames reach ${worst.toFixed(1)} of ${EVIDENCE_LIMIT.toFixed(1)}; 75 % of the samples are told ${frames}`,
    )
  }
}

export const campaign: Campaign = async (args) => {
  const [folder, ...files] = args
  if (!folder) {
    console.error('usage: pnpm campaign check FOLDER [FILE.blend...]')
    return false
  }
  await renderCalibration(folder, files)
  const scenes = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'honest_f1_s1.exr')))
  const refused = honestAndDefects(folder, scenes)
  seedLocked(folder, scenes)
  await sequences(folder, scenes)
  evidence(folder, scenes)
  return refused === 0
}
