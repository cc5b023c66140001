import { devAccounts } from '@pictor/chain'
import type { LocalChecker } from '@pictor/checker'
import {
  money,
  signedRates,
  systemClock,
  usd,
  type Bytes32,
  type CheckerAction,
  type Lease,
  type Pictor,
  type PictorOptions,
  type Task,
} from '@pictor/core'
import { leaseProof, privateKeySigner, signLeaseSet } from '@pictor/core/proof'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { paidWorld, type PaidWorld } from './paid-world.ts'

const [, firstAccount, secondAccount, honestAccount] = devAccounts
const signer = () => privateKeySigner(drawnKey())
let calls = 0
const ctx = () => ({ key: `test ${++calls}` })

describe('a leaseKey that is stolen while its job runs', () => {
  let world: PaidWorld
  beforeAll(async () => (world = await paidWorld('usd')))
  afterAll(() => world.stop())

  it('is replaced: its later sets are refused, what it signed before still counts, the job goes on by the new key and is paid', async () => {
    // The first cheat is found out under the stolen key (set 1), the second under the new one (set 2). The honest farm follows no ledger: it goes by the creator's word in the set.
    const first = world.farm(firstAccount!, { id: 'first-cheat', dishonest: 1, clock: systemClock() })
    const second = world.farm(secondAccount!, { id: 'second-cheat', dishonest: 1, price: { perHostHour: 2_000_000n } })
    const honest = world.farm(honestAccount!, { id: 'honest', price: { perHostHour: 1_100_000n } }, 'no ledger')
    const asked: CheckerAction[] = []
    const checkers = world.checkers(2)
    const [stolen, next] = [signer(), signer()]
    const parts: Pick<PictorOptions, 'farms' | 'checkers'> = {
      farms: [first, second, honest],
      checkers: checkers.map((one) => ({ ...one, send: (action, on) => (asked.push(action), one.send(action, on)) })),
    }

    const before = world.pictor({ ...parts, leaseSigner: stolen })
    const plans = await before.plan({ scene: 'scene.blend', deadline: '2h', budget: usd('5') })
    // The second cheat and the honest farm are done with nothing before the key is replaced, however quick the machine is.
    world.clock.hold()
    const { id } = await before.submit(plans.fastest, { outDir: world.folder('out'), hedge: false, batchWaitMs: 100 })
    const task = await vi.waitFor(() => taskOf(second.seen, 0), 120_000)
    await vi.waitFor(
      async () => expect((await before.material(id)).sets.map(({ ready }) => ready.length)).toEqual([2, 2]),
      120_000,
    )
    expect((await before.material(id)).terms.leaseKey).toBe(stolen.address)
    await before.close()

    const pictor = world.pictor({ ...parts, leaseSigner: next })
    await pictor.replaceLeaseKey(id)
    // The thief's set, under the number that the job's next set will have.
    const { domain, job, terms, lease: known } = task.lease!
    const lease: Lease = { ...known, id: 1_000 }
    const set = await signLeaseSet(stolen, domain, { job, seq: 2, leases: [lease] })
    const forged = { ...task.lease!, lease, set, proof: leaseProof([lease], lease.id) }
    await expect(second.submit({ ...task, id: lease.id, lease: forged }, ctx())).rejects.toMatchObject({
      code: 'signature-invalid',
      details: { path: 'ticket.set.signature' },
    })
    for (const checker of checkers) {
      await checker.send({ kind: 'ready', job: asked[0]!.job, set, leases: [lease] }, ctx())
      expect(await alarmOf(checker, job)).toMatchObject({ action: 'ready', reason: 'signature-invalid' })
    }

    world.clock.go()
    const run = await pictor.attach(id)
    const result = await run.done()
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    expect(result.money.paid).toBeGreaterThan(0n)
    expect(result.money.paid + result.money.refunded).toBe(result.money.locked)
    const { leases } = await pictor.material(id)
    expect(leases.some(({ lease: { id: one } }) => one === lease.id)).toBe(false)
    const paidBy = leases.filter(({ farm }) => farm === 'honest').map(({ seq }) => seq)
    // Under both keys; a busy machine may need one set more.
    expect(paidBy).toEqual(expect.arrayContaining([0, 1, 2]))
    const receipt = await pictor.receipt(id)
    const kinds = receipt.steps.map(({ kind }) => kind)
    expect(receipt.steps).toContainEqual(expect.objectContaining({ kind: 'lease-key', leaseKey: next.address }))
    expect(kinds.indexOf('lease-key')).toBeLessThan(kinds.lastIndexOf('attest'))
    expect((await world.verified(receipt)).answer).toBe('anchored')
    // The key that signed set 1 again need not be there any more.
    await pictor.close()
    const later = world.pictor({ ...parts, leaseSigner: signer() })
    expect(await world.verified(await later.receipt(id))).toMatchObject({ answer: 'anchored' })
    await later.close()
    await world.ledger(honestAccount).send({ kind: 'withdraw', token: terms.token, to: honestAccount!.address }, ctx())
    expect(await world.balanceOf(honestAccount!.address)).toBeGreaterThan(0n)
    for (const { address } of [firstAccount!, secondAccount!])
      expect(await world.ledger().credit(terms.token, address, ctx())).toBe(0n)
  })
})

