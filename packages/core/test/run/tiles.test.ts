import { describe, expect, it } from 'vitest'
import type { JobEvent, Region } from '../../src/contract/index.ts'
import type { JobResult } from '../../src/run/index.ts'
import { simulatedWorld, type SimulatedFarmOptions } from '../../src/simulate/index.ts'

async function run(name: string, farms: readonly SimulatedFarmOptions[]) {
  const at = simulatedWorld({
    name,
    frames: 4,
    farms: farms.map((farm) => ({ ...farm, tiles: true })),
    checkers: [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
    quorum: 2,
    order: { tiles: 3 },
  })
  const runner = at.runner('one')
  const job = await runner.submit(at.order)
  const events: JobEvent[] = []
  void (async () => {
    for await (const event of job) events.push(event)
  })()
  let result: JobResult | undefined
  void job.done().then((done) => (result = done))
  expect(await at.clock.run(() => result !== undefined && events.at(-1)?.type === 'job-end', { maxSteps: 100_000 })).toBe(true)
  await runner.close()
  return { at, result: result!, events, delivered: [...at.delivered.keys()] }
}

const ALL = [1, 2, 3, 4].flatMap((frame) => [1, 2, 3].map((part) => `${frame}/${part}`))

describe('a job of tiles', () => {
  it('delivers every tile once, and says so part by part', async () => {
    const { at, result, events, delivered } = await run('tiles', [
      { id: 'one', msPerWork: 3000 },
      { id: 'two', slots: 2, msPerWork: 3000 },
    ])
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    expect(result.frames.map(({ frame, part }) => `${frame}/${part}`)).toEqual(ALL)
    expect([...delivered].sort()).toEqual(ALL)
    const told = events.flatMap((event) => (event.type === 'frame-delivered' ? [`${event.frame}/${event.part}`] : []))
    expect(told.sort()).toEqual(ALL)
    expect(events.at(-1)).toMatchObject({ type: 'job-end', framesDelivered: 4, framesMissing: [] })
    expect(at.ledger.violations).toEqual([])
    expect(result.money.paid + result.money.refunded).toBe(result.money.locked)
  })

  it.each([1, 2, 3, 4, 5])('leases refused, lost and failed tiles elsewhere, and pays each tile once (seed %i)', async (seed) => {
    const { at, result, delivered } = await run(`troubled tiles ${seed}`, [
      { id: 'bad', seed, msPerWork: 1000, dishonest: 0.6 },
      {
        id: 'flaky',
        seed,
        slots: 2,
        msPerWork: 2000,
        faults: { callFails: 0.1, replyLost: 0.1, eventLost: 0.2, taskFails: 0.3 },
      },
      { id: 'good', seed, msPerWork: 2500 },
    ])
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    expect(new Set(delivered)).toEqual(new Set(ALL))
    expect(result.frames.map(({ frame, part }) => `${frame}/${part}`)).toEqual(ALL)
    expect(at.ledger.violations).toEqual([])
    expect(result.money.pending).toBe(0n)
    expect(result.money.paid + result.money.refunded).toBe(result.money.locked)
  })

  it('refuses orders whose tiles overlap, leave holes or hold several frames in one lease', async () => {
    const at = simulatedWorld({
      name: 'bad tiles',
      frames: 1,
      farms: [{ id: 'one', tiles: true }],
      checkers: [{ id: 'a' }],
      quorum: 1,
      order: { tiles: 3 },
    })
    const { order } = at
    const runner = at.runner('one')
    const withTiles = (tiles: readonly Region[]) => ({
      ...order,
      spec: { ...order.spec, render: { ...order.spec.render, tiles } },
    })
    const [a, b, c] = order.spec.render.tiles as readonly [Region, Region, Region]
    for (const [tiles, path] of [
      [[a, b, { ...c, y: 119 }], 'tiles[2]'],
      [[a, b, { ...c, height: 59 }], 'tiles'],
      [[a, b, { ...c, width: 321 }], 'tiles[2]'],
      [[a], 'tiles'],
    ] as const)
      await expect(runner.submit(withTiles(tiles))).rejects.toMatchObject({ details: { path: `order.spec.render.${path}` } })
    const whole = order.leases.map(({ lease, ...planned }) => ({ ...planned, lease: { ...lease, part: 0 } }))
    await expect(runner.submit({ ...order, leases: whole })).rejects.toMatchObject({ code: 'invalid-input' })
    await runner.close()
  })
})
