import { replan, type OfferProgress, type RoutePlan, type RouteProblem } from '../route/index.ts'
import type { Host, Lane } from './route-lane.ts'

/** How a job is run in {@link simulateRoute}. */
export interface RoutePolicy {
  /** The plan is made for this share of the deadline; the rest is slack. */
  readonly planAt: number
  /** Plan again when a farm is lost, or turns out other than the last plan took it to be. */
  readonly replan: boolean
  /** Render frames a second time elsewhere when they are overdue. */
  readonly copies: boolean
  /** Hours between two looks at the job (default: 5 minutes, or a fiftieth of the deadline if that is less). */
  readonly lookEveryH?: number
}

/** What a runner sees of a job at a moment; it does not look into the world. */
export interface JobView {
  readonly problem: RouteProblem
  readonly deadlineH: number
  readonly nowH: number
  readonly lanes: ReadonlyMap<string, Lane>
  readonly done: Uint8Array
}

/** Frames of prior belief in an offer's own figures. */
const PRIOR_FRAMES = 4

interface Seen {
  /** Hours over quoted hours. */
  readonly slowness: number
  /** Frames that this rests on. */
  readonly sampled: number
}

/**
 * How much longer frames take on a lane than quoted: those that are done, and those that run and have already taken longer than the
 * done ones would have, as if they ended now. Without them a slow farm looks like a fast one until its first frames come in.
 */
function seen(lane: Lane, nowH: number): Seen {
  let { tookH, plannedH, done: sampled } = lane
  const soFar = plannedH > 0 ? tookH / plannedH : 1
  for (const host of lane.hosts) {
    if (host.frame < 0) continue
    const quotedH = lane.quotedH(host.frame)
    const forH = nowH - host.startedH
    if (forH <= quotedH * soFar) continue
    tookH += forH
    plannedH += quotedH
    sampled++
  }
  return { slowness: plannedH > 0 ? tookH / plannedH : 1, sampled }
}

/** The same weighed against the offer's own figures, as {@link replan} does. */
export function believedSlowness(lane: Lane, nowH: number): number {
  const { slowness, sampled } = seen(lane, nowH)
  return (PRIOR_FRAMES + sampled * slowness) / (PRIOR_FRAMES + sampled)
}

/** Hours until a lane begins with its queue: until the farm is ready, or a host is free. */
function freeInH(view: JobView, lane: Lane): number {
  const { nowH } = view
  if (lane.readyAtH > nowH) {
    const waited = nowH - lane.askedAtH
    // Nothing is known of a queue but that it lasts; it is taken to last half as long again as it is overdue.
    return Math.max(lane.offer.readyH - waited, 0.5 * Math.max(0, waited - lane.offer.readyH))
  }
  const slow = believedSlowness(lane, nowH)
  let rest = 0
  for (const host of lane.hosts) {
    if (host.frame >= 0) rest += Math.max(0, lane.quotedH(host.frame) * slow - (nowH - host.startedH))
  }
  return rest / Math.max(1, lane.wanted)
}

/** Hour at which a lane will be through with its queue, as far as is known; 0 when nothing waits. */
export function queueEndsAtH(view: JobView, lane: Lane): number {
  let hours = 0
  for (const f of lane.queue) hours += lane.quotedH(f)
  if (hours === 0) return 0
  return (
    view.nowH + freeInH(view, lane) + (hours * believedSlowness(lane, view.nowH)) / Math.max(1, lane.wanted) + lane.offer.deliverH
  )
}

/** A plan for the frames that wait, made with all that was seen; undefined when none is in time any more. */
export function planAgain(view: JobView, planAt: number): { readonly plan: RoutePlan; readonly frames: Uint32Array } | undefined {
  const settled = Uint8Array.from(view.done)
  const offers: Record<string, OfferProgress> = {}
  for (const offer of view.problem.offers) {
    const lane = view.lanes.get(offer.id)
    if (lane === undefined) {
      // Its queue begins when it is asked.
      offers[offer.id] = { readyInH: offer.readyH }
      continue
    }
    if (!lane.lost) for (const host of lane.hosts) if (host.frame >= 0) settled[host.frame] = 1
    offers[offer.id] = {
      ...seen(lane, view.nowH),
      lost: lane.lost,
      started: lane.readyAtH <= view.nowH,
      readyInH: freeInH(view, lane),
      usedNodeH: lane.usedH,
    }
  }
  // What is left of the slack is given up in two steps.
  for (const share of [planAt, (1 + planAt) / 2, 0.97]) {
    const goal = { ...view.problem.goal, kind: 'cheapest', deadlineH: view.deadlineH * share } as const
    if (goal.deadlineH <= view.nowH) continue
    const { answer, frames } = replan({ ...view.problem, goal }, { nowH: view.nowH, settled, offers })
    if (answer?.kind === 'plan') return { plan: answer, frames }
  }
  return undefined
}

/** A frame is overdue after this many times its expected hours. */
const OVERDUE = 2

/** A second copy of a running frame, on a host that has nothing to do. */
export interface Copy {
  readonly frame: number
  readonly lane: Lane
  readonly host: Host
}

/** Copies of the frames that are overdue, each where it would be done soonest. */
export function overdueCopies(view: JobView): Copy[] {
  const copies: Copy[] = []
  const runs = new Map<number, number>()
  const busy = [...view.lanes.values()].flatMap((lane) =>
    lane.hosts.filter((host) => host.frame >= 0).map((host) => ({ lane, host })),
  )
  for (const { host } of busy) runs.set(host.frame, (runs.get(host.frame) ?? 0) + 1)
  const taken = new Set<Host>()
  for (const { lane, host } of busy) {
    const expectedH = lane.quotedH(host.frame) * Math.max(1, believedSlowness(lane, view.nowH))
    if (view.nowH - host.startedH < OVERDUE * expectedH || (runs.get(host.frame) ?? 0) > 1) continue
    const copy = soonestCopy(view, host.frame, taken)
    if (copy === undefined) continue
    taken.add(copy.host)
    copies.push(copy)
  }
  return copies
}

function soonestCopy(view: JobView, frame: number, taken: ReadonlySet<Host>): Copy | undefined {
  let best: Copy | undefined
  let soonestH = Infinity
  for (const lane of view.lanes.values()) {
    if (!lane.works(view.nowH) || lane.queue.length > 0) continue
    const host = lane.hosts.find((one) => one.frame < 0 && !taken.has(one))
    const endsH = lane.quotedH(frame) * believedSlowness(lane, view.nowH) + lane.offer.deliverH
    if (host === undefined || endsH >= soonestH) continue
    soonestH = endsH
    best = { frame, lane, host }
  }
  return best
}
