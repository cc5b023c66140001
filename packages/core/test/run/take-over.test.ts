import { describe, expect, it } from 'vitest'
import { simulatedWorld } from '../../src/simulate/index.ts'
import { memoryStore, type Store } from '../../src/store/index.ts'

const MINUTE = 60_000

const small = { frames: 2, farms: [{ id: 'one', msPerWork: 1_000 }], checkers: [{ id: 'a' }], quorum: 1 }

describe('what dead processes left behind', () => {
  it('an incident posted by one who died to one who died is read by whoever is there', async () => {
    const world = simulatedWorld({ name: 'two dead', ...small })
    const { clock, store } = world
    // The keeper of the farm's journal holds it, and dies; so does the poster, right after he posted.
    await store.claim('farm-one', 'keeper', clock.now(), MINUTE)
    const incident = { type: 'incident', run: world.order.run, task: 7, kind: 'refused', message: 'bad' }
    await store.post('farm-one', JSON.stringify(incident), 'key')
    const third = world.runner('third')
    await third.start()
    await clock.run(() => false, { untilMs: clock.now() + 2 * MINUTE, maxSteps: 10_000 })
    expect(await third.farm('one')).toMatchObject({ standing: 'quarantined', incidents: [{ task: 7 }] })
    expect(await store.due(clock.now() + MINUTE, 10)).toEqual([])
    await third.close()
  })

  it('a wish that came too late for a run is refused and forgotten, not taken up for ever', async () => {
    const world = simulatedWorld({ name: 'too late', ...small })
    const { clock, store, order } = world
    const runner = world.runner('a')
    const run = await runner.submit(order)
    expect(await clock.run(() => run.state().phase === 'ended', { maxSteps: 100_000 })).toBe(true)
    await runner.close()
    await store.post(order.run, JSON.stringify({ type: 'want', wanted: 'cancel' }), 'late')
    expect(await store.due(clock.now(), 10)).toEqual([order.run])
    const later = world.runner('b')
    await later.start()
    await clock.run(() => false, { untilMs: clock.now() + MINUTE, maxSteps: 10_000 })
    expect(await store.due(clock.now() + MINUTE, 10)).toEqual([])
    await later.close()
  })

  it('claims are renewed while many runs are read from a slow store', async () => {
    const base = memoryStore()
    const long = { ...small, farms: [{ id: 'one', msPerWork: 200_000 }], store: base }
    const first = simulatedWorld({ name: 'run 0', ...long })
    const { clock } = first
    const worlds = [first, ...Array.from({ length: 19 }, (_, i) => simulatedWorld({ name: `run ${i + 1}`, ...long, clock }))]
    for (const world of worlds) {
      const submitter = world.runner('submitter')
      await submitter.submit(world.order)
      await submitter.close()
    }
    const slow: Store = {
      ...base,
      load: async (...args) => {
        await clock.sleep(4_000)
        return base.load(...args)
      },
    }
    const runner = first.runner('slow', { store: slow })
    void runner.start()
    const lost = new Set<string>()
    const taken = new Set<string>()
    for (let n = 0; n < 24; n++) {
      await clock.run(() => false, { untilMs: clock.now() + 5_000, maxSteps: 20_000 })
      const due = new Set(await base.due(clock.now(), 100))
      for (const { order } of worlds)
        if (!due.has(order.run)) taken.add(order.run)
        else if (taken.has(order.run)) lost.add(order.run)
    }
    expect(taken.size).toBe(worlds.length)
    expect(lost.size).toBe(0)
    await runner.close()
  })
})
