// Instances for `pnpm bench route`: the shared generator where it is present, and shapes of our own that it does not make.
import { existsSync } from 'node:fs'
import {
  mulberry32,
  problemFromInstance,
  type RouteGoal,
  type RouteInstance,
  type RouteOffer,
  type RouteProblem,
} from '../../packages/core/src/route/index.ts'

export interface Options {
  readonly farms: number
  readonly frames: number
  readonly seed: number
  readonly slack: number
  readonly goal?: RouteGoal['kind']
  readonly profile?: 'mixed' | 'plain' | 'fixed'
  readonly maxFarms?: number
  readonly nodeScale?: number
}

const shared = new URL('../../../shared/bench/routing/', import.meta.url)
const present = existsSync(new URL('gen.mjs', shared))

type Generate = (options: Options) => RouteInstance
type Check = (instance: RouteInstance, plan: unknown) => { ok: boolean; errors: string[]; cost: number }

/** The shared generator and oracle, when this machine has them. */
export async function sharedTools(): Promise<{ generate: Generate; check: Check } | undefined> {
  if (!present) return undefined
  const [gen, oracle] = await Promise.all([import(new URL('gen.mjs', shared).href), import(new URL('check.mjs', shared).href)])
  return { generate: (gen as { generate: Generate }).generate, check: (oracle as { check: Check }).check }
}

export const SHAPES = ['uniform', 'bimodal', 'equal', 'one-huge', 'tiny-frames'] as const
export type Shape = (typeof SHAPES)[number]

/** An instance of one of our own shapes; the deadline is `slack` times what all farms together need at least. */
export function shaped(shape: Shape, { farms, frames, seed, slack, maxFarms }: Options): RouteInstance {
  const random = mulberry32(seed * 977 + shape.length)
  const work = Array.from({ length: frames }, (_, f) => {
    if (shape === 'uniform') return 20 + 180 * random()
    if (shape === 'bimodal') return random() < 0.8 ? 30 + 5 * random() : 300 + 30 * random()
    if (shape === 'one-huge') return f === frames >> 1 ? 2000 : 60 + 40 * random()
    return shape === 'equal' ? 100 : 0.5 + random()
  })
  const offers: RouteInstance['offers'][number][] = []
  for (let farm = 0; farm < farms; farm++) {
    const speed = 1 / (300 + 1700 * random())
    const price = 1 + 6 * random()
    const tiers = 1 + Math.floor(3 * random())
    const nodes = 1 + Math.floor((4 + 40 * random() ** 2) * Math.min(4, Math.max(0.2, Math.sqrt(frames / 1000))))
    const common = {
      farm: `f${farm}`,
      startH: 0.01 + 0.08 * random(),
      billStart: random() < 0.5,
      perFrameH: shape === 'tiny-frames' ? 0.0001 : 0.001 + 0.005 * random(),
      deliverH: 0.03,
    }
    const charges = {
      stepH: [0, 1 / 60, 1][Math.floor(3 * random())] as number,
      minCharge: random() < 0.5 ? 0 : 5,
      fixed: random() < 0.5 ? 0 : 3 * random(),
      perFrame: 0.002,
    }
    for (let t = 0; t < tiers; t++) {
      offers.push({
        ...common,
        id: `f${farm}/t${t}`,
        nodes: Math.max(1, Math.round((nodes * (t + 1)) / tiers)),
        readyH: (0.05 + 0.3 * random()) / (t + 1),
        hoursPerWork: farm % 3 === 2 ? { any: speed } : { any: speed, big: speed * 1.1 },
        price: {
          ...charges,
          perNodeH: price * (1 + 0.5 * t),
          tiers: [
            { fromNodeH: 0, factor: 1 },
            { fromNodeH: 50, factor: 0.85 },
          ],
        },
      })
    }
  }
  const classOf = work.map((_, f) => (Math.floor(f / 50) % 2 === 0 ? 0 : 1))
  return {
    format: 'pictor-route-instance/1',
    id: `${shape}-${farms}-${frames}-${seed}`,
    classes: [{ id: 'any' }, { id: 'big' }],
    frames: { count: frames, encoding: 'json', work, class: classOf },
    offers,
    goal: {
      kind: 'cheapest',
      deadlineH: slack * leastTime(offers as unknown as readonly Loose[], work, classOf),
      maxFarms: maxFarms ?? null,
    },
  }
}

