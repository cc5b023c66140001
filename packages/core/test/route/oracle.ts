// The model's equations once more, written apart from the router: checks a plan, and finds the optimum of tiny problems by trying everything.
import type { RouteOffer, RoutePlanJson, RouteProblem } from '../../src/route/index.ts'

const LATE = 1e-7

/** Node-hours of one frame on an offer; NaN when the class is incompatible. */
export function frameTime(problem: RouteProblem, offer: RouteOffer, frame: number): number {
  const rate = offer.hoursPerWork[problem.classOf[frame]!]
  return rate === null || rate === undefined || offer.quarantined === true ? NaN : offer.perFrameH + rate * problem.work[frame]!
}

export function charge(problem: RouteProblem, offer: RouteOffer, hours: number, nodes: number, frames: number): number {
  const { price } = offer
  const raw = hours + (offer.billStart ? nodes * offer.startH : 0)
  const step = price.stepH ?? 0
  const billed = step > 0 ? Math.ceil(raw / step - 1e-9) * step : raw
  const tiers = price.tiers ?? [{ fromNodeH: 0, factor: 1 }]
  let usage = 0
  for (const [i, tier] of tiers.entries()) {
    const end = tiers[i + 1]?.fromNodeH ?? Infinity
    usage += Math.max(0, Math.min(billed, end) - tier.fromNodeH) * price.perNodeH * tier.factor
  }
  const checking = problem.checking
  const share = checking ? checking.baseShare + checking.distrustShare * (1 - (offer.trust ?? 1)) : 0
  const perFrame = (price.perFrame ?? 0) + (checking ? checking.costPerFrame * share : 0)
  return (price.fixed ?? 0) + Math.max(price.minCharge ?? 0, usage) + perFrame * frames
}

function dispatch(times: readonly number[], nodes: number): number {
  const free = Array.from({ length: nodes }, () => 0)
  for (const t of times) free[free.indexOf(Math.min(...free))]! += t
  return Math.max(...free)
}

export interface Verdict {
  readonly errors: string[]
  readonly cost: number
  readonly finishH: number
}

/** Recomputes a plan from its JSON alone. */
export function judge(problem: RouteProblem, plan: RoutePlanJson): Verdict {
  const errors: string[] = []
  const owner = new Map<number, string>()
  const farms = new Set<string>()
  let cost = 0
  let finishH = 0
  for (const route of plan.routes) {
    const offer = problem.offers.find((one) => one.id === route.offer)
    if (!offer) {
      errors.push(`unknown offer ${route.offer}`)
      continue
    }
    if (farms.has(offer.farm)) errors.push(`two tiers of ${offer.farm}`)
    farms.add(offer.farm)
    const times: number[] = []
    for (const [a, b] of route.frames) {
      for (let f = a; f <= b; f++) {
        if (owner.has(f)) errors.push(`frame ${f} twice`)
        owner.set(f, route.offer)
        times.push(frameTime(problem, offer, f))
      }
    }
    if (times.some(Number.isNaN)) errors.push(`incompatible frame on ${offer.id}`)
    if (!(route.nodes >= 1 && route.nodes <= Math.min(offer.nodes, times.length)))
      errors.push(`${route.nodes} nodes on ${offer.id}`)
    if (route.order === 'lpt') times.sort((a, b) => b - a)
    finishH = Math.max(finishH, offer.readyH + offer.startH + dispatch(times, route.nodes) + offer.deliverH)
    cost += charge(
      problem,
      offer,
      times.reduce((a, b) => a + b, 0),
      route.nodes,
      times.length,
    )
  }
  if (owner.size !== problem.work.length) errors.push(`${owner.size} of ${problem.work.length} frames`)
  const { goal } = problem
  if (goal.maxFarms && farms.size > goal.maxFarms) errors.push(`${farms.size} farms`)
  if (goal.kind === 'cheapest' && finishH > goal.deadlineH + LATE) errors.push(`late ${finishH}`)
  if (goal.kind === 'fastest' && cost > goal.budget + LATE) errors.push(`over budget ${cost}`)
  if (Math.abs(plan.claimed.cost - cost) > 1e-6 * (1 + cost)) errors.push(`claims cost ${plan.claimed.cost}, is ${cost}`)
  if (plan.claimed.finishH < finishH - 1e-6) errors.push(`claims finish ${plan.claimed.finishH}, is ${finishH}`)
  return { errors, cost, finishH }
}

/** Least makespan of the frames on at most `nodes` nodes, over all ways to place them. */
function leastMakespan(times: readonly number[], nodes: number, load: number[] = [], i = 0): number {
  if (i === times.length) return Math.max(0, ...load)
  let best = Infinity
  for (let n = 0; n < Math.min(nodes, load.length + 1); n++) {
    const next = [...load]
    next[n] = (next[n] ?? 0) + times[i]!
    best = Math.min(best, leastMakespan(times, nodes, next, i + 1))
  }
  return best
}

/** All (cost, finish) pairs worth having: every assignment, every node count, every packing. For a handful of frames. */
export function everyPlan(problem: RouteProblem): { cost: number; finishH: number }[] {
  const frames = problem.work.length
  const { offers, goal } = problem
  const found: { cost: number; finishH: number }[] = []
  const memo = new Map<string, { cost: number; finishH: number }[]>()
  const variants = (o: number, list: number[]) => {
    const key = `${o}:${list.join()}`
    const known = memo.get(key)
    if (known) return known
    const offer = offers[o]!
    const times = list.map((f) => frameTime(problem, offer, f))
    const rows: { cost: number; finishH: number }[] = []
    for (let nodes = 1; nodes <= Math.min(offer.nodes, list.length); nodes++) {
      rows.push({
        cost: charge(
          problem,
          offer,
          times.reduce((a, b) => a + b, 0),
          nodes,
          list.length,
        ),
        finishH: offer.readyH + offer.startH + leastMakespan(times, nodes) + offer.deliverH,
      })
    }
    memo.set(key, rows)
    return rows
  }
  const assign = (f: number, lists: number[][]) => {
    if (f === frames) {
      const used = lists.flatMap((list, o) => (list.length > 0 ? [o] : []))
      const farms = new Set(used.map((o) => offers[o]!.farm))
      if (farms.size < used.length || (goal.maxFarms && farms.size > goal.maxFarms)) return
      let sums = [{ cost: 0, finishH: 0 }]
      for (const o of used) {
        sums = sums.flatMap((sum) =>
          variants(o, lists[o]!).map((row) => ({ cost: sum.cost + row.cost, finishH: Math.max(sum.finishH, row.finishH) })),
        )
      }
      found.push(...sums)
      return
    }
    for (let o = 0; o < offers.length; o++) {
      if (Number.isNaN(frameTime(problem, offers[o]!, f))) continue
      lists[o]!.push(f)
      assign(f + 1, lists)
      lists[o]!.pop()
    }
  }
  assign(
    0,
    offers.map(() => []),
  )
  return found
}

/** The best objective of {@link everyPlan} for the problem's goal; Infinity when no plan meets it. */
export function optimum(problem: RouteProblem): number {
  const { goal } = problem
  let best = Infinity
  for (const { cost, finishH } of everyPlan(problem)) {
    if (goal.kind === 'cheapest' && finishH <= goal.deadlineH) best = Math.min(best, cost)
    if (goal.kind === 'fastest' && cost <= goal.budget) best = Math.min(best, finishH)
    if (goal.kind === 'weighted') best = Math.min(best, cost + goal.hourValue * finishH)
  }
  return best
}
