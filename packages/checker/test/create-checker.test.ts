import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { memoryArtifacts } from './artifacts.ts'
import {
  batchHash,
  draw,
  leaseResultOf,
  privateKeySigner,
  randomPrivateKey,
  requireSigner,
  batchDigest,
  finalDigest,
  signLeaseKeyChange,
  signLeaseSet,
  verifyHeld,
  verifyReady,
  verifySeed,
  verifyVote,
} from '@pictor/core/proof'
import {
  PictorError,
  type Checker,
  type DigestSigner,
  type Ledger,
  type Ready,
  type SeedReveal,
  type Vote,
} from '@pictor/core/contract'
import { createChecker, type CheckerOptions } from '../src/index.ts'
import { act, batchOf, checkLease, makeJob, only, SPEC, type TestJob } from './job.ts'
import { NOISE_BUILD, noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
const open: Checker[] = []
afterEach(async () => {
  for (const checker of open.splice(0)) await checker.close?.()
})

async function start(
  options: Partial<CheckerOptions> = {},
): Promise<{ checker: Checker; test: TestJob; farm: ReturnType<typeof noiseFarm> }> {
  const signer = options.signer ?? privateKeySigner(randomPrivateKey())
  const farm = noiseFarm(SCENE)
  const checker = createChecker({ signer, renderer: farm, ...options, sampling: { full: 0, ...options.sampling } })
  open.push(checker)
  return { checker, test: await makeJob([signer]), farm }
}

const honest = (frames: readonly number[]) => new Map(frames.map((frame) => [frame, renderNoise(frame, SCENE)]))

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

test('votes survive a restart and are never made twice', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'checker-'))
  try {
    const signer = privateKeySigner(randomPrivateKey())
    const store = join(folder, 'checker.db')
    const first = await start({ signer, store })
    const lease = first.test.lease(1, [1, 2])
    const before = await checkLease(first.checker, first.test, lease, honest([1, 2]))
    await first.checker.close?.()
    const farm = noiseFarm(SCENE)
    const second = createChecker({ signer, store, renderer: farm })
    open.push(second)
    const { job } = first.test
    only(await act(second, { kind: 'check', job, lease, commits: [before.commit] }), 'checked')
    const after = only(await act(second, { kind: 'reveal', job, lease: 1 }), 'votes')
    expect(after.votes).toEqual(before.votes)
    expect(after.seed).toEqual(before.seed)
    expect(farm.rendered).toEqual([])
    const all = await second.poll({ job: job.job }, { key: 'poll' })
    const types = all.events.map((event) => event.type).filter((type) => type !== 'lease-progress')
    expect(types).toEqual(['ready', 'held', 'checked', 'votes', 'checked', 'votes'])
  } finally {
    await Promise.all(open.splice(0).map((checker) => checker.close?.()))
    await rm(folder, { recursive: true })
  }
})

test('the same key has its effect once', async () => {
  const { checker, test } = await start()
  const lease = test.lease(1, [1])
  const action = { kind: 'ready' as const, job: test.job, set: await test.set(0, [lease]), leases: [lease] }
  await act(checker, action, 'same')
  await checker.send(action, { key: 'same' })
  await checker.send(action, { key: 'same' })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect((await checker.poll({ job: test.job.job }, { key: 'poll' })).events).toHaveLength(1)
})

test.each([
  ['a price above the frame cap', { price: 20_001n }, 'frame-cap'],
  [
    'prices above the farm budget',
    { price: 1_000_001n, frames: Array.from({ length: 200 }, (_, i) => i), weights: Array.from({ length: 200 }, () => 1) },
    'farm-budget',
  ],
  ['a commit time in the past', { commitByS: 1000 }, 'commit-by'],
  ['a commit time after the deadline', { commitByS: 4_000_000_000 }, 'commit-by'],
  ['a looser check class than the scene allows', { checkClass: 'file-only' as const }, 'check-class'],
])('ready refuses %s', async (_name, fields, reason) => {
  const { checker, test } = await start()
  const lease = test.lease(1, [1, 2], fields)
  const events = await act(checker, { kind: 'ready', job: test.job, set: await test.set(0, [lease]), leases: [lease] })
  expect(only(events, 'alarm').reason).toBe(reason)
})

