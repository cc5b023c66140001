import { fc, test as property } from './property.ts'
import { expect, test } from 'vitest'
import { DEFAULT_SAMPLING, deterrenceFloor, escapeBound, jobBound, samplingPerMille } from '../src/index.ts'

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
