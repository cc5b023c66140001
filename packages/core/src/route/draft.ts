import { routeCost } from './billing.ts'
import type { RouteProblem } from './problem.ts'
import { listMakespan } from './schedule.ts'
import { groupFrames, type Units } from './units.ts'
import { frameHours, offerTables, type OfferTables } from './tables.ts'

/** A problem with everything that does not depend on the deadline worked out once. */
export interface Prepared {
  readonly problem: RouteProblem
  readonly tables: OfferTables
  readonly units: Units
  readonly frames: number
  readonly maxFarms: number | null
}

/** Works out tables, units and grid of a valid problem. */
export function prepare(problem: RouteProblem): Prepared {
  const units = groupFrames(problem)
  return {
    problem,
    tables: offerTables(problem),
    units,
    frames: problem.work.length,
    maxFarms: problem.goal.maxFarms ?? null,
  }
}

/** One offer's part of a draft plan. */
export interface DraftRoute {
  readonly offer: number
  readonly nodes: number
  readonly order: 'lpt' | 'listed'
  /** Frames in dispatch order; only for `listed`. */
  readonly sequence?: Uint32Array
  readonly frames: number
  /** Rendering hours, without start. */
  readonly nodeH: number
  readonly cost: number
  readonly finishH: number
}

/** A complete assignment of frames with its exact cost and finish time. */
export interface Draft {
  readonly assign: Uint16Array
  readonly routes: readonly DraftRoute[]
  readonly cost: number
  readonly finishH: number
  /** Who proposed it. */
  readonly origin: string
}

/** Frames of each route, ascending. */
export function framesByRoute(assign: Uint16Array, routes: number): Uint32Array[] {
  const counts = new Uint32Array(routes)
  for (let f = 0; f < assign.length; f++) counts[assign[f] as number] = (counts[assign[f] as number] as number) + 1
  const lists = Array.from(counts, (n) => new Uint32Array(n))
  counts.fill(0)
  for (let f = 0; f < assign.length; f++) {
    const r = assign[f] as number
    const at = counts[r] as number
    ;(lists[r] as Uint32Array)[at] = f
    counts[r] = at + 1
  }
  return lists
}

/** Hours of the given frames on an offer. */
export function hoursOf({ problem, tables }: Prepared, offer: number, frames: Uint32Array): Float64Array {
  const hours = new Float64Array(frames.length)
  for (let i = 0; i < frames.length; i++) {
    const f = frames[i] as number
    hours[i] = frameHours(tables, offer, problem.work[f] as number, problem.classOf[f] as number)
  }
  return hours
}

/** Sum in the given order; the one way hours are added, so that claimed costs agree everywhere. */
export function sumOf(hours: Float64Array): number {
  let sum = 0
  for (let i = 0; i < hours.length; i++) sum += hours[i] as number
  return sum
}

/** Cost and finish of one route that is dispatched longest first on `nodes` nodes; `sorted` are its hours, rising. */
export function lptRoute(prepared: Prepared, offer: number, nodes: number, sorted: Float64Array): DraftRoute {
  const { tables } = prepared
  const nodeH = sumOf(sorted)
  const used = Math.min(nodes, sorted.length)
  const makespan = listMakespan(sorted.slice().reverse(), used)
  return {
    offer,
    nodes: used,
    order: 'lpt',
    frames: sorted.length,
    nodeH,
    cost: routeCost(tables, offer, nodeH + used * (tables.billedStartH[offer] as number), sorted.length),
    finishH: (tables.overheadH[offer] as number) + makespan,
  }
}

/** Puts routes and assignment together. */
export function draftOf(assign: Uint16Array, routes: readonly DraftRoute[], origin: string): Draft {
  let cost = 0
  let finishH = 0
  for (const route of routes) {
    cost += route.cost
    finishH = Math.max(finishH, route.finishH)
  }
  return { assign, routes, cost, finishH, origin }
}
