import { expect, it } from 'vitest'
import { PictorError, type Checker } from '../../src/contract/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'
import { simulatedProofs } from '../../src/simulate/proofs.ts'

it('Final comes as soon as nothing can change: a lease that is held and that nobody can judge is kept back, all other money returns at once', async () => {
  const at = simulatedWorld({
    name: 'unverifiable',
    frames: 6,
    farms: [{ id: 'one', slots: 1, msPerWork: 1_000 }],
    checkers: [{ id: 'a' }, { id: 'b' }],
    quorum: 2,
    deadlineMs: 3_600_000,
    order: { leaseMs: 3_000, options: { maxAttempts: 1, hedge: false } },
  })
  const startMs = at.clock.now()
  const puzzled = (checker: Checker): Checker => ({
    ...checker,
    send: async (action, ctx) => {
      if (action.kind === 'check' && action.lease.id === 1) throw new PictorError('invalid-input', 'it cannot read the frames')
      return checker.send(action, ctx)
    },
  })
  const runner = at.runner('a', { checkers: [puzzled(at.checkers[0]!), at.checkers[1]!] })
  const run = await runner.submit(at.order)
  const done = run.done()
  const { terms } = at.order
  const job = simulatedProofs().jobId(at.ledger.domain, terms)
  await at.clock.run(() => at.ledger.total(job).status === 'finalized', { untilMs: startMs + 3_600_000 })
  const finalAtMs = at.clock.now()
  const first = at.order.leases[0]!.lease
  const held = first.price + terms.checkFee * BigInt(first.frames.length)
  const early = at.ledger.total(job)
  // Long before the lease's own commitBy.
  expect(finalAtMs - startMs).toBeLessThan(60_000)
  expect(finalAtMs).toBeLessThan(first.commitByS * 1000)
  expect(early.locked).toBe(held)

  let result: Awaited<typeof done> | undefined
  void done.then((value) => (result = value))
  expect(await at.clock.run(() => result !== undefined, { maxSteps: 200_000 })).toBe(true)
  expect(result).toMatchObject({ outcome: 'partial' })
  expect(at.ledger.total(job)).toMatchObject({ locked: 0n, pending: 0n, status: 'closed' })
  expect(result!.money.refunded).toBe(at.ledger.total(job).refunded)
  expect([...at.ledger.violations, ...at.checkers.flatMap((checker) => checker.violations)]).toEqual([])
  await runner.close()
})
