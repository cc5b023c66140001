import { fc, test as property } from './property.ts'
import { expect, test } from 'vitest'
import { DEFAULT_SAMPLING, deterrenceFloor, escapeBound, jobBound, samplingPerMille, type CropSize } from '../src/index.ts'
import { cropSizeOf } from '../src/sampling/crop-size.ts'
import { stripsOf } from '../src/sampling/strips.ts'
import { addEvidence, EVIDENCE_LIMIT, SHORT_RATIO } from '../src/sampling/evidence.ts'
import { generator } from './pictures.ts'

const frames = fc.integer({ min: 1, max: 100_000 })
const consecutive = fc.integer({ min: 0, max: 1_000_000 })

property(
  'the rate never falls below the floor or the job bound, and checks new farms fully',
  [frames, consecutive],
  (n, valid) => {
    const p = samplingPerMille(n, valid, DEFAULT_SAMPLING) / 1000
    expect(p).toBeGreaterThanOrEqual(DEFAULT_SAMPLING.floor)
    expect(p).toBeLessThanOrEqual(1)
    expect(p).toBeGreaterThanOrEqual(jobBound(n, DEFAULT_SAMPLING) - 1e-9)
    if (valid < 10) expect(p).toBe(1)
  },
)

property('the job bound keeps its promise', [fc.integer({ min: 60, max: 100_000 })], (n) => {
  const p = jobBound(n, DEFAULT_SAMPLING)
  expect(escapeBound(p, n, DEFAULT_SAMPLING)).toBeLessThanOrEqual(p < 1 ? DEFAULT_SAMPLING.escape * 1.001 : 1)
})

test('the study’s own examples', () => {
  // 250 frames, a tenth cheated, detection .9, escape 1 %: p = 20 % by the exponential bound, a little less by the exact one.
  expect(jobBound(250, DEFAULT_SAMPLING)).toBeCloseTo(0.187, 2)
  expect(deterrenceFloor(1, 20, 0.9)).toBeCloseTo(0.053, 3)
  expect(samplingPerMille(40, 100, DEFAULT_SAMPLING)).toBeGreaterThan(700)
})

test('evidence of under-sampling grows with short frames, falls with honest ones, and keeps no credit', () => {
  const after = (ratio: number, error: number, frames: number, start = 0): number => {
    let evidence = start
    for (let i = 0; i < frames; i++) evidence = addEvidence(evidence, { noiseRatio: ratio, noiseRatioError: error })
    return evidence
  }
  expect(after(SHORT_RATIO, 0.04, 1)).toBeGreaterThan(EVIDENCE_LIMIT)
  expect(after(SHORT_RATIO, 0.1, 3)).toBeLessThan(EVIDENCE_LIMIT)
  expect(after(SHORT_RATIO, 0.1, 7)).toBeGreaterThan(EVIDENCE_LIMIT)
  expect(after(-0.5, 0.05, 100)).toBe(0)
  expect(after(0, 0.05, 10, 6)).toBe(0)
})

property('an honest farm rarely reaches the limit', [fc.integer()], (seed) => {
  const random = generator(seed)
  let evidence = 0
  let worst = 0
  for (let i = 0; i < 200; i++) {
    let normal = -6
    for (let k = 0; k < 12; k++) normal += random()
    evidence = addEvidence(evidence, { noiseRatio: normal * 0.1, noiseRatioError: 0.1 })
    worst = Math.max(worst, evidence)
  }
  // 200 frames restart the test some 100 times; each start reaches the limit with less than 1/1000. Twice the limit never comes up.
  expect(worst).toBeLessThan(2 * EVIDENCE_LIMIT)
})

test('a crop is 6 % of a picture that is probed too, at most 128 pixels a side, never below 64 x 48, and never beyond the picture', () => {
  const of = (width: number, height: number, asked?: CropSize): number[] => Object.values(cropSizeOf({ width, height }, asked))
  expect(of(1920, 1080)).toEqual([128, 128])
  expect(of(640, 360)).toEqual([118, 118])
  expect(of(320, 180)).toEqual([64, 59])
  expect(of(255, 180)).toEqual([128, 128])
  expect(of(40, 30)).toEqual([40, 30])
  expect(of(1920, 1080, { width: 10, height: 500 })).toEqual([64, 500])
})

property(
  'strips lie within the picture, and whatever is as high as their distance meets one of them, wherever it lies',
  [fc.integer({ min: 256, max: 4096 }), fc.integer({ min: 128, max: 2400 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.nat()],
  (width, height, renderSeed, place) => {
    const strips = stripsOf({ width, height }, renderSeed)
    expect(strips).toHaveLength(height < 720 ? 2 : 4)
    for (const strip of strips) expect(strip.y >= 0 && strip.y + strip.height <= height && strip.width === width).toBe(true)
    const size = Math.ceil(height / strips.length) + 2
    const top = place % (height - size + 1)
    // The outer rows of a strip are not compared.
    expect(strips.some(({ y, height: rows }) => y + rows - 2 >= top && y + 1 < top + size)).toBe(true)
  },
)

test('every height is drawn', () => {
  const tops = new Set(Array.from({ length: 4000 }, (_, i) => stripsOf({ width: 320, height: 180 }, i * 536_870)[0]!.y))
  expect(tops.size).toBe(90)
})
