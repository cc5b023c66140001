import { fc, test as property } from './property.ts'
import { describe, expect, test } from 'vitest'
import {
  biasLimits,
  compareSeedLocked,
  compareWithReferences,
  cut,
  encodeHdr,
  finding,
  judgeReferences,
  judgeSeedLocked,
  noiseRatioLimit,
  seedLockedTolerance,
  withinTolerance,
  type Picture,
} from '../src/index.ts'
import { blockArea, blockGrid } from '../src/compare/blocks.ts'
import { SAME_SEED } from '../src/compare/seed-locked.ts'
import { noiseCorrelation, SHARED_NOISE, sharedNoise } from '../src/compare/shared-noise.ts'
import { judgeByReferences } from '../src/compare/with-references.ts'
import { blurred, changed, painted, picture } from './pictures.ts'

const A = picture({ seed: 1 })
const B = picture({ seed: 2 })
const codes = (x: typeof A): string[] => judgeReferences(compareWithReferences(x, A, B)).map((found) => found.code)

describe('against two references', () => {
  test('60 honest pictures raise no alarm, and their noise ratio is 0 within its error', () => {
    const ratios: number[] = []
    for (let seed = 10; seed < 70; seed++) {
      const found = compareWithReferences(picture({ seed }), A, B)
      expect(judgeReferences(found)).toEqual([])
      ratios.push(found.noiseRatio / found.noiseRatioError)
    }
    expect(Math.max(...ratios.map(Math.abs))).toBeLessThan(4)
  })

  test.each([0.75, 0.5, 0.25, 0.125])('a share of %f of the samples gives ln((1/f + 1) / 2)', (share) => {
    const found = compareWithReferences(picture({ seed: 5, samples: 16 * share }), A, B)
    expect(found.noiseRatio).toBeCloseTo(Math.log((1 / share + 1) / 2), 1)
    expect(found.noiseRatio).toBeGreaterThan(noiseRatioLimit(found))
  })

  test('more samples than ordered pass', () => expect(codes(picture({ seed: 5, samples: 32 }))).toEqual([]))
  test('more samples than ordered are brighter in what a curve encodes, which is no bias', () => {
    const encoded = (seed: number, samples: number): Picture =>
      changed(picture({ seed, samples, noise: 0.6, width: 480, height: 270 }), (plane) =>
        plane.map((v) => Math.max(0, v) ** (1 / 2.4)),
      )
    const [a, b, more] = [encoded(1, 16), encoded(2, 16), encoded(3, 24)] as [Picture, Picture, Picture]
    expect(judgeReferences(compareWithReferences(more, a, b))).toEqual([])
    // Only as bright as the missing noise makes it.
    const brighter = changed(more, (plane) => plane.map((v) => 1.02 * v))
    expect(judgeReferences(compareWithReferences(brighter, a, b)).map(({ code }) => code)).toContain('bias')
  })
  test('1 % less light is a bias', () => expect(codes(picture({ seed: 5, gain: 0.99 }))).toContain('bias'))
  test('smeared noise is a correlation', () =>
    expect(codes(changed(picture({ seed: 5 }), blurred))).toContain('noise-correlation'))

  test('a faint mark is found where it is', () => {
    const area = { x: 100, y: 40, width: 40, height: 24 }
    const marked = changed(picture({ seed: 5 }), (plane, width) => {
      const out = plane.slice()
      for (let y = area.y; y < area.y + area.height; y++)
        for (let x = area.x; x < area.x + area.width; x++) out[y * width + x]! += 0.03
      return out
    })
    const local = judgeReferences(compareWithReferences(marked, A, B)).find((found) => found.code === 'local-bias')!
    expect(local.region!.x + local.region!.width).toBeGreaterThan(area.x)
    expect(local.region!.x).toBeLessThan(area.x + area.width)
  })

  test('a tile too faint for any block of it is found as an area, wherever it lies', () => {
    for (const [x0, y0] of [
      [20, 15],
      [54, 30],
      [87, 21],
      [113, 43],
    ] as const) {
      const inside = (i: number): boolean => i % 192 >= x0 && i % 192 < x0 + 60 && i / 192 >= y0 && i / 192 < y0 + 60
      const marked = changed(picture({ seed: 5 }), (plane) => plane.map((v, i) => v + (inside(i) ? 0.007 : 0)))
      const findings = judgeReferences(compareWithReferences(marked, A, B))
      const { region, value, threshold } = findings.find((found) => found.code === 'area-bias')!
      expect(value).toBeGreaterThan(threshold!)
      expect(Math.min(region!.x + region!.width, x0 + 60) - Math.max(region!.x, x0)).toBeGreaterThan(30)
      expect(Math.min(region!.y + region!.height, y0 + 60) - Math.max(region!.y, y0)).toBeGreaterThan(30)
      expect(findings.map(({ code }) => code)).not.toContain('local-bias')
    }
  })

  test('noise in one block alone is not enough to tell that it is smeared', () => {
    const flat = picture({ seed: 1, noise: 0 })
    const noisy = (seed: number): typeof flat => {
      const other = picture({ seed })
      return changed(flat, (plane, width, c) =>
        plane.map((v, i) => (i % width < 10 && i < 10 * width ? other.colour[c]![i]! : v)),
      )
    }
    for (let seed = 10; seed < 60; seed++) {
      const found = compareWithReferences(noisy(seed), noisy(seed + 100), noisy(seed + 200))
      expect(judgeReferences(found).map(({ code }) => code)).not.toContain('noise-correlation')
    }
  })

  test('flat pictures without noise neither divide by zero nor alarm', () => {
    const flat = picture({ seed: 1, noise: 0 })
    const found = compareWithReferences(flat, flat, flat)
    expect(Object.values(found).every((value) => typeof value !== 'number' || Number.isFinite(value))).toBe(true)
    expect(judgeReferences(found)).toEqual([])
  })

  test('pictures of another size are refused', () => {
    expect(() => compareWithReferences(A, cut(B, { x: 0, y: 0, width: 100, height: 100 }), A)).toThrow(RangeError)
  })

  test('fewer blocks have wider limits', () => {
    expect(biasLimits(20, 3).bias).toBeGreaterThan(biasLimits(400, 3).bias)
    expect(biasLimits(390, 3).bias).toBeCloseTo(0.34, 1)
    expect(biasLimits(390, 3).biasMax).toBeCloseTo(5.5, 0)
  })
})