test('a set that was refused counts as seen, and the next one can be ready', async () => {
  const { checker, test } = await start()
  const { job } = test
  const dear = test.lease(1, [1], { price: 20_000n })
  expect(only(await act(checker, { kind: 'ready', job, set: await test.set(0, [dear]), leases: [dear] }), 'alarm').reason).toBe(
    'frame-cap',
  )
  const fair = test.lease(2, [1])
  only(await act(checker, { kind: 'ready', job, set: await test.set(1, [fair]), leases: [fair] }), 'ready')
})

test('Final waits until a lease that it does not keep can no longer be committed', async () => {
  let nowMs = Date.now()
  const { checker, test } = await start({ now: () => nowMs })
  const { job } = test
  const lease = test.lease(1, [1])
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const waiting = act(checker, { kind: 'sign-final', job, keep: 0n })
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect((await checker.poll({ job: job.job }, { key: 'poll' })).events.map((event) => event.type)).toEqual(['ready'])
  nowMs = lease.commitByS * 1000 + 1000
  only(await waiting, 'final-signature')
})

test('nothing is held past commitBy, and no set is ready after Final', async () => {
  let nowMs = Date.now()
  const { checker, test } = await start({ now: () => nowMs })
  const { job } = test
  const lease = test.lease(1, [1])
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, honest([1]))
  nowMs = lease.commitByS * 1000 + 1
  const late = only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'alarm')
  expect(late.reason).toBe('late-commit')
  only(await act(checker, { kind: 'sign-final', job, keep: 0n }), 'final-signature')
  nowMs -= 60_000
  const more = test.lease(2, [2])
  const after = only(await act(checker, { kind: 'ready', job, set: await test.set(1, [more]), leases: [more] }), 'alarm')
  expect(after.reason).toBe('after-final')
})

test('a checker of the registry believes the ledger alone about who was drawn, and counts votes and signs batches by that', async () => {
  const signers = [1, 2, 3].map(() => privateKeySigner(randomPrivateKey()))
  const [signer, other, stranger] = signers as [DigestSigner, DigestSigner, DigestSigner]
  const committee = [signer.address, other.address].sort()
  const test = await makeJob([], { terms: { registryDraw: 2, quorum: 2 } })
  const { job } = test
  const lease = test.lease(1, [1])
  const set = await test.set(0, [lease])
  const base = { job: job.job, atMs: 1, status: 'final' as const }
  const opened = { ...base, id: '1', type: 'opened' as const, creator: job.terms.creator, farmBudget: 1n, checkBudget: 1n }
  const drawn = { ...base, id: '2', type: 'drawn' as const, committee }
  const poll: Ledger['poll'] = async () => ({ events: [{ ...opened, setRoot: set.setRoot }, drawn], cursor: '2', waitMs: 1 })
  const ledger = { domain: job.domain, poll } as unknown as Ledger

  const { checker: blind } = await start({ signer })
  expect(only(await act(blind, { kind: 'ready', job, set, leases: [lease] }), 'alarm').reason).toBe('no-ledger')
  const { checker: outside } = await start({ signer: stranger, ledger })
  expect(only(await act(outside, { kind: 'ready', job, set, leases: [lease] }), 'alarm').reason).toBe('not-a-checker')

  const cast = []
  const [own, second] = [signer, other].map((one) => createChecker({ signer: one, renderer: noiseFarm(SCENE), ledger }))
  for (const checker of [own!, second!]) cast.push(await checkLease(checker, test, lease, honest([1])))
  const votes = cast.flatMap((one) => one.votes)
  const result = leaseResultOf({ lease, seq: 0, commits: [cast[0]!.commit], votes, quorum: 2 })
  const body = { job: job.job, results: [result], validUntilS: job.terms.attestByS }
  const batch = { ...body, batchHash: batchHash(body, job.terms, committee) }
  const readies = await Promise.all(
    [own!, second!].map(async (one) => only((await one.poll({ job: job.job }, { key: 'poll' })).events, 'ready').ready),
  )
  const asked = { kind: 'sign-batch' as const, job, batch, votes, seeds: cast.map(({ seed }) => seed), readies }
  const foreign = { ...votes[1]!, checker: stranger.address }
  expect(only(await act(own!, { ...asked, votes: [votes[0]!, foreign] }), 'alarm').reason).toBe('not-a-checker')
  expect(only(await act(own!, asked), 'batch-signature').batchHash).toBe(batch.batchHash)
  for (const checker of [own!, second!]) await checker.close?.()
})

