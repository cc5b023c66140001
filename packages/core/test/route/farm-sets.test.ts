import { describe, expect, it } from 'vitest'
import { problemFromInstance, solveRoute, type RouteProblem } from '../../src/route/index.ts'
import { shaped, SHAPES } from '../../../../bench/route/instances.ts'

/** The best plan and the least bound over all sets of `size` farms, each solved as if there were no other farms. */
function eachSetAlone(problem: RouteProblem, size: number): { best: number; bound: number } {
  const farms = [...new Set(problem.offers.map(({ farm }) => farm))]
  let best = Infinity
  let bound = Infinity
  const visit = (from: number, set: readonly string[]): void => {
    if (set.length < size) {
      for (let k = from; k < farms.length; k++) visit(k + 1, [...set, farms[k] as string])
      return
    }
    const offers = problem.offers.filter(({ farm }) => set.includes(farm))
    const answer = solveRoute({ ...problem, offers, goal: { ...problem.goal, maxFarms: null } })
    if (answer.kind === 'infeasible') return
    bound = Math.min(bound, answer.lowerBound)
    if (answer.kind === 'plan') best = Math.min(best, answer.objective)
  }
  visit(0, [])
  return { best, bound }
}

describe('at most some farms of many', () => {
  it.each([...SHAPES.map((shape) => [shape, 1.3, 2] as const), ['uniform', 2.5, 1], ['uniform', 2.5, 3]] as const)(
    '%s frames, slack %s, at most %i farms: as good as the best of all sets of farms tried one by one',
    (shape, slack, most) => {
      const problem = problemFromInstance(
        shaped(shape, { farms: 8, frames: 70, seed: 4, slack: slack * (8 / most), maxFarms: most }),
      )
      const sets = eachSetAlone(problem, most)
      const answer = solveRoute(problem)
      if (sets.best < Infinity) expect(answer.kind).toBe('plan')
      if (answer.kind === 'infeasible') expect(sets.best).toBe(Infinity)
      if (answer.kind !== 'plan') return
      expect(new Set(answer.routes.map(({ farm }) => farm)).size).toBeLessThanOrEqual(most)
      expect(answer.lowerBound).toBeLessThanOrEqual(sets.best * (1 + 1e-9))
      expect(answer.objective).toBeGreaterThanOrEqual(sets.bound * (1 - 1e-6))
      expect(answer.objective).toBeLessThanOrEqual(sets.best * 1.01)
      expect(answer.gap).toBeLessThan(0.05)
    },
  )

  it('is not more than 1 % dearer with 2 of 120 farms, where no set can be tried by hand', () => {
    for (let seed = 1; seed <= 2; seed++) {
      const answer = solveRoute(problemFromInstance(shaped('uniform', { farms: 120, frames: 400, seed, slack: 90, maxFarms: 2 })))
      expect(answer.kind).toBe('plan')
      if (answer.kind === 'plan') expect(answer.gap).toBeLessThan(0.01)
    }
  })
})
