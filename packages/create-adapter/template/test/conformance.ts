import { createHash } from 'node:crypto'
import type { FarmConformanceOptions } from '@pictor/core/conformance'
import { PictorError, type Artifacts, type JobSpec } from '@pictor/core/contract'
import { CAPABILITIES } from '../src/api.ts'
import { __FUNCTION__ } from '../src/index.ts'
import { fakeFarm } from './fake-farm.ts'

const scene = new TextEncoder().encode('a scene')
const hash: `0x${string}` = `0x${createHash('sha256').update(scene).digest('hex')}`

const missing = (): PictorError => new PictorError('not-found', 'not among the files of this test')
const files: Artifacts = {
  put: async () => ({ hash, bytes: scene.length }),
  has: async (wanted) => wanted === hash,
  read: async (wanted) => (wanted === hash ? scene : Promise.reject(missing())),
  path: () => Promise.reject(new PictorError('unsupported', 'files of this test lie in memory')),
}

const job: JobSpec = {
  name: 'test',
  frames: '1-6',
  bundle: { root: hash, entry: 'scene.blend', files: [{ path: 'scene.blend', hash, bytes: scene.length }] },
  render: {
    software: 'blender',
    softwareVersion: '4.2',
    engine: 'CYCLES',
    scene: 'Scene',
    viewLayers: ['ViewLayer'],
    camera: 'Camera',
    samples: 16,
    adaptive: false,
    denoise: false,
    seed: 0,
    animatedSeed: false,
    output: { format: 'PNG', width: 64, height: 36, colorMode: 'RGBA', bitDepth: 8 },
    checkClass: 'crop',
  },
  deadlineAtMs: Date.now() + 3_600_000,
  budget: { amount: 10_000_000n, currency: 'USD' },
  goal: 'cheapest',
}

/** What the kit tests; `pictor adapter test test/conformance.ts` runs it too. */
export const conformance: FarmConformanceOptions = {
  supports: {
    lane: 'api',
    capabilities: CAPABILITIES,
    http: true,
    scenarios: ['failing-frame', 'payment-gate', 'expired-outputs', 'unknown-state', 'skewed-clock'],
  },
  async make({ scenario, network }) {
    const farm = fakeFarm({
      locked: scenario === 'payment-gate',
      expired: scenario === 'expired-outputs',
      strangeState: scenario === 'unknown-state',
      aheadMs: scenario === 'skewed-clock' ? 86_400_000 : 0,
      ...(scenario === 'failing-frame' && { failingFrame: 3 }),
    })
    return {
      farm: __FUNCTION__({ url: 'https://farm.invalid', token: 'test-token', fetch: network.fetch(farm.fetch) }),
      job,
      files,
      failingFrame: 3,
      advance: async () => farm.tick(),
      pay: async () => farm.pay(),
    }
  },
}
