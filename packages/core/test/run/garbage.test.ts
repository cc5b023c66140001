import { expect, it } from 'vitest'
import type { JobResult } from '../../src/run/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'

/** A job of three slow frames at one farm: its facts but those of planning again, which come as time passes. */
async function slowJob(hoursAFrame: number, garbage: number) {
  const at = simulatedWorld({
    name: 'garbage',
    frames: 3,
    farms: [{ id: 'one', slots: 3, msPerWork: hoursAFrame * 3_600_000, pollMs: 1_000, faults: { garbage } }],
    checkers: [{ id: 'a' }],
    quorum: 1,
    deadlineMs: 10 * 3_600_000,
    order: { leaseMs: 1_000 },
    tuning: { pollMinMs: 1_000, stallMs: 100 * 3_600_000 },
  })
  const runner = at.runner('a')
  const run = await runner.submit(at.order)
  let result: JobResult | undefined
  void run.done().then((end) => (result = end))
  let mostPercent = 0
  const over = (): boolean => {
    mostPercent = Math.max(mostPercent, run.state().percent)
    return result !== undefined
  }
  await at.clock.run(over, { untilMs: at.order.options.giveUpAtMs })
  await runner.close()
  let facts = 0
  let leases = 0
  for (let after = 0; ;) {
    const page = await at.store.read(run.id, after, 1_000)
    facts += page.filter(({ body }) => !body.includes('"t":"replan-')).length
    leases += page.filter(({ body }) => body.includes('"t":"opened"')).length
    if (page.length < 1_000) break
    after = page.at(-1)!.id
  }
  return { facts, mostPercent, leases, violations: at.ledger.violations }
}

it('a farm whose every page is full of garbage fills no journal, however long it goes on', async () => {
  const honest = await slowJob(0.1, 0)
  const short = await slowJob(0.1, 1)
  const long = await slowJob(0.3, 1)
  for (const job of [short, long]) {
    expect(job.mostPercent).toBeLessThanOrEqual(100)
    expect(job.violations).toEqual([])
    // Fifty tickets a lease. False bytes are fetched in vain, and more than sixteen versions of a frame not at all: such a farm loses its leases.
    expect(job.facts).toBeLessThanOrEqual((honest.facts * job.leases) / honest.leases + 50 * job.leases)
  }
  expect(long.facts).toBe(short.facts)
})
