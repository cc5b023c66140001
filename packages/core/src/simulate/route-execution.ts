import { solveRoute, type RoutePlan, type RouteProblem, type RouteRisk } from '../route/index.ts'
import { routeCost } from '../route/billing.ts'
import { offerTables } from '../route/tables.ts'
import { Lane, type Host } from './route-lane.ts'
import { believedSlowness, overdueCopies, planAgain, queueEndsAtH, type JobView, type RoutePolicy } from './route-policy.ts'
import { RouteWorld } from './route-world.ts'

export type { RoutePolicy } from './route-policy.ts'

/** What happened to a simulated job. */
export interface RouteOutcome {
  readonly hit: boolean
  readonly finishH: number
  readonly cost: number
  readonly replans: number
  readonly copies: number
}

/**
 * Runs a job with a deadline through one random world: queues, biased estimates, noisy frames, slow farms, straggling hosts and dying
 * farms as in `risk`. Deterministic in the seed. Every hour a host works is billed, both copies of a frame too.
 *
 * @returns undefined when the goal is another than `cheapest`, or no plan meets the deadline.
 */
export function simulateRoute(
  problem: RouteProblem,
  risk: RouteRisk,
  policy: RoutePolicy,
  seed: number,
): RouteOutcome | undefined {
  if (problem.goal.kind !== 'cheapest') return undefined
  const { deadlineH } = problem.goal
  let answer = solveRoute({ ...problem, goal: { ...problem.goal, deadlineH: deadlineH * policy.planAt } })
  if (answer.kind !== 'plan') answer = solveRoute(problem)
  if (answer.kind !== 'plan') return undefined
  return new Job(problem, risk, policy, seed, deadlineH).run(answer)
}

/** After this many deadlines a job counts as never finished. */
const GIVE_UP = 5
/** What counts as a surprise: frames this much slower than the plan took them to be, a queue this much longer than quoted. */
const SLOWER = 1.05
const QUEUE_LATE = 1.2

class Job implements JobView {
  readonly problem: RouteProblem
  readonly deadlineH: number
  readonly lanes = new Map<string, Lane>()
  readonly done: Uint8Array
  nowH = 0
  private readonly policy: RoutePolicy
  private readonly world: RouteWorld
  private lastDoneH = 0
  private replans = 0
  private copied = 0
  /** Slowness of each offer with which the last plan was made. */
  private assumed = new Map<string, number>()

  constructor(problem: RouteProblem, risk: RouteRisk, policy: RoutePolicy, seed: number, deadlineH: number) {
    this.problem = problem
    this.policy = policy
    this.deadlineH = deadlineH
    this.world = new RouteWorld(problem, risk, seed, deadlineH)
    this.done = new Uint8Array(problem.work.length)
  }

  run(plan: RoutePlan): RouteOutcome {
    this.adopt(
      plan,
      Uint32Array.from(this.problem.work, (_, f) => f),
    )
    const everyH = this.policy.lookEveryH ?? Math.min(1 / 12, this.deadlineH / 50)
    let lookAtH = everyH
    let left = this.problem.work.length
    while (left > 0 && this.nowH < GIVE_UP * this.deadlineH) {
      for (const lane of this.lanes.values()) this.dispatch(lane)
      const next = this.nextEnd(lookAtH)
      if (next === undefined) {
        this.nowH = lookAtH
        lookAtH += everyH
        this.look()
      } else {
        this.nowH = next.atH
        if (next.host !== undefined && this.finish(next.lane, next.host)) left--
      }
    }
    return {
      hit: left === 0 && this.lastDoneH <= this.deadlineH,
      finishH: left === 0 ? this.lastDoneH : Infinity,
      cost: this.bill(),
      replans: this.replans,
      copies: this.copied,
    }
  }

  /** The next frame that ends or queue that is through before the given hour. */
  private nextEnd(beforeH: number): { readonly atH: number; readonly lane: Lane; readonly host?: Host } | undefined {
    let next: { atH: number; lane: Lane; host?: Host } | undefined
    let atH = beforeH
    for (const lane of this.lanes.values()) {
      if (lane.lost) continue
      if (lane.readyAtH > this.nowH && lane.queue.length > 0 && lane.readyAtH < atH) {
        atH = lane.readyAtH
        next = { atH, lane }
      }
      for (const host of lane.hosts) {
        if (host.frame < 0 || host.endsH >= atH || host.endsH > lane.diesAtH) continue
        atH = host.endsH
        next = { atH, lane, host }
      }
    }
    return next
  }

