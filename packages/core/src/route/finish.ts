import { routeCost } from './billing.ts'
import { draftOf, lptRoute, sumOf, type Draft, type DraftRoute, type Prepared } from './draft.ts'
import type { PackState } from './pack-state.ts'

/** Frames of a route, longest first, with their hours there. */
export function byHours(state: PackState, r: number, list: ArrayLike<number>): { frames: Uint32Array; hours: Float64Array } {
  const hours = Float64Array.from(list, (f) => state.time(r, f))
  const order = Uint32Array.from(list, (_, i) => i).sort((a, b) => (hours[b] as number) - (hours[a] as number) || a - b)
  return { frames: order.map((i) => list[i] as number), hours: Float64Array.from(order, (i) => hours[i] as number) }
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
