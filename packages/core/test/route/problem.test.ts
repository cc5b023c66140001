import { describe, expect, it } from 'vitest'
import { isPictorError } from '../../src/contract/index.ts'
import {
  instanceFromProblem,
  problemFromInstance,
  solveRoute,
  type RouteOffer,
  type RouteProblem,
} from '../../src/route/index.ts'

const offer: RouteOffer = {
  id: 'a/1',
  farm: 'a',
  nodes: 2,
  readyH: 0.1,
  startH: 0.05,
  billStart: true,
  perFrameH: 0.01,
  deliverH: 0.02,
  hoursPerWork: [0.5, null],
  price: { perNodeH: 2 },
}
const problem: RouteProblem = {
  classes: ['small', 'large'],
  work: Float64Array.of(1, 2, 3),
  classOf: Uint8Array.of(0, 0, 0),
  offers: [offer],
  goal: { kind: 'cheapest', deadlineH: 10 },
}
const withOffer = (change: object): RouteProblem => ({ ...problem, offers: [{ ...offer, ...change } as RouteOffer] })
const withPrice = (change: object): RouteProblem => withOffer({ price: { ...offer.price, ...change } })

describe('a malformed problem is refused with the path of the bad field', () => {
  const cases: [string, unknown][] = [
    ['work[1]', { ...problem, work: Float64Array.of(1, NaN, 3) }],
    ['work[0]', { ...problem, work: Float64Array.of(-1, 2, 3) }],
    ['work', { ...problem, work: new Float64Array(0), classOf: new Uint8Array(0) }],
    ['classOf', { ...problem, classOf: Uint8Array.of(0) }],
    ['classOf[2]', { ...problem, classOf: Uint8Array.of(0, 1, 2) }],
    ['classes', { ...problem, classes: [] }],
    ['classes[1]', { ...problem, classes: ['small', 'small'] }],
    ['offers', { ...problem, offers: [] }],
    ['offers[1].id', { ...problem, offers: [offer, offer] }],
    ['offers[0].nodes', withOffer({ nodes: 0 })],
    ['offers[0].nodes', withOffer({ nodes: 1.5 })],
    ['offers[0].readyH', withOffer({ readyH: -1 })],
    ['offers[0].startH', withOffer({ startH: NaN })],
    ['offers[0].billStart', withOffer({ billStart: 1 })],
    ['offers[0].hoursPerWork', withOffer({ hoursPerWork: [1] })],
    ['offers[0].hoursPerWork[0]', withOffer({ hoursPerWork: [0, 1] })],
    ['offers[0].trust', withOffer({ trust: 2 })],
    ['offers[0].quarantined', withOffer({ quarantined: 'yes' })],
    ['offers[0].farm', withOffer({ farm: '' })],
    ['offers[0]', { ...problem, offers: [null] }],
    ['goal', { ...problem, goal: undefined }],
    ['offers[0].price.perNodeH', withPrice({ perNodeH: Infinity })],
    ['offers[0].price.stepH', withPrice({ stepH: -0.1 })],
    ['offers[0].price.tiers', withPrice({ tiers: [] })],
    ['offers[0].price.tiers[0].fromNodeH', withPrice({ tiers: [{ fromNodeH: 1, factor: 1 }] })],
    [
      'offers[0].price.tiers[1].fromNodeH',
      withPrice({
        tiers: [
          { fromNodeH: 0, factor: 1 },
          { fromNodeH: 0, factor: 1 },
        ],
      }),
    ],
    ['goal.deadlineH', { ...problem, goal: { kind: 'cheapest', deadlineH: NaN } }],
    ['goal.budget', { ...problem, goal: { kind: 'fastest', budget: -1 } }],
    ['goal.hourValue', { ...problem, goal: { kind: 'weighted' } }],
    ['goal.kind', { ...problem, goal: { kind: 'best' } }],
    ['goal.maxFarms', { ...problem, goal: { kind: 'cheapest', deadlineH: 1, maxFarms: 0 } }],
    ['checking.baseShare', { ...problem, checking: { costPerFrame: 1, baseShare: 2, distrustShare: 0 } }],
    ['risk.biasSigma', { ...problem, risk: { biasSigma: -1 } }],
  ]
  it.each(cases)('%s', (path, bad) => {
    let caught: unknown
    try {
      solveRoute(bad as RouteProblem)
    } catch (error) {
      caught = error
    }
    expect(isPictorError(caught, 'invalid-input')).toBe(true)
    expect((caught as { details: { path: string } }).details.path).toBe(path)
  })

  const instance = instanceFromProblem(problem)
  const badInstances: [string, unknown][] = [
    ['format', { ...instance, format: 'x' }],
    ['frames.count', { ...instance, frames: { ...instance.frames, count: 0 } }],
    ['frames.work', { ...instance, frames: { ...instance.frames, work: [1] } }],
    ['frames.work[0]', { ...instance, frames: { ...instance.frames, work: ['1', 2, 3] } }],
    ['frames.class[2]', { ...instance, frames: { ...instance.frames, class: [0, 0, 7] } }],
    ['frames.encoding', { ...instance, frames: { count: 3, encoding: 'zip' } }],
    [
      'frames.gen.corr',
      { ...instance, frames: { count: 3, encoding: 'gen', gen: { seed: 1, meanWork: 1, sigma: 1, corr: 2, spikeProb: 0 } } },
    ],
    ['offers[0].hoursPerWork', { ...instance, offers: [{ ...offer, hoursPerWork: null }] }],
    ['goal', { ...instance, goal: null }],
  ]
  it.each(badInstances)('of an instance: %s', (path, bad) => {
    expect(() => problemFromInstance(bad)).toThrow(expect.objectContaining({ details: expect.objectContaining({ path }) }))
  })
})

