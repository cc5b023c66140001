import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { sequenceCheck, type SequenceItem } from '../src/sequence/check.ts'
import { measurePicture } from '../src/sequence/features.ts'
import { checkCoverage } from '../src/index.ts'
import type { Picture } from '../src/index.ts'
import { blurred, changed, generator, painted, picture } from './pictures.ts'

/** Checks frame 2 of a sequence of pictures that are handed over, not decoded. */
async function codesAt(frames: readonly Picture[], frame = 2, options: Partial<SequenceItem> = {}): Promise<string[]> {
  const items = frames.map((_, i): SequenceItem => ({
    id: `${i + 1}`,
    frame: i + 1,
    legitBlack: false,
    legitStatic: false,
    animatedSeed: false,
    measure: async () => ({
      features: measurePicture(frames[i]!),
      pixelHash: hash('sha256', frames[i]!.colour[0]!),
      codes: [],
    }),
    ...options,
  }))
  const found = await sequenceCheck(items).findings(items[frame - 1]!, [])
  return found.map((one) => `${one.weight} ${one.code}`)
}

const moving = (frame: number, fields = {}): Picture => picture({ seed: frame, shift: frame * 6, ...fields })
const shot = [1, 2, 3, 4].map((frame) => moving(frame))
const withSecond = (second: Picture): Picture[] => [shot[0]!, second, shot[2]!, shot[3]!]

