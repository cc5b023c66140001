import type { Draft, DraftRoute, Prepared } from './draft.ts'
import { hitProbability, MILD_RISK, type RouteTiming } from './risk.ts'
import { framesByRoute } from './draft.ts'
import { inRuns } from './runs.ts'

/** The frames one offer gets. */
export interface PlannedRoute {
  /** Id of the offer and of its farm. */
  readonly offer: string
  readonly farm: string
  /** Index in `problem.offers`. */
  readonly offerIndex: number
  /** Hosts that work at once. */
  readonly nodes: number
  /** `lpt`: longest frame first; `listed`: in the order of `sequence`. */
  readonly order: 'lpt' | 'listed'
  readonly sequence?: Uint32Array
  readonly frames: number
  /** Node-hours of rendering, without the start of nodes. */
  readonly nodeH: number
  readonly cost: number
  readonly finishH: number
}

/** A split of the frames over offers, with the proof of how good it is. */
export interface RoutePlan {
  readonly kind: 'plan'
  readonly id: string
  readonly routes: readonly PlannedRoute[]
  /** Route of each frame. */
  readonly assign: Uint16Array
  readonly cost: number
  readonly finishH: number
  /** What the goal minimizes: cost, finish time, or cost + hourValue * finish. */
  readonly objective: number
  /** Certified: no plan has a smaller objective. */
  readonly lowerBound: number
  /** (objective - lowerBound) / objective, at least 0. */
  readonly gap: number
  /** Probability that the plan meets `deadlineH` if nobody intervenes, under the problem's risk; only where there is a deadline. */
  readonly hitProbability?: number
}

/** Proof that no plan exists. */
export interface Infeasible {
  readonly kind: 'infeasible'
  readonly id: string
  /** What cannot be met: a class no offer renders, the deadline, the budget, or the number of farms together with the deadline. */
  readonly constraint: 'class' | 'deadline' | 'budget' | 'max-farms'
  /** By how much: frames of the class, hours the deadline lacks at least, or money the budget lacks at least. */
  readonly by: number
  /** Least value of the constraint that is not ruled out: a deadline in hours, a budget, or a number of farms. */
  readonly needed: number
  readonly message: string
}

/** No plan was found, and none was ruled out. */
export interface Unresolved {
  readonly kind: 'unresolved'
  readonly id: string
  /** The plan that misses the goal by least, if any. */
  readonly nearest?: RoutePlan
  readonly lowerBound: number
  readonly message: string
}

/** What {@link solveRoute} answers. */
export type RouteAnswer = RoutePlan | Infeasible | Unresolved

/** Makes a public plan of a draft. */
export function planOf(prepared: Prepared, found: Draft, objective: number, lowerBound: number, deadlineH?: number): RoutePlan {
  const draft = inRuns(prepared, found)
  const bound = Math.min(objective, lowerBound)
  const { problem } = prepared
  const timing = draft.routes.map((route) => timingOf(prepared, route))
  return {
    kind: 'plan',
    id: problem.id ?? 'route',
    routes: draft.routes.map((route) => ({
      offer: problem.offers[route.offer]?.id ?? '',
      farm: problem.offers[route.offer]?.farm ?? '',
      offerIndex: route.offer,
      nodes: route.nodes,
      order: route.order,
      ...(route.sequence === undefined ? {} : { sequence: route.sequence }),
      frames: route.frames,
      nodeH: route.nodeH,
      cost: route.cost,
      finishH: route.finishH,
    })),
    assign: draft.assign,
    cost: draft.cost,
    finishH: draft.finishH,
    objective,
    lowerBound: bound,
    gap: objective > 0 ? (objective - bound) / objective : 0,
    ...(deadlineH === undefined ? {} : { hitProbability: hitProbability(timing, deadlineH, problem.risk ?? MILD_RISK) }),
  }
}

function timingOf({ problem }: Prepared, route: DraftRoute): RouteTiming {
  const offer = problem.offers[route.offer]
  const readyH = offer?.readyH ?? 0
  const fixedH = (offer?.startH ?? 0) + (offer?.deliverH ?? 0)
  return { readyH, fixedH, makespanH: route.finishH - readyH - fixedH, nodes: route.nodes, frames: route.frames }
}

/** A plan as JSON, format `pictor-route-plan/1`. */
export interface RoutePlanJson {
  readonly format: 'pictor-route-plan/1'
  readonly instance: string
  readonly routes: readonly {
    readonly offer: string
    readonly nodes: number
    readonly order: 'lpt' | 'listed'
    /** Inclusive ranges of frame indices. */
    readonly frames: readonly (readonly [number, number])[]
  }[]
  readonly claimed: { readonly cost: number; readonly finishH: number; readonly lowerBound: number }
}

/** Writes a plan as `pictor-route-plan/1` with compact frame ranges. `listed` routes keep their dispatch order. */
export function planToJson(plan: RoutePlan): RoutePlanJson {
  const lists = framesByRoute(plan.assign, plan.routes.length)
  return {
    format: 'pictor-route-plan/1',
    instance: plan.id,
    routes: plan.routes.map((route, r) => ({
      offer: route.offer,
      nodes: route.nodes,
      order: route.order,
      frames: rangesOf(route.sequence ?? (lists[r] as Uint32Array)),
    })),
    claimed: { cost: plan.cost, finishH: plan.finishH, lowerBound: plan.lowerBound },
  }
}

function rangesOf(frames: Uint32Array): [number, number][] {
  const ranges: [number, number][] = []
  for (const f of frames) {
    const last = ranges[ranges.length - 1]
    if (last !== undefined && last[1] + 1 === f) last[1] = f
    else ranges.push([f, f])
  }
  return ranges
}
