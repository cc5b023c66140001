import { expect, it } from 'vitest'
import { simulatedWorld } from '../../src/simulate/index.ts'

it.each([
  ['native', true],
  ['at-most-once', false],
] as const)(
  'leases that no farm was handed are given back where a repeated order is found again (idempotency %s): %s',
  async (idempotency, givesBack) => {
    const at = simulatedWorld({
      name: `give back ${idempotency}`,
      frames: 30,
      farms: [{ id: 'one', slots: 1, msPerWork: 2_000, idempotency }],
      checkers: [{ id: 'a', pollMs: 500 }],
      quorum: 1,
      order: { leaseMs: 4_000 },
    })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    await at.clock.run(() => false, { untilMs: at.clock.now() + 15_000, maxSteps: 100_000 })
    const handed = new Set(at.farms.get('one')!.stats.tasksByAttempt.keys())
    await run.cancel()
    let outcome: string | undefined
    void run.done().then((done) => (outcome = done.outcome))
    expect(await at.clock.run(() => outcome !== undefined, { maxSteps: 200_000 })).toBe(true)
    expect(outcome).toBe('canceled')
    const later = [...at.farms.get('one')!.stats.tasksByAttempt.keys()].filter((task) => !handed.has(task))
    // Asked again after a restart, such a farm would take it for another task.
    expect(later.length > 0).toBe(givesBack)
    expect(at.ledger.violations).toEqual([])
    await runner.close()
  },
)

it('are given back to a farm that limits its calls too: a rest is no refusal', async () => {
  const at = simulatedWorld({
    name: 'give back slowly',
    frames: 12,
    farms: [{ id: 'one', slots: 1, msPerWork: 2_000, limit: { perSecond: 4, burst: 4 } }],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { leaseMs: 4_000, graceMs: 3_600_000 },
  })
  const runner = at.runner('a')
  const run = await runner.submit(at.order)
  await at.clock.run(() => false, { untilMs: at.clock.now() + 5_000, maxSteps: 100_000 })
  const canceledAtMs = at.clock.now()
  await run.cancel()
  let outcome: string | undefined
  void run.done().then((done) => (outcome = done.outcome))
  expect(await at.clock.run(() => outcome !== undefined, { maxSteps: 200_000 })).toBe(true)
  // Not at commitBy, an hour later.
  expect(at.clock.now() - canceledAtMs).toBeLessThan(300_000)
  await runner.close()
})
