import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { checkFile } from '../src/index.ts'
import { filePool } from '../src/path/file-pool.ts'
import { SPEC } from './job.ts'
import { renderNoise } from './noise-renderer.ts'

test('bytes that are handed to threads are found the same as here, tiles and damage too', async () => {
  const whole = renderNoise(1, { width: 160, height: 96, samples: 8, seed: 1 })
  const tile = renderNoise(1, { width: 80, height: 96, samples: 8, seed: 1 })
  const spec = {
    ...SPEC,
    tiles: [
      { x: 0, y: 0, width: 80, height: 96 },
      { x: 80, y: 0, width: 80, height: 96 },
    ],
  }
  const pool = filePool({ threads: Math.max(2, availableParallelism()) })
  try {
    for (const [bytes, part] of [
      [whole, 0],
      [tile, 2],
      [whole, 2],
      [whole.subarray(0, 900), 0],
    ] as const) {
      const { ms: _ms, ...found } = await pool.check({ from: { bytes }, frame: 1, spec, part })
      expect(found).toEqual(await checkFile(bytes, spec, 1, part))
    }
  } finally {
    await pool.close()
  }
})
