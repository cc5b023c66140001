import { describe, expect, it } from 'vitest'
import type { JobState } from '../../src/run/index.ts'
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
