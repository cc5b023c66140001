import { routeCost } from './billing.ts'
import type { FluidPlan } from './choose.ts'
import { draftOf, framesByRoute, lptRoute, sumOf, type Draft, type DraftRoute, type Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'
import { PackState } from './pack-state.ts'
import { dropSteps, relocate, tradeAll, tradeForGaps } from './polish.ts'
import { packNodes } from './schedule.ts'
import { frameHours } from './tables.ts'

/** Turns a fluid plan into whole frames on nodes; undefined when some frames find no room before the deadline. */
export function realise(prepared: Prepared, fluid: Fluid, plan: FluidPlan, deadlineH: number): Draft | undefined {
  const assign = roundFrames(prepared, fluid, plan, deadlineH)
  if (assign === undefined) return undefined
  return packRoutes(prepared, plan, assign, deadlineH)
}

/** Share of each unit on each route: frames lie between two grid points and inherit their shares. */
function unitShares(prepared: Prepared, fluid: Fluid, plan: FluidPlan, deadlineH: number): Float64Array | undefined {
  const { units, tables } = prepared
  const { grid } = fluid
  const routes = plan.offers.length
  const itemOf = new Int32Array(grid.size).fill(-1)
  fluid.point.forEach((p, i) => (itemOf[p] = i))
  const shares = new Float64Array(units.size * routes)
  for (let u = 0; u < units.size; u++) {
    const below = grid.below[u] as number
    const upper = grid.upperShare[u] as number
    const low = itemOf[below] as number
    const high = itemOf[below + 1] as number
    let sum = 0
    let fits = -1
    for (let r = 0; r < routes; r++) {
      const o = plan.offers[r] as number
      const hours = frameHours(tables, o, units.greatest[u] as number, units.cls[u] as number)
      if (hours === 0 || hours > deadlineH - (tables.overheadH[o] as number)) continue
      fits = r
      const row = plan.share[r] as Float64Array
      const share = (low < 0 ? 0 : (1 - upper) * (row[low] as number)) + (high < 0 ? 0 : upper * (row[high] as number))
      shares[u * routes + r] = share
      sum += share
    }
    if (fits < 0) return undefined
    if (sum <= 0) shares[u * routes + fits] = 1
    else for (let r = 0; r < routes; r++) shares[u * routes + r] = (shares[u * routes + r] as number) / sum
  }
  return shares
}

/** Whole frames with error diffusion in hours, longest units first, so that the small frames even out what the large ones left. */
function roundFrames(prepared: Prepared, fluid: Fluid, plan: FluidPlan, deadlineH: number): Uint16Array | undefined {
  const { units, tables, frames } = prepared
  const routes = plan.offers.length
  const shares = unitShares(prepared, fluid, plan, deadlineH)
  if (shares === undefined) return undefined
  const owed = new Float64Array(routes)
  const counts = new Uint32Array(units.size * routes)
  const order = Array.from({ length: units.size }, (_, u) => u).sort(
    (a, b) =>
      (units.work[b] as number) / (units.count[b] as number) - (units.work[a] as number) / (units.count[a] as number) || a - b,
  )
  const hours = new Float64Array(routes)
  for (const u of order) {
    const n = units.count[u] as number
    const mean = (units.work[u] as number) / n
    let left = n
    for (let r = 0; r < routes; r++) {
      const share = shares[u * routes + r] as number
      hours[r] = frameHours(tables, plan.offers[r] as number, mean, units.cls[u] as number)
      const whole = Math.floor(share * n)
      counts[u * routes + r] = whole
      left -= whole
      owed[r] = (owed[r] as number) + (share * n - whole) * (hours[r] as number)
    }
    for (; left > 0; left--) {
      let best = -1
      for (let r = 0; r < routes; r++) {
        if ((shares[u * routes + r] as number) <= 1e-12) continue
        if (best < 0 || (owed[r] as number) / (hours[r] as number) > (owed[best] as number) / (hours[best] as number)) best = r
      }
      counts[u * routes + best] = (counts[u * routes + best] as number) + 1
      owed[best] = (owed[best] as number) - (hours[best] as number)
    }
  }
  // One pass along the timeline: each unit hands its frames out route by route, so neighbours stay together.
  const assign = new Uint16Array(frames)
  const route = new Uint16Array(units.size)
  for (let f = 0; f < frames; f++) {
    const u = units.unitOf[f] as number
    let r = route[u] as number
    while ((counts[u * routes + r] as number) === 0) r++
    counts[u * routes + r] = (counts[u * routes + r] as number) - 1
    route[u] = r
    assign[f] = r
  }
  return assign
}

/** Packs every route; what finds no room moves to routes that still have some; then frames trade places while that saves money. */
function packRoutes(prepared: Prepared, plan: FluidPlan, assign: Uint16Array, deadlineH: number): Draft | undefined {
  const { offers } = plan
  const lists = framesByRoute(assign, offers.length)
  const state = new PackState(prepared, offers, deadlineH)
  const homeless: number[] = []
  offers.forEach((_, r) => placeRoute(state, r, lists[r] as Uint32Array, plan.hours[r] as number, homeless))
  if (!rehouse(state, homeless)) return undefined
  improve(state)
  return draftOfState(state, deadlineH)
}

/** Places the frames of a route on as many nodes as the fluid plan pays for. */
function placeRoute(state: PackState, r: number, frames: Uint32Array, fluidHours: number, homeless: number[]): void {
  if (frames.length === 0) return
  const { tables } = state.prepared
  const o = state.offers[r] as number
  const limit = state.limitH[r] as number
  const most = Math.min((state.load[r] as Float64Array).length, frames.length)
  const paid = (tables.billedStartH[o] as number) > 0 ? Math.ceil(fluidHours / limit - 1e-6) : most
  const sorted = byHours(state, r, frames)
  const packing = packNodes(sorted.hours, Math.max(1, Math.min(most, paid)), limit)
  sorted.frames.forEach((f, i) => {
    const n = packing.node[i] as number
    if (n < 0) homeless.push(f)
    else state.put(f, r, n)
  })
}

function byHours(state: PackState, r: number, list: ArrayLike<number>): { frames: number[]; hours: Float64Array } {
  const rows = Array.from(list, (f) => ({ f, h: state.time(r, f) })).sort((a, b) => b.h - a.h || a.f - b.f)
  return { frames: rows.map((row) => row.f), hours: Float64Array.from(rows, (row) => row.h) }
}

/** Finds the cheapest place for every frame without one, longest first. */
function rehouse(state: PackState, homeless: number[]): boolean {
  const { work } = state.prepared.problem
  homeless.sort((a, b) => (work[b] as number) - (work[a] as number) || a - b)
  for (const f of homeless) {
    let best = Infinity
    let to = -1
    let toNode = -1
    for (let r = 0; r < state.offers.length; r++) {
      const h = state.time(r, f)
      if (h > (state.limitH[r] as number)) continue
      const n = state.bestNode(r, h, true)
      if (n < 0) continue
      const delta = state.costOfAdding(r, h, n)
      if (delta < best) {
        best = delta
        to = r
        toNode = n
      }
    }
    if (to < 0) return false
    state.put(f, to, toNode)
  }
  return true
}

/** Up to this many frames all pairs are tried. */
const ALL_PAIRS = 250

function improve(state: PackState): void {
  const { problem, frames } = state.prepared
  const sorted = Uint32Array.from({ length: frames }, (_, f) => f).sort(
    (a, b) =>
      (problem.classOf[a] as number) - (problem.classOf[b] as number) ||
      (problem.work[a] as number) - (problem.work[b] as number) ||
      a - b,
  )
  const position = new Uint32Array(frames)
  sorted.forEach((f, at) => (position[f] = at))
  const lists = (r: number) => {
    const list: number[] = []
    for (let f = 0; f < frames; f++) if (state.route[f] === r) list.push(f)
    return list
  }
  const passes = frames <= ALL_PAIRS ? 12 : frames <= 4096 ? 3 : 1
  for (let pass = 0; pass < passes; pass++) {
    let moved = relocate(state, sorted)
    if (frames <= ALL_PAIRS) moved = tradeAll(state) || moved
    else moved = tradeForGaps(state, sorted, position) || moved
    moved = dropSteps(state, lists) || moved
    if (!moved) break
  }
}

function draftOfState(state: PackState, deadlineH: number): Draft | undefined {
  const { prepared } = state
  const assign = new Uint16Array(prepared.frames)
  const routes: DraftRoute[] = []
  for (let r = 0; r < state.offers.length; r++) {
    if ((state.frames[r] as number) === 0) continue
    const list: number[] = []
    for (let f = 0; f < prepared.frames; f++) {
      if (state.route[f] !== r) continue
      list.push(f)
      assign[f] = routes.length
    }
    routes.push(finishRoute(state, r, list, deadlineH))
  }
  return draftOf(assign, routes, 'choice')
}

/** Chooses node count and dispatch order: longest first when that is in time, else the packed order. */
function finishRoute(state: PackState, r: number, list: number[], deadlineH: number): DraftRoute {
  const { prepared } = state
  const offer = state.offers[r] as number
  const { frames, hours } = byHours(state, r, list)
  const packed = state.used[r] as number
  const free = (prepared.tables.billedStartH[offer] as number) === 0
  const nodes = free ? Math.min((state.load[r] as Float64Array).length, list.length) : packed
  const lpt = lptRoute(prepared, offer, nodes, hours.slice().reverse())
  if (lpt.finishH <= deadlineH) return lpt
  const renamed = new Map<number, number>()
  const node = Int32Array.from(frames, (f) => {
    const n = state.node[f] as number
    if (!renamed.has(n)) renamed.set(n, renamed.size)
    return renamed.get(n) as number
  })
  return listedRoute(prepared, offer, packed, frames, hours, node)
}

/** A route whose frames are listed by planned start, which list scheduling then honours or betters. */
export function listedRoute(
  prepared: Prepared,
  offer: number,
  nodes: number,
  frames: readonly number[],
  hours: Float64Array,
  node: Int32Array,
): DraftRoute {
  const { tables } = prepared
  const load = new Float64Array(nodes)
  const rows = frames.map((f, i) => {
    const n = node[i] as number
    const start = load[n] as number
    load[n] = start + (hours[i] as number)
    return { f, start }
  })
  rows.sort((a, b) => a.start - b.start || a.f - b.f)
  const nodeH = sumOf(hours.slice().reverse())
  return {
    offer,
    nodes,
    order: 'listed',
    sequence: Uint32Array.from(rows, (row) => row.f),
    frames: frames.length,
    nodeH,
    cost: routeCost(tables, offer, nodeH + nodes * (tables.billedStartH[offer] as number), frames.length),
    finishH: (tables.overheadH[offer] as number) + Math.max(...load),
  }
}