  private finish(lane: Lane, host: Host): boolean {
    const { frame } = host
    lane.finish(host, this.nowH)
    if (this.done[frame] === 1) return false
    this.done[frame] = 1
    lane.done++
    this.lastDoneH = Math.max(this.lastDoneH, this.nowH + lane.offer.deliverH)
    for (const other of this.lanes.values()) for (const twin of other.hosts) if (twin.frame === frame) other.stop(twin, this.nowH)
    return true
  }

  private dispatch(lane: Lane): void {
    while (lane.queue.length > 0 && lane.works(this.nowH)) {
      const host = lane.freeHost(lane.wanted)
      if (host === undefined) return
      const frame = lane.queue.shift() as number
      if (this.done[frame] === 0) lane.start(host, frame, this.nowH)
    }
  }

  /** A runner's look: farms that fell silent, speeds, frames that are overdue. */
  private look(): void {
    let event = false
    for (const lane of this.lanes.values()) {
      if (lane.lost || lane.diesAtH > this.nowH) continue
      lane.lose()
      event = true
    }
    if (this.policy.copies) {
      for (const { frame, lane, host } of overdueCopies(this)) {
        this.copied++
        lane.start(host, frame, this.nowH)
      }
    }
    if (this.policy.replan && (event || this.surprised())) this.planAgain()
  }

  /** Whether a lane looks as if it would end beyond the target, and the last plan did not know. */
  private surprised(): boolean {
    for (const lane of this.lanes.values()) {
      if (lane.lost || queueEndsAtH(this, lane) <= this.deadlineH * this.policy.planAt) continue
      const waits = lane.readyAtH > this.nowH && this.nowH > lane.askedAtH + QUEUE_LATE * lane.offer.readyH
      if (waits || believedSlowness(lane, this.nowH) > SLOWER * (this.assumed.get(lane.offer.id) ?? 1)) return true
    }
    return false
  }

  private planAgain(): void {
    const found = planAgain(this, this.policy.planAt)
    if (found === undefined) return this.rescue()
    this.replans++
    this.adopt(found.plan, found.frames)
  }

  /** No plan is in time any more: frames that have no place go where the queue for each host is shortest. */
  private rescue(): void {
    const placed = new Uint8Array(this.done)
    for (const lane of this.lanes.values()) {
      if (lane.lost) continue
      for (const f of lane.queue) placed[f] = 1
      for (const host of lane.hosts) if (host.frame >= 0) placed[host.frame] = 1
    }
    placed.forEach((is, f) => {
      if (is === 1) return
      let to: Lane | undefined
      const waits = (lane: Lane) => lane.queue.length / Math.max(1, lane.wanted)
      for (const lane of this.lanes.values()) {
        if (!lane.lost && lane.quotedH(f) < Infinity && (to === undefined || waits(lane) < waits(to))) to = lane
      }
      to?.queue.push(f)
    })
  }

  private lane(index: number): Lane {
    const { id } = this.problem.offers[index] as { id: string }
    let lane = this.lanes.get(id)
    if (lane === undefined) {
      lane = new Lane(this.problem, index, this.world, this.nowH)
      this.lanes.set(id, lane)
    }
    return lane
  }

  private adopt(plan: RoutePlan, frames: Uint32Array): void {
    for (const lane of this.lanes.values()) lane.queue = []
    plan.routes.forEach((route, r) => {
      const lane = this.lane(route.offerIndex)
      lane.wanted = Math.max(lane.hosts.length, route.nodes)
      const list: number[] = Array.from(route.sequence ?? [])
      if (route.sequence === undefined) {
        plan.assign.forEach((owner, f) => {
          if (owner === r) list.push(f)
        })
      }
      const queue = list.map((f) => frames[f] as number)
      if (route.order === 'lpt') queue.sort((a, b) => lane.quotedH(b) - lane.quotedH(a) || a - b)
      lane.queue = queue
    })
    this.assumed = new Map([...this.lanes].map(([id, lane]) => [id, believedSlowness(lane, this.nowH)]))
  }

  private bill(): number {
    const tables = offerTables(this.problem)
    let cost = 0
    for (const lane of this.lanes.values()) {
      if (lane.hosts.length === 0) continue
      const start = lane.hosts.length * (tables.billedStartH[lane.index] as number)
      cost += routeCost(tables, lane.index, lane.usedH + start, lane.done)
    }
    return cost
  }
}
