import { existsSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  baselinePlan,
  frontier,
  hitProbability,
  instanceFromProblem,
  MILD_RISK,
  planToJson,
  problemFromInstance,
  replan,
  SEVERE_RISK,
  solveRoute,
  type RouteInstance,
  type RouteProblem,
} from '../../src/route/index.ts'
import { replanInWorker, solveInWorker } from '../../src/run/route-worker.ts'
import { everyPlan, judge } from './oracle.ts'
import { problems } from './problems.ts'

describe('the frontier', () => {
  it('rises in time, falls in cost, and its bounds stay below every plan there is', () => {
    fc.assert(
      fc.property(problems(fc.integer({ min: 1, max: 4 }), 2, ['cheapest']), (problem) => {
        const points = frontier(problem, 6)
        const plans = everyPlan(problem)
        points.forEach(({ deadlineH, plan }, k) => {
          const before = points[k - 1]?.plan
          if (before !== undefined) {
            expect(plan.cost).toBeLessThan(before.cost)
            expect(plan.finishH).toBeGreaterThan(before.finishH)
          }
          const goal = { kind: 'cheapest', deadlineH, maxFarms: problem.goal.maxFarms ?? null } as const
          expect(judge({ ...problem, goal }, planToJson(plan)).errors).toEqual([])
          const best = Math.min(...plans.filter((one) => one.finishH <= deadlineH).map((one) => one.cost))
          expect(plan.lowerBound).toBeLessThanOrEqual(best * (1 + 1e-6) + 1e-9)
        })
        if (plans.length > 0) expect(points.length).toBeGreaterThan(0)
      }),
      { numRuns: 25, seed: 2 },
    )
  })

  it('is never worse than a baseline at any of its deadlines', () => {
    fc.assert(
      fc.property(problems(fc.integer({ min: 30, max: 60 }), 3, ['cheapest']), (problem) => {
        for (const { deadlineH, plan } of frontier({ ...problem, goal: { ...problem.goal, maxFarms: null } }, 5)) {
          for (const policy of ['cheapest-farm', 'fastest-farm', 'round-robin', 'greedy'] as const) {
            const rival = baselinePlan({ ...problem, goal: { kind: 'cheapest', deadlineH } }, policy)
            if (rival !== undefined && rival.finishH <= deadlineH) expect(plan.cost).toBeLessThanOrEqual(rival.cost * (1 + 1e-9))
          }
        }
      }),
      { numRuns: 8, seed: 4 },
    )
  })
})

const base: RouteProblem = {
  classes: ['any'],
  work: Float64Array.from({ length: 40 }, (_, f) => 1 + (f % 5) / 5),
  classOf: new Uint8Array(40),
  offers: ['a', 'b', 'c'].map((farm, i) => ({
    id: `${farm}/1`,
    farm,
    nodes: 4,
    readyH: 0.1,
    startH: 0.05,
    billStart: true,
    perFrameH: 0.01,
    deliverH: 0.05,
    hoursPerWork: [0.2],
    price: {
      perNodeH: 1 + i,
      fixed: 0.5,
      minCharge: 2,
      tiers: [
        { fromNodeH: 0, factor: 1 },
        { fromNodeH: 5, factor: 0.8 },
      ],
    },
  })),
  goal: { kind: 'cheapest', deadlineH: 3 },
}

describe('a new plan in the middle of a job', () => {
  const settled = Uint8Array.from({ length: 40 }, (_, f) => (f < 15 ? 1 : 0))

  it('covers exactly the frames that are left, in the time that is left', () => {
    const { frames, answer, problem } = replan(base, { nowH: 0.8, settled })
    expect([...frames]).toEqual(Array.from({ length: 25 }, (_, k) => k + 15))
    expect(problem.goal).toMatchObject({ kind: 'cheapest' })
    expect(problem.goal.kind === 'cheapest' && problem.goal.deadlineH).toBeCloseTo(2.2, 12)
    expect(answer?.kind).toBe('plan')
    if (answer?.kind === 'plan') expect(judge(problem, planToJson(answer)).errors).toEqual([])
  })

  it('avoids a lost farm, believes observed speeds, and does not pay twice what is spent', () => {
    const { answer, problem } = replan(base, {
      nowH: 0.8,
      settled,
      offers: { 'a/1': { lost: true }, 'b/1': { started: true, slowness: 2, sampled: 1000, usedNodeH: 6 } },
    })
    const farms = answer?.kind === 'plan' ? answer.routes.map((route) => route.farm) : []
    expect(farms).not.toContain('a')
    const b = problem.offers[1]!
    expect(b.hoursPerWork[0]).toBeCloseTo(0.4, 2)
    expect(b.readyH).toBe(0)
    expect(b.price).toMatchObject({ fixed: 0, minCharge: 0, tiers: [{ fromNodeH: 0, factor: 0.8 }] })
  })

  it('takes a new quote in place of the old one', () => {
    const cheaper = { ...base.offers[2]!, price: { perNodeH: 0.1 } }
    const { answer } = replan(base, { nowH: 0, settled: new Uint8Array(40), quotes: [cheaper] })
    expect(answer?.kind === 'plan' && answer.routes.some((route) => route.farm === 'c')).toBe(true)
  })

  it('copies a frame that is overdue to a farm that is already at work, and only that one', () => {
    const { copies } = replan(base, {
      nowH: 1,
      settled,
      offers: { 'a/1': { started: true }, 'b/1': { started: true } },
      running: [
        { frame: 0, offer: 'a/1', forH: 1 },
        { frame: 1, offer: 'a/1', forH: 0.1 },
      ],
    })
    expect(copies).toEqual([{ frame: 0, offer: 'b/1' }])
  })

  it('asks for nothing when all frames are settled', () => {
    expect(replan(base, { nowH: 1, settled: new Uint8Array(40).fill(1) }).answer).toBeUndefined()
  })

  it('refuses malformed progress with its path', () => {
    const refused = (path: string, change: object) =>
      expect(() => replan(base, { nowH: 0, settled, ...change })).toThrow(
        expect.objectContaining({ code: 'invalid-input', details: expect.objectContaining({ path }) }),
      )
    refused('progress.nowH', { nowH: NaN })
    refused('progress.settled', { settled: new Uint8Array(3) })
    refused('progress.offers.a/1.slowness', { offers: { 'a/1': { slowness: -1 } } })
    refused('progress.spent', { spent: NaN })
    refused('progress.running[0].frame', { running: [{ frame: 40, offer: 'a/1', forH: 0 }] })
    refused('progress.running[0].forH', { running: [{ frame: 0, offer: 'a/1', forH: -1 }] })
  })
})

