import { expect, it } from 'vitest'
import type { Farm } from '../../src/contract/index.ts'
import { simulatedWorld, type SimulatedFarmOptions } from '../../src/simulate/index.ts'

function job(name: string, frames: number, farm: Partial<SimulatedFarmOptions>) {
  return simulatedWorld({
    name,
    frames,
    farms: [{ id: 'one', slots: 4, msPerWork: 1_000, pollMs: 500, ...farm }],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { leaseMs: 4_000, graceMs: 3_600_000, options: { hedge: false } },
  })
}

async function delivered(at: ReturnType<typeof job>, change: (farm: Farm) => Farm = (farm) => farm) {
  const startMs = at.clock.now()
  const changed = change(at.farms.get('one')!)
  const runner = at.runner('a', { farms: () => changed })
  const run = await runner.submit(at.order)
  const tookMs = new Map<number, number>()
  run.on('frame-delivered', ({ frame }) => void tookMs.set(frame, at.clock.now() - startMs))
  let ended = false
  const done = run.done().finally(() => (ended = true))
  expect(await at.clock.run(() => ended, { maxSteps: 400_000 })).toBe(true)
  const result = await done
  await runner.close()
  return { result, tookMs }
}

it('a frame that is reported again under another hash is fetched again, and its lease is no worse for it', async () => {
  const at = job('rendered again', 12, { faults: { outputAgain: 1 } })
  const { result } = await delivered(at)
  expect(result).toMatchObject({ outcome: 'done', missing: [] })
  const { incidents } = await at.runner('b').farm('one')
  expect(incidents).toEqual([])
  expect(at.farms.get('one')!.stats.framesRendered).toBe(12)
})

it('outputs that a farm does not have yet hold up no others: they leave their place among its downloads', async () => {
  const at = job('not yet', 24, {})
  const startMs = at.clock.now()
  const late = new Set([1, 2, 3, 4, 5, 6])
  const { result, tookMs } = await delivered(at, (farm) => ({
    ...farm,
    open: async (output, range, ctx) =>
      late.has(output.frame) && at.clock.now() < startMs + 300_000
        ? { unavailable: 'not-yet', retryAfterMs: 20_000 }
        : farm.open(output, range, ctx),
  }))
  expect(result.outcome).toBe('done')
  const others = [...tookMs].filter(([frame]) => frame > 8).map(([, ms]) => ms)
  expect(Math.max(...others)).toBeLessThan(60_000)
})

it('a download that stands still is begun again', async () => {
  const at = job('stands still', 4, {})
  let opened = 0
  const { result, tookMs } = await delivered(at, (farm) => ({
    ...farm,
    open: async (output, range, ctx) => {
      if (opened++ >= 4) return farm.open(output, range, ctx)
      return {
        bytes: output.bytes,
        stream: (async function* (): AsyncGenerator<Uint8Array> {
          await new Promise(() => {})
          yield new Uint8Array()
        })(),
      }
    },
  }))
  expect(result.outcome).toBe('done')
  expect(Math.max(...tookMs.values())).toBeLessThan(180_000)
})
