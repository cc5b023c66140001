import { describe, expect, it } from 'vitest'
import { checkTimeMs, samplingPerMille } from '../../src/plan/checking.ts'

describe('the time that checks take', () => {
  it('is what was measured at two sizes, for jobs that are compared whole', () => {
    expect(checkTimeMs(100, 24, 640 * 360) / 1000).toBeCloseTo(23, 0)
    expect(checkTimeMs(100, 24, 256 * 144) / 1000).toBeCloseTo(67, 0)
  })

  it('is never more than the frames themselves, and less where fewer are drawn', () => {
    expect(checkTimeMs(100, 24, 16 * 16)).toBe(100_000)
    const pixels = 1920 * 1080
    expect(checkTimeMs(100, 1000, pixels)).toBeCloseTo((checkTimeMs(100, 24, pixels) * samplingPerMille(1000)) / 1000, -1)
  })
})
