import { afterEach, expect, test } from 'vitest'
import type { Checker } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker } from '../src/index.ts'
import { sameDeviceClass } from '../src/node/device-class.ts'
import { checkLease, makeJob } from './job.ts'
import { NOISE_BUILD, noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SPEC = { software: 'blender', softwareVersion: '3.4' }
const build = (version: string, ...devices: string[]) => ({ ...NOISE_BUILD, version, devices })

test.each([
  ['one build on one kind of device', [build('3.4.1', 'CPU')], [build('3.4.1', 'CPU')], true],
  ['another patch of it', [build('3.4.1', 'CPU')], [build('3.4.2', 'CPU')], false],
  ['another device', [build('3.4.1', 'CPU')], [build('3.4.1', 'OPTIX')], false],
  ['a farm with two kinds of device', [build('3.4.1', 'CPU')], [build('3.4.1', 'CPU', 'OPTIX')], false],
  ['a farm that has another family too', [build('3.4.1', 'CPU')], [build('3.4.1', 'CPU'), build('4.2.0', 'CPU')], true],
  ['a farm with two patches of the family', [build('3.4.1', 'CPU')], [build('3.4.1', 'CPU'), build('3.4.2', 'CPU')], false],
  ['only another family, the same on both sides', [build('4.2.0', 'CPU')], [build('4.2.0', 'CPU')], true],
  ['a farm that says nothing', [build('3.4.1', 'CPU')], undefined, false],
  ['other software', [build('3.4.1', 'CPU')], [{ ...build('3.4.1', 'CPU'), name: 'houdini' }], false],
] as const)('%s', (_name, own, farm, expected) => {
  expect(sameDeviceClass(own, farm, SPEC)).toBe(expected)
})

const open: Checker[] = []
afterEach(async () => {
  for (const checker of open.splice(0)) await checker.close?.()
})

test('a small flat picture of another device is never accepted at a quarter of the samples, and at all samples never refused', async () => {
  const scene: NoiseScene = { width: 64, height: 40, samples: 8, seed: 1, flat: true }
  const spec = {
    ...(await makeJob([])).job.spec,
    output: { format: 'PNG', width: 64, height: 40, colorMode: 'RGB', bitDepth: 8 },
  } as const
  const verdictOf = async (samples: number, seed: number): Promise<string> => {
    const signer = privateKeySigner(drawnKey())
    const checker = createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(scene) })
    open.push(checker)
    const job = await makeJob([signer], { spec })
    const frames = new Map([[1, renderNoise(1, { ...scene, samples, seed })]])
    const { votes } = await checkLease(checker, job, job.lease(1, [1]), frames, [build('3.4.1', 'OPTIX')])
    return votes[0]!.verdict
  }
  for (let seed = 40; seed < 48; seed++) {
    expect(await verdictOf(2, seed)).not.toBe('accept')
    expect(await verdictOf(8, seed)).not.toBe('refuse')
  }
})

test('across device classes, motion blur may shift a frame a little, which is a doubt; without blur or far beyond it is refused', async () => {
  const scene: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
  const verdictOf = async (gain: number, motionBlur: boolean): Promise<string> => {
    const signer = privateKeySigner(drawnKey())
    const checker = createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(scene) })
    open.push(checker)
    const { spec } = (await makeJob([])).job
    const job = await makeJob([signer], { spec: { ...spec, motionBlur } })
    const frames = new Map([[1, renderNoise(1, { ...scene, seed: 77, gain })]])
    const { votes } = await checkLease(checker, job, job.lease(1, [1]), frames, [build('3.4.1', 'OPTIX')])
    return votes[0]!.verdict
  }
  expect(await verdictOf(1, true)).toBe('accept')
  expect(await verdictOf(1.01, false)).toBe('refuse')
  expect(await verdictOf(1.01, true)).toBe('unsure')
  expect(await verdictOf(1.06, true)).toBe('refuse')
})

test('samples that stop early at the ordered seed are told, though the frame then lies near the render at that seed', async () => {
  const scene: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
  const verdictOf = async (samples: number, seed: number): Promise<string> => {
    const signer = privateKeySigner(drawnKey())
    const checker = createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(scene) })
    open.push(checker)
    const job = await makeJob([signer])
    const frames = new Map([[1, renderNoise(1, { ...scene, samples, seed })]])
    const { votes } = await checkLease(checker, job, job.lease(1, [1]), frames, [NOISE_BUILD])
    return votes[0]!.verdict
  }
  // 5 of 8 samples share so much noise with all 8 that a comparison with that render saw nothing; so little that the seed is not recognised.
  expect(await verdictOf(5, 1)).toBe('refuse')
  expect(await verdictOf(5, 77)).toBe('refuse')
  expect(await verdictOf(8, 77)).toBe('accept')
})
