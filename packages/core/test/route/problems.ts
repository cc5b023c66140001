// Random problems of many shapes; deliberately not the benchmark's generator.
import * as fc from 'fast-check'
import type { RouteGoal, RouteOffer, RouteProblem } from '../../src/route/index.ts'

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true, noDefaultInfinity: true })

function offer(farm: number, tier: number, classes: number): fc.Arbitrary<RouteOffer> {
  return fc
    .record({
      nodes: fc.integer({ min: 1, max: 4 }),
      readyH: number(0, 0.5),
      startH: number(0, 0.2),
      billStart: fc.boolean(),
      perFrameH: fc.oneof(fc.constant(0.01), number(0.001, 0.05)),
      deliverH: number(0, 0.1),
      speed: number(0.05, 0.6),
      renders: fc.array(fc.boolean(), { minLength: classes, maxLength: classes }),
      perNodeH: number(0.1, 8),
      stepH: fc.constantFrom(0, 0, 0.1, 1),
      minCharge: fc.constantFrom(0, 0, 3),
      fixed: fc.constantFrom(0, 0, 1.5),
      perFrame: number(0, 0.2),
      discount: fc.constantFrom(0, 0, 0.3),
    })
    .map(({ speed, renders, discount, perNodeH, stepH, minCharge, fixed, perFrame, ...rest }) => ({
      ...rest,
      id: `f${farm}/t${tier}`,
      farm: `f${farm}`,
      // The first offer renders everything, so that most problems have a plan.
      hoursPerWork: renders.map((yes) => (yes || (farm === 0 && tier === 0) ? speed : null)),
      price: {
        perNodeH,
        stepH,
        minCharge,
        fixed,
        perFrame,
        tiers:
          discount > 0
            ? [
                { fromNodeH: 0, factor: 1 },
                { fromNodeH: 2, factor: 1 - discount },
              ]
            : [{ fromNodeH: 0, factor: 1 }],
      },
    }))
}

const works = (frames: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
  frames.chain((n) =>
    fc.oneof(
      fc.array(number(0.1, 3), { minLength: n, maxLength: n }),
      number(0.2, 2).map((w) => Array.from({ length: n }, () => w)),
      fc.array(fc.constantFrom(0.2, 2.5), { minLength: n, maxLength: n }),
      number(0.1, 0.5).map((w) => [...Array.from({ length: n - 1 }, () => w), 8]),
    ),
  )

/** Problems with `farms` farms of one or two tiers; the goal's scale is drawn around what the first offer needs. */
export function problems(
  frames: fc.Arbitrary<number>,
  farms: number,
  kinds: readonly RouteGoal['kind'][],
): fc.Arbitrary<RouteProblem> {
  const classes = 2
  return fc
    .record({
      work: works(frames),
      parity: fc.boolean(),
      tiers: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: farms }),
      kind: fc.constantFrom(...kinds),
      scale: number(0.4, 4),
      maxFarms: fc.constantFrom(null, null, 1, 2),
    })
    .chain(({ work, parity, tiers, kind, scale, maxFarms }) =>
      fc
        .tuple(...tiers.flatMap((n, farm) => Array.from({ length: n }, (_, tier) => offer(farm, tier, classes))))
        .map((offers) => {
          const first = offers[0]!
          const total = work.reduce((sum, w) => sum + first.perFrameH + (first.hoursPerWork[0] ?? 1) * w, 0)
          const finish = first.readyH + first.startH + first.deliverH + total / first.nodes
          const goal: RouteGoal =
            kind === 'cheapest'
              ? { kind, deadlineH: finish * scale, maxFarms }
              : kind === 'fastest'
                ? { kind, budget: (total * first.price.perNodeH + 3) * scale, maxFarms }
                : { kind, hourValue: 3 * scale, maxFarms }
          return {
            id: 'random',
            classes: ['small', 'large'],
            work: Float64Array.from(work),
            classOf: Uint8Array.from(work, (_, f) => (parity ? f % 2 : 0)),
            offers,
            goal,
          }
        }),
    )
}
