import { billedHours } from './billing.ts'
import type { FluidPlan } from './choose.ts'
import { framesByRoute, type Draft, type Prepared } from './draft.ts'
import { byHours, draftOfState } from './finish.ts'
import type { Fluid } from './fluid.ts'
import type { Market, Quota } from './market.ts'
import { packNodes } from './pack-nodes.ts'
import { PackState } from './pack-state.ts'
import { dropSteps, relocate, tradeAll, tradeForGaps } from './polish.ts'
import { realiseMany } from './realise-many.ts'
import { rehouse } from './rehouse.ts'
import { restart } from './restart.ts'
import { everything, squeeze } from './squeeze.ts'

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
/** Whether each frame gets its own node; else routes are bounded as a whole. */
export const isPacked = (frames: number, quick: boolean): boolean => frames <= (quick ? QUICK_LIMIT : PACK_LIMIT)

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
  if (!isPacked(prepared.frames, quick)) return realiseMany(prepared, plan, quotas, market, deadlineH)
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
    if (!fluid.charges.isStep(o, hours)) return
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
