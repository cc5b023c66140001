import { describe, expect, test } from 'vitest'
import {
  drawScene,
  HONEST,
  renderShot,
  type FrameOptions,
  type SceneRecipe,
  type Sequence,
  type Shot,
} from '../calibration/sequences.ts'
import type { Picture } from '../src/index.ts'
import { sequenceCheck, type SequenceItem } from '../src/sequence/check.ts'
import { measurePicture } from '../src/sequence/features.ts'
import type { WeighedFinding } from '../src/verdict/finding.ts'

const FRAMES = 10
/** The first farm renders the frames up to this one. */
const LAST_OF_FIRST = 5

function pictureOf({ width, height, rgb }: Shot): Picture {
  const colour = [0, 1, 2].map((c) =>
    Float32Array.from({ length: width * height }, (_, i) => Math.max(0, Math.min(1, rgb[3 * i + c]!)) ** (1 / 2.2)),
  )
  return { width, height, colour, raw: colour, hdr: false }
}

/** Seam findings of the two frames beside the seam. */
async function check(frameOf: (frame: number) => Shot, farms = ['north', 'south']): Promise<readonly WeighedFinding[]> {
  const items = Array.from({ length: FRAMES }, (_, i): SequenceItem => {
    const picture = pictureOf(frameOf(i + 1))
    return {
      id: String(i + 1),
      frame: i + 1,
      legitBlack: false,
      legitStatic: false,
      animatedSeed: false,
      farm: farms[i < LAST_OF_FIRST ? 0 : 1]!,
      measure: async () => ({ features: measurePicture(picture), pixelHash: String(i), codes: [] }),
    }
  })
  const sequence = sequenceCheck(items)
  const found = await Promise.all(items.map((item) => sequence.findings(item, [])))
  const seams = found.map((all) => all.filter(({ code }) => code.startsWith('seam-')))
  for (const [i, all] of seams.entries()) if (i + 1 < LAST_OF_FIRST || i > LAST_OF_FIRST) expect(all).toEqual([])
  return seams.flat()
}

const second =
  (scene: SceneRecipe, options: FrameOptions) =>
  (frame: number): Shot =>
    renderShot(scene, frame, frame > LAST_OF_FIRST ? options : {})

describe('where one farm ends and another begins', () => {
  const scenes = [3, 4].map((seed) => drawScene(seed, 128, 96))
  test.each(Object.entries(HONEST))('%s: no finding', async (_name, frameOf: Sequence) => {
    for (const scene of scenes) expect(await check((frame) => frameOf(scene, frame))).toEqual([])
  })
  test('a farm that renders 5 % darker is told on both sides, with both names', async () => {
    for (const scene of scenes) {
      const found = await check(second(scene, { gain: 0.95 }))
      expect(found.map(({ code, weight }) => `${weight} ${code}`)).toEqual(['doubt seam-brightness', 'doubt seam-brightness'])
      expect(found[0]!.message).toMatch(
        /^the brightness changes by 2\.\d % between frame 5 of farm north and frame 6 of farm south/,
      )
    }
  })
  test('half the samples from the seam on are told by the noise', async () => {
    for (const scene of scenes)
      expect((await check(second(scene, { samples: 0.5 }))).map(({ code }) => code)).toContain('seam-noise')
  })
  test('the same change inside one farm is not a seam', async () => {
    expect(await check(second(scenes[0]!, { gain: 0.9 }), ['north', 'north'])).toEqual([])
  })
  test('a single odd frame at the seam is not one either', async () => {
    const scene = scenes[0]!
    const once = (frame: number): Shot => renderShot(scene, frame, frame === LAST_OF_FIRST + 1 ? { gain: 0.9 } : {})
    expect(await check(once)).toEqual([])
  })
})
