import { describe, expect, it } from 'vitest'
import { simulatedWorld } from '../../src/simulate/index.ts'
import type { JobEvent } from '../../src/contract/index.ts'

describe('a job in the simulator', () => {
  it('renders, checks, pays and delivers every frame once', async () => {
    const world = simulatedWorld({
      name: 'flow',
      frames: 24,
      farms: [
        { id: 'studio', slots: 1, msPerWork: 1000 },
        { id: 'cloud', slots: 2, msPerWork: 800 },
      ],
      checkers: [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
      quorum: 2,
    })
    const runner = world.runner('one')
    const run = await runner.submit(world.order)
    const events: JobEvent[] = []
    void (async () => {
      for await (const event of run) events.push(event)
    })()
    let ended = false
    const done = run.done().then((result) => ((ended = true), result))
    const reached = await world.clock.run(() => ended, { maxSteps: 20_000 })
    expect({ reached, state: run.state() }).toMatchObject({ reached: true })
    const result = await done
    expect(result.outcome).toBe('done')
    expect(result.frames.map((frame) => frame.frame)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1))
    expect([...world.delivered.values()].every((one) => one.count === 1)).toBe(true)
    expect(world.ledger.violations).toEqual([])
    const money = world.ledger.total(result.job!)
    expect(money.locked + money.pending).toBe(0n)
    expect(result.money.paid + result.money.refunded).toBe(result.money.locked)
    const material = await result.material()
    expect(material.leases.length).toBe(world.order.leases.length)
    await world.clock.run(() => events.at(-1)?.type === 'job-end', { maxSteps: 100 })
    expect(events.map((event) => event.type).filter((type) => type === 'frame-delivered').length).toBe(24)
    await runner.close()
  })

  it('hears no votes of a checker that reveals another seed than it committed to', async () => {
    const world = simulatedWorld({
      name: 'chosen-seeds',
      frames: 4,
      farms: [{ id: 'studio', slots: 1, msPerWork: 1000 }],
      checkers: [{ id: 'a' }, { id: 'b' }, { id: 'c', faults: { choosesSeeds: 1 } }],
      quorum: 2,
    })
    const runner = world.runner('one')
    const run = await runner.submit(world.order)
    let ended = false
    const done = run.done().then((result) => ((ended = true), result))
    await world.clock.run(() => ended, { maxSteps: 20_000 })
    const result = await done
    expect(result.outcome).toBe('done')
    const { leases } = await result.material()
    const heard = new Set(leases.flatMap(({ seeds }) => seeds.map(({ checker }) => checker)))
    expect(heard).toEqual(new Set(world.checkers.slice(0, 2).map(({ address }) => address)))
    await runner.close()
  })
})
