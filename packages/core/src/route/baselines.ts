import { routeCost } from './billing.ts'
import { draftOf, framesByRoute, hoursOf, lptRoute, type Draft, type Prepared } from './draft.ts'
import { frameHours } from './tables.ts'

/** The policies a host would write first; the router never returns a plan worse than any of them. */
export type Baseline = 'cheapest-farm' | 'fastest-farm' | 'round-robin' | 'greedy'

/** From this many frames on, a baseline is first priced on a sample of the timeline. */
const SAMPLE_FROM = 50_000
/** A sampled price this much above the best plan rules a baseline out; sampling errs by far less. */
const RULED_OUT = 1.05

/**
 * Runs one baseline; undefined when its policy finds no farm for some frame or would not cost less than `below`. The plan may be late
 * or over budget.
 */
export function baseline(prepared: Prepared, policy: Baseline, deadlineH: number, below: number = Infinity): Draft | undefined {
  if (policy === 'round-robin' || policy === 'greedy') {
    const offers = policy === 'greedy' ? inTime(prepared, deadlineH) : oneTier(prepared, byPrice(prepared))
    if (offers.length === 0) return undefined
    const fill = policy === 'greedy' ? greedy : roundRobin
    if (prepared.frames >= SAMPLE_FROM && below < Infinity) {
      const stride = Math.ceil(prepared.frames / 5000)
      const sample = fill(prepared, offers, deadlineH, stride)
      if (sample === undefined || costOf(prepared, offers, sample, stride) > below * RULED_OUT) return undefined
    }
    const assign = fill(prepared, offers, deadlineH, 1)
    if (assign === undefined || costOf(prepared, offers, assign, 1) >= below) return undefined
    return routesFor(prepared, offers, assign, policy)
  }
  return singleFarm(prepared, policy, deadlineH, below)
}

/** Cost of an assignment of every `stride`-th frame, scaled to all frames; nothing needs to be scheduled for it. */
function costOf({ problem, tables, frames }: Prepared, offers: readonly number[], assign: Uint16Array, stride: number): number {
  const hours = new Float64Array(offers.length)
  const count = new Float64Array(offers.length)
  for (let k = 0; k < assign.length; k++) {
    const f = k * stride
    const r = assign[k] as number
    hours[r] =
      (hours[r] as number) + frameHours(tables, offers[r] as number, problem.work[f] as number, problem.classOf[f] as number)
    count[r] = (count[r] as number) + 1
  }
  const scale = frames / assign.length
  let cost = 0
  offers.forEach((o, r) => {
    const n = (count[r] as number) * scale
    if (n === 0) return
    const nodes = Math.min(tables.nodes[o] as number, Math.ceil(n))
    cost += routeCost(tables, o, (hours[r] as number) * scale + nodes * (tables.billedStartH[o] as number), n)
  })
  return cost
}

function routesFor(prepared: Prepared, offers: readonly number[], assign: Uint16Array, origin: string): Draft {
  const lists = framesByRoute(assign, offers.length)
  const used = offers.map((_, r) => (lists[r] as Uint32Array).length > 0)
  const renamed = Uint16Array.from(offers, (_, r) => used.slice(0, r).filter(Boolean).length)
  const routes = offers.flatMap((offer, r) =>
    used[r]
      ? [
          lptRoute(
            prepared,
            offer,
            prepared.tables.nodes[offer] as number,
            hoursOf(prepared, offer, lists[r] as Uint32Array).sort(),
          ),
        ]
      : [],
  )
  return draftOf(
    assign.map((r) => renamed[r] as number),
    routes,
    origin,
  )
}

/** Whether the offer renders every class that occurs. */
function rendersAll({ units, tables }: Prepared, offer: number): boolean {
  for (let u = 0; u < units.size; u++) {
    if ((tables.hoursPerWork[offer * tables.classes + (units.cls[u] as number)] as number) === 0) return false
  }
  return true
}

/** Hours on a whole offer, from the units. */
function totalHours({ units, tables }: Prepared, offer: number): number {
  let sum = 0
  for (let u = 0; u < units.size; u++) {
    const rate = tables.hoursPerWork[offer * tables.classes + (units.cls[u] as number)] as number
    sum += (units.count[u] as number) * (tables.perFrameH[offer] as number) + rate * (units.work[u] as number)
  }
  return sum
}