type Loose = Omit<RouteOffer, 'hoursPerWork'> & { readonly hoursPerWork: Readonly<Record<string, number>> }

/** Everything on, nothing wasted, and no frame faster than its best offer. */
function leastTime(offers: readonly Loose[], work: readonly number[], classOf: readonly number[]): number {
  const total = work.reduce((a, b) => a + b, 0)
  let speed = 0
  const seen = new Map<string, number>()
  for (const offer of offers) {
    const rate = offer.nodes / ((offer.hoursPerWork.any as number) * total + offer.perFrameH * work.length)
    seen.set(offer.farm, Math.max(seen.get(offer.farm) ?? 0, rate))
  }
  for (const rate of seen.values()) speed += rate
  let longest = 0
  work.forEach((w, f) => {
    let best = Infinity
    for (const offer of offers) {
      const rate = offer.hoursPerWork[classOf[f] === 0 ? 'any' : 'big']
      if (rate !== undefined) best = Math.min(best, offer.readyH + offer.startH + offer.deliverH + offer.perFrameH + rate * w)
    }
    longest = Math.max(longest, best)
  })
  return Math.max(1.05 * longest, 0.3 + 1 / speed)
}

export const ASSIGNMENTS = ['a', 'b', 'c', 'd', 'e'] as const

/**
 * An instance with the times of the generalised assignment problems of the OR-Library (Chu and Beasley 1997; e: Yagiura and others):
 * one host a farm, every frame a class of its own, so that any frame may take any time on any farm. Types a and b are loose, c to e
 * tight; in d and e the farm that is fast for a frame is dear. Charges are by the hour, so that a farm has one price for all frames.
 */
export function assignment(type: (typeof ASSIGNMENTS)[number], { farms, frames, seed, slack, maxFarms }: Options): RouteInstance {
  const random = mulberry32(seed * 7907 + type.charCodeAt(0))
  const hours = Array.from({ length: farms }, () =>
    Array.from({ length: frames }, () =>
      type === 'e' ? Math.max(1, 1 - 10 * Math.log(1 - random())) : type === 'd' ? 1 + 99 * random() : 5 + 20 * random(),
    ),
  )
  const total = hours.flat().reduce((sum, h) => sum + h, 0) / farms
  const share = type === 'a' ? 0.9 : type === 'b' ? 0.63 : 0.8
  const deadlineH = Math.max((share * slack * total) / farms / 1.3, Math.max(...hours.flat()))
  return {
    format: 'pictor-route-instance/1',
    id: `assignment-${type}-${farms}-${frames}-${seed}`,
    classes: Array.from({ length: frames }, (_, f) => ({ id: `c${f}` })),
    frames: {
      count: frames,
      encoding: 'json',
      work: Array.from({ length: frames }, () => 1),
      class: Array.from({ length: frames }, (_, f) => f),
    },
    offers: hours.map((row, farm) => ({
      id: `agent${farm}`,
      farm: `agent${farm}`,
      nodes: 1,
      readyH: 0,
      startH: 0,
      billStart: false,
      perFrameH: 0,
      deliverH: 0,
      hoursPerWork: Object.fromEntries(row.map((h, f) => [`c${f}`, h])),
      price: {
        perNodeH: type === 'd' || type === 'e' ? 1000 / (row.reduce((sum, h) => sum + h, 0) / frames) : 1 + 4 * random(),
        stepH: 0,
        minCharge: 0,
        fixed: 0,
        perFrame: 0,
        tiers: [{ fromNodeH: 0, factor: 1 }],
      },
    })),
    goal: { kind: 'cheapest', deadlineH, maxFarms: maxFarms ?? null },
  }
}

/** A problem and its instance, from the shared generator where present, else of the uniform shape. */
export function instanceOf(generate: Generate | undefined, options: Options): { instance: RouteInstance; problem: RouteProblem } {
  const instance = generate === undefined ? shaped('uniform', options) : generate(options)
  return { instance, problem: problemFromInstance(instance) }
}
