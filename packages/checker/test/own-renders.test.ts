import { expect, test } from 'vitest'
import { bundleRoot, sha256Hex } from '@pictor/core/proof'
import { ownRenderer } from '../src/render/own-renders.ts'
import { memoryArtifacts } from './artifacts.ts'
import { SPEC } from './job.ts'
import { noiseFarm } from './noise-renderer.ts'

test('windows that coincide are rendered once and given to all that asked for them', async () => {
  const farm = noiseFarm({ width: 160, height: 96, samples: 2, seed: 1 })
  const scene = new TextEncoder().encode('a scene')
  const files = [{ path: 'scene.blend', hash: sha256Hex(scene), bytes: scene.length }]
  const bundle = { root: bundleRoot(files), entry: 'scene.blend', files }
  const renderer = ownRenderer({ farm, run: 'run', bundle, files: memoryArtifacts(), spec: SPEC, timeoutMs: 60_000 })
  const at = (x: number) => ({ frame: 1, window: { region: { x, y: 0, width: 64, height: 48 } } })
  const [one, other, again] = await renderer.render([at(8), at(16), at(8)], { key: 'key' })
  expect([one, other, again].map((result) => result?.failure)).toEqual([undefined, undefined, undefined])
  expect(again).toEqual(one)
  expect(other!.hash).not.toBe(one!.hash)
  expect(farm.rendered).toHaveLength(2)
})
