import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../../src/contract/index.ts'
import type { JobResult, JobRun } from '../../src/run/index.ts'
import { simulatedWorld, type World, type WorldOptions } from '../../src/simulate/index.ts'

const world = (name: string, more: Partial<WorldOptions> = {}): World =>
  simulatedWorld({
    name,
    frames: 16,
    farms: [
      { id: 'one', slots: 1, msPerWork: 2000 },
      { id: 'two', slots: 2, msPerWork: 2000 },
    ],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { leaseMs: 4_000 },
    ...more,
  })

async function end(at: World, run: JobRun): Promise<JobResult> {
  let result: JobResult | undefined
  void run.done().then((done) => (result = done))
  expect(await at.clock.run(() => result !== undefined, { maxSteps: 100_000 })).toBe(true)
  return result!
}

const until = (at: World, condition: () => boolean): Promise<boolean> => at.clock.run(condition, { maxSteps: 50_000 })

async function eventsOf(at: World, run: JobRun, after?: number): Promise<JobEvent[]> {
  const list: JobEvent[] = []
  let over = false
  void (async () => {
    for await (const event of run.events(after)) if (event.type !== 'progress') list.push(event)
    over = true
  })()
  await until(at, () => over)
  return list
}

describe('a running job', () => {
  it('stands still while it is held and goes on afterwards, and nothing is lost', async () => {
    const at = world('held')
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    await until(at, () => run.state().framesRendered > 3)
    await run.hold()
    await at.clock.run(() => false, { untilMs: at.clock.now() + 20_000 })
    const rendered = [...at.farms.values()].reduce((sum, farm) => sum + farm.stats.framesRendered, 0)
    await at.clock.run(() => false, { untilMs: at.clock.now() + 200_000 })
    expect([...at.farms.values()].reduce((sum, farm) => sum + farm.stats.framesRendered, 0)).toBe(rendered)
    expect(run.state().wanted).toBe('hold')
    await run.resume()
    expect((await end(at, run)).outcome).toBe('done')
    await runner.close()
  })

  it('ends when it is canceled: finished frames are paid and delivered, the rest of the money comes back', async () => {
    const at = world('canceled')
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    await until(at, () => run.state().framesDelivered > 2)
    await run.cancel()
    const result = await end(at, run)
    expect(result.outcome).toBe('canceled')
    expect(result.frames.length).toBeGreaterThan(2)
    expect(result.missing.length).toBe(16 - result.frames.length)
    expect(result.money.pending).toBe(0n)
    expect(result.money.paid + result.money.refunded).toBe(result.money.locked)
    await runner.close()
  })

  it('can be canceled by a process that does not own it', async () => {
    const at = world('posted')
    const [owner, other] = [at.runner('owner'), at.runner('other')]
    const run = await owner.submit(at.order)
    await until(at, () => run.state().framesRendered > 1)
    await other.post(run.id, 'cancel', 'once')
    await other.post(run.id, 'cancel', 'once')
    expect((await end(at, run)).outcome).toBe('canceled')
    await owner.close()
    await other.close()
  })

  it('is blocked, not failed, while a farm is missing, and goes on when it is back', async () => {
    const at = world('blocked')
    let missing = true
    const runner = at.runner('a', { farms: (id) => (missing && id === 'one' ? undefined : at.farms.get(id)) })
    const run = await runner.submit(at.order)
    await until(at, () => run.state().blocked !== undefined)
    expect(run.state().blocked).toMatch(/farm one is not configured/)
    missing = false
    expect((await end(at, run)).outcome).toBe('done')
    expect(run.state().blocked).toBeUndefined()
    await runner.close()
  })

  it('shows the tickets of a desktop lane and passes answers on', async () => {
    const at = world('tickets', { frames: 2, farms: [{ id: 'desk', lane: 'desktop', ticketPerTask: true, msPerWork: 1000 }] })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    const answered = new Set<string>()
    const over: JobResult[] = []
    void run.done().then((done) => over.push(done))
    while (over.length === 0) {
      await until(at, () => over.length > 0 || run.state().tickets.some(({ ticket }) => !answered.has(ticket.id)))
      for (const { farm, ticket } of run.state().tickets) {
        if (answered.has(ticket.id)) continue
        answered.add(ticket.id)
        await runner.post(run.id, { answer: { farm, ticket: ticket.id, fields: { number: '7' } } })
      }
    }
    expect(answered.size).toBeGreaterThan(0)
    expect(over[0]?.outcome).toBe('done')
    await runner.close()
  })

  it('renders the first, the middle and the last frame before anything else when scouts are wanted', async () => {
    const at = world('scouts', { order: { leaseMs: 1, options: { scouts: true } } })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    expect((await end(at, run)).outcome).toBe('done')
    const events = await eventsOf(at, run)
    const verdicts = events.filter((event) => event.type === 'frame-verdict').map((event) => event.frame)
    expect(verdicts.slice(0, 3).sort((a, b) => a - b)).toEqual([1, 9, 16])
    await runner.close()
  })

  it('takes leases of a refused farm elsewhere and gives it nothing more', async () => {
    const at = world('cutcorner', {
      farms: [
        { id: 'bad', slots: 2, msPerWork: 500, dishonest: 1 },
        { id: 'good', slots: 2, msPerWork: 1500 },
      ],
    })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    const result = await end(at, run)
    expect(result.outcome).toBe('done')
    expect(new Set(result.frames.map((frame) => frame.farm))).toEqual(new Set(['good']))
    expect(run.state().farms['bad']?.quarantined).toMatch(/refused/)
    expect(await at.ledger.credit('0x0', at.farms.get('bad')!.address, { key: '' })).toBe(0n)
    await runner.close()
  })

  it('leases the tail a second time when a farm hangs, and pays one of them', async () => {
    const at = world('tail', {
      farms: [
        { id: 'slow', slots: 1, msPerWork: 1000, faults: { taskSlow: 1, slowFactor: 400 } },
        { id: 'fast', slots: 2, msPerWork: 1000 },
      ],
      tuning: { stallMs: 3_600_000 },
    })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    const result = await end(at, run)
    expect(result.outcome).toBe('done')
    expect((await result.material()).leases.some(({ lease }) => lease.hedgeOf > 0)).toBe(true)
    expect(at.ledger.violations).toEqual([])
    await runner.close()
  })

  it('finds completions that were never reported', async () => {
    const at = world('lost', {
      farms: [{ id: 'mute', slots: 2, msPerWork: 1000, faults: { eventLost: 1 } }],
      tuning: { reconcileMs: 30_000 },
    })
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    expect((await end(at, run)).outcome).toBe('done')
    await runner.close()
  })

  it.each([3_600_000, -3_600_000])('survives a jump of its clock by %i ms', async (jump) => {
    const at = world(`jump ${jump}`)
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    await until(at, () => run.state().framesDelivered > 2)
    at.clock.jump(jump)
    expect((await end(at, run)).outcome).toBe('done')
    expect(at.ledger.violations).toEqual([])
    await runner.close()
  })
})