test('after a replaced leaseKey a checker is ready for sets of the key in force, by the ledger or by the word of the creator', async () => {
  const next = privateKeySigner(randomPrivateKey())
  const readyFor = async (followsLedger: boolean, key: 'old' | 'next' | 'next, by a stranger'): Promise<string> => {
    const signer = privateKeySigner(randomPrivateKey())
    const test = await makeJob([signer])
    const { job } = test
    const lease = test.lease(1, [1])
    const first = await test.set(0, [lease])
    const base = { job: job.job, atMs: 1, status: 'final' as const }
    const opened = { ...base, id: '1', type: 'opened' as const, creator: job.terms.creator, farmBudget: 1n, checkBudget: 1n }
    const poll: Ledger['poll'] = async () => ({
      events: [
        { ...opened, setRoot: first.setRoot },
        { ...base, id: '2', type: 'lease-key-replaced', leaseKey: next.address },
      ],
      cursor: '2',
      waitMs: 1,
    })
    const ledger = { domain: job.domain, poll } as unknown as Ledger
    const { checker } = await start({ signer, ...(followsLedger ? { ledger } : {}) })
    only(await act(checker, { kind: 'ready', job, set: first, leases: [lease] }), 'ready')
    const more = test.lease(2, [2])
    const message = { job: job.job, seq: 1, leases: [more] }
    const creator = key === 'next' ? test.farm : next
    const set =
      key === 'old'
        ? await test.set(1, [more])
        : {
            ...(await signLeaseSet(next, job.domain, message)),
            keyChange: await signLeaseKeyChange(creator, job.domain, job.job, next.address),
          }
    const events = await act(checker, { kind: 'ready', job, set, leases: [more] })
    return events.find((event) => event.type === 'ready') ? 'ready' : only(events, 'alarm').message
  }
  expect(await readyFor(true, 'old')).toContain('set.signature')
  expect(await readyFor(true, 'next')).toBe('ready')
  expect(await readyFor(false, 'next')).toBe('ready')
  expect(await readyFor(false, 'next, by a stranger')).toContain('set.keyChange')
  // Nobody told this one that the key was replaced.
  expect(await readyFor(false, 'old')).toBe('ready')
})

test('check fees may reach the check budget, not pass it', async () => {
  const { checker, test } = await start()
  const { job } = test
  const full = test.lease(
    1,
    Array.from({ length: 1000 }, (_, i) => i),
    { price: 1n },
  )
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [full]), leases: [full] }), 'ready')
  const more = test.lease(2, [2000])
  const events = await act(checker, { kind: 'ready', job, set: await test.set(1, [more]), leases: [more] })
  expect(only(events, 'alarm').reason).toBe('check-budget')
})

