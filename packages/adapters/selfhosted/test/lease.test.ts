import { join } from 'node:path'
import type { DigestSigner, Farm, Lease, LeaseTicket, LedgerDomain, LedgerEvent, Task, Terms } from '@pictor/core/contract'
import {
  hashTerms,
  jobIdOf,
  leaseProof,
  leaseSetRoot,
  outputRoot,
  privateKeySigner,
  requireSigner,
  canceledDigest,
  leaseAcceptDigest,
  leaseLeaf,
  signReady,
  specHashOf,
  verifyCommit,
} from '@pictor/core/proof'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfHosted } from '../src/index.ts'
import type { SelfHostedOptions } from '../src/index.ts'
import { buildScenes, bundleOf, finish, hasBlender, stateOf, taskMaker, tempFolder, TINY, watch } from './support.ts'

const key = (n: number): DigestSigner => privateKeySigner(`0x${String(n).padStart(64, '0')}`)
const [creator, leaseKey, farmKey, checker] = [key(1), key(2), key(3), key(4)]
const domain: LedgerDomain = { name: 'Pictor', version: '1', chainId: 0, verifyingContract: `0x${'11'.repeat(20)}` }
const zero = `0x${'0'.repeat(64)}` as const
const nobody = `0x${'0'.repeat(40)}` as const

async function ticketFor(
  bundleRoot: `0x${string}`,
  frames: readonly number[],
  change: Partial<Lease> = {},
): Promise<LeaseTicket> {
  const nowS = Math.floor(Date.now() / 1000)
  const terms: Terms = {
    creator: creator.address,
    runId: `0x${'ab'.repeat(32)}`,
    token: nobody,
    farmBudget: 1_000_000n,
    checkBudget: 0n,
    frameCap: 1000n,
    checkFee: 0n,
    specHash: specHashOf(TINY),
    bundleRoot,
    quoteHash: zero,
    checkers: [checker.address],
    registryDraw: 0,
    quorum: 1,
    arbiter: creator.address,
    leaseKey: leaseKey.address,
    platform: creator.address,
    platformFeeBps: 0,
    recordMode: 'full',
    deadlineAtS: nowS + 1000,
    attestByS: nowS + 2000,
    claimTimeS: 100,
    refundAfterS: nowS + 9000,
    disputeWindowS: 0,
    resolveByS: 100,
  }
  const lease: Lease = {
    id: 1,
    farm: farmKey.address,
    payTo: farmKey.address,
    price: 500n,
    frames,
    weights: frames.map(() => 1),
    part: 0,
    checkClass: 'crop',
    commitByS: nowS + 900,
    hedgeOf: 0,
    ...change,
  }
  const job = jobIdOf(domain, terms.creator, terms.runId)
  const setRoot = leaseSetRoot([lease])
  const ready = await signReady(checker, domain, { job, seq: 0, setRoot, bundleRoot, seedRoot: zero })
  return { domain, terms, job, lease, set: { job, seq: 0, setRoot }, proof: leaseProof([lease], 1), ready: [ready] }
}

