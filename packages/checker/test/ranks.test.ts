import { expect, test } from 'vitest'
import {
  compareRanks,
  compareWithReferences,
  judgeRanks,
  judgeReferences,
  ranksCount,
  type Picture,
  type RankMeasure,
} from '../src/index.ts'
import { blurred, changed, generator } from './pictures.ts'

const [WIDTH, HEIGHT] = [192, 120]
const TILE = { x: 60, y: 30, width: 64, height: 48 }

/** Light that few paths find: one sample in twenty is twenty times as bright, so that the means of 8 of them are as skewed as a dark room's pixels. `most` clamps each sample. */
function darkRoom(seed: number, change: (v: number, i: number) => number = (v) => v, samples = 8, most = Infinity): Picture {
  const random = generator(seed)
  const colour = [0, 1, 2].map(() =>
    new Float32Array(WIDTH * HEIGHT).map((_, i) => {
      let sum = 0
      for (let sample = 0; sample < samples; sample++) sum += Math.min(most, (random() < 0.05 ? 20 : 1) * random())
      return change((0.05 + (0.1 * (i % WIDTH)) / WIDTH) * (sum / samples), i)
    }),
  )
  return { width: WIDTH, height: HEIGHT, colour, raw: colour, hdr: false }
}

/** Soft stripes 16 pixels wide under noise, `by` pixels aside. */
function stripes(seed: number, by: (i: number) => number = () => 0): Picture {
  const random = generator(seed)
  const colour = [0, 1, 2].map(() =>
    new Float32Array(WIDTH * HEIGHT).map((_, i) => {
      const noise = random() + random() + random() - 1.5
      return 0.4 + 0.1 * Math.sin(((i % WIDTH) - by(i)) * (Math.PI / 8)) + 0.15 * noise
    }),
  )
  return { width: WIDTH, height: HEIGHT, colour, raw: colour, hdr: false }
}

const inTile = (i: number): boolean => {
  const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)]
  return x >= TILE.x && x < TILE.x + TILE.width && y >= TILE.y && y < TILE.y + TILE.height
}

const OWN = [darkRoom(1), darkRoom(2)] as const
const STRIPES = [stripes(1), stripes(2)] as const
/** As of a frame with the samples ordered. */
const SAME_NOISE = { noiseRatio: 0, noiseRatioError: 1 }
const ranksOf = (x: Picture, own: readonly [Picture, Picture] = OWN) =>
  judgeRanks(compareRanks(x, own), compareWithReferences(x, ...own))
const meansOf = (x: Picture, own: readonly [Picture, Picture] = OWN) => judgeReferences(compareWithReferences(x, ...own))

test('8 honest pictures of skewed and of correlated noise raise no alarm', () => {
  for (let seed = 10; seed < 14; seed++) expect(ranksOf(darkRoom(seed))).toEqual([])
  // As a filter after rendering leaves it; scores that take pixels for independent would alarm.
  const filtered = (seed: number): Picture => changed(darkRoom(seed), blurred)
  const own = [filtered(1), filtered(2)] as const
  for (let seed = 10; seed < 14; seed++) expect(ranksOf(filtered(seed), own)).toEqual([])
})

test('every measure of honest pictures is spread as its own variance says', () => {
  const measures = Array.from(
    { length: 8 },
    (_, k) => compareRanks(darkRoom(3 * k + 10), [darkRoom(3 * k + 11), darkRoom(3 * k + 12)]).measures,
  )
  for (const name of Object.keys(measures[0]!) as RankMeasure[]) {
    const whole = measures.map((one) => one[name].whole)
    // The largest |z| of three channels: its mean square is 2.0 for independent normal variables.
    const square = whole.reduce((sum, z) => sum + z * z, 0) / whole.length
    expect(square, name).toBeGreaterThan(1)
    expect(square, name).toBeLessThan(3.6)
  }
})

test('a tile of more light that a few bright pixels hide from means shows in ranks, where it is', () => {
  for (let seed = 10; seed < 12; seed++) {
    const x = darkRoom(seed, (v, i) => (inTile(i) ? v + 0.005 : v))
    const [found] = ranksOf(x)
    expect(found?.code).toBe('rank-bias')
    expect(found!.region!.x + found!.region!.width).toBeGreaterThan(TILE.x)
    expect(found!.region!.x).toBeLessThan(TILE.x + TILE.width)
    expect(meansOf(x)).toEqual([])
  }
})

test('a tile that lies a pixel aside shows at its edges, and means do not tell it', () => {
  for (let seed = 10; seed < 12; seed++) {
    const x = stripes(seed, (i) => (inTile(i) ? 1 : 0))
    expect(ranksOf(x, STRIPES)[0]?.code).toBe('edges-differ')
    expect(meansOf(x, STRIPES)).toEqual([])
    expect(ranksOf(stripes(seed), STRIPES)).toEqual([])
  }
})

test('light that is dimmed where it is brightest is missed there', () => {
  for (let seed = 10; seed < 12; seed++) {
    const found = compareRanks(
      darkRoom(seed, (v) => (v > 0.2 ? 0.2 + (v - 0.2) * 0.8 : v)),
      OWN,
    )
    expect(judgeRanks({ ...found, spread: 0 }, SAME_NOISE).map(({ code }) => code)).toEqual(['light-differs'])
  }
})

test('a ceiling that both renders exceed in a few pixels is no chance', () => {
  const highest = Math.max(...OWN.flatMap(({ colour }) => colour.map((plane) => plane.toSorted().at(-32)!)))
  for (let seed = 10; seed < 12; seed++) {
    const found = compareRanks(
      darkRoom(seed, (v) => Math.min(highest - 0.02, v)),
      OWN,
    )
    expect(found.ceiling).toBeGreaterThan(-Math.log(1e-5 / 3))
    expect(compareRanks(darkRoom(seed), OWN).ceiling).toBeLessThan(8)
  }
})

test('more samples than ordered move the median of skewed noise, and are not held against a frame', () => {
  for (let seed = 10; seed < 12; seed++) {
    const twice = darkRoom(seed, undefined, 16)
    const found = compareRanks(twice, OWN)
    expect(ranksOf(twice)).toEqual([])
    expect(judgeRanks({ ...found, spread: 0 }, SAME_NOISE)).toHaveLength(1)
    const tile = darkRoom(seed, (v, i) => (inTile(i) ? v + 0.005 : v))
    expect(ranksCount(compareWithReferences(tile, ...OWN), compareRanks(tile, OWN))).toBe(true)
  }
})

test('where own renders have no noise, any area that is off shows, and none that agrees', () => {
  const flat = changed(OWN[0], (plane) => plane.fill(0.4))
  const own = [flat, flat] as const
  expect(ranksOf(flat, own)).toEqual([])
  const marked = changed(flat, (plane) => plane.map((v, i) => (inTile(i) ? v + 0.004 : v)))
  expect(ranksOf(marked, own)[0]!.weight).toBe('refuse')
  // Less than a quarter of an 8-bit step is another device's rounding, and so is a step in a few pixels.
  const rounded = changed(flat, (plane) => plane.map((v) => v + 0.0009))
  expect(ranksOf(rounded, own)).toEqual([])
  const random = generator(5)
  const flipped = changed(flat, (plane) => plane.map((v) => (random() < 0.02 ? v + (random() < 0.5 ? 1 : -1) / 255 : v)))
  expect(ranksOf(flipped, own)).toEqual([])
})

test('one render is not enough', () => {
  expect(() => compareRanks(OWN[0], [OWN[1]])).toThrow(RangeError)
})
