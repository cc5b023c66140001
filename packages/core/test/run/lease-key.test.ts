import { expect, it } from 'vitest'
import { drawnKey } from '../../../../scripts/draws.ts'
import type { Checker, CheckerAction, Farm, LeaseSet, Ledger, LedgerAction, LedgerEvent } from '../../src/contract/index.ts'
import { leaseKeyDigest, privateKeySigner, recoverAddress, requireLeaseKey } from '../../src/proof/index.ts'
import { realProofs, type JobResult } from '../../src/run/index.ts'
import { simulatedProofs, simulatedWorld } from '../../src/simulate/index.ts'

/** A job whose first farm fails, so that a second set of leases must be signed. */
const leaseKeyWorld = (name: string) =>
  simulatedWorld({
    name,
    frames: 4,
    farms: [
      { id: 'bad', slots: 1, msPerWork: 1_000, faults: { taskFails: 1, taskFailClass: ['scene'] } },
      { id: 'good', slots: 1, msPerWork: 1_000 },
    ],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { leaseMs: 4_000, graceMs: 300_000, options: { hedge: false } },
  })

it('sets after a replaced leaseKey carry the word of the creator to farms, checkers and ledger, and so does the receipt by its signature', async () => {
  const world = leaseKeyWorld('a replaced lease key')
  const next = privateKeySigner(drawnKey())
  const creator = privateKeySigner(drawnKey())
  const seen: Record<'ready' | 'ticket' | 'attest', LeaseSet[]> = { ready: [], ticket: [], attest: [] }
  const farmOf = (id: string): Farm | undefined => {
    const farm = world.farms.get(id)
    return farm && { ...farm, submit: (task, ctx) => (seen.ticket.push(task.lease!.set), farm.submit(task, ctx)) }
  }
  const checkers: Checker[] = world.checkers.map((one) => ({
    ...one,
    send: (action: CheckerAction, ctx) => (action.kind === 'ready' && seen.ready.push(action.set), one.send(action, ctx)),
  }))
  const replaced: LedgerEvent = {
    id: 'replaced',
    job: simulatedProofs().jobId(world.ledger.domain, world.order.terms),
    atMs: 0,
    status: 'final',
    type: 'lease-key-replaced',
    leaseKey: next.address,
  }
  const ledger: Ledger = {
    ...world.ledger,
    send: (action: LedgerAction, ctx) => {
      if (action.kind === 'attest') seen.attest.push(...action.sets.map(({ set }) => set))
      return world.ledger.send(action, ctx)
    },
    poll: async (query, ctx) => {
      const page = await world.ledger.poll(query, ctx)
      const first = query.cursor === undefined && page.events[0]?.type === 'opened'
      return first ? { ...page, events: [page.events[0]!, replaced, ...page.events.slice(1)] } : page
    },
  }
  const { signLeaseSet } = realProofs()
  const runner = world.runner('a', {
    farms: farmOf,
    checkers,
    ledger,
    leaseSigner: next,
    creator,
    proofs: { ...simulatedProofs(), signLeaseSet },
  })
  const run = await runner.submit(world.order)
  let result: JobResult | undefined
  void run.done().then((end) => (result = end))
  expect(await world.clock.run(() => result !== undefined, { maxSteps: 200_000 })).toBe(true)
  const material = await runner.material(run.id)
  await runner.close()

  const terms = { ...world.order.terms, creator: creator.address }
  for (const [whom, sets] of Object.entries(seen)) {
    const later = sets.filter(({ seq }) => seq > 0)
    expect(later.length, `later sets to ${whom}`).toBeGreaterThan(0)
    for (const set of later) {
      requireLeaseKey(world.ledger.domain, terms, set, undefined, whom)
      requireLeaseKey(world.ledger.domain, terms, set, next.address, whom)
      const { leaseKey, signature } = set.keyChange!
      expect(recoverAddress(leaseKeyDigest(world.ledger.domain, set.job, leaseKey), signature, whom)).toBe(creator.address)
    }
    expect(sets.filter(({ seq, keyChange }) => seq === 0 && keyChange)).toEqual([])
  }
  for (const { set } of material.sets.filter(({ set }) => set.seq > 0)) {
    expect(set.keyChange).toBeUndefined()
    requireLeaseKey(world.ledger.domain, terms, set, next.address, 'receipt')
  }
})

it('a process whose lease key was replaced by another process signs no more sets, and says which key is needed', async () => {
  const world = leaseKeyWorld('a key replaced elsewhere')
  const [old, other] = [privateKeySigner(drawnKey()), privateKeySigner(drawnKey())]
  const job = simulatedProofs().jobId(world.ledger.domain, world.order.terms)
  const replaced: LedgerEvent = {
    id: 'replaced',
    job,
    atMs: 0,
    status: 'final',
    type: 'lease-key-replaced',
    leaseKey: other.address,
  }
  const ledger: Ledger = {
    ...world.ledger,
    poll: async (query, ctx) => {
      const page = await world.ledger.poll(query, ctx)
      return {
        ...page,
        events: page.events.flatMap((event): LedgerEvent[] => (event.type === 'opened' ? [event, replaced] : [event])),
      }
    },
  }
  let signed = 0
  const signLeaseSet: ReturnType<typeof realProofs>['signLeaseSet'] = (...args) => (signed++, realProofs().signLeaseSet(...args))
  /** Follows a key file, as the command line's does. */
  let held = old
  const leaseSigner = {
    get address() {
      return held.address
    },
    signDigest: (digest: `0x${string}`) => held.signDigest(digest),
  }
  const runner = world.runner('a', { ledger, leaseSigner, proofs: { ...simulatedProofs(), signLeaseSet } })
  const run = await runner.submit(world.order)
  const told: string[] = []
  run.on('job-blocked', ({ reason }) => told.push(reason))
  expect(await world.clock.run(() => told.length > 0, { maxSteps: 200_000 })).toBe(true)
  expect(told[0]).toContain(`replaced by ${other.address}; this process holds ${old.address}`)
  expect(signed).toBe(0)

  held = other
  let result: JobResult | undefined
  void run.done().then((end) => (result = end))
  expect(await world.clock.run(() => result !== undefined, { maxSteps: 200_000 })).toBe(true)
  expect([signed > 0, result!.outcome]).toEqual([true, 'done'])
  await runner.close()
})