function singleFarm(
  prepared: Prepared,
  policy: 'cheapest-farm' | 'fastest-farm',
  deadlineH: number,
  below: number,
): Draft | undefined {
  const { tables, units } = prepared
  let longest = 0
  for (let u = 0; u < units.size; u++) longest = Math.max(longest, units.greatest[u] as number)
  const rough: { offer: number; cost: number; finishH: number }[] = []
  for (let o = 0; o < tables.offers; o++) {
    if (!rendersAll(prepared, o)) continue
    const hours = totalHours(prepared, o)
    const nodes = Math.min(tables.nodes[o] as number, prepared.frames)
    const cost = routeCost(tables, o, hours + nodes * (tables.billedStartH[o] as number), prepared.frames)
    const finishH = (tables.overheadH[o] as number) + hours / nodes
    // Where a plan is known already, a farm that is late even without any waste is no rival.
    if (cost >= below || (below < Infinity && finishH > deadlineH)) continue
    rough.push({
      offer: o,
      cost,
      finishH,
    })
  }
  // The rough figures order the farms; only the few best are scheduled exactly.
  const inTime = rough.filter((one) => one.finishH <= deadlineH)
  const order = (policy === 'fastest-farm' || inTime.length === 0 ? rough : inTime).sort((a, b) =>
    policy === 'fastest-farm' ? a.finishH - b.finishH || a.offer - b.offer : a.cost - b.cost || a.offer - b.offer,
  )
  let best: Draft | undefined
  for (const { offer } of order.slice(0, prepared.frames > 50_000 ? 1 : 3)) {
    const draft = routesFor(prepared, [offer], new Uint16Array(prepared.frames), policy)
    const better =
      best === undefined ||
      (policy === 'fastest-farm'
        ? draft.finishH < best.finishH
        : draft.finishH <= deadlineH && (best.finishH > deadlineH || draft.cost < best.cost))
    if (better) best = draft
  }
  return best
}

/** Offers in the order a careful host would prefer: price of an average hour of work, first tier of each farm that comes. */
function byPrice(prepared: Prepared): number[] {
  const { tables, units } = prepared
  const total = new Float64Array(tables.classes)
  for (let u = 0; u < units.size; u++)
    total[units.cls[u] as number] = (total[units.cls[u] as number] as number) + (units.work[u] as number)
  const rows = Array.from({ length: tables.offers }, (_, o) => {
    let hours = 0
    let work = 0
    for (let c = 0; c < tables.classes; c++) {
      const rate = tables.hoursPerWork[o * tables.classes + c] as number
      if (rate === 0) continue
      hours += rate * (total[c] as number)
      work += total[c] as number
    }
    return { offer: o, price: work > 0 ? ((tables.tierPrice[o] as Float64Array)[0] as number) * (hours / work) : Infinity }
  })
  return rows
    .filter((row) => row.price < Infinity)
    .sort((a, b) => a.price - b.price || a.offer - b.offer)
    .map((row) => row.offer)
}

/** One tier a farm, at most `most` farms, in the given order. */
function oneTier(prepared: Prepared, order: readonly number[]): number[] {
  const seen = new Set<number>()
  const most = prepared.maxFarms ?? Infinity
  return order.filter((o) => {
    const farm = prepared.tables.farmOf[o] as number
    if (seen.has(farm) || seen.size >= most) return false
    seen.add(farm)
    return true
  })
}

/** Each frame goes to the next farm in turn that renders its class. */
function roundRobin(
  { tables, problem, frames }: Prepared,
  offers: readonly number[],
  _: number,
  stride: number,
): Uint16Array | undefined {
  const assign = new Uint16Array(Math.ceil(frames / stride))
  let turn = 0
  for (let k = 0; k < assign.length; k++) {
    const cls = problem.classOf[k * stride] as number
    let tries = 0
    while (
      tries < offers.length &&
      (tables.hoursPerWork[(offers[turn % offers.length] as number) * tables.classes + cls] as number) === 0
    ) {
      turn++
      tries++
    }
    if (tries === offers.length) return undefined
    assign[k] = turn % offers.length
    turn++
  }
  return assign
}

function inTime(prepared: Prepared, deadlineH: number): number[] {
  const { tables } = prepared
  return oneTier(
    prepared,
    byPrice(prepared).filter((o) => (tables.overheadH[o] as number) < deadlineH),
  )
}

/** Cheapest offer first, each filled to 95 % of its capacity. */
function greedy(prepared: Prepared, offers: readonly number[], deadlineH: number, stride: number): Uint16Array | undefined {
  const { tables, problem, frames } = prepared
  const nodeH = Float64Array.from(offers, (o) => deadlineH - (tables.overheadH[o] as number))
  const room = Float64Array.from(offers, (o, r) => (0.95 * (tables.nodes[o] as number) * (nodeH[r] as number)) / stride)
  const assign = new Uint16Array(Math.ceil(frames / stride))
  for (let k = 0; k < assign.length; k++) {
    const cls = problem.classOf[k * stride] as number
    const work = problem.work[k * stride] as number
    let chosen = -1
    let loosest = -1
    for (let r = 0; r < offers.length; r++) {
      const hours = frameHours(tables, offers[r] as number, work, cls)
      if (hours === 0) continue
      if (loosest < 0 || (room[r] as number) > (room[loosest] as number)) loosest = r
      if (hours <= (room[r] as number) && hours <= (nodeH[r] as number)) {
        chosen = r
        break
      }
    }
    if (chosen < 0) chosen = loosest
    if (chosen < 0) return undefined
    room[chosen] = (room[chosen] as number) - frameHours(tables, offers[chosen] as number, work, cls)
    assign[k] = chosen
  }
  return assign
}