describe('beside its neighbours', () => {
  test.each([1, 2, 3, 4])('honest frame %i has no finding', async (frame) => expect(await codesAt(shot, frame)).toEqual([]))
  test('1.5 times the samples have none either', async () =>
    expect(await codesAt(withSecond(moving(2, { samples: 24 })))).toEqual([]))
  test('three quarters of the samples are doubtful, half are suspect', async () => {
    expect(await codesAt(withSecond(moving(2, { samples: 12 })))).toEqual(['doubt noise-jump'])
    expect(await codesAt(withSecond(moving(2, { samples: 8 })))).toEqual(['suspect noise-jump'])
  })
  test('a blurred frame is suspect', async () =>
    expect(await codesAt(withSecond(changed(shot[1]!, blurred)))).toEqual(['suspect sharpness-jump']))
  test('a black frame among lit ones is nothing where the order lists it, and a jump where not', async () => {
    const black = changed(shot[1]!, (plane) => plane.map(() => 0))
    expect(await codesAt(withSecond(black))).toContain('doubt content-jump')
    expect(await codesAt(withSecond(black), 2, { legitBlack: true })).toEqual([])
  })
  test('3 % less light in one frame is doubtful', async () =>
    expect(await codesAt(withSecond(moving(2, { gain: 0.97 })))).toEqual(['doubt exposure-jump']))
  test('a mirrored frame is doubtful', async () => {
    const flipped = changed(shot[1]!, (plane, width) => plane.map((_, i) => plane[i - (i % width) + width - 1 - (i % width)]!))
    expect(await codesAt(withSecond(flipped))).toContain('doubt content-jump')
  })
  test('a black tile and unwritten rows are suspect', async () => {
    expect(await codesAt(withSecond(changed(shot[1]!, painted(0, { x: 64, y: 32, width: 64, height: 48 }))))).toContain(
      'suspect blank-area',
    )
    expect(await codesAt(withSecond(changed(shot[1]!, painted(0, { x: 0, y: 80, width: 192, height: 40 }))))).toContain(
      'suspect blank-area',
    )
  })
  test('the mean of the neighbours is suspect', async () => {
    const mean = {
      ...shot[1]!,
      colour: shot[0]!.colour.map((plane, c) => plane.map((v, i) => (v + shot[2]!.colour[c]![i]!) / 2)),
    }
    expect(await codesAt(withSecond({ ...mean, raw: mean.colour }))).toContain('suspect interpolated')
  })
  test('a neighbour under new noise is doubtful, a still shot with new noise is not', async () => {
    const random = generator(99)
    const calm = (frame: number): Picture => moving(frame, { samples: 64 })
    const noisy = changed(calm(1), (plane) => plane.map((v) => v + 0.02 * (random() - 0.5)))
    expect(await codesAt([calm(1), noisy, calm(3), calm(4)])).toEqual(['doubt noisy-copy'])
    expect(await codesAt([1, 2, 3, 4].map((seed) => picture({ seed })))).toEqual([])
  })
  test('a copy is doubtful, suspect where noise should never repeat, and nothing in a declared still', async () => {
    expect(await codesAt(withSecond(shot[0]!))).toEqual(['doubt duplicate-frame'])
    expect(await codesAt(withSecond(shot[0]!), 2, { animatedSeed: true })).toEqual(['suspect duplicate-frame'])
    expect(await codesAt([shot[0]!, shot[1]!, shot[0]!, shot[3]!], 1, { animatedSeed: true })).toContain('doubt duplicate-frame')
    expect(await codesAt([shot[0]!, shot[1]!, shot[0]!, shot[3]!], 1)).not.toContain('doubt duplicate-frame')
    expect(await codesAt([shot[0]!, shot[0]!, shot[0]!, shot[0]!])).toEqual(['doubt duplicate-frame'])
    expect(await codesAt(withSecond(shot[0]!), 2, { legitStatic: true })).not.toContain('doubt duplicate-frame')
  })
  test('a tile with the noise of the frame before is doubtful where noise never repeats, and nothing where it does', async () => {
    const tile = { x: 48, y: 32, width: 64, height: 48 }
    const still = [1, 2, 3, 4].map((seed) => picture({ seed }))
    const stale = changed(still[1]!, (plane, width, c) =>
      plane.map((v, i) => {
        const [x, y] = [i % width, Math.floor(i / width)]
        const inside = x >= tile.x && x < tile.x + tile.width && y >= tile.y && y < tile.y + tile.height
        return inside ? still[0]!.colour[c]![i]! : v
      }),
    )
    const frames = [still[0]!, stale, still[2]!, still[3]!]
    expect(await codesAt(frames, 2, { animatedSeed: true })).toEqual(['doubt stale-area'])
    expect(await codesAt(frames, 2)).toEqual([])
    expect(await codesAt(still, 2, { animatedSeed: true })).toEqual([])
  })
  test('a light that blinks is nothing on the frames that it shares with those beyond its neighbours', async () => {
    const dark = (one: Picture): Picture => changed(one, (plane) => plane.map((v) => v / 20))
    const blinking = [1, 2, 3, 4, 5, 6].map((n) => (n % 2 ? picture({ seed: n }) : dark(picture({ seed: n }))))
    expect(await codesAt(blinking, 3)).toEqual([])
    const flipped = changed(blinking[2]!, (plane) => plane.toReversed())
    expect(await codesAt(blinking.with(2, flipped), 3)).toContain('doubt content-jump')
  })
  test('a cut is nothing', async () => {
    const other = [3, 4].map((frame) => changed(moving(frame), (plane) => plane.map((v) => 0.9 - v)))
    expect(await codesAt([shot[0]!, shot[1]!, ...other], 2)).toEqual([])
    expect(await codesAt([shot[0]!, shot[1]!, ...other], 3)).toEqual([])
  })
})