describe('a budget in PICTOR', () => {
  /** A quarter dollar each: 250,000 micro-dollars are 10^18 of its smallest units. */
  const RATE = { fromAmount: 250_000n, toAmount: 10n ** 18n }
  const VALID_MS = 600_000
  const quoter = signer()
  /** Set by tests: the creator's clock, ahead of the machine's. */
  let aheadMs = 0
  const clock = { ...systemClock(), now: () => Date.now() + aheadMs }
  const rates = signedRates({ signer: quoter, source: 'a table', validForMs: VALID_MS, amountsOf: async () => RATE, clock })
  let world: PaidWorld
  let pictor: Pictor
  beforeAll(async () => {
    world = await paidWorld('pictor')
    const farm = world.farm(honestAccount!, { id: 'honest', price: { perFrame: 1_000n } })
    pictor = world.pictor({ farms: [farm], checkers: world.checkers(2), rates, clock, dataDir: world.folder('budget') })
  })
  afterAll(async () => {
    await pictor.close()
    await world.stop()
  })
  const order = { scene: 'scene.blend', deadline: '2h', budget: money('20', 'PICTOR') }

  it('locks, pays and gives back PICTOR, and the receipt tells and proves the rate', async () => {
    const { address } = world.creator
    const { token, escrow } = world.deployment
    const had = await world.balanceOf(address)
    const { cheapest } = await pictor.plan(order)
    const run = await pictor.submit(cheapest, { outDir: world.folder('frames'), batchWaitMs: 100 })
    const result = await run.done()
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    const { locked, paid, refunded } = result.money
    expect(locked).toBe(order.budget.amount)
    expect(paid + refunded).toBe(locked)
    // Six frames at 1,000 micro-dollars each, in PICTOR, and their render time.
    expect(paid).toBeGreaterThanOrEqual((6_000n * RATE.toAmount) / RATE.fromAmount)
    const { terms } = await pictor.material(run.id)
    expect(terms.token).toBe(token)

    for (const account of [world.creator, honestAccount!]) {
      const ledger = world.ledger(account)
      await ledger.send({ kind: 'withdraw', token, to: account.address }, ctx())
    }
    const credits = await Promise.all(terms.checkers.map((one) => world.ledger().credit(token, one, ctx())))
    const earned = await world.balanceOf(honestAccount!.address)
    expect(earned).toBeGreaterThan(0n)
    expect(await world.balanceOf(address)).toBe(had - paid)
    expect(earned + credits.reduce((sum, one) => sum + one, 0n)).toBe(paid)
    expect(await world.balanceOf(escrow)).toBe(paid - earned)

    const receipt = await pictor.receipt(run.id)
    expect((await world.verified(receipt)).answer).toBe('anchored')
    const { quotes } = receipt.quote as { quotes: { rate: Record<string, unknown> }[] }
    expect(quotes[0]!.rate).toMatchObject({ from: 'USD', to: 'PICTOR', quoter: quoter.address, source: 'a table' })
    const cheaper = quotes.map((one) => ({ ...one, rate: { ...one.rate, toAmount: '1' } }))
    const forged = { ...receipt, quote: { ...(receipt.quote as object), quotes: cheaper } }
    expect(await world.verified(forged)).toMatchObject({ answer: 'broken' })
  })

  it('is not locked when the rate expired between plan and submit: not one transaction is sent', async () => {
    const { cheapest } = await pictor.plan(order)
    const [had, block] = [await world.balanceOf(world.creator.address), await world.blockNumber()]
    aheadMs = VALID_MS
    const late = pictor.submit(cheapest, { outDir: world.folder('late') })
    await expect(late).rejects.toMatchObject({
      code: 'invalid-input',
      details: { path: 'plan.validUntilAtMs', hint: expect.stringContaining('nothing was locked') as string },
    })
    await expect(pictor.state(cheapest.run)).rejects.toMatchObject({ code: 'not-found' })
    expect(await world.balanceOf(world.creator.address)).toBe(had)
    expect(await world.blockNumber()).toBe(block)
  })
})

/** The latest task that a farm was given out of a lease set. */
function taskOf(tasks: readonly Task[], seq: number): Task {
  const task = tasks.findLast((one) => one.lease?.set.seq === seq)
  if (!task) throw new Error(`the farm has no lease of set ${seq} yet`)
  return task
}

/** The checker's last alarm of a job. */
function alarmOf(checker: LocalChecker, job: Bytes32) {
  return vi.waitFor(async () => {
    const { events } = await checker.poll({ job }, ctx())
    const alarm = events.findLast(({ type }) => type === 'alarm')
    if (!alarm) throw new Error('no alarm yet')
    return alarm
  }, 120_000)
}