describe('at the same seed', () => {
  const limit = seedLockedTolerance(16)
  test('the same picture agrees, one stray pixel more too', () => {
    expect(withinTolerance(compareSeedLocked(A, A, limit), limit)).toBe(true)
    const stray = changed(A, painted(1, { x: 50, y: 50, width: 1, height: 1 }))
    const found = compareSeedLocked(stray, A, limit)
    expect(found.offShare).toBeGreaterThan(0)
    expect(found.offArea).toEqual({ x: 50, y: 50, width: 1, height: 1 })
  })
  test('another seed does not agree, and its noise is not correlated', () => {
    const found = compareSeedLocked(B, A, limit)
    expect(withinTolerance(found, limit)).toBe(false)
    expect(Math.abs(found.noiseCorrelation)).toBeLessThan(0.1)
  })
  test('a small mark is seen though the frame as a whole is within its limits', () => {
    const big = picture({ seed: 1, width: 960, height: 540 })
    const found = compareSeedLocked(
      changed(big, (plane, width) => painted(plane[0]! + 0.05, { x: 480, y: 240, width: 12, height: 12 })(plane, width)),
      big,
      limit,
    )
    expect(found.offShare).toBeLessThan(limit.offShare)
    expect(found.offBlock).toBeGreaterThan(limit.offBlock)
    expect(withinTolerance(found, limit)).toBe(false)
    expect(judgeSeedLocked(found, limit, 'the frame').map((one) => one.code)).toContain('area-differs')
  })
  test('light cut off in five of 3,000 pixels of a crop is seen', () => {
    const crop = cut(A, { x: 0, y: 0, width: 64, height: 48 })
    const spots = new Set([700, 1100, 1500, 1900, 2300])
    const found = compareSeedLocked(
      changed(crop, (plane) => plane.map((v, i) => (spots.has(i) ? v - 0.012 : v))),
      crop,
      seedLockedTolerance(8),
    )
    expect(judgeSeedLocked(found, seedLockedTolerance(8), 'the crop').map((one) => one.code)).toEqual(['pixels-differ'])
  })
  test('HDR values clipped at white are seen, though they are encoded close together', () => {
    const bright = A.colour.map((plane) => plane.map((v, i) => (i % 500 === 0 ? 1.03 : v)))
    const hdr = (raw: typeof bright): typeof A => ({ ...A, raw, colour: raw.map((plane) => plane.map(encodeHdr)), hdr: true })
    const clipped = hdr(bright.map((plane) => plane.map((v) => Math.min(1, v))))
    expect(withinTolerance(compareSeedLocked(clipped, hdr(bright), limit), limit)).toBe(false)
  })
  test('a gain of 0.2 % is seen though no pixel is off', () => {
    const found = compareSeedLocked(
      changed(A, (plane) => plane.map((v) => v * 0.998)),
      A,
      limit,
    )
    expect(found.offShare).toBe(0)
    expect(found.gain).toBeGreaterThan(limit.gain)
    expect(found.noiseCorrelation).toBeGreaterThan(0.99)
  })
  test('shared noise tells the seed also where edges outweigh noise, and after a change', () => {
    // Checks of two pixels, the same in all renders: their high-pass correlates whatever the seed.
    const edged = (p: Picture): Picture =>
      changed(p, (plane, width) => plane.map((v, i) => v * 0.2 + ((((i % width) >> 1) + (Math.floor(i / width) >> 1)) % 2) * 0.5))
    const [own, a, b, other] = [1, 2, 3, 4].map((seed) => edged(picture({ seed }))) as [Picture, Picture, Picture, Picture]
    expect(noiseCorrelation(other, own)).toBeGreaterThan(SAME_SEED)
    expect(Math.abs(sharedNoise(other, own, a, b))).toBeLessThan(0.05)
    expect(sharedNoise(own, own, a, b)).toBeCloseTo(0.5, 1)
    const darker = changed(own, (plane) => plane.map((v) => v * 0.999))
    expect(sharedNoise(darker, own, a, b)).toBeGreaterThan(SHARED_NOISE)
    // Which is what a verdict by references rests on: a change at the ordered seed is no other seed, an honest other seed is.
    const area = { x: 20, y: 20, width: 64, height: 48 }
    const references = { renders: [a, b], crops: [{ picture: cut(own, area), area }] }
    const weights = (x: Picture): string[] => judgeByReferences(x, 16, references, []).map(({ weight }) => weight)
    expect(weights(darker)).toContain('refuse')
    expect(new Set(weights(other))).toEqual(new Set(['note']))
    // Nor does another seed explain that another frame has the same noise; the ordered seed does, where nothing moves.
    const twin = finding('suspect', 'duplicate-frame', 'frame 4 is the same')
    expect(judgeByReferences(other, 16, references, [twin])).toContainEqual(twin)
    expect(judgeByReferences(own, 16, references, [twin])).toContainEqual({
      ...twin,
      weight: 'note',
      message: expect.stringContaining('shows the same'),
    })
  })
  test('a comparison of no pixels proves nothing', () => {
    const tiny = cut(A, { x: 0, y: 0, width: 2, height: 2 })
    expect(withinTolerance(compareSeedLocked(tiny, tiny, limit), limit)).toBe(false)
  })
})

property(
  'the HDR encoding stays within 1e-5 of the exact curve, rises, and is bounded',
  [fc.double({ min: 0, max: 1e6, noNaN: true })],
  (v) => {
    const t = v / (1 + v)
    const exact = t <= 0.0031308 ? 12.92 * t : 1.055 * t ** (1 / 2.4) - 0.055
    expect(Math.abs(encodeHdr(v) - exact)).toBeLessThan(1e-5)
    expect(encodeHdr(v * 1.01)).toBeGreaterThanOrEqual(encodeHdr(v))
  },
)

test('values that are no light encode to the ends', () => {
  expect([NaN, -1, 0, Infinity].map(encodeHdr)).toEqual([0, 0, 0, 1])
})

property(
  'blocks cover every pixel once',
  [fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 50 })],
  (width, height, size) => {
    const grid = blockGrid(width, height, size)
    let pixels = 0
    for (let i = 0; i < grid.columns * grid.rows; i++) {
      const area = blockArea(grid, i)
      pixels += area.width * area.height
      expect(area.width).toBeGreaterThanOrEqual(Math.min(size, width))
    }
    expect(pixels).toBe(width * height)
  },
)
