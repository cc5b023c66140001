import { describe, expect, it } from 'vitest'
import { farmConformance, Network, type FarmSubject, type FarmSupports, type SubjectWish } from '@pictor/core/conformance'
import type { Address, Bytes32, FarmEvent, Lease, LedgerDomain, Task, TaskRef } from '@pictor/core/contract'
import {
  canceledDigest,
  isSignedBy,
  leaseAcceptDigest,
  leaseLeaf,
  outputRoot,
  privateKeySigner,
  verifyCommit,
} from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'
import { smallFarm, smallTask, supports as small } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm, signedFarm } from '../src/index.ts'
import { dressed } from './lease.ts'
import { served, TOKEN } from './served.ts'

const signer = privateKeySigner(drawnKey())
const other = privateKeySigner(drawnKey())

const tile = { kind: 'tiles', frame: 1, tiles: [{ x: 0, y: 0, width: 8, height: 8 }] } as const

async function signedSubject(wish: SubjectWish): Promise<FarmSubject> {
  const inner = await smallFarm(wish)
  const { server, close } = await served(signedFarm(inner.farm, { signer }))
  const farm = remoteFarm({ url: server.url, token: TOKEN, fetch: wish.network.fetch(), key: signer.address })
  return { ...inner, farm, close, dress: (task) => dressed(signer, task) }
}

const supports: FarmSupports = { ...small, leases: true }

describe('a signed farm behind a server keeps the rules', () => {
  for (const { name, skip, run } of farmConformance({ supports, make: signedSubject })) it.skipIf(skip !== undefined)(name, run)
})

async function rendered(desired?: 'cancel'): Promise<{ events: FarmEvent[]; ref: TaskRef; task: Task; subject: FarmSubject }> {
  const subject = await signedSubject({ scenario: 'plain', network: new Network() })
  const { farm, job, files } = subject
  const ctx = { key: 'k' }
  const stage = await farm.stage(job.bundle, files, ctx)
  const task = await subject.dress!(smallTask(job, stage, [1, 2]))
  const ref = await farm.submit(task, ctx)
  for (let i = 0; i < (desired ? 3 : 6); i++) await subject.advance!(10)
  if (desired) await farm.set(ref, { desired }, ctx)
  await subject.advance!(10)
  const { events } = await farm.poll({}, ctx)
  return { events: [...events], ref, task, subject }
}

describe('signedFarm', () => {
  it('countersigns the lease and commits to exactly the outputs that it delivered', async () => {
    const { events, ref, task, subject } = await rendered()
    const ticket = task.lease!
    const accept = { job: ticket.job, seq: ticket.set.seq, lease: 1, leaf: leaseLeaf(ticket.lease) }
    expect(isSignedBy(leaseAcceptDigest(ticket.domain, accept), ref.leaseSignature!, signer.address)).toBe(true)
    const commit = events.find((event) => event.type === 'commit')!.commit
    expect(() => verifyCommit(ticket.domain, commit, signer.address)).not.toThrow()
    const delivered = events.flatMap((event) => (event.type === 'output' ? [event.output.hash] : []))
    expect(commit.outputs.map(({ outputHash }) => outputHash).sort()).toEqual(delivered.sort())
    await subject.farm.close?.()
    await subject.close!()
  })

  it('signs a cancel over what it still commits to', async () => {
    const { events, task, subject } = await rendered('cancel')
    const ticket = task.lease!
    const canceled = events.find((event) => event.type === 'canceled')!
    const commit = events.find((event) => event.type === 'commit')?.commit
    const root = outputRoot(commit?.outputs ?? [])
    const digest = canceledDigest(ticket.domain, { job: ticket.job, lease: 1, outputRoot: root })
    expect(isSignedBy(digest, canceled.signature!, signer.address)).toBe(true)
    expect(canceled.outputRoot).toBe(root)
    expect(canceled.framesDone.length).toBe(commit?.outputs.length ?? 0)
    await subject.close!()
  })

  it('renders nothing without a lease, and probes without one', async () => {
    const inner = await smallFarm({ scenario: 'plain', network: new Network() })
    const farm = signedFarm(inner.farm, { signer })
    const stage = await farm.stage(inner.job.bundle, inner.files, { key: 's' })
    const task = smallTask(inner.job, stage, [1])
    await expect(farm.submit(task, { key: 'a' })).rejects.toMatchObject({ code: 'farm-refused' })
    expect(await farm.submit({ ...task, purpose: 'probe' }, { key: 'b' })).not.toHaveProperty('leaseSignature')
    await expect(farm.submit(await dressed(other, task), { key: 'c' })).rejects.toMatchObject({ code: 'farm-refused' })
  })
})