describe('what cannot be is proven', () => {
  it('a class no offer renders', () => {
    const answer = solveRoute({ ...problem, classOf: Uint8Array.of(0, 1, 1) })
    expect(answer).toMatchObject({ kind: 'infeasible', constraint: 'class', by: 2 })
  })

  it('a deadline before the first frame can be done, with the hours it lacks', () => {
    const answer = solveRoute({ ...problem, goal: { kind: 'cheapest', deadlineH: 0.5 } })
    expect(answer).toMatchObject({ kind: 'infeasible', constraint: 'deadline' })
    // Two nodes: 1.51 h on one, 0.51 and 1.01 h on the other, with 0.17 h around them.
    if (answer.kind === 'infeasible') expect(answer.needed).toBeGreaterThan(1.69 - 1e-3)
    if (answer.kind === 'infeasible') expect(answer.needed).toBeLessThanOrEqual(1.69 + 1e-6)
  })

  it('a budget below every plan, with the money it lacks', () => {
    const answer = solveRoute({ ...problem, goal: { kind: 'fastest', budget: 1 } })
    expect(answer).toMatchObject({ kind: 'infeasible', constraint: 'budget' })
    if (answer.kind === 'infeasible') expect(answer.needed).toBeCloseTo(2 * (3.03 + 0.05), 2)
  })

  it('one farm where two are needed', () => {
    const other = { ...offer, id: 'b/1', farm: 'b', hoursPerWork: [null, 0.5] }
    const two = { ...problem, offers: [offer, other], classOf: Uint8Array.of(0, 1, 0) }
    const goal = { kind: 'cheapest', deadlineH: 10, maxFarms: 1 } as const
    expect(solveRoute({ ...two, goal })).toMatchObject({ kind: 'infeasible', constraint: 'max-farms' })
    expect(solveRoute({ ...two, goal: { ...goal, maxFarms: 2 } }).kind).toBe('plan')
  })

  it('a farm under quarantine gets nothing', () => {
    expect(solveRoute(withOffer({ quarantined: true }))).toMatchObject({ kind: 'infeasible', constraint: 'class' })
  })
})

it('the expected cost of re-checking turns the choice to the farm that is trusted', () => {
  const cheap = { ...offer, id: 'b/1', farm: 'b', trust: 0, price: { perNodeH: 1.9 } }
  const both = { ...problem, offers: [{ ...offer, trust: 1 }, cheap] }
  const farmsOf = (answer: ReturnType<typeof solveRoute>) =>
    answer.kind === 'plan' ? answer.routes.map((route) => route.farm) : []
  expect(farmsOf(solveRoute(both))).toEqual(['b'])
  const checking = { costPerFrame: 1, baseShare: 0.01, distrustShare: 0.5 }
  expect(farmsOf(solveRoute({ ...both, checking }))).toEqual(['a'])
})
