import { describe, expect, it } from 'vitest'
import { SEVERE_RISK, solveRoute, type RouteProblem, type RouteRisk } from '../../src/route/index.ts'
import { simulateRoute } from '../../src/simulate/route-execution.ts'

const CALM: RouteRisk = {
  ...SEVERE_RISK,
  biasSigma: 0,
  frameSigma: 0,
  queueSigma: 0,
  slowShare: 0,
  stragglerShare: 0,
  deathShare: 0,
}

const problem: RouteProblem = {
  classes: ['any'],
  work: Float64Array.from({ length: 120 }, (_, f) => 1 + (f % 7) / 7),
  classOf: new Uint8Array(120),
  offers: ['a', 'b', 'c', 'd', 'e'].map((farm, i) => ({
    id: `${farm}/1`,
    farm,
    nodes: 6,
    readyH: 0.1,
    startH: 0.02,
    billStart: true,
    perFrameH: 0.01,
    deliverH: 0.02,
    hoursPerWork: [0.1 + 0.01 * i],
    price: { perNodeH: 1 + 0.3 * i },
  })),
  goal: { kind: 'cheapest', deadlineH: 3 },
}
const ALL = { planAt: 0.85, replan: true, copies: true } as const

describe('a simulated execution', () => {
  it('of a calm world ends as planned, at the planned cost', () => {
    const plan = solveRoute(problem)
    const outcome = simulateRoute(problem, CALM, { planAt: 1, replan: true, copies: true }, 1)!
    if (plan.kind !== 'plan') throw new Error('no plan')
    expect(outcome).toMatchObject({ hit: true, replans: 0, copies: 0 })
    expect(outcome.finishH).toBeCloseTo(plan.finishH, 9)
    expect(outcome.cost).toBeCloseTo(plan.cost, 9)
  })

  it('is the same for the same seed', () => {
    expect(simulateRoute(problem, SEVERE_RISK, ALL, 5)).toEqual(simulateRoute(problem, SEVERE_RISK, ALL, 5))
  })

  it('meets deadlines that a plan left to itself misses', () => {
    const hits = (policy: Parameters<typeof simulateRoute>[2]) =>
      Array.from({ length: 16 }, (_, seed) => simulateRoute(problem, SEVERE_RISK, policy, seed)!).filter(({ hit }) => hit).length
    const left = hits({ planAt: 1, replan: false, copies: false })
    expect(left).toBeLessThan(8)
    expect(hits(ALL)).toBeGreaterThan(13)
  })

  it('replaces a farm that dies', () => {
    const outcomes = Array.from({ length: 10 }, (_, seed) =>
      simulateRoute(problem, { ...CALM, deathShare: 0.5 }, { ...ALL, copies: false }, seed)!,
    )
    expect(outcomes.some(({ replans }) => replans > 0)).toBe(true)
    expect(outcomes.filter(({ hit }) => hit).length).toBeGreaterThan(6)
  })
})
