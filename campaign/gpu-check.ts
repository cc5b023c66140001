// pnpm campaign gpu-check FOLDER [DEVICE]: whether a checker on the CPU can judge what a GPU rendered. Renders the calibration scenes on both (DEVICE as Cycles names it,
// CUDA when left out), then judges every GPU picture against two CPU renders of other seeds, and seed-locked crops across the two devices.
// Fails when an honest whole frame of the GPU is refused.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Campaign } from '../scripts/campaign.ts'
import {
  BLUR_ALLOWANCE,
  compareSeedLocked,
  compareWithReferences,
  cut,
  judgeReferences,
  seedLockedTolerance,
  withinTolerance,
} from '../packages/checker/src/index.ts'
import { corners, library, renderCalibration } from './check.ts'

/** Width and height of what is judged; the first is the whole picture. */
const SIZES = [
  [256, 144],
  [128, 96],
  [64, 48],
] as const

interface Tally {
  honest: number
  alarms: number
  readonly found: Map<string, [number, number]>
}

function judge(
  gpu: string,
  cpu: string,
  ending: string,
  [width, height]: (typeof SIZES)[number],
  scenes: readonly string[],
): Tally {
  const tally: Tally = { honest: 0, alarms: 0, found: new Map() }
  const random = corners()
  for (const scene of scenes) {
    const made = library(join(gpu, scene), ending)
    const references = library(join(cpu, scene), ending)
    const refused = (name: string, frame: number, seed: number): boolean => {
      const area = { x: random(257 - width), y: random(145 - height), width, height }
      const [a, b] = [seed, seed + 1].map((one) => cut(references.get(`honest_f${frame}_s${one}`), area))
      const found = compareWithReferences(cut(made.get(name), area), a!, b!)
      return judgeReferences(found, 3, scene === 'motion' ? BLUR_ALLOWANCE : 1).some((one) => one.weight === 'refuse')
    }
    for (const frame of [1, 2, 3])
      for (let seed = 1; seed <= 10; seed++) {
        tally.honest++
        // The references have other seeds than the picture.
        if (refused(`honest_f${frame}_s${seed}`, frame, seed <= 8 ? seed + 1 : seed - 5)) tally.alarms++
      }
    for (const name of made.names.filter((one) => !/^(honest|crop)/.test(one)))
      for (let seed = 1; seed <= 7; seed++) {
        const kind = name.split('_')[0]!
        const [hits, all] = tally.found.get(kind) ?? [0, 0]
        tally.found.set(kind, [hits + Number(refused(name, 2, seed)), all + 1])
      }
  }
  return tally
}

/** Crops of one device against whole frames of the other at the same seed, and at another seed. */
function seedLocked(gpu: string, cpu: string, ending: string, scenes: readonly string[]): string {
  const limit = seedLockedTolerance(ending === 'png' ? 8 : 16)
  let [agree, other, count] = [0, 0, 0]
  for (const scene of scenes) {
    const made = library(join(gpu, scene), ending)
    const crops = library(join(cpu, scene), ending)
    for (const name of crops.names) {
      const match = /^crop-(\d+)-(\d+)-(\d+)-(\d+)_f2_s1$/.exec(name)
      if (!match) continue
      const [x, y, width, height] = match.slice(1).map(Number) as [number, number, number, number]
      const same = (frame: string) =>
        withinTolerance(compareSeedLocked(cut(made.get(frame), { x, y, width, height }), crops.get(name), limit), limit)
      count++
      if (same('honest_f2_s1')) agree++
      if (!same('honest_f2_s2')) other++
    }
  }
  return `${agree} of ${count} honest crops agree at the tolerance of one device, ${other} of ${count} of another seed raise an alarm`
}

export const campaign: Campaign = async ([folder, device = 'CUDA']) => {
  if (!folder) {
    console.error('usage: pnpm campaign gpu-check FOLDER [DEVICE]')
    return false
  }
  const [gpu, cpu] = [join(folder, device.toLowerCase()), join(folder, 'cpu')]
  await renderCalibration(gpu, [], device)
  await renderCalibration(cpu, [])
  const scenes = readdirSync(gpu).filter((name) => existsSync(join(cpu, name, 'honest_f3_s10.exr')))
  let refused = 0
  for (const ending of ['exr', 'png']) {
    for (const size of SIZES) {
      const { honest, alarms, found } = judge(gpu, cpu, ending, size, scenes)
      if (size === SIZES[0]) refused += alarms
      console.log(
        `${ending} ${size.join(' x ')}: ${alarms} refused of ${honest} honest ${device} pictures of ${scenes.length} scenes`,
      )
      console.log(`  found: ${[...found].map(([kind, [hits, all]]) => `${kind} ${hits}/${all}`).join(', ')}`)
    }
    console.log(`${ending} same seed, ${device} against CPU: ${seedLocked(gpu, cpu, ending, scenes)}`)
  }
  return scenes.length > 0 && refused === 0
}
