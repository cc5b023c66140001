import { EventEmitter } from 'eventemitter3'
import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../../src/contract/index.ts'
import type { JobEventMap, JobRun, JobState } from '../../src/run/index.ts'
import { chaosWorld } from '../../src/simulate/chaos-world.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'
import type { Store } from '../../src/store/index.ts'

describe('what a handle says of a job', () => {
  it('never goes back, whatever farms do, and ends at 100 percent of what there is to do', async () => {
    let seen = 0
    for (let seed = 500; seed < 508; seed++) {
      const { world } = chaosWorld(seed)
      const runner = world.runner('one')
      const run = await runner.submit(world.order)
      let ended = false
      void run.done().then(() => (ended = true))
      let last: JobState = run.state()
      const watch = (): boolean => {
        const now = run.state()
        expect(now.percent).toBeGreaterThanOrEqual(last.percent)
        expect(now.percent).toBeGreaterThanOrEqual((100 * now.framesAccepted) / now.framesTotal - 1e-9)
        // What is not accepted or given up counts for less than a whole frame.
        const open = now.framesTotal - now.framesAccepted - now.framesMissing
        expect(now.percent).toBeLessThanOrEqual(Math.max(last.percent, 100 - (10 * open) / now.framesTotal) + 1e-9)
        for (const count of ['framesAccepted', 'framesDelivered', 'framesMissing'] as const)
          expect(now[count]).toBeGreaterThanOrEqual(last[count])
        expect(now.money.spent).toBeGreaterThanOrEqual(last.money.paid)
        if (now.leftMs) {
          expect(now.leftMs.low).toBeLessThanOrEqual(now.leftMs.expected)
          expect(now.leftMs.expected).toBeLessThanOrEqual(now.leftMs.high)
        }
        if (now.percent > last.percent) seen++
        last = now
        return ended
      }
      expect(await world.clock.run(watch, { maxSteps: 100_000 })).toBe(true)
      watch()
      if (last.outcome === 'done') expect(last.percent).toBe(100)
      await runner.close()
    }
    // The test saw progress in small steps, not only the ends.
    expect(seen).toBeGreaterThan(50)
  })
})

describe('a reader of events that stands still', () => {
  it('holds the job not up, is read nothing ahead, and finds every event when it goes on', async () => {
    const at = simulatedWorld({
      name: 'slow reader',
      frames: 400,
      farms: [{ id: 'one', slots: 4, msPerWork: 100, commitEvery: 5 }],
      checkers: [{ id: 'a' }],
      quorum: 1,
    })
    let reads = 0
    const store: Store = { ...at.store, read: (...args) => (reads++, at.store.read(...args)) }
    const runner = at.runner('one', { store })
    const run = await runner.submit(at.order)
    const slow = run.events()[Symbol.asyncIterator]()
    const first = await slow.next()
    expect(first.value).toMatchObject({ type: 'job-start' })
    const before = reads
    let ended = false
    void run.done().then(() => (ended = true))
    expect(await at.clock.run(() => ended, { maxSteps: 50_000 })).toBe(true)
    expect(reads).toBe(before)
    const types: string[] = []
    const cursors: number[] = []
    let next = await slow.next()
    for (; !next.done; next = await slow.next())
      if (next.value.type !== 'progress') {
        types.push(next.value.type)
        cursors.push(next.value.cursor)
      }
    expect(types.filter((type) => type === 'frame-delivered')).toHaveLength(400)
    expect(types.at(-1)).toBe('job-end')
    expect(cursors).toEqual([...cursors].sort((a, b) => a - b))
    await runner.close()
  })
})

describe('a run', () => {
  const small = (name: string) =>
    simulatedWorld({
      name,
      frames: 60,
      farms: [
        { id: 'one', slots: 2, msPerWork: 1_000, commitEvery: 1 },
        { id: 'two', slots: 1, msPerWork: 2_000, commitEvery: 1 },
      ],
      checkers: [{ id: 'a' }],
      quorum: 1,
      order: { leaseMs: 8_000, options: { batchLeases: 2 } },
    })

  it('is an eventemitter3 emitter over the events that its iterator gives, in their order and once each', async () => {
    const at = small('emitter')
    const runner = at.runner('one')
    const run = await runner.submit(at.order)
    expect(run).toBeInstanceOf(EventEmitter)
    const emitter: Pick<EventEmitter<JobEventMap>, 'listenerCount' | 'eventNames'> & Pick<JobRun, 'on' | 'once' | 'off'> = run
    const heard: JobEvent[] = []
    const hear = (event: JobEvent): void => void heard.push(event)
    const types = ['job-start', 'money-locked', 'task-start', 'frame-rendered', 'frame-verdict', 'frame-delivered'] as const
    for (const type of types) expect(emitter.on(type, hear)).toBe(run)
    let once = 0
    emitter.once('frame-delivered', () => once++)
    await at.clock.run(() => run.state().framesDelivered > 20, { maxSteps: 50_000 })
    // Nobody listens for a while, and the emitter goes on where it was.
    for (const type of types) run.off(type, hear)
    expect(emitter.eventNames()).toEqual([])
    await at.clock.run(() => run.state().framesDelivered > 40, { maxSteps: 50_000 })
    let ended = false
    for (const type of [...types, 'payment-end', 'job-end'] as const) run.on(type, hear)
    run.on('job-end', () => (ended = true))
    await at.clock.run(() => ended, { maxSteps: 50_000 })
    const all: JobEvent[] = []
    for await (const event of run) if ((types as readonly string[]).includes(event.type)) all.push(event)
    expect(heard.filter((event) => (types as readonly string[]).includes(event.type))).toEqual(all)
    expect(heard.at(-1)?.type).toBe('job-end')
    expect(once).toBe(1)
    await runner.close()
  })

  it('says cost, time left with its band and the last frame, of every farm and of the job', async () => {
    const at = small('told')
    const runner = at.runner('one')
    const run = await runner.submit(at.order)
    const told: Extract<JobEvent, { type: 'progress' }>[] = []
    run.on('progress', (event) => void told.push(event))
    let end: JobState | undefined
    void run.done().then(() => (end = run.state()))
    await at.clock.run(() => end !== undefined, { maxSteps: 50_000 })
    const percents = told.map((event) => event.percent!)
    expect(percents).toEqual([...percents].sort((a, b) => a - b))
    const middle = told.find((event) => event.framesDone > 30)!
    expect(middle.leftMs!.low).toBeLessThan(middle.leftMs!.high)
    expect(middle.lastFrame).toMatchObject({ path: expect.stringMatching(/^\/simulated\/frame_\d{4}\.png$/) })
    for (const id of ['one', 'two']) {
      const farm = middle.farms[id]!
      expect(farm.leftMs!.low).toBeLessThanOrEqual(farm.leftMs!.expected)
      expect(farm.lastFrame).toMatchObject({ farm: id })
      const spent = told.map((event) => event.farms[id]?.spent ?? 0n)
      expect(spent).toEqual([...spent].sort((a, b) => (a < b ? -1 : 1)))
      expect(farm.spent).toBeGreaterThan(0n)
    }
    // Every frame was accepted: farms earn their leases' prices, and the rest of what the job paid is fees.
    const earned = Object.values(end!.farms).reduce((sum, farm) => sum + farm.spent, 0n)
    const prices = at.order.leases.reduce((sum, { lease }) => sum + lease.price, 0n)
    expect(earned).toBe(prices)
    expect(end!.money.spent).toBeGreaterThan(earned)
    await runner.close()
  })
})
