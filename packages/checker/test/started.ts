import { afterEach } from 'vitest'
import { privateKeySigner } from '@pictor/core/proof'
import type { Checker, Terms } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker, type CheckerOptions } from '../src/index.ts'
import { makeJob, type TestJob } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

/** What the checkers of these tests render: noise of a known scene. */
export const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }

/** Checkers that are closed after each test. */
export const open: Checker[] = []
afterEach(async () => {
  for (const checker of open.splice(0)) await checker.close?.()
})

/** A checker with a renderer of its own, and a job that it serves. */
export async function start(
  options: Partial<CheckerOptions> = {},
  terms: Partial<Terms> = {},
): Promise<{ checker: Checker; test: TestJob; farm: ReturnType<typeof noiseFarm> }> {
  const signer = options.signer ?? privateKeySigner(drawnKey())
  const farm = noiseFarm(SCENE)
  const checker = createChecker({
    signer,
    secret: drawnKey(),
    renderer: farm,
    ...options,
    sampling: { full: 0, ...options.sampling },
  })
  open.push(checker)
  return { checker, test: await makeJob([signer], { terms }), farm }
}

/** Honest frames by number. */
export const honest = (frames: readonly number[]): Map<number, Uint8Array> =>
  new Map(frames.map((frame) => [frame, renderNoise(frame, SCENE)]))
