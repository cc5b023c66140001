// Rows of `pnpm bench check` about how much is checked: the sequential test over frames, and sampling by standing against its stated bounds. Simulated, and named so.
import {
  compareWithReferences,
  DEFAULT_SAMPLING,
  escapeBound,
  samplingPerMille,
  type Picture,
} from '../packages/checker/src/index.ts'
import { addEvidence, EVIDENCE_LIMIT } from '../packages/checker/src/sampling/evidence.ts'
import type { Bench } from '../scripts/bench.ts'

type Report = Parameters<Bench>[0]
type Random = () => number

/** mulberry32: a run can be repeated. */
function generator(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const SIDE = 128
const CROPS = 3
const FRAMES = 3

/** A crop of a path-traced picture as the statistics see it: white noise whose strength changes over the picture, flat in a third of it. `share` of the ordered samples. */
function crop(random: Random, share: number): Picture {
  const plane = (): Float32Array => {
    const out = new Float32Array(SIDE * SIDE)
    for (let i = 0; i < out.length; i++) {
      const x = i % SIDE
      const sigma = x < SIDE / 3 ? 0 : 0.01 + (0.05 * x) / SIDE
      const normal = Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random())
      out[i] = 0.4 + (sigma * normal) / Math.sqrt(share)
    }
    return out
  }
  const colour = [plane(), plane(), plane()]
  return { width: SIDE, height: SIDE, colour, raw: colour, hdr: false }
}

/** Whether a farm's evidence passes the limit within a few frames of three crops each. */
function toldWithin(random: Random, share: number): boolean {
  let evidence = 0
  for (let i = 0; i < FRAMES * CROPS; i++) {
    evidence = addEvidence(evidence, compareWithReferences(crop(random, share), crop(random, 1), crop(random, 1)))
    if (evidence > EVIDENCE_LIMIT) return true
  }
  return false
}

/** 75 % of the samples on every frame, three crops of 128 px a frame: told within three frames, and how often an honest farm is. */
export function sequentialRows(report: Report): void {
  const random = generator(20261126)
  const count = (share: number, farms: number): number =>
    Array.from({ length: farms }, () => toldWithin(random, share)).filter(Boolean).length
  const [cheats, honest] = [100, 340]
  const note = `${CROPS} crops of ${SIDE} px a frame, simulated noise; Wald's bound on the error is 1e-3`
  report({ name: `75 % of the samples told within ${FRAMES} frames`, value: count(0.75, cheats), unit: `of ${cheats}`, note })
  report({ name: 'honest farm told in as many frames', value: count(1, honest), unit: `of ${honest}`, note: '3,060 crops' })
}

/** Frames that a farm with this past has compared, and the loss that goes unseen, against what reports state. */
export function replicationRows(report: Report): void {
  const random = generator(7)
  const options = DEFAULT_SAMPLING
  const jobs = 20_000
  for (const [frames, standing] of [
    [250, 0],
    [250, 1_000],
    [1_000, 1_000],
    [10_000, 100_000],
  ] as const) {
    let unseen = 0
    let checks = 0
    let stated = 0
    for (let job = 0; job < jobs; job++) {
      let seen = false
      let consecutive = standing
      const p = samplingPerMille(frames, consecutive, options) / 1000
      stated = escapeBound(p, frames, options)
      for (let cheat = 0; cheat < options.cheatShare * frames && !seen; cheat++)
        seen = random() < (samplingPerMille(frames, consecutive, options) / 1000) * options.detection
      if (!seen) unseen++
      for (let i = 0; i < 20; i++) {
        if (random() >= samplingPerMille(frames, consecutive, options) / 1000) continue
        checks += 1 / 20
        consecutive++
      }
    }
    report({
      name: `${frames} frames, ${standing} valid before: 10 % cheated unseen`,
      value: unseen / jobs,
      unit: 'share of jobs',
      note: `stated at most ${stated.toPrecision(2)}; ${((100 * checks) / jobs).toFixed(1)} % of the frames are compared; simulated, ${jobs} jobs`,
    })
  }
  const p = samplingPerMille(100_000, 1_000_000, options) / 1000
  const gain = 1 - p * options.detection * (1 + 20)
  report({
    name: 'one cheated frame of the most trusted farm earns',
    value: gain,
    unit: 'frame prices',
    note: `checked at ${(100 * p).toFixed(1)} %, loss 20 when seen: not above 0`,
  })
}