describe('events', () => {
  it('are the same from any cursor, live or afterwards, and end with job-end', async () => {
    const at = world('events')
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    const live: JobEvent[] = []
    void (async () => {
      for await (const event of run) if (event.type !== 'progress') live.push(event)
    })()
    await end(at, run)
    await until(at, () => live.at(-1)?.type === 'job-end')
    const all = await eventsOf(at, run)
    expect(all).toEqual(live)
    for (const from of [0, Math.floor(all.length / 2), all.length - 2])
      expect(await eventsOf(at, run, all[from]!.cursor)).toEqual(all.slice(from + 1))
    expect(all.map((event) => event.cursor)).toEqual(all.map((event) => event.cursor).sort((a, b) => a - b))
    const frames = (type: string): number => all.filter((event) => event.type === type).length
    expect([frames('frame-rendered'), frames('frame-verdict'), frames('frame-delivered')]).toEqual([16, 16, 16])
    await runner.close()
  })

  it('do not hold the job up when nobody reads on', async () => {
    const at = world('slow reader')
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    const reader = run[Symbol.asyncIterator]()
    await reader.next()
    expect((await end(at, run)).outcome).toBe('done')
    expect((await reader.next()).value).toMatchObject({ type: 'money-locked' })
    await runner.close()
  })

  it('reach listeners by name', async () => {
    const at = world('listeners')
    const runner = at.runner('a')
    const run = await runner.submit(at.order)
    const delivered: number[] = []
    const hear = (event: { readonly frame: number }): void => void delivered.push(event.frame)
    expect(run.on('frame-delivered', hear)).toBe(run)
    await end(at, run)
    await until(at, () => delivered.length === 16)
    run.off('frame-delivered', hear)
    await runner.close()
  })
})

describe('a closed runner', () => {
  it('leaves no timer behind and gives its claims back, so that another goes on at once', async () => {
    const at = world('closed')
    const first = at.runner('first')
    const run = await first.submit(at.order)
    await until(at, () => run.state().framesDelivered > 1)
    const waiting = run.done()
    waiting.catch(() => {})
    await first.close()
    await expect(waiting).rejects.toMatchObject({ code: 'canceled' })
    expect(at.clock.sleepers).toBe(0)
    const second = at.runner('second')
    const again = await second.attach(run.id)
    expect((await end(at, again)).outcome).toBe('done')
    const jobs = []
    for await (const job of second.jobs()) jobs.push(job)
    expect(jobs).toMatchObject([{ run: run.id, outcome: 'done', framesDelivered: 16 }])
    await second.close()
  })

  it('submits the same run once', async () => {
    const at = world('twice')
    const runner = at.runner('a')
    const [one, two] = await Promise.all([runner.submit(at.order), runner.submit(at.order)])
    expect(one.id).toBe(two.id)
    await end(at, one)
    expect([...at.farms.values()].flatMap((farm) => [...farm.stats.tasksByAttempt.values()]).every((count) => count === 1)).toBe(
      true,
    )
    await expect(
      runner.submit({ ...at.order, terms: { ...at.order.terms, quoteHash: `0x${'11'.repeat(32)}` } }),
    ).rejects.toMatchObject({ code: 'conflict' })
    await runner.close()
  })
})
