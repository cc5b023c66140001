import { describe, expect, it } from 'vitest'
import type { Checker, CheckerAction } from '../../src/contract/index.ts'
import type { JobResult } from '../../src/run/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'

type Check = Extract<CheckerAction, { kind: 'check' }>

describe('neighbours that a checker is shown', () => {
  it('are accepted frames beside the lease, of whichever farm, with the bytes that were accepted', async () => {
    const at = simulatedWorld({
      name: 'neighbours',
      frames: 30,
      farms: [
        { id: 'one', msPerWork: 900 },
        { id: 'two', msPerWork: 1300 },
        { id: 'bad', msPerWork: 700, dishonest: 0.7 },
      ],
      checkers: [{ id: 'a' }],
      quorum: 1,
      order: { leaseMs: 4_000 },
    })
    const checks: Check[] = []
    const listening = at.checkers.map((checker): Checker => ({
      ...checker,
      send: (action, ctx) => {
        if (action.kind === 'check') checks.push(action)
        return checker.send(action, ctx)
      },
    }))
    const runner = at.runner('one', { checkers: listening })
    const run = await runner.submit(at.order)
    let result: JobResult | undefined
    void run.done().then((done) => (result = done))
    expect(await at.clock.run(() => result !== undefined, { maxSteps: 100_000 })).toBe(true)
    expect(result!.outcome).toBe('done')
    const accepted = new Map(result!.frames.map(({ frame, hash, farm }) => [frame, { hash, farm }]))
    let shown = 0
    let acrossFarms = 0
    for (const { lease, neighbours = [] } of checks)
      for (const { frame, hash } of neighbours) {
        shown++
        expect(lease.frames).not.toContain(frame)
        expect(Math.min(...lease.frames.map((one) => Math.abs(one - frame)))).toBeLessThanOrEqual(2)
        expect(accepted.get(frame)?.hash).toBe(hash)
        if (at.farms.get(accepted.get(frame)!.farm)!.address !== lease.farm) acrossFarms++
      }
    expect(shown).toBeGreaterThan(5)
    expect(acrossFarms).toBeGreaterThan(0)
    await runner.close()
  })
})
