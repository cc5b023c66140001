import { afterEach, expect, test } from 'vitest'
import { decodeImage } from '@pictor/image'
import type { Checker, RenderSpec } from '@pictor/core/contract'
import { privateKeySigner, randomPrivateKey } from '@pictor/core/proof'
import { createChecker, toPicture, type Picture } from '../src/index.ts'
import { compareWithProbe, PROBE_LIMIT } from '../src/compare/probe.ts'
import { checkLease, makeJob, SPEC } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 320, height: 180, samples: 8, seed: 1 }
const spec: RenderSpec = { ...SPEC, output: { ...SPEC.output, width: SCENE.width, height: SCENE.height } }
const MARK = { x: 200, y: 120, width: 40, height: 24 }

const open: Checker[] = []
afterEach(async () => {
  for (const checker of open.splice(0)) await checker.close?.()
})

async function check(scene: NoiseScene, probe: number) {
  const signer = privateKeySigner(randomPrivateKey())
  const renderer = noiseFarm(SCENE)
  const checker = createChecker({ signer, renderer, crop: { width: 64, height: 48 }, sampling: { full: 0, probe } })
  open.push(checker)
  const job = await makeJob([signer], { spec })
  const { votes, reports } = await checkLease(checker, job, job.lease(1, [1]), new Map([[1, renderNoise(1, scene)]]))
  return {
    verdict: votes[0]!.verdict,
    codes: reports[0]!.findings.map((found) => found.code),
    windows: renderer.rendered.map(({ window }) => (window?.region ? 'crop' : window?.resolutionPct ? 'probe' : 'whole')),
  }
}

test('an honest frame is accepted by its crop and a small render of the whole', async () => {
  expect(await check(SCENE, 1)).toEqual({
    verdict: 'accept',
    codes: ['crop-agrees', 'probe-agrees'],
    windows: ['crop', 'probe'],
  })
})

test('a mark that crops mostly miss is found by the small render, and refused by a whole one', async () => {
  for (let repeat = 0; repeat < 4; repeat++) {
    const found = await check({ ...SCENE, mark: MARK }, 1)
    expect(found.verdict).toBe('refuse')
    expect(found.windows).toContain('whole')
  }
})

test('a quarter of the samples is refused by the noise of the crop: one whole render is enough', async () => {
  const found = await check({ ...SCENE, samples: 2, seed: 77 }, 1)
  expect(found.verdict).toBe('refuse')
  expect(found.codes[0]).toBe('noise-ratio')
  expect(found.windows).toEqual(['crop', 'whole', 'crop', 'crop'])
})

test('all samples at another seed are not refused by a crop alone: the whole frame is compared with two renders', async () => {
  const found = await check({ ...SCENE, seed: 77 }, 1)
  expect(found.verdict).toBe('accept')
  expect(found.windows).toEqual(['crop', 'whole', 'crop', 'crop', 'whole', 'whole'])
})

test('without probes the same mark passes where the crop misses it', async () => {
  const verdicts = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await check({ ...SCENE, mark: MARK }, 0)).verdict))
  expect(verdicts).toContain('accept')
})

test('honest probes lie within the limit, a faint veil of a few hundred pixels beyond it', () => {
  const picture = (scene: NoiseScene): Picture => toPicture(decodeImage(renderNoise(1, scene)))!
  const probe = picture({ ...SCENE, width: 80, height: 45, seed: 9 })
  for (let seed = 1; seed <= 6; seed++) expect(compareWithProbe(picture({ ...SCENE, seed }), probe).off).toBeLessThan(PROBE_LIMIT)
  const honest = picture(SCENE)
  const veiled = honest.raw.map((plane) => plane.map((v, i) => (inside(i) ? 0.7 * v + 0.3 : v)))
  const { off, area } = compareWithProbe({ ...honest, raw: veiled }, probe)
  expect(off).toBeGreaterThan(PROBE_LIMIT)
  expect(area.x >= MARK.x - 16 && area.x < MARK.x + MARK.width && area.y >= MARK.y - 16 && area.y < MARK.y + MARK.height).toBe(
    true,
  )
})

const inside = (i: number): boolean => {
  const [x, y] = [i % SCENE.width, Math.floor(i / SCENE.width)]
  return x >= MARK.x && x < MARK.x + MARK.width && y >= MARK.y && y < MARK.y + MARK.height
}
