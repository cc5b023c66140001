import { billedHours, routeCost } from './billing.ts'
import type { Market, Quota } from './market.ts'
import { realiseMany } from './realise-many.ts'
import type { FluidPlan } from './choose.ts'
import { draftOf, framesByRoute, lptRoute, sumOf, type Draft, type DraftRoute, type Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'
import { PackState } from './pack-state.ts'
import { dropSteps, relocate, tradeAll, tradeForGaps } from './polish.ts'
import { restart } from './restart.ts'
import { everything, squeeze } from './squeeze.ts'
import { packNodes } from './pack-nodes.ts'

/** Up to this many frames each one gets its node; above, routes are bounded as a whole. */
const PACK_LIMIT = 150_000
/** Up to this many frames, nodes are overfilled and evened out when some frames find no room. */
const SQUEEZE_LIMIT = 4096
/** Up to this many frames, placed frames are moved and traded while that saves money. */
const IMPROVE_LIMIT = 20_000
/** The same in a sweep over many deadlines. */
const QUICK_LIMIT = 2000
/** Up to this many frames, a plan dearer than the fluid plan by more than the factor is packed into its billing steps once more. */
const PAID_LIMIT = 400
const PAID_GOOD = 1.001
/** Share of an offer's hours that is then kept free: longest-first leaves about half a short frame a node unused. */
const RESERVE = 0.001

/** Turns a fluid plan into whole frames on nodes; undefined when some frames find no room before the deadline. */
export function realise(
  prepared: Prepared,
  fluid: Fluid,
  plan: FluidPlan,
  quotas: readonly Quota[],
  market: Market,
  deadlineH: number,
  { quick, light }: { readonly quick: boolean; readonly light: boolean },
): Draft | undefined {
  if (prepared.frames > (quick ? QUICK_LIMIT : PACK_LIMIT)) return realiseMany(prepared, plan, quotas, market, deadlineH)
  const assign = roundFrames(prepared, market)
  const packed = packRoutes(prepared, fluid, plan, assign, deadlineH)
  if (light || prepared.frames > PAID_LIMIT || (packed !== undefined && packed.cost <= plan.cost * PAID_GOOD)) return packed
  const paid = packPaid(prepared, plan, assign, deadlineH)
  return packed === undefined || (paid !== undefined && paid.cost < packed.cost) ? paid : packed
}

/** Packs every route into the billing steps and nodes that the fluid plan pays for; undefined when they are too tight. */
function packPaid(prepared: Prepared, plan: FluidPlan, assign: Uint16Array, deadlineH: number): Draft | undefined {
  const { tables } = prepared
  const state = new PackState(prepared, plan.offers, deadlineH)
  const allowance = everything(state)
  plan.offers.forEach((o, r) => {
    const hours = plan.hours[r] as number
    const start = tables.billedStartH[o] as number
    const nodes = Math.ceil(hours / (state.limitH[r] as number) - 1e-6)
    const step = tables.stepH[o] as number
    if (start > 0) allowance.nodes[r] = Math.min(nodes, allowance.nodes[r] as number)
    if (step > 0) allowance.hours[r] = billedHours(hours + nodes * start - 1e-6 * step, step) - nodes * start
  })
  const homeless: number[] = []
  framesByRoute(assign, plan.offers.length).forEach((list, r) => placeRoute(state, r, list, plan.hours[r] as number, homeless))
  if (!squeeze(state, homeless, allowance)) return undefined
  state.countAll()
  improve(state)
  return draftOfState(state, deadlineH)
}

/** What each route may take, and what its hours cost at least while filling it. */
function quotaOf(prepared: Prepared, fluid: Fluid, o: number, hours: number, worth: Float64Array): Quota {
  const { tables } = prepared
  const capacity = fluid.capacityH[o] as number
  const jump = fluid.isJump(o, hours)
  const nodeH = fluid.nodeH[o] as number
  const price = fluid.marginalPrice(o, hours)
  if (!jump && hours < capacity * (1 - 1e-6)) {
    const floor = price * (1 + (tables.billedStartH[o] as number) / nodeH)
    return { mostH: capacity, floor, start: floor }
  }
  // Hours of a billing step are paid whether they are used or not.
  const floor = jump && (tables.stepH[o] as number) > 0 ? price * 0.01 : price
  return { mostH: hours, floor, start: Math.max(floor, fluid.densityAt(o, worth, hours)) }
}

/** The quotas of all offers of a plan. */
export function quotasOf(prepared: Prepared, fluid: Fluid, plan: FluidPlan, quick: boolean = false): Quota[] {
  const reserve = prepared.frames > (quick ? QUICK_LIMIT : PACK_LIMIT) ? RESERVE : 0
  return plan.offers.map((o, r) => {
    const quota = quotaOf(prepared, fluid, o, plan.hours[r] as number, plan.worth)
    return { ...quota, mostH: quota.mostH * (1 - reserve) }
  })
}

/** Whole frames for the routes of the plan. */
function roundFrames({ units, frames }: Prepared, market: Market): Uint16Array {
  const { routes } = market
  const counts = market.counts.slice()
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
function packRoutes(
  prepared: Prepared,
  fluid: Fluid,
  plan: FluidPlan,
  assign: Uint16Array,
  deadlineH: number,
): Draft | undefined {
  const { offers } = plan
  const lists = framesByRoute(assign, offers.length)
  const state = new PackState(prepared, offers, deadlineH)
  const small = prepared.frames <= IMPROVE_LIMIT
  const homeless: number[] = []
  offers.forEach((o, r) => {
    const hours = plan.hours[r] as number
    const limit = state.limitH[r] as number
    if (!fluid.isStep(o, hours)) return
    state.sunkH[r] = hours + Math.ceil(hours / limit - 1e-6) * (prepared.tables.billedStartH[o] as number)
  })
  offers.forEach((_, r) => placeRoute(state, r, lists[r] as Uint32Array, plan.hours[r] as number, homeless))
  // Nothing is improved afterwards, so what crosses a billing step must cost the whole step at once.
  if (!small) state.countAll()
  const housed =
    rehouse(state, homeless) || (prepared.frames <= SQUEEZE_LIMIT && squeeze(state, state.homeless(), everything(state)))
  if (!housed && prepared.frames > FEW_FRAMES) return undefined
  if (housed && small) improve(state)
  state.countAll()
  if (housed && small) improve(state)
  if (prepared.frames <= FEW_FRAMES && !restart(state, state.homeless(), KICKS)) return undefined
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

function byHours(state: PackState, r: number, list: ArrayLike<number>): { frames: Uint32Array; hours: Float64Array } {
  const hours = Float64Array.from(list, (f) => state.time(r, f))
  const order = Uint32Array.from(list, (_, i) => i).sort((a, b) => (hours[b] as number) - (hours[a] as number) || a - b)
  return { frames: order.map((i) => list[i] as number), hours: Float64Array.from(order, (i) => hours[i] as number) }
}

/** Finds the cheapest place for every frame without one, longest first. */
function rehouse(state: PackState, homeless: number[]): boolean {
  const { work } = state.prepared.problem
  let evictions = MOST_EVICTIONS
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
    if (to >= 0) state.put(f, to, toNode)
    else if (evictions-- <= 0 || !evict(state, f)) return false
  }
  return true
}

/** Frames that may push others out before the fluid plan counts as too tight. */
const MOST_EVICTIONS = 60
/** Placed frames that are looked at as candidates to make room. */
const VICTIMS = 2000

/** Makes room for a frame by sending a placed frame to another route. */
function evict(state: PackState, f: number): boolean {
  const gap = state.load.map((load, r) => load.reduce((most, at) => Math.max(most, (state.limitH[r] as number) - at), 0))
  const stride = Math.ceil(state.route.length / VICTIMS)
  let best = Infinity
  let victim = -1
  let to = -1
  for (let g = 0; g < state.route.length; g += stride) {
    const r = state.route[g] as number
    if (r < 0) continue
    const need = state.time(r, f) - state.time(r, g)
    if (((state.load[r] as Float64Array)[state.node[g] as number] as number) + need > (state.limitH[r] as number)) continue
    const here =
      state.value(r, (state.hours[r] as number) + need, state.used[r] as number, state.frames[r] as number) -
      (state.cost[r] as number)
    for (let s = 0; s < state.offers.length; s++) {
      const h = state.time(s, g)
      if (s === r || h > (gap[s] as number)) continue
      const used = state.used[s] as number
      const delta =
        here + state.value(s, (state.hours[s] as number) + h, used, (state.frames[s] as number) + 1) - (state.cost[s] as number)
      if (delta < best) {
        best = delta
        victim = g
        to = s
      }
    }
  }
  if (victim < 0) return false
  const r = state.route[victim] as number
  const n = state.node[victim] as number
  state.take(victim)
  state.put(f, r, n)
  state.put(victim, to, state.bestNode(to, state.time(to, victim), true))
  return true
}

/** Up to this many frames a plan is searched again and again from other starts. */
const FEW_FRAMES = 60
const KICKS = 40
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

/** The frames of a state as a draft; each route is dispatched longest first where that is in time. */
export function draftOfState(state: PackState, deadlineH: number): Draft | undefined {
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
  frames: ArrayLike<number>,
  hours: Float64Array,
  node: Int32Array,
): DraftRoute {
  const { tables } = prepared
  const load = new Float64Array(nodes)
  const start = new Float64Array(frames.length)
  for (let i = 0; i < frames.length; i++) {
    const n = node[i] as number
    start[i] = load[n] as number
    load[n] = (load[n] as number) + (hours[i] as number)
  }
  const order = Uint32Array.from(frames, (_, i) => i).sort(
    (a, b) => (start[a] as number) - (start[b] as number) || (frames[a] as number) - (frames[b] as number),
  )
  const nodeH = sumOf(hours.slice().reverse())
  return {
    offer,
    nodes,
    order: 'listed',
    sequence: order.map((i) => frames[i] as number),
    frames: frames.length,
    nodeH,
    cost: routeCost(tables, offer, nodeH + nodes * (tables.billedStartH[offer] as number), frames.length),
    finishH: (tables.overheadH[offer] as number) + Math.max(...load),
  }
}
