import { expect, test } from 'vitest'
import { compareRanks, compareWithReferences, judgeRanks, judgeReferences, ranksCount, type Picture } from '../src/index.ts'
import { blurred, changed, generator } from './pictures.ts'

const [WIDTH, HEIGHT] = [192, 120]
const TILE = { x: 60, y: 30, width: 64, height: 48 }

/** Light that few paths find: one sample in twenty is twenty times as bright, so that the means of 8 of them are as skewed as a dark room's pixels. */
function darkRoom(seed: number, change: (v: number, i: number) => number = (v) => v): Picture {
  const random = generator(seed)
  const colour = [0, 1, 2].map(() => {
    const plane = new Float32Array(WIDTH * HEIGHT).map((_, i) => {
      let sum = 0
      for (let sample = 0; sample < 8; sample++) sum += (random() < 0.05 ? 20 : 1) * random()
      return change((0.05 + (0.1 * (i % WIDTH)) / WIDTH) * (sum / 8), i)
    })
    return plane
  })
  return { width: WIDTH, height: HEIGHT, colour, raw: colour, hdr: false }
}

const inTile = (i: number): boolean => {
  const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)]
  return x >= TILE.x && x < TILE.x + TILE.width && y >= TILE.y && y < TILE.y + TILE.height
}

const OWN = [1, 2, 3].map((seed) => darkRoom(seed)) as [Picture, Picture, Picture]
const ranksOf = (x: Picture) => judgeRanks(compareRanks(x, ...OWN))
const meansOf = (x: Picture) => judgeReferences(compareWithReferences(x, OWN[0], OWN[1]))

test('40 honest pictures of skewed, correlated noise raise no alarm', () => {
  for (let seed = 10; seed < 30; seed++) expect(ranksOf(darkRoom(seed))).toEqual([])
  // As a pixel filter leaves it; means, which take pixels for independent, would alarm.
  const filtered = (seed: number): Picture => changed(darkRoom(seed), blurred)
  for (let seed = 10; seed < 30; seed++)
    expect(judgeRanks(compareRanks(filtered(seed), filtered(1), filtered(2), filtered(3)))).toEqual([])
})

test('a tile of more light that a few bright pixels hide from means shows in ranks, where it is', () => {
  for (let seed = 10; seed < 20; seed++) {
    const x = darkRoom(seed, (v, i) => (inTile(i) ? v + 0.005 : v))
    const [found] = ranksOf(x)
    expect(found?.code).toBe('rank-bias')
    expect(found!.region!.x + found!.region!.width).toBeGreaterThan(TILE.x)
    expect(found!.region!.x).toBeLessThan(TILE.x + TILE.width)
    expect(meansOf(x)).toEqual([])
  }
})

test('more samples than ordered move the median of skewed noise, and are not held against a frame', () => {
  let moved = 0
  for (let seed = 10; seed < 20; seed++) {
    const [p, q] = [darkRoom(seed), darkRoom(seed + 100)]
    const twice = changed(p, (plane, _, c) => plane.map((v, i) => (v + q.colour[c]![i]!) / 2))
    moved += ranksOf(twice).length
    expect(ranksCount(compareWithReferences(twice, OWN[0], OWN[1]))).toBe(false)
    expect(
      ranksCount(
        compareWithReferences(
          darkRoom(seed, (v, i) => (inTile(i) ? v + 0.005 : v)),
          OWN[0],
          OWN[1],
        ),
      ),
    ).toBe(true)
  }
  expect(moved).toBe(10)
})

test('a light a tenth dimmer lies on one side of two renders', () => {
  for (let seed = 10; seed < 15; seed++) expect(ranksOf(darkRoom(seed, (v) => 0.9 * v))).toHaveLength(1)
})

test('where own renders have no noise, any area that is off shows, and none that agrees', () => {
  const flat = changed(OWN[0], (plane) => plane.fill(0.4))
  expect(judgeRanks(compareRanks(flat, flat, flat, flat))).toEqual([])
  const marked = changed(flat, (plane) => plane.map((v, i) => (inTile(i) ? v + 0.004 : v)))
  expect(judgeRanks(compareRanks(marked, flat, flat, flat))[0]!.weight).toBe('refuse')
  // Less than a quarter of an 8-bit step is another device's rounding.
  const rounded = changed(flat, (plane) => plane.map((v) => v + 0.0009))
  expect(judgeRanks(compareRanks(rounded, flat, flat, flat))).toEqual([])
})
