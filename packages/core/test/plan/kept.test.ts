import { describe, expect, it } from 'vitest'
import { memoryArtifacts } from '../../src/artifacts/index.ts'
import { memoOver, type Cache } from '../../src/cache/index.ts'
import { usd, type Farm, type FarmInfo } from '../../src/contract/index.ts'
import { cheapestPlan } from '../../src/plan/make-plan.ts'
import { prepare, type PlanRequest } from '../../src/plan/prepare.ts'
import { simulatedCache } from '../../src/simulate/cache.ts'
import { simulatedFarm, virtualClock } from '../../src/simulate/index.ts'
import { simulatedInspector } from '../simulated-inspector.ts'

const HOUR_MS = 3_600_000

/** A planner over two simulated farms that counts what it asks of them. */
function planner(cache: Cache) {
  const clock = virtualClock()
  const counts = { probes: 0, quotes: 0, describes: 0 }
  let version = '3.4.0'
  let runs = 0
  const farms = ['one', 'two'].map((id): Farm => {
    const farm = simulatedFarm({ id, clock, msPerWork: 800, pollMs: 100 })
    return {
      ...farm,
      describe: async (ctx): Promise<FarmInfo> => {
        counts.describes++
        const info = await farm.describe(ctx)
        return { ...info, software: info.software.map((build) => ({ ...build, version })) }
      },
      quote: (request, ctx) => (counts.quotes++, farm.quote(request, ctx)),
      submit: (task, ctx) => (counts.probes++, farm.submit(task, ctx)),
    }
  })
  const inspector = simulatedInspector({ frames: '1-20', width: 320, height: 180 })
  const memo = memoOver(cache, clock)
  return {
    clock,
    counts,
    upgrade: (to: string) => void (version = to),
    async plan(more: Partial<PlanRequest> = {}) {
      const before = { ...counts }
      const request = { scene: 'scene.blend', deadline: clock.now() + 4 * HOUR_MS, budget: usd('50'), ...more }
      const options = {
        inspector,
        farms,
        files: memoryArtifacts(),
        clock,
        checkers: 1,
        memo,
        newRun: () => `0x${String(++runs).padStart(64, '0')}` as const,
      }
      let basis: Awaited<ReturnType<typeof prepare>>['basis'] | undefined
      void prepare(request, options, { key: 'plan' }).then((done) => (basis = done.basis))
      expect(await clock.run(() => basis !== undefined, { maxSteps: 20_000 })).toBe(true)
      const asked = Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, n - before[name as keyof typeof before]]))
      return { basis: basis!, plan: cheapestPlan(basis!), asked }
    },
  }
}

describe('a second plan of the same scene', () => {
  it('renders no probe, asks for no quote, and comes to the same plan', async () => {
    const { plan } = planner(new Map())
    const first = await plan()
    expect(first.asked).toEqual({ probes: 8, quotes: 2, describes: 2 })
    const second = await plan()
    expect(second.asked).toEqual({ probes: 0, quotes: 0, describes: 0 })
    expect(second.plan.routes).toEqual(first.plan.routes)
    expect(second.plan.cost).toEqual(first.plan.cost)
    expect(first.basis.estimate.probeMs).toBeGreaterThan(0)
    expect(second.basis.estimate.probeMs).toBe(0)
    expect(second.basis.estimate.basis.join()).toMatch(/probes of one were rendered for an earlier plan/)
  })

  it('probes again for other settings, other software, and when it is told to', async () => {
    const { plan, clock, upgrade } = planner(new Map())
    await plan()
    expect((await plan({ probeAgain: true })).asked).toMatchObject({ probes: 8 })
    expect((await plan({ frames: '5-9' })).asked).toMatchObject({ probes: 8, quotes: 2 })
    upgrade('3.4.1')
    expect((await plan()).asked).toMatchObject({ probes: 0 })
    clock.jump(600_001)
    expect((await plan()).asked).toMatchObject({ probes: 8, describes: 2 })
  })

  it('asks for a new quote after half of its validity, and for a nearer deadline than it was promised for', async () => {
    const { plan, clock } = planner(new Map())
    await plan()
    expect((await plan({ name: 'other', budget: usd('60') })).asked).toMatchObject({ quotes: 0 })
    expect((await plan({ deadline: clock.now() + HOUR_MS })).asked).toMatchObject({ quotes: 2, probes: 0 })
    clock.jump(HOUR_MS / 2 + 1)
    expect((await plan()).asked).toMatchObject({ quotes: 2, probes: 0 })
  })

  it('is the same plan, whatever the cache forgets, throws or makes up', async () => {
    const sound = (await planner(new Map()).plan()).plan
    for (let seed = 0; seed < 30; seed++) {
      const { plan } = planner(simulatedCache(seed))
      for (let n = 0; n < 3; n++) expect((await plan()).plan.routes).toEqual(sound.routes)
    }
  })
})