test('ready refuses a damaged bundle, another spec, a second set and a skipped set', async () => {
  const { checker, test } = await start()
  const { job } = test
  const lease = test.lease(1, [1])
  const set = await test.set(0, [lease])
  const ready = (fields: Partial<typeof job>, other = set, leases = [lease]) =>
    act(checker, { kind: 'ready', job: { ...job, ...fields }, set: other, leases })
  expect(only(await ready({ spec: { ...SPEC, samples: 4 } }), 'alarm').reason).toBe('spec-hash')
  expect(only(await ready({ bundle: { ...job.bundle, files: [{ ...job.bundle.files[0]!, bytes: 8 }] } }), 'alarm').reason).toBe(
    'bundle-root',
  )
  expect(only(await ready({ files: memoryArtifacts() }), 'alarm').reason).toBe('not-found')
  only(await ready({}), 'ready')
  const other = test.lease(2, [2])
  expect(only(await ready({}, await test.set(0, [other]), [other]), 'alarm').reason).toBe('second-set')
  expect(only(await ready({}, await test.set(2, [other]), [other]), 'alarm').reason).toBe('set-missing')
  expect(
    only(await ready({}, { ...(await test.set(1, [other])), signature: `0x${'00'.repeat(65)}` }, [other]), 'alarm').reason,
  ).toBe('signature-invalid')
  only(await ready({}, await test.set(1, [other]), [other]), 'ready')
})

test('hold refuses foreign frames, repetitions, missing bytes, and commitments of others', async () => {
  const { checker, test } = await start()
  const { job } = test
  const lease = test.lease(1, [1, 2])
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const hold = async (commit: Awaited<ReturnType<typeof test.commit>>, fields = {}) =>
    act(checker, { kind: 'hold', job: { ...job, ...fields }, lease, commit, farm: lease.farm })
  const good = await test.commit(lease, honest([1]))
  expect(only(await hold({ ...good, signature: `0x${'11'.repeat(65)}` }), 'alarm').reason).toBe('signature-invalid')
  expect(only(await hold(await test.commit(lease, honest([3]))), 'alarm').reason).toBe('frame-of-other-lease')
  expect(only(await hold(good, { files: memoryArtifacts() }), 'alarm').reason).toBe('bytes-missing')
  only(await hold(good), 'held')
  expect(only(await hold(await test.commit(lease, honest([1, 2]), 1)), 'alarm').reason).toBe('frame-again')
  const foreign = test.lease(9, [1])
  expect(only(await act(checker, { kind: 'hold', job, lease: foreign, commit: good, farm: lease.farm }), 'alarm').reason).toBe(
    'lease-unknown',
  )
})

test('a batch is signed only when it follows from the votes', async () => {
  const { checker, test } = await start()
  const { job } = test
  const lease = test.lease(1, [1, 2])
  const frames = new Map([...honest([1]), [2, new Uint8Array(0)]])
  const { commit, votes, seed } = await checkLease(checker, test, lease, frames)
  const batch = batchOf(test, lease, [commit], votes)
  expect(batch.results[0]!.records.map((record) => record.verdict)).toEqual(['accept', 'refuse'])
  const sign = (changed: typeof batch, given = votes) =>
    act(checker, { kind: 'sign-batch', job, batch: changed, votes: given, seeds: [seed] })
  const [result] = batch.results
  const generous = {
    ...result!,
    acceptedWeight: 2,
    records: result!.records.map((record) => ({ ...record, verdict: 'accept' as const })),
  }
  expect(only(await sign({ ...batch, results: [generous] }), 'alarm').reason).toBe('record-differs')
  expect(only(await sign({ ...batch, results: [{ ...result!, acceptedWeight: 2 }] }), 'alarm').reason).toBe('weight-differs')
  expect(only(await sign({ ...batch, batchHash: `0x${'22'.repeat(32)}` }), 'alarm').reason).toBe('batch-hash')
  expect(only(await sign(batch, votes.slice(1)), 'alarm').reason).toBe('own-votes')
  expect(only(await sign({ ...batch, validUntilS: 1000 }), 'alarm').reason).toBe('batch-expired')
  only(await sign(batch), 'batch-signature')
})

