import { describe, expect, test } from 'vitest'
import type { RenderSpec } from '@pictor/core/contract'
import { DEFECTS, drawScene, encodeShot, HONEST, type Sequence } from '../calibration/sequences.ts'
import { checkFile, verdictOf, type WeighedFinding } from '../src/index.ts'
import { measuredOf } from '../src/node/file-check.ts'
import { sequenceCheck } from '../src/sequence/check.ts'
import { SPEC } from './job.ts'

const scene = drawScene(6, 192, 112)
const FRAMES = 8
const SPOILT = 4

/** Findings of all frames of an 8-bit sequence. */
async function check(frameOf: Sequence, frames: readonly number[]): Promise<readonly (readonly WeighedFinding[])[]> {
  const spec: RenderSpec = { ...SPEC, output: { format: 'PNG', width: 192, height: 112, bitDepth: 8, colorMode: 'RGB' } }
  const checked = await Promise.all(
    Array.from({ length: FRAMES }, (_, i) => checkFile(encodeShot(frameOf(scene, i + 1), 'png', 1), spec, i + 1)),
  )
  const items = checked.map((one, i) => ({
    id: `${i}`,
    frame: i + 1,
    legitBlack: false,
    legitStatic: false,
    animatedSeed: false,
    measure: async () => measuredOf(one),
  }))
  const sequence = sequenceCheck(items)
  return Promise.all(frames.map((frame) => sequence.findings(items[frame - 1]!, checked[frame - 1]!.findings)))
}

describe('what films do is never refused without a reference', () => {
  test.each(Object.entries(HONEST))('%s', async (_name, frameOf) => {
    const found = await check(
      frameOf,
      Array.from({ length: FRAMES }, (_, i) => i + 1),
    )
    expect(found.map(verdictOf)).not.toContain('refuse')
  })
  test.each(['fade to black', 'fade from black, squared', 'fade to white'])(
    'the end of a %s is not even doubtful',
    async (name) => {
      const found = await check(HONEST[name]!, [1, 2, 3, 4, 5, 6, 7, 8])
      expect(found.flat().filter(({ weight }) => weight !== 'note')).toEqual([])
    },
  )
  test('plain animation has no finding at all', async () => {
    const found = await check(HONEST['plain animation']!, [1, 2, 3, 4, 5, 6, 7, 8])
    expect(found.flat()).toEqual([])
  })
})

/** Not told from one plausible picture without a reference. */
const HIDDEN: ReadonlySet<string> = new Set(['tile shifted by a pixel'])

describe('one spoilt frame is found', () => {
  const plain = HONEST['plain animation']!
  test.each(Object.entries(DEFECTS).filter(([name]) => !HIDDEN.has(name)))('%s', async (_name, spoil) => {
    const [found] = await check((from, frame) => (frame === SPOILT ? spoil : plain)(from, frame), [SPOILT])
    expect(verdictOf(found!)).not.toBe('accept')
  })
})
