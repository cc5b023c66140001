import { balance, type Market, type Quota } from './market.ts'
import { routeCost } from './billing.ts'
import type { FluidPlan } from './choose.ts'
import { draftOf, type Draft, type DraftRoute, type Prepared } from './draft.ts'
import { frameHours } from './tables.ts'

/** Rounds of shrinking the quotas of routes that would be late. */
const TRIES = 4

/**
 * Turns a fluid plan into whole frames when there are too many to place one by one. Finish times are bounds of longest-first
 * dispatch, never below the true ones: frame j ends by (hours before j) / nodes + its own hours.
 */
export function realiseMany(
  prepared: Prepared,
  plan: FluidPlan,
  wanted: readonly Quota[],
  market: Market,
  deadlineH: number,
): Draft | undefined {
  const quotas = [...wanted]
  const counts = market.counts.slice()
  for (let turn = 0; turn < TRIES; turn++) {
    if (!balance(market, counts, quotas)) return undefined
    const filled = handOut(prepared, plan.offers, counts.slice())
    let late = false
    const routes = plan.offers.map((offer, r) => {
      const route = boundRoute(prepared, offer, r, plan.offers.length, filled, counts, deadlineH)
      if (route !== undefined && route.finishH > deadlineH) {
        late = true
        const quota = quotas[r] as Quota
        const excess = ((route.finishH - deadlineH) * route.nodes) / Math.max(route.nodeH, 1e-12)
        quotas[r] = { ...quota, mostH: Math.min(quota.mostH, route.nodeH) * Math.max(0.5, 1 - 1.1 * excess - 1e-4) }
      }
      return route
    })
    if (!late) return compact(filled.assign, routes)
  }
  return undefined
}

interface Filled {
  readonly assign: Uint16Array
  /** Work of each unit on each route. */
  readonly work: Float64Array
}

/** One pass along the timeline: each unit hands its frames out route by route, so neighbours stay together. */
function handOut({ problem, units, frames }: Prepared, offers: readonly number[], counts: Uint32Array): Filled {
  const routes = offers.length
  const assign = new Uint16Array(frames)
  const work = new Float64Array(units.size * routes)
  const next = new Uint16Array(units.size)
  const { unitOf } = units
  for (let f = 0; f < frames; f++) {
    const u = unitOf[f] as number
    const base = u * routes
    let r = next[u] as number
    while ((counts[base + r] as number) === 0) r++
    next[u] = r
    counts[base + r] = (counts[base + r] as number) - 1
    work[base + r] = (work[base + r] as number) + (problem.work[f] as number)
    assign[f] = r
  }
  return { assign, work }
}

function boundRoute(
  prepared: Prepared,
  offer: number,
  r: number,
  routes: number,
  filled: Filled,
  counts: Uint32Array,
  deadlineH: number,
): DraftRoute | undefined {
  const { units, tables } = prepared
  const perFrame = tables.perFrameH[offer] as number
  const rows: { longest: number; hours: number; shortest: number }[] = []
  let frames = 0
  let nodeH = 0
  for (let u = 0; u < units.size; u++) {
    const n = counts[u * routes + r] as number
    if (n === 0) continue
    const rate = tables.hoursPerWork[offer * tables.classes + (units.cls[u] as number)] as number
    const hours = n * perFrame + rate * (filled.work[u * routes + r] as number)
    rows.push({
      longest: frameHours(tables, offer, units.greatest[u] as number, units.cls[u] as number),
      shortest: frameHours(tables, offer, units.least[u] as number, units.cls[u] as number),
      hours,
    })
    frames += n
    nodeH += hours
  }
  if (frames === 0) return undefined
  rows.sort((a, b) => b.longest - a.longest)
  const start = tables.billedStartH[offer] as number
  const overhead = tables.overheadH[offer] as number
  const most = Math.min(tables.nodes[offer] as number, frames)
  let nodes = start > 0 ? Math.min(most, Math.max(1, Math.ceil(nodeH / (deadlineH - overhead)))) : most
  let finishH = overhead + lptBound(rows, nodes)
  while (finishH > deadlineH && nodes < most) finishH = overhead + lptBound(rows, ++nodes)
  return { offer, nodes, order: 'lpt', frames, nodeH, cost: routeCost(tables, offer, nodeH + nodes * start, frames), finishH }
}

/** Units that overlap in hours may be dispatched in any mix, so every frame is taken to start after all frames not shorter than it could be. */
function lptBound(rows: readonly { longest: number; hours: number; shortest: number }[], nodes: number): number {
  let before = 0
  let end = 0
  for (const row of rows) {
    before += row.hours
    end = Math.max(end, (before - row.shortest) / nodes + row.longest)
  }
  return end
}

function compact(assign: Uint16Array, routes: readonly (DraftRoute | undefined)[]): Draft {
  const renamed = new Uint16Array(routes.length)
  const kept: DraftRoute[] = []
  routes.forEach((route, r) => {
    if (route === undefined) return
    renamed[r] = kept.length
    kept.push(route)
  })
  if (kept.length < routes.length) for (let f = 0; f < assign.length; f++) assign[f] = renamed[assign[f] as number] as number
  return draftOf(assign, kept, 'choice')
}
