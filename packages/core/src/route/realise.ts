import { routeCost } from './billing.ts'
import type { FluidPlan } from './choose.ts'
import { draftOf, framesByRoute, hoursOf, lptRoute, sumOf, type Draft, type DraftRoute, type Prepared } from './draft.ts'
import type { Fluid } from './fluid.ts'
import { packNodes } from './schedule.ts'
import { frameHours } from './tables.ts'

/** Above this many frames a node, longest-first is within a small frame of the ideal and exact packing is not worth its time. */
const PACK_FRAMES_PER_NODE = 60

/** Turns a fluid plan into whole frames on nodes; undefined when some frames find no room before the deadline. */
export function realise(prepared: Prepared, fluid: Fluid, plan: FluidPlan, deadlineH: number): Draft | undefined {
  const assign = roundFrames(prepared, fluid, plan, deadlineH)
  if (assign === undefined) return undefined
  const packed = packRoutes(prepared, plan.offers, assign, deadlineH)
  return packed
}

/** Share of each unit on each route: frames lie between two grid points and inherit their shares. */
function unitShares(prepared: Prepared, fluid: Fluid, plan: FluidPlan, deadlineH: number): Float64Array | undefined {
  const { units, grid, tables } = prepared
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

interface Open {
  readonly offer: number
  frames: number[]
  sorted: Float64Array
}

/** Packs every route on as few nodes as its bill rewards; what finds no room moves to routes that still have some. */
function packRoutes(prepared: Prepared, offers: readonly number[], assign: Uint16Array, deadlineH: number): Draft | undefined {
  const lists = framesByRoute(assign, offers.length)
  const homeless: number[] = []
  const open: Open[] = offers.map((offer, r) => {
    const frames = lists[r] as Uint32Array
    return { offer, frames: Array.from(frames), sorted: new Float64Array(0) }
  })
  for (const route of open) trim(prepared, route, deadlineH, homeless)
  if (homeless.length > 0 && !rehouse(prepared, open, homeless, deadlineH)) return undefined
  const routes: DraftRoute[] = []
  const used: Open[] = []
  for (const route of open) {
    if (route.frames.length === 0) continue
    const packed = finishRoute(prepared, route, deadlineH)
    if (packed === undefined) return undefined
    routes.push(packed)
    used.push(route)
  }
  used.forEach((route, r) => {
    for (const f of route.frames) assign[f] = r
  })
  return draftOf(assign, routes, 'choice')
}

function byHours(prepared: Prepared, offer: number, frames: number[]): { frames: number[]; hours: Float64Array } {
  const { problem, tables } = prepared
  const hours = (f: number) => frameHours(tables, offer, problem.work[f] as number, problem.classOf[f] as number)
  const rows = frames.map((f) => ({ f, h: hours(f) })).sort((a, b) => b.h - a.h || a.f - b.f)
  return { frames: rows.map((row) => row.f), hours: Float64Array.from(rows, (row) => row.h) }
}

/** Removes frames that do not fit on all nodes of the route. */
function trim(prepared: Prepared, route: Open, deadlineH: number, homeless: number[]): void {
  const { tables } = prepared
  const limit = deadlineH - (tables.overheadH[route.offer] as number)
  const nodes = Math.min(tables.nodes[route.offer] as number, route.frames.length)
  if (nodes === 0) return
  const { frames, hours } = byHours(prepared, route.offer, route.frames)
  if (fitsRoughly(hours, nodes, limit)) return
  if (frames.length > nodes * PACK_FRAMES_PER_NODE) {
    let sum = sumOf(hours)
    const ascending = frames.length - 1
    let k = ascending
    // Shortest frames leave first; a frame a node of slack is what longest-first can lose at most.
    while (k >= 0 && sum / nodes + (hours[k] as number) > limit) sum -= hours[k--] as number
    homeless.push(...frames.slice(k + 1))
    route.frames = frames.slice(0, k + 1)
    return
  }
  const packing = packNodes(hours, nodes, limit)
  if (packing.left === 0) return
  route.frames = frames.filter((f, i) => {
    if ((packing.node[i] as number) >= 0) return true
    homeless.push(f)
    return false
  })
}

/** Longest-first ends no later than (hours before a frame) / nodes + the frame, for every frame. */
function fitsRoughly(falling: Float64Array, nodes: number, limit: number): boolean {
  let before = 0
  for (let i = 0; i < falling.length; i++) {
    const h = falling[i] as number
    if (before / nodes + h > limit) return false
    before += h
  }
  return true
}

function rehouse(prepared: Prepared, open: Open[], homeless: number[], deadlineH: number): boolean {
  const { tables, problem } = prepared
  const work = (f: number) => problem.work[f] as number
  homeless.sort((a, b) => work(b) - work(a) || a - b)
  const room = open.map((route) => {
    const hours = hoursOf(prepared, route.offer, Uint32Array.from(route.frames))
    const limit = deadlineH - (tables.overheadH[route.offer] as number)
    return { limit, left: (tables.nodes[route.offer] as number) * limit - sumOf(hours) }
  })
  const full = new Uint8Array(open.length)
  for (const f of homeless) {
    const options: { r: number; h: number; price: number }[] = []
    open.forEach((route, r) => {
      const h = frameHours(tables, route.offer, work(f), problem.classOf[f] as number)
      const { limit, left } = room[r] as { limit: number; left: number }
      if (full[r] || h === 0 || h > limit || h > left) return
      options.push({ r, h, price: h * ((tables.tierPrice[route.offer] as Float64Array)[0] as number) })
    })
    options.sort((a, b) => a.price - b.price || a.r - b.r)
    let placed = false
    for (const { r, h } of options) {
      const route = open[r] as Open
      route.frames.push(f)
      const nodes = Math.min(tables.nodes[route.offer] as number, route.frames.length)
      const packed = byHours(prepared, route.offer, route.frames)
      const { limit } = room[r] as { limit: number }
      if (fitsRoughly(packed.hours, nodes, limit) || packNodes(packed.hours, nodes, limit).left === 0) {
        ;(room[r] as { left: number }).left -= h
        placed = true
        break
      }
      route.frames.pop()
      if ((room[r] as { left: number }).left < 4 * h) full[r] = 1
    }
    if (!placed) return false
  }
  return true
}

/** Chooses the node count and the dispatch order of a route. */
function finishRoute(prepared: Prepared, route: Open, deadlineH: number): DraftRoute | undefined {
  const { tables } = prepared
  const { offer } = route
  const limit = deadlineH - (tables.overheadH[offer] as number)
  const { frames, hours } = byHours(prepared, offer, route.frames)
  const most = Math.min(tables.nodes[offer] as number, frames.length)
  const rising = hours.slice().reverse()
  const total = sumOf(rising)
  const least = (tables.billedStartH[offer] as number) > 0 ? Math.max(1, Math.ceil(total / limit - 1e-12)) : most
  for (let nodes = Math.min(least, most); nodes <= most; nodes++) {
    const lpt = lptRoute(prepared, offer, nodes, rising)
    if (lpt.finishH <= deadlineH) return lpt
    if (frames.length > nodes * PACK_FRAMES_PER_NODE) continue
    const packing = packNodes(hours, nodes, limit)
    if (packing.left === 0) return listedRoute(prepared, offer, nodes, frames, hours, packing.node)
  }
  return undefined
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