test.each([
  ['agree, so a bad frame is refused', [1, 1, 1], 'refuse'],
  ['disagree, so nobody knows and it is unsure', [1, 2, 3], 'unsure'],
] as const)('three checkers whose own renders %s', async (_name, seeds, verdict) => {
  const signers = seeds.map(() => privateKeySigner(randomPrivateKey()))
  const checkers = signers.map((signer, i) =>
    // A renderer whose seed is its own stands for one that is broken or lies.
    createChecker({ signer, renderer: noiseFarm({ ...SCENE, seed: seeds[i]! }, { ownSeed: true }) }),
  )
  open.push(...checkers)
  const job = await makeJob(signers)
  const lease = job.lease(1, [1])
  const set = await job.set(0, [lease])
  const commit = await job.commit(lease, new Map([[1, renderNoise(1, { ...SCENE, seed: 9, samples: 2 })]]))
  const votes: Vote[] = []
  const seedReveals: SeedReveal[] = []
  const readies: Ready[] = []
  for (const checker of checkers) {
    readies.push(only(await act(checker, { kind: 'ready', job: job.job, set, leases: [lease] }), 'ready').ready)
    only(await act(checker, { kind: 'hold', job: job.job, lease, commit, farm: lease.farm }), 'held')
    only(await act(checker, { kind: 'check', job: job.job, lease, commits: [commit] }), 'checked')
    const revealed = only(await act(checker, { kind: 'reveal', job: job.job, lease: 1 }), 'votes')
    votes.push(...revealed.votes)
    seedReveals.push(revealed.seed)
  }
  expect(votes.map((vote) => vote.verdict)).toEqual(['refuse', 'refuse', 'refuse'])
  // Each refusal commits to its checker's own full render.
  expect(new Set(votes.map((vote) => vote.cropsHash)).size).toBe(new Set(seeds).size)
  const batch = batchOf(job, lease, [commit], votes)
  expect(batch.results[0]!.records[0]!.verdict).toBe(verdict)
  const sign = (fields: { seeds?: readonly SeedReveal[]; readies?: readonly Ready[] } = {}) =>
    act(checkers[0]!, { kind: 'sign-batch', job: job.job, batch, votes, seeds: seedReveals, readies, ...fields })
  // Whoever may choose his seed after the frames are known chooses what he looks at.
  const chosen = { ...seedReveals[1]!, seed: `0x${'07'.repeat(32)}` as const }
  const reason = async (fields: Parameters<typeof sign>[0]) => only(await sign(fields), 'alarm').reason
  expect(await reason({ seeds: [seedReveals[0]!, chosen, seedReveals[2]!] })).toBe('seed-differs')
  expect(await reason({ seeds: seedReveals.slice(0, 2) })).toBe('seed-missing')
  expect(await reason({ readies: readies.slice(0, 2) })).toBe('ready-missing')
  expect(await reason({ readies: [readies[0]!, { ...readies[1]!, seedRoot: chosen.seed }, readies[2]!] })).toBe(
    'signature-invalid',
  )
  for (const checker of checkers) {
    only(await act(checker, { kind: 'sign-batch', job: job.job, batch, votes, seeds: seedReveals, readies }), 'batch-signature')
  }
})

test('a runner that comes back serves its files elsewhere: what was asked before goes on with those', async () => {
  const { checker, test } = await start({ patienceMs: 60_000 })
  const lease = test.lease(1, [1])
  const { job } = test
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, honest(lease.frames))
  let reads = 0
  const gone = async (): Promise<never> => {
    reads++
    throw new PictorError('farm-unreachable', 'the runner was killed')
  }
  const hold = { kind: 'hold', job, lease, commit, farm: lease.farm } as const
  const files = { ...job.files, has: gone, read: gone, path: gone }
  await checker.send({ ...hold, job: { ...job, files } }, { key: 'hold 1' })
  await vi.waitFor(() => expect(reads).toBeGreaterThan(0))
  await checker.send(hold, { key: 'hold 1' })
  for (let waits = 0; waits < 200; waits++) {
    const { events } = await checker.poll({ job: job.job }, { key: 'poll' })
    expect(events.map(({ type }) => type)).not.toContain('alarm')
    if (events.some(({ type }) => type === 'held')) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect.unreachable('the lease was never held')
})