describe('the probability of meeting the deadline', () => {
  const route = { readyH: 0.2, fixedH: 0.1, makespanH: 2, nodes: 8, frames: 100 }
  it('falls with noise and with the number of routes, and rises with slack', () => {
    const mild = hitProbability([route], 3, MILD_RISK)
    expect(hitProbability([route], 3, SEVERE_RISK)).toBeLessThan(mild)
    expect(hitProbability([route, route], 3, MILD_RISK)).toBeCloseTo(mild * mild, 12)
    expect(hitProbability([route], 2.4, MILD_RISK)).toBeLessThan(mild)
    expect(hitProbability([route], 1, MILD_RISK)).toBeLessThan(0.01)
  })
  it('is one for a plan without any noise', () => {
    const none = Object.fromEntries(Object.keys(MILD_RISK).map((key) => [key, 0])) as unknown as typeof MILD_RISK
    expect(hitProbability([route], 2.31, { ...none, slowLeast: 1, slowMost: 1 })).toBeCloseTo(1, 6)
  })
  it('comes with every plan that has a deadline', () => {
    const answer = solveRoute(base)
    expect(answer.kind === 'plan' && answer.hitProbability).toBeGreaterThan(0)
  })
})

it('instances survive the way through JSON', () => {
  const back = problemFromInstance(JSON.parse(JSON.stringify(instanceFromProblem(base))))
  expect(back.work).toEqual(base.work)
  expect(solveRoute(back)).toMatchObject({ kind: 'plan', cost: (solveRoute(base) as { cost: number }).cost })
})

it('generated frames are part of the format: this seed gives these very numbers', () => {
  const instance: unknown = {
    ...instanceFromProblem(base),
    classes: [{ id: 'x' }, { id: 'y' }],
    offers: base.offers.map((offer) => ({ ...offer, hoursPerWork: { x: 1, y: 1 } })),
    frames: { count: 300, encoding: 'gen', gen: { seed: 5, meanWork: 100, sigma: 0.5, corr: 0.97, spikeProb: 0.01 } },
  }
  const { work, classOf } = problemFromInstance(instance)
  expect([0, 1, 99, 299].map((f) => [work[f], classOf[f]])).toEqual([
    [61.659868, 1],
    [63.355363, 1],
    [56.88019, 0],
    [115.037216, 0],
  ])
})

const shared = new URL('../../../../../shared/bench/routing/', import.meta.url)
it.skipIf(!existsSync(new URL('check.mjs', shared)))(
  'plans pass the shared oracle, for both encodings (skipped: ../shared is absent)',
  async () => {
    const { generate, expandFrames } = (await import(new URL('gen.mjs', shared).href)) as {
      generate: (options: object) => RouteInstance
      expandFrames: (frames: unknown, classes: number) => { work: Float64Array; cls: Uint8Array }
    }
    const { check } = (await import(new URL('check.mjs', shared).href)) as {
      check: (inst: unknown, plan: unknown) => { errors: string[] }
    }
    for (const options of [
      { farms: 4, frames: 60, slack: 1.3 },
      { farms: 8, frames: 300, slack: 2, maxFarms: 3 },
      { farms: 12, frames: 5000, slack: 1.5 },
    ]) {
      const instance = generate({ ...options, seed: 3 })
      const problem = problemFromInstance(instance)
      const frames = expandFrames(instance.frames, instance.classes.length)
      expect(problem.work).toEqual(frames.work)
      expect(Uint8Array.from(problem.classOf)).toEqual(frames.cls)
      const answer = solveRoute(problem)
      expect(answer.kind).toBe('plan')
      if (answer.kind === 'plan') expect(check(instance, planToJson(answer)).errors).toEqual([])
    }
  },
)

describe('in a worker thread', () => {
  it('gives the same plan', async () => {
    const [there, here] = [await solveInWorker(base), solveRoute(base)]
    expect(there).toEqual(here)
  })
  it('gives the same re-plan', async () => {
    const progress = { nowH: 0.1, settled: new Uint8Array(base.work.length).fill(1, 0, 1) }
    expect(await replanInWorker(base, progress)).toEqual(replan(base, progress))
  })
  it('refuses a bad problem as here, and ends when aborted', async () => {
    await expect(solveInWorker({ ...base, offers: [] })).rejects.toMatchObject({
      code: 'invalid-input',
      details: { path: 'offers' },
    })
    const controller = new AbortController()
    const solving = solveInWorker(base, controller.signal)
    controller.abort(new Error('enough'))
    await expect(solving).rejects.toThrow('enough')
  })
})