describe.skipIf(!hasBlender)('leases of a farm with a key', () => {
  const temp = tempFolder()
  const open: Farm[] = []
  let scene: Awaited<ReturnType<typeof bundleOf>>
  let made = 0
  beforeAll(async () => {
    buildScenes(temp.path)
    scene = await bundleOf(temp.path, 'plain.blend')
  })
  afterEach(async () => {
    for (const farm of open.splice(0)) await farm.close?.()
  })
  afterAll(temp.remove)
  const farmWith = async (options: Partial<SelfHostedOptions> = {}) => {
    const farm = selfHosted({
      id: 'leased',
      workDir: join(temp.path, `farm-${++made}`),
      threadsPerSlot: 1,
      signer: farmKey,
      ...options,
    })
    open.push(farm)
    return { farm, task: await taskMaker(farm, scene.files, scene.bundle) }
  }
  const frames = [1, 2, 3]
  const work = { kind: 'frames', frames } as const

  it('countersigns a lease and commits to exactly what it delivers', async () => {
    const { farm, task } = await farmWith({ commitEvery: 2 })
    const lease = await ticketFor(scene.bundle.root, frames)
    const ref = await farm.submit(task({ work, lease }), { key: 'a' })
    const accept = { job: lease.job, seq: 0, lease: 1, leaf: leaseLeaf(lease.lease) }
    requireSigner(leaseAcceptDigest(domain, accept), ref.leaseSignature!, farmKey.address, 'accept')
    const events = await finish(farm, ref)
    const commits = events.flatMap((event) => (event.type === 'commit' ? [event.commit] : []))
    expect(commits.map((commit) => commit.index)).toEqual([0, 1])
    for (const commit of commits) verifyCommit(domain, commit, farmKey.address)
    const delivered = events.flatMap((event) => (event.type === 'output' ? [[event.output.frame, event.output.hash]] : []))
    expect(commits.flatMap((commit) => commit.outputs.map((one) => [one.frame, one.outputHash]))).toEqual(delivered)
    // The commitment is there before the task counts as done.
    expect(events.findLastIndex((event) => event.type === 'commit')).toBeLessThan(
      events.findIndex((event) => event.type === 'state' && event.state === 'succeeded'),
    )
  })

  it('loses no finished frame when the signer answers late or not at all', async () => {
    let refusals = 0
    const flaky = (most: number): DigestSigner => ({
      address: farmKey.address,
      // The first signature accepts the lease; then the signer is away for a while.
      signDigest: async (digest) => {
        if (refusals > 0 && refusals <= most) throw new Error(`signer away, ${refusals++}`)
        refusals++
        return await farmKey.signDigest(digest)
      },
    })
    const { farm, task } = await farmWith({ signer: flaky(2) })
    const lease = await ticketFor(scene.bundle.root, frames)
    const late = await farm.submit(task({ work, lease }), { key: 'late' })
    const events = await finish(farm, late)
    expect(stateOf(events, late)).toBe('succeeded')
    expect(events.filter((event) => event.type === 'commit').length).toBe(1)
    refusals = 0
    const gone = await farmWith({ signer: flaky(1000) })
    const ref = await gone.farm.submit(gone.task({ work, lease }), { key: 'gone' })
    const other = await gone.farm.submit(gone.task({ purpose: 'probe' }), { key: 'other' })
    const later = await finish(gone.farm, ref, other)
    expect(stateOf(later, ref)).toBe('failed')
    expect(later.filter((event) => event.type === 'output' && event.output.task.ref === ref.ref).length).toBe(3)
    expect(stateOf(later, other)).toBe('succeeded')
  })

  it('ends a canceled lease by its signature over what it had', async () => {
    const { farm, task } = await farmWith()
    const many = Array.from({ length: 200 }, (_, i) => i + 1)
    const lease = await ticketFor(scene.bundle.root, many, { price: 1n })
    const ref = await farm.submit(task({ work: { kind: 'frames', frames: many }, lease }), { key: 'a' })
    const seen = await watch(farm, (events) => events.some((event) => event.type === 'output'))
    expect(stateOf(seen, ref)).toBe('running')
    await farm.set(ref, { desired: 'cancel' }, { key: 'cancel' })
    const events = await finish(farm, ref)
    const canceled = events.find((event) => event.type === 'canceled')!
    const outputs = events.flatMap((event) => (event.type === 'output' ? [event.output] : []))
    const root = outputRoot(
      outputs.map(({ frame, part, hash, completedAtMs }) => ({ frame, part, outputHash: hash, completedAtMs })),
    )
    expect(canceled).toMatchObject({ outputRoot: root, framesDone: outputs.map((one) => one.frame) })
    const message = { job: lease.job, lease: 1, outputRoot: root }
    if (canceled.type === 'canceled') requireSigner(canceledDigest(domain, message), canceled.signature!, farmKey.address, 'end')
  })

  it.each([
    ['a price that nobody signed', (ticket: LeaseTicket) => ({ ...ticket, lease: { ...ticket.lease, price: 999n } })],
    ['a lease for another farm', async () => await ticketFor(scene.bundle.root, frames, { farm: checker.address })],
    ['a lease for other frames', async () => await ticketFor(scene.bundle.root, [1, 2])],
    ['a lease that pays somebody else', async () => await ticketFor(scene.bundle.root, frames, { payTo: checker.address })],
    ['a lease that pays less than it works for', async () => await ticketFor(scene.bundle.root, frames, { price: 29n })],
    ['a lease for another scene', async () => await ticketFor(`0x${'77'.repeat(32)}`, frames)],
    ['no checker that is ready', (ticket: LeaseTicket) => ({ ...ticket, ready: [] })],
    [
      'checkers of a draw that it cannot look up',
      (ticket: LeaseTicket) => ({ ...ticket, terms: { ...ticket.terms, registryDraw: 3 } }),
    ],
  ] as [string, (ticket: LeaseTicket) => LeaseTicket | Promise<LeaseTicket>][])('refuses %s', async (_, spoil) => {
    const { farm, task } = await farmWith({ minFramePrice: 10n })
    const lease = await spoil(await ticketFor(scene.bundle.root, frames))
    const asked: Task = task({ work, lease })
    await expect(farm.submit(asked, { key: 'a' })).rejects.toMatchObject({
      code: expect.stringMatching(/farm-refused|signature-invalid/) as string,
    })
  })

  it('takes leases only of ledgers that it was told of', async () => {
    const { farm, task } = await farmWith({ ledgers: [{ chainId: 1, verifyingContract: nobody }] })
    const lease = await ticketFor(scene.bundle.root, frames)
    await expect(farm.submit(task({ work, lease }), { key: 'a' })).rejects.toMatchObject({ code: 'farm-refused' })
  })

  it('that follows the ledger works for locked money only, and under the leaseKey in force', async () => {
    const lease = await ticketFor(scene.bundle.root, frames)
    const { terms, job } = lease
    const base = { job, atMs: Date.now(), status: 'final' } as const
    const { farmBudget, checkBudget } = terms
    const events: LedgerEvent[] = []
    const ledger = {
      domain,
      poll: async ({ cursor = '0' }: { cursor?: string }) => ({
        events: events.slice(Number(cursor)),
        cursor: String(events.length),
        waitMs: 1000,
      }),
    }
    const { farm, task } = await farmWith({ ledger })
    const asked = (key: string, more: Partial<LeaseTicket> = {}) =>
      farm.submit(task({ work, lease: { ...lease, ...more } }), { key })
    await expect(farm.submit(task({ work }), { key: 'unpaid' })).rejects.toMatchObject({ code: 'farm-refused' })
    const unlocked = { code: 'ledger-unreachable', details: { reason: 'not-open' } }
    await expect(asked('early')).rejects.toMatchObject(unlocked)
    const opened = { type: 'opened', creator: terms.creator, farmBudget, checkBudget, setRoot: lease.set.setRoot } as const
    events.push({ ...base, id: '1', ...opened, termsHash: hashTerms(terms) })
    expect((await asked('locked')).leaseSignature).toBeDefined()
    const otherSet = { set: { ...lease.set, setRoot: zero } }
    await expect(asked('other set', otherSet)).rejects.toMatchObject({ details: { reason: 'set-root' } })
    const dearer = { terms: { ...terms, farmBudget: 2_000_000n } }
    await expect(asked('dearer', dearer)).rejects.toMatchObject({ code: 'farm-refused', details: { reason: 'terms' } })
    const elsewhere = { domain: { ...domain, chainId: 5 } }
    await expect(asked('elsewhere', elsewhere)).rejects.toMatchObject({ details: { reason: 'other-ledger' } })
    events.push({ ...base, id: '2', type: 'lease-key-replaced', leaseKey: key(9).address })
    const later = { set: { ...lease.set, seq: 1 } }
    await expect(asked('old key', later)).rejects.toMatchObject({ code: 'signature-invalid' })
    events.push({ ...base, id: '3', type: 'canceled' })
    await expect(asked('canceled')).rejects.toMatchObject({ code: 'farm-refused', details: { reason: 'closed' } })
  })

  it('that follows the ledger takes leases whose quorum the registry drew', async () => {
    const named = await ticketFor(scene.bundle.root, frames)
    const lease = { ...named, terms: { ...named.terms, checkers: [], registryDraw: 1 } }
    const { terms, job } = lease
    const base = { job, atMs: Date.now(), status: 'final' } as const
    const { farmBudget, checkBudget } = terms
    const opened = { type: 'opened', creator: terms.creator, farmBudget, checkBudget, setRoot: lease.set.setRoot } as const
    const asked = async (key: string, drawn: readonly `0x${string}`[] | undefined) => {
      const events: LedgerEvent[] = [{ ...base, id: '1', ...opened, termsHash: hashTerms(terms) }]
      if (drawn) events.push({ ...base, id: '2', type: 'drawn', committee: drawn })
      const ledger = { domain, poll: async () => ({ events, cursor: '2', waitMs: 1000 }) }
      const { farm, task } = await farmWith({ ledger })
      return farm.submit(task({ work, lease }), { key })
    }
    await expect(asked('early', undefined)).rejects.toMatchObject({ details: { reason: 'not-drawn' } })
    await expect(asked('others', [key(9).address])).rejects.toMatchObject({ code: 'signature-invalid' })
    expect((await asked('drawn', [checker.address])).leaseSignature).toBeDefined()
  })

  it('takes no lease without a key', async () => {
    const farm = selfHosted({ id: 'keyless', workDir: join(temp.path, 'keyless') })
    open.push(farm)
    const task = await taskMaker(farm, scene.files, scene.bundle)
    const lease = await ticketFor(scene.bundle.root, frames)
    await expect(farm.submit(task({ work, lease }), { key: 'a' })).rejects.toMatchObject({ code: 'farm-refused' })
  })
})
