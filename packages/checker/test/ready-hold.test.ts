// What a checker is ready for and what it holds: sets, prices, keys, committees, files.
import { expect, test } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { memoryArtifacts } from './artifacts.ts'
import { batchHash, leaseResultOf, privateKeySigner, signLeaseKeyChange, signLeaseSet } from '@pictor/core/proof'
import { type DigestSigner, type Ledger } from '@pictor/core/contract'
import { createChecker } from '../src/index.ts'
import { act, checkLease, makeJob, only, SPEC } from './job.ts'
import { noiseFarm } from './noise-renderer.ts'
import { honest, SCENE, start } from './started.ts'

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
  const signers = [1, 2, 3].map(() => privateKeySigner(drawnKey()))
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
  const [own, second] = [signer, other].map((one) =>
    createChecker({ signer: one, secret: drawnKey(), renderer: noiseFarm(SCENE), ledger }),
  )
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
  const next = privateKeySigner(drawnKey())
  const readyFor = async (followsLedger: boolean, key: 'old' | 'next' | 'next, by a stranger'): Promise<string> => {
    const signer = privateKeySigner(drawnKey())
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
