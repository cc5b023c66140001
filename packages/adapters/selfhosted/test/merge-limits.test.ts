import { encodeExr } from '@pictor/image'
import { describe, expect, it } from 'vitest'
import { mergeTiles, tileMerge } from '../src/merge.ts'
import { TINY } from './support.ts'

describe('frames that are too large to be merged in memory', () => {
  it('are not split: the plan hears of it before any money moves', () => {
    const sized = (width: number, height: number) => tileMerge.refusal({ ...TINY, output: { ...TINY.output, width, height } })
    expect(sized(11_585, 11_585)).toBeUndefined()
    expect(sized(16_384, 8_193)).toContain('16384 x 8193')
  })

  it('are refused before their pixels are held, by their size or by their channels', () => {
    const plane = { type: 'float', data: new Float32Array(1) } as const
    const bytes = encodeExr(
      1,
      1,
      Array.from({ length: 9 }, (_, i) => ({ ...plane, name: `c${i}` })),
    )
    const tile = { region: { x: 0, y: 0, width: 1, height: 1 }, bytes }
    expect(() => mergeTiles({ width: 40_000, height: 40_000 }, [tile])).toThrow(/40000 x 40000/)
    expect(() => mergeTiles({ width: 16_384, height: 8_192 }, [tile])).toThrow(/9 channels/)
  })
})