describe('signedFarm works for nothing but what its lease pays for', () => {
  const ours = (changed: Partial<Lease>) => ({ lease: changed })
  it.each<[string, string, Parameters<typeof dressed>[3], Partial<Task>]>([
    ['pay to somebody else', 'ticket.lease.payTo', ours({ payTo: other.address }), {}],
    ['less than it works for', 'ticket.lease.price', ours({ price: 199_999n }), {}],
    ['more for the platform than it agreed to', 'ticket.terms.platformFeeBps', { terms: { platformFeeBps: 251 } }, {}],
    ['more frames than the lease', 'task.work', {}, { work: { kind: 'frames', frames: [1, 2, 3] } }],
    ['other frames than the lease', 'task.work', {}, { work: { kind: 'frames', frames: [1, 3] } }],
    ['tiles of a whole frame', 'task.work', ours({ frames: [1], weights: [1] }), { work: tile }],
    ['a tile that the spec does not have', 'task.work', ours({ frames: [1], weights: [1], part: 1 }), { work: tile }],
    ['another scene', 'task.bundle.root', { terms: { bundleRoot: `0x${'77'.repeat(32)}` } }, {}],
    ['another spec than checkers go by', 'task.spec', { terms: { specHash: `0x${'77'.repeat(32)}` } }, {}],
    ['a window', 'task.window', {}, { window: { samples: 1 } }],
  ])('refuses %s, at %s', async (_name, path, changed, asked) => {
    const inner = await smallFarm({ scenario: 'plain', network: new Network() })
    const farm = signedFarm(inner.farm, { signer, minFramePrice: 100_000n, maxPlatformFeeBps: 250 })
    const stage = await farm.stage(inner.job.bundle, inner.files, { key: 's' })
    const task = { ...(await dressed(signer, smallTask(inner.job, stage, [1, 2]), undefined, changed)), ...asked }
    await expect(farm.submit(task, { key: 'a' })).rejects.toMatchObject({ code: 'farm-refused', details: { path } })
    expect((await farm.poll({}, { key: 'p' })).events).toEqual([])
  })

  it('refuses a lease set 0 that the ledger does not have', async () => {
    const inner = await smallFarm({ scenario: 'plain', network: new Network() })
    const base = { id: '1', atMs: 1, status: 'final' as const, type: 'opened' as const, farmBudget: 1n, checkBudget: 1n }
    const farmOf = (domain: LedgerDomain, job: Bytes32, creator: Address, setRoot: Bytes32) =>
      signedFarm(inner.farm, {
        signer,
        ledger: { domain, poll: async () => ({ events: [{ ...base, job, creator, setRoot }], cursor: '1', waitMs: 1 }) },
      })
    const stage = await inner.farm.stage(inner.job.bundle, inner.files, { key: 's' })
    const task = await dressed(signer, smallTask(inner.job, stage, [1, 2]), undefined, { seq: 0 })
    const { domain, job, terms, set } = task.lease!
    const other = farmOf(domain, job, terms.creator, `0x${'77'.repeat(32)}`)
    await expect(other.submit(task, { key: 'a' })).rejects.toMatchObject({ details: { reason: 'set-root' } })
    const same = farmOf(domain, job, terms.creator, set.setRoot)
    expect(await same.submit(task, { key: 'a' })).toHaveProperty('leaseSignature')
  })
})

describe('a client with a pinned key', () => {
  it('refuses a farm that shows another key, and acceptances by another key', async () => {
    const inner = await smallFarm({ scenario: 'plain', network: new Network() })
    // The farm shows the pinned key and signs with another, as a stolen host would.
    const thief = signedFarm(inner.farm, { signer: other })
    const { server, close } = await served({
      ...thief,
      describe: async (ctx) => ({ ...(await thief.describe(ctx)), key: signer.address }),
    })
    const farm = remoteFarm({ url: server.url, token: TOKEN, key: signer.address })
    await farm.describe({ key: 'd' })
    const stage = await farm.stage(inner.job.bundle, inner.files, { key: 's' })
    const task = await dressed(other, smallTask(inner.job, stage, [1]))
    await expect(farm.submit(task, { key: 'x' })).rejects.toMatchObject({ code: 'signature-invalid' })
    const strict = remoteFarm({ url: server.url, token: TOKEN, key: `0x${'9'.repeat(40)}` })
    await expect(strict.describe({ key: 'd' })).rejects.toMatchObject({ code: 'signature-invalid' })
    await close()
  })
})
