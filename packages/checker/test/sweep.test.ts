import { expect, test } from 'vitest'
import { privateKeySigner } from '@pictor/core/proof'
import type { Bytes32 } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker } from '../src/index.ts'
import { act, makeJob, only } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }

test('files go when nobody can dispute the job any more and the days of grace are over, and never those of a job that goes on', async () => {
  const signer = privateKeySigner(drawnKey())
  let nowMs = Date.now()
  const checker = createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(SCENE), now: () => nowMs })
  const long = Math.floor(nowMs / 1000) + 90 * 86_400
  const jobs = [
    await makeJob([signer]),
    // The same scene in a job that lasts: its bundle is needed on.
    await makeJob([signer], {
      terms: { runId: `0x${'cd'.repeat(32)}`, deadlineAtS: long, attestByS: long + 60, refundAfterS: long + 10_000 },
    }),
  ]
  const outputs: Bytes32[] = []
  for (const [i, one] of jobs.entries()) {
    const { job } = one
    const lease = one.lease(1, [1 + i])
    only(await act(checker, { kind: 'ready', job, set: await one.set(0, [lease]), leases: [lease] }), 'ready')
    const commit = await one.commit(lease, new Map([[1 + i, renderNoise(1 + i, SCENE)]]))
    only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
    outputs.push(commit.outputs[0]!.outputHash)
  }
  const removed: Bytes32[] = []
  const sweep = () => checker.sweep(86_400_000, async (hash) => void removed.push(hash))
  const { refundAfterS, resolveByS } = jobs[0]!.job.terms
  nowMs = (refundAfterS + resolveByS + 86_400) * 1000
  expect(await sweep()).toBe(0)
  nowMs += 2_000
  expect(await sweep()).toBe(1)
  expect(removed).toEqual([outputs[0]])
  expect(await sweep()).toBe(0)
  nowMs = (long + 10_000 + resolveByS + 86_401) * 1000 + 1_000
  expect(await sweep()).toBe(2)
  expect(new Set(removed)).toEqual(new Set([...outputs, jobs[0]!.job.bundle.files[0]!.hash]))
  await checker.close?.()
})
