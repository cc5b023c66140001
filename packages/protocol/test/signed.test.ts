import { describe, expect, it } from 'vitest'
import { farmConformance, Network, type FarmSubject, type FarmSupports, type SubjectWish } from '@pictor/core/conformance'
import type { FarmEvent, Task, TaskRef } from '@pictor/core/contract'
import {
  canceledDigest,
  isSignedBy,
  leaseAcceptDigest,
  leaseLeaf,
  outputRoot,
  privateKeySigner,
  randomPrivateKey,
  verifyCommit,
} from '@pictor/core/proof'
import { smallFarm, smallTask, supports as small } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm, signedFarm } from '../src/index.ts'
import { dressed } from './lease.ts'
import { served, TOKEN } from './served.ts'

const signer = privateKeySigner(randomPrivateKey())
const other = privateKeySigner(randomPrivateKey())

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
