// How a lease is examined: own crops, whole frames, statistics, and what a checker without a renderer says.
import type { FarmInfo } from '@pictor/core/contract'
import { expect, test } from 'vitest'
import {
  draw,
  requireSigner,
  batchDigest,
  finalDigest,
  verifyHeld,
  verifyReady,
  verifySeed,
  verifyVote,
} from '@pictor/core/proof'
import { act, batchOf, checkLease, only } from './job.ts'
import { NOISE_BUILD, noiseFarm, renderNoise } from './noise-renderer.ts'
import { honest, SCENE, start } from './started.ts'

test('an honest lease is held, checked against own crops, accepted and settled', async () => {
  const { checker, test, farm } = await start()
  const lease = test.lease(1, [1, 2, 3])
  const { job } = test
  const ready = only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready').ready
  verifyReady(job.domain, ready)
  const commit = await test.commit(lease, honest(lease.frames))
  verifyHeld(job.domain, only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held').held)
  expect(only(await act(checker, { kind: 'check', job, lease, commits: [commit] }), 'checked').cpuMs).toBeGreaterThanOrEqual(30)
  const { votes, seed, reports } = only(await act(checker, { kind: 'reveal', job, lease: 1 }), 'votes')
  for (const vote of votes) verifyVote(job.domain, vote)
  expect(votes.map((vote) => [vote.frame, vote.verdict, vote.checked])).toEqual([
    [1, 'accept', true],
    [2, 'accept', true],
    [3, 'accept', true],
  ])
  expect(verifySeed(ready.seedRoot, seed)).toBe(true)
  expect(reports.every((report) => report.findings.some((found) => found.code === 'crop-agrees'))).toBe(true)
  const drawn = draw(seed.seed, commit.outputRoot, 2, {
    width: 160,
    height: 96,
    cropWidth: 128,
    cropHeight: 96,
    samplingPerMille: 1000,
  })
  expect(farm.rendered.map((task) => task.window?.region)).toContainEqual(drawn.region)
  expect(farm.rendered.every((task) => task.purpose === 'check' && !task.lease)).toBe(true)
  const batch = batchOf(test, lease, [commit], votes)
  const signed = only(await act(checker, { kind: 'sign-batch', job, batch, votes, seeds: [seed] }), 'batch-signature')
  requireSigner(batchDigest(job.domain, batch), signed.signature.signature, checker.address, 'signature')
  const keep = lease.price + 300n
  expect(only(await act(checker, { kind: 'sign-final', job, keep: keep - 1n }), 'alarm').reason).toBe('keep-too-small')
  const final = only(await act(checker, { kind: 'sign-final', job, keep }), 'final-signature')
  requireSigner(finalDigest(job.domain, job.job, keep), final.signature.signature, checker.address, 'signature')
})

test.each([
  ['a quarter of the samples', { samples: 2, seed: 1 }, 'render-differs'],
  ['two percent less light', { gain: 0.97 }, 'render-differs'],
  ['a watermark outside of most crops', { mark: { x: 8, y: 4, width: 40, height: 24 } }, 'pixels-differ'],
])('%s is refused after a full render, with a picture', async (_name, cheat, code) => {
  const { checker, test } = await start()
  const lease = test.lease(1, [1, 2])
  const frames = new Map([...honest([1]), [2, renderNoise(2, { ...SCENE, ...cheat })]])
  const { votes, reports } = await checkLease(checker, test, lease, frames)
  expect(votes.map((vote) => vote.verdict)).toEqual(['accept', 'refuse'])
  expect(reports[1]!.findings.map((found) => found.code)).toContain(code)
  expect(reports[1]!.replica).toMatch(/^0x[0-9a-f]{64}$/)
  expect(await test.files.has(reports[1]!.picture!)).toBe(true)
})

test('a frame of another seed is an alarm, and accepted after a full comparison', async () => {
  const { checker, test } = await start()
  const { votes, reports } = await checkLease(
    checker,
    test,
    test.lease(1, [5]),
    new Map([[5, renderNoise(5, { ...SCENE, seed: 77 })]]),
  )
  expect(votes[0]!.verdict).toBe('accept')
  expect(reports[0]!.findings.map((found) => found.code)).toContain('other-seed')
})

test('on another device class pixels alone refuse nothing, statistics still do', async () => {
  // A checkerboard of three steps up and down: the same noise, beyond every tolerance at one seed, small against the noise of two.
  const odd = (samples: number): Uint8Array => renderNoise(5, { ...SCENE, samples, flicker: 3 })
  const same = await start()
  expect((await checkLease(same.checker, same.test, same.test.lease(1, [5]), new Map([[5, odd(8)]]))).votes[0]!.verdict).toBe(
    'refuse',
  )
  const optix = [{ ...NOISE_BUILD, devices: ['OPTIX'] }]
  const other = await start()
  expect(
    (await checkLease(other.checker, other.test, other.test.lease(1, [5]), new Map([[5, odd(8)]]), optix)).votes[0]!.verdict,
  ).toBe('accept')
  const short = await start()
  expect(
    (await checkLease(short.checker, short.test, short.test.lease(1, [5]), new Map([[5, odd(4)]]), optix)).votes[0]!.verdict,
  ).toBe('refuse')
})

test('half the samples at another seed are refused by their noise', async () => {
  const { checker, test } = await start()
  const { votes, reports } = await checkLease(
    checker,
    test,
    test.lease(1, [5]),
    new Map([[5, renderNoise(5, { ...SCENE, seed: 77, samples: 4 })]]),
  )
  expect(votes[0]!.verdict).toBe('refuse')
  expect(reports[0]!.findings[0]!.code).toBe('noise-ratio')
})

test('a mark outside of the crop escapes crops and is found by whole frames', async () => {
  const marked = new Map([[1, renderNoise(1, { ...SCENE, mark: { x: 150, y: 84, width: 8, height: 8 } })]])
  const crop = { width: 64, height: 48 }
  const verdicts = new Set<string>()
  for (let repeat = 0; repeat < 3; repeat++) {
    const { checker, test } = await start({ crop })
    verdicts.add((await checkLease(checker, test, test.lease(1, [1]), marked)).votes[0]!.verdict)
  }
  expect(verdicts).toContain('accept')
  const whole = await start({ crop, sampling: { full: 1 } })
  const { votes, reports } = await checkLease(whole.checker, whole.test, whole.test.lease(1, [1]), marked)
  expect(votes[0]!.verdict).toBe('refuse')
  expect(reports[0]!.findings[0]!.region).toMatchObject({ x: 150, y: 84 })
})

test('a truncated frame is refused without any render', async () => {
  const { checker, test, farm } = await start()
  const { votes } = await checkLease(checker, test, test.lease(1, [1]), new Map([[1, renderNoise(1, SCENE).slice(0, -500)]]))
  expect(votes[0]!.verdict).toBe('refuse')
  expect(farm.rendered).toEqual([])
})

test('a copied frame is refused, an honest still is cleared by the own render', async () => {
  const { checker, test } = await start()
  const copied = await checkLease(
    checker,
    test,
    test.lease(1, [1, 2]),
    new Map([
      [1, renderNoise(1, SCENE)],
      [2, renderNoise(1, SCENE)],
    ]),
  )
  expect(copied.votes.map((vote) => vote.verdict)).toEqual(['accept', 'refuse'])
})

test('without a working renderer a frame is unsure, never refused', async () => {
  const { checker, test } = await start({ renderer: noiseFarm(SCENE, { failing: true }) })
  const { votes, reports } = await checkLease(checker, test, test.lease(1, [1]), honest([1]))
  expect(votes[0]).toMatchObject({ verdict: 'unsure', checked: false })
  expect(reports[0]!.findings[0]!.message).toContain('no GPU is free')
})

test('a checker whose renderer opens scenes of strangers without a sandbox says so in every report', async () => {
  const renderer = noiseFarm(SCENE)
  for (const [sandbox, said] of [
    ['none', true],
    ['bubblewrap 0.8.0', false],
  ] as const) {
    const info = { software: [NOISE_BUILD], ext: { trust: 'foreign', sandbox } } as unknown as FarmInfo
    const { checker, test } = await start({ renderer: { ...renderer, describe: async () => info } })
    const { reports } = await checkLease(checker, test, test.lease(1, [1, 2]), honest([1, 2]))
    expect(reports.map((report) => report.findings.some(({ code }) => code === 'no-sandbox'))).toEqual([said, said])
  }
})