describe('a motion that comes to rest', () => {
  /** A picture at each place, all of one seed, so that places decide what is equal. */
  const at = (places: readonly number[]): Picture[] => places.map((shift) => picture({ seed: 1, shift }))
  const easing = [0, 20, 34, 42, 45]
  const all = async (places: readonly number[]): Promise<string[]> => {
    const frames = at(places)
    return (await Promise.all(frames.map((_, i) => codesAt(frames, i + 1)))).flat()
  }

  test('repeats its last frame, which is told and needs nobody', async () => {
    const found = await all([...easing, 45, 45, 45, 45, 45, 45])
    expect(found.filter((code) => code.endsWith('duplicate-frame'))).toEqual(Array(6).fill('note duplicate-frame'))
  })
  test('may begin again as it ended, or begin with a rest', async () => {
    expect(await all([...easing, 45, 45, 45, 48, 56, 70, 90])).toEqual(Array(3).fill('note duplicate-frame'))
    expect(await all([45, 45, 45, 45, 48, 56, 70, 90])).toEqual(Array(3).fill('note duplicate-frame'))
  })
  test('is not believed where it stops at once, is copied while it slows down, goes on at once behind the copies, or never moves', async () => {
    const doubts = (n: number) => Array(n).fill('doubt duplicate-frame')
    const repeated = async (places: readonly number[]) => (await all(places)).filter((code) => code.endsWith('duplicate-frame'))
    expect(await repeated([0, 10, 20, 30, 40, 40, 40, 40])).toEqual(doubts(3))
    expect(await repeated([0, 20, 34, 34, 34, 34])).toEqual(doubts(3))
    expect(await repeated([...easing, 45, 45, 45, 85, 99, 110])).toEqual(doubts(3))
    expect(await repeated([45, 45, 45, 45, 45])).toEqual(doubts(4))
  })
  test('excuses no copy where each frame was to have noise of its own', async () =>
    expect(await codesAt(at([...easing, 45, 45]), 7, { animatedSeed: true })).toContain('suspect duplicate-frame'))
})

describe('where everything moves', () => {
  const long = Array.from({ length: 9 }, (_, i) => moving(i + 1))
  const marked = (one: Picture): Picture =>
    changed(one, (plane, width) =>
      plane.map((v, i) => (i % width >= 48 && i % width < 128 && i >= 32 * width && i < 80 * width ? 0.5 * v + 0.3 : v)),
    )
  test('a mark on one frame is doubtful, and no frame beside it', async () => {
    const frames = long.with(4, marked(long[4]!))
    expect(await Promise.all(frames.map((_, i) => codesAt(frames, i + 1)))).toEqual(
      frames.map((_, i) => (i === 4 ? ['doubt odd-area'] : [])),
    )
  })
  test('so is a tile whose noise alone is other', async () => {
    const [x, y, size] = [48, 32, 64]
    const random = generator(5)
    const noisy = changed(long[4]!, (plane, width) =>
      plane.map((v, i) => {
        const inside = i % width >= x && i % width < x + size && i >= y * width && i < (y + size) * width
        return inside ? v + 0.3 * (random() - 0.5) : v
      }),
    )
    expect(await codesAt(long.with(4, noisy), 5)).toEqual(['doubt odd-area'])
  })
  test('honest frames, and a mark that comes to stay, are nothing', async () => {
    const stays = long.map((one, i) => (i < 4 ? one : marked(one)))
    for (const frames of [long, stays])
      expect(await Promise.all(frames.map((_, i) => codesAt(frames, i + 1)))).toEqual(frames.map(() => []))
  })
})

test('a frame whose tags say that it was rendered in a fifth of the time is told, which weighs nothing', async () => {
  const seconds = [10, 2, 11, 9, 10]
  const items = seconds.map((time, i): SequenceItem => ({
    id: `${i + 1}`,
    frame: i + 1,
    legitBlack: false,
    legitStatic: false,
    animatedSeed: false,
    measure: async () => ({ features: measurePicture(moving(i + 1)), pixelHash: `${i}`, codes: [], seconds: time }),
  }))
  const check = sequenceCheck(items)
  const found = await Promise.all(items.map((item) => check.findings(item, [])))
  expect(found.map((all) => all.map(({ weight, code }) => `${weight} ${code}`))).toEqual([[], ['note declared-time'], [], [], []])
})

test('missing, extra and repeated frames are told apart', () => {
  expect(checkCoverage([1, 2, 3, 4], [1, 3, 3, 9])).toEqual({ missing: [2, 4], extra: [9], repeated: [3] })
})
