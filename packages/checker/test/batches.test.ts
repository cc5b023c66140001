// What a checker signs: batches that follow from the votes, and the end of a job.
import { expect, test } from 'vitest'
import { privateKeySigner, signCanceled } from '@pictor/core/proof'
import { type Ready, type SeedReveal, type Vote } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker } from '../src/index.ts'
import { act, batchOf, checkLease, makeJob, only } from './job.ts'
import { noiseFarm, renderNoise } from './noise-renderer.ts'
import { honest, open, SCENE, start } from './started.ts'

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

test('what a refused lease gives back at its release is not in the lock, so no later lease is ready for it', async () => {
  const { checker, test } = await start({}, { farmBudget: 2_500n })
  const { job } = test
  const lease = test.lease(1, [1, 2])
  const frames = new Map([1, 2].map((frame) => [frame, new Uint8Array(0)]))
  const { commit, votes, seed } = await checkLease(checker, test, lease, frames)
  const batch = batchOf(test, lease, [commit], votes)
  expect(batch.results[0]!.acceptedWeight).toBe(0)
  only(await act(checker, { kind: 'sign-batch', job, batch, votes, seeds: [seed] }), 'batch-signature')
  // A ledger reserves full prices: 500 are left of 2,500, whatever the farm is paid of its 2,000.
  const again = test.lease(2, [1, 2])
  const events = await act(checker, { kind: 'ready', job, set: await test.set(1, [again]), leases: [again] })
  expect(only(events, 'alarm').reason).toBe('farm-budget')
})

test('a batch that rests on fewer voters than the quorum is not signed: frames that nobody looked at would be paid', async () => {
  const signers = [1, 2, 3].map(() => privateKeySigner(drawnKey()))
  const test = await makeJob(signers)
  const { job } = test
  const lease = test.lease(1, [1])
  const [own, second] = signers.map((signer) => createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(SCENE) }))
  open.push(own!, second!)
  const cast = []
  for (const checker of [own!, second!]) cast.push(await checkLease(checker, test, lease, honest([1])))
  const readies = await Promise.all(
    [own!, second!].map(async (one) => only((await one.poll({ job: job.job }, { key: 'poll' })).events, 'ready').ready),
  )
  const [commit] = cast.map((one) => one.commit)
  const seeds = cast.map(({ seed }) => seed)
  const sign = (votes: readonly Vote[]) =>
    act(own!, { kind: 'sign-batch', job, batch: batchOf(test, lease, [commit!], votes), votes, seeds, readies })
  expect(only(await sign([]), 'alarm').reason).toBe('votes-missing')
  expect(only(await sign(cast[1]!.votes), 'alarm').reason).toBe('votes-missing')
  only(await sign(cast.flatMap((one) => one.votes)), 'batch-signature')
})

test('a lease that its farm ends with frames done is still held: its word gives up the rest only', async () => {
  const { checker, test } = await start()
  const { job } = test
  const lease = test.lease(1, [1, 2])
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, honest([1]))
  const word = { job: job.job, lease: 1, outputRoot: commit.outputRoot }
  const canceled = [{ ...word, signature: await signCanceled(test.farm, job.domain, word) }]
  const more = test.lease(2, [3])
  // The creator has the frames already, and shows the farm's last word before its commitment.
  const set = await test.set(1, [more])
  only(await act(checker, { kind: 'ready', job, set, leases: [more], canceled }), 'ready')
  only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
})

test.each([
  ['agree, so a bad frame is refused', [1, 1, 1], 'refuse'],
  ['disagree, so nobody knows and it is unsure', [1, 2, 3], 'unsure'],
] as const)('three checkers whose own renders %s', async (_name, seeds, verdict) => {
  const signers = seeds.map(() => privateKeySigner(drawnKey()))
  const checkers = signers.map((signer, i) =>
    // A renderer whose seed is its own stands for one that is broken or lies.
    createChecker({ signer, secret: drawnKey(), renderer: noiseFarm({ ...SCENE, seed: seeds[i]! }, { ownSeed: true }) }),
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
