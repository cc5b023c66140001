import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { baselinePlan, planToJson, solveRoute, type Baseline, type RouteProblem } from '../../src/route/index.ts'
import { judge, optimum } from './oracle.ts'
import { problems } from './problems.ts'

const POLICIES: readonly Baseline[] = ['cheapest-farm', 'fastest-farm', 'round-robin', 'greedy']

/** Whether a baseline's plan meets the goal. */
function meets(problem: RouteProblem, plan: { cost: number; finishH: number; routes: readonly { farm: string }[] }): boolean {
  const { goal } = problem
  if (goal.maxFarms && new Set(plan.routes.map((route) => route.farm)).size > goal.maxFarms) return false
  return (goal.kind !== 'cheapest' || plan.finishH <= goal.deadlineH) && (goal.kind !== 'fastest' || plan.cost <= goal.budget)
}

describe('a plan', () => {
  it('of a small problem obeys the model, and its bound is at most the optimum found by trying everything', () => {
    let plans = 0
    let optimal = 0
    let closed = 0
    fc.assert(
      fc.property(problems(fc.integer({ min: 1, max: 5 }), 2, ['cheapest', 'fastest', 'weighted']), (problem) => {
        const best = optimum(problem)
        const answer = solveRoute(problem)
        if (answer.kind === 'infeasible') expect(best).toBe(Infinity)
        if (answer.kind !== 'plan') return
        expect(judge(problem, planToJson(answer)).errors).toEqual([])
        expect(answer.lowerBound).toBeLessThanOrEqual(best * (1 + 1e-6) + 1e-9)
        expect(answer.objective).toBeGreaterThanOrEqual(best * (1 - 1e-6) - 1e-6)
        plans++
        if (answer.objective <= best * (1 + 1e-3)) optimal++
        if (answer.gap <= 1e-3) closed++
      }),
      { numRuns: 150, seed: 7 },
    )
    expect(plans).toBeGreaterThan(100)
    expect(optimal).toBe(plans)
    expect(closed / plans).toBeGreaterThan(0.97)
  })

  it('is found whenever everything tried finds one, and never denied without proof', () => {
    fc.assert(
      fc.property(problems(fc.integer({ min: 1, max: 4 }), 2, ['cheapest']), (problem) => {
        const best = optimum(problem)
        const answer = solveRoute(problem)
        if (best < Infinity) expect(answer.kind).not.toBe('infeasible')
        else expect(answer.kind).toBe('infeasible')
      }),
      { numRuns: 100, seed: 11 },
    )
  })

  it('of a larger problem obeys the model and is no worse than any baseline', () => {
    fc.assert(
      fc.property(problems(fc.integer({ min: 20, max: 120 }), 4, ['cheapest', 'fastest', 'weighted']), (problem) => {
        const answer = solveRoute(problem)
        if (answer.kind === 'plan') {
          expect(judge(problem, planToJson(answer)).errors).toEqual([])
          expect(answer.lowerBound).toBeLessThanOrEqual(answer.objective)
        }
        for (const policy of POLICIES) {
          const rival = baselinePlan(problem, policy)
          if (rival === undefined || !meets(problem, rival)) continue
          expect(answer.kind).toBe('plan')
          if (answer.kind !== 'plan') continue
          expect(answer.objective).toBeLessThanOrEqual(rival.objective * (1 + 1e-9))
          expect(answer.lowerBound).toBeLessThanOrEqual(rival.objective * (1 + 1e-9))
        }
      }),
      { numRuns: 24, seed: 5 },
    )
  })

  it('is the same, byte for byte, for the same input', () => {
    fc.assert(
      fc.property(problems(fc.integer({ min: 5, max: 60 }), 3, ['cheapest', 'fastest', 'weighted']), (problem) => {
        const text = () => {
          const answer = solveRoute(problem)
          return JSON.stringify(answer.kind === 'plan' ? [planToJson(answer), answer.gap] : answer)
        }
        expect(text()).toBe(text())
      }),
      { numRuns: 10, seed: 3 },
    )
  })

  it('hands out frames that are alike in one run a route', () => {
    fc.assert(
      fc.property(problems(fc.integer({ min: 10, max: 60 }), 4, ['cheapest']), fc.constantFrom(1, 2), (drawn, kinds) => {
        // Long and short frames alternate, so that only a deliberate hand makes runs of each.
        const work = drawn.work.map((_, f) => 0.5 + (f % kinds))
        const problem = { ...drawn, work, classOf: new Uint8Array(work.length) }
        const answer = solveRoute(problem)
        if (answer.kind !== 'plan') return
        expect(judge(problem, planToJson(answer)).errors).toEqual([])
        for (let kind = 0; kind < kinds; kind++) {
          const owners = [...answer.assign].filter((_, f) => f % kinds === kind)
          const changes = owners.filter((owner, k) => k > 0 && owner !== owners[k - 1]).length
          expect(changes).toBe(new Set(owners).size - 1)
        }
      }),
      { numRuns: 40, seed: 13 },
    )
  })
})
