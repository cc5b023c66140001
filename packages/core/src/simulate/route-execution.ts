import {
  replan,
  solveRoute,
  type OfferProgress,
  type RouteOffer,
  type RoutePlan,
  type RouteProblem,
  type RouteRisk,
} from '../route/index.ts'
import { offerTables } from '../route/tables.ts'
import { routeCost } from '../route/billing.ts'
import { seededRandom, type Random } from './random.ts'

/** How a job is run in {@link simulateRoute}. */
export interface RoutePolicy {
  /** The plan is made for this share of the deadline; the rest is slack. */
  readonly planAt: number
  /** Plan again when a farm is lost, starts late, or is seen to end late. */
  readonly replan: boolean
  /** Render overdue frames a second time elsewhere. */
  readonly copies: boolean
  /** Hours between two looks at the job (default 5 minutes). */
  readonly heartbeatH?: number
}

/** What happened to a simulated job. */
export interface RouteOutcome {
  readonly hit: boolean
  readonly finishH: number
  readonly cost: number
  readonly replans: number
  readonly copies: number
}

/** How a farm behaves in this world; the job only sees the consequences. */
interface FarmTruth {
  readonly readyH: number
  readonly slowness: number
  readonly diesAtH: number
}

interface Host {
  frame: number
  startedH: number
  endsH: number
  readonly straggles: number
  loaded: boolean
}

interface Lane {
  readonly offer: RouteOffer
  readonly index: number
  readonly truth: FarmTruth
  readonly hosts: Host[]
  /** Hosts the current plan pays for. */
  wanted: number
  queue: number[]
  lost: boolean
  usedH: number
  done: number
  plannedH: number
  renderedH: number
}

/**
 * Runs a job with a deadline through one random world: queues, biased estimates, noisy frames, slow farms, straggling hosts and dying
 * farms as in `risk`. Deterministic in the seed. Every hour a host works is billed, both copies of a frame too.
 */
export function simulateRoute(
  problem: RouteProblem,
  risk: RouteRisk,
  policy: RoutePolicy,
  seed: number,
): RouteOutcome | undefined {
  if (problem.goal.kind !== 'cheapest') return undefined
  const deadlineH = problem.goal.deadlineH
  const target = { ...problem, goal: { ...problem.goal, deadlineH: deadlineH * policy.planAt } }
  let answer = solveRoute(target)
  if (answer.kind !== 'plan') answer = solveRoute(problem)
  if (answer.kind !== 'plan') return undefined
  return new Job(problem, risk, policy, seed, deadlineH).run(answer)
}

/** After this many deadlines a job counts as never finished. */
const GIVE_UP = 5
/** A frame is overdue after this many times its expected hours. */
const OVERDUE = 2

class Job {
  private readonly problem: RouteProblem
  private readonly risk: RouteRisk
  private readonly policy: RoutePolicy
  private readonly deadlineH: number
  private readonly random: Random
  private readonly truths = new Map<string, FarmTruth>()
  private readonly lanes = new Map<string, Lane>()
  private readonly done: Uint8Array
  private nowH = 0
  private lastDoneH = 0
  private replans = 0
  private copied = 0
  /** Slowness the last plan was made with, by offer. */
  private assumed = new Map<string, number>()
  private planned = 0

  constructor(problem: RouteProblem, risk: RouteRisk, policy: RoutePolicy, seed: number, deadlineH: number) {
    this.problem = problem
    this.risk = risk
    this.policy = policy
    this.deadlineH = deadlineH
    this.random = seededRandom(seed)
    this.done = new Uint8Array(problem.work.length)
    for (const offer of problem.offers) {
      if (this.truths.has(offer.farm)) continue
      const slow = this.random.chance(risk.slowShare) ? this.between(risk.slowLeast, risk.slowMost) : 1
      this.truths.set(offer.farm, {
        readyH: Math.exp(risk.queueSigma * this.normal()),
        slowness: slow * Math.exp(risk.biasSigma * this.normal()),
        diesAtH: this.random.chance(risk.deathShare) ? deadlineH * this.random.next() : Infinity,
      })
    }
  }

  private normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.random.next())) * Math.cos(2 * Math.PI * this.random.next())
  }

  private between(low: number, high: number): number {
    return low + (high - low) * this.random.next()
  }

  private lane(index: number): Lane {
    const offer = this.problem.offers[index] as RouteOffer
    let lane = this.lanes.get(offer.id)
    if (lane === undefined) {
      const truth = this.truths.get(offer.farm) as FarmTruth
      lane = {
        offer,
        index,
        // The queue starts when the farm is first asked.
        truth: { ...truth, readyH: this.nowH + offer.readyH * truth.readyH },
        hosts: [],
        wanted: 0,
        queue: [],
        lost: false,
        usedH: 0,
        done: 0,
        plannedH: 0,
        renderedH: 0,
      }
      this.lanes.set(offer.id, lane)
    }
    return lane
  }

  private plannedHours(lane: Lane, frame: number): number {
    const rate = lane.offer.hoursPerWork[this.problem.classOf[frame] as number] ?? Infinity
    return lane.offer.perFrameH + (rate as number) * (this.problem.work[frame] as number)
  }

  run(plan: RoutePlan): RouteOutcome {
    this.adopt(
      plan,
      Uint32Array.from(this.problem.work, (_, f) => f),
    )
    const heartbeatH = this.policy.heartbeatH ?? 1 / 12
    let nextBeat = heartbeatH
    let left = this.problem.work.length
    while (left > 0 && this.nowH < GIVE_UP * this.deadlineH) {
      for (const lane of this.lanes.values()) this.dispatch(lane)
      let soonest = nextBeat
      let at: { lane: Lane; host: Host } | undefined
      for (const lane of this.lanes.values()) {
        if (lane.lost) continue
        if (lane.truth.readyH > this.nowH && lane.queue.length > 0 && lane.truth.readyH < soonest) {
          soonest = lane.truth.readyH
          at = undefined
        }
        for (const host of lane.hosts) {
          if (host.frame >= 0 && host.endsH < soonest && host.endsH <= lane.truth.diesAtH) {
            soonest = host.endsH
            at = { lane, host }
          }
        }
      }
      if (at === undefined && soonest > this.nowH) {
        this.nowH = soonest
        if (soonest >= nextBeat) {
          nextBeat += heartbeatH
          this.beat()
        }
        continue
      }
      this.nowH = soonest
      if (at !== undefined && this.finish(at.lane, at.host)) left--
    }
    return {
      hit: left === 0 && this.lastDoneH <= this.deadlineH,
      finishH: left === 0 ? this.lastDoneH : Infinity,
      cost: this.bill(),
      replans: this.replans,
      copies: this.copied,
    }
  }

  private finish(lane: Lane, host: Host): boolean {
    const { frame } = host
    host.frame = -1
    lane.usedH += this.nowH - host.startedH
    lane.renderedH += this.nowH - host.startedH
    lane.plannedH += this.plannedHours(lane, frame)
    if (this.done[frame] === 1) return false
    this.done[frame] = 1
    lane.done++
    this.lastDoneH = Math.max(this.lastDoneH, this.nowH + lane.offer.deliverH)
    // The other copy of the frame is stopped; its hours so far are billed.
    for (const other of this.lanes.values()) {
      for (const twin of other.hosts) {
        if (twin.frame !== frame) continue
        other.usedH += Math.max(0, this.nowH - twin.startedH)
        twin.frame = -1
      }
    }
    return true
  }

  private dispatch(lane: Lane): void {
    if (lane.lost || lane.queue.length === 0 || lane.truth.readyH > this.nowH) return
    if (lane.truth.diesAtH <= this.nowH) return
    while (lane.queue.length > 0) {
      let host = lane.hosts.find((one) => one.frame < 0)
      if (host === undefined) {
        if (lane.hosts.length >= lane.wanted) return
        const straggles = this.random.chance(this.risk.stragglerShare)
          ? this.between(this.risk.stragglerLeast, this.risk.stragglerMost)
          : 1
        host = { frame: -1, startedH: 0, endsH: 0, straggles, loaded: false }
        lane.hosts.push(host)
      }
      const frame = lane.queue.shift() as number
      if (this.done[frame] === 1) continue
      this.start(lane, host, frame)
    }
  }

  private start(lane: Lane, host: Host, frame: number): void {
    const noise = Math.exp(this.risk.frameSigma * this.normal() - this.risk.frameSigma ** 2 / 2)
    const load = host.loaded ? 0 : lane.offer.startH
    host.loaded = true
    host.frame = frame
    host.startedH = this.nowH + load
    host.endsH = host.startedH + this.plannedHours(lane, frame) * lane.truth.slowness * host.straggles * noise
  }

  /** What a runner can know: dead farms by their silence, speeds by finished frames. */
  private beat(): void {
    let event = false
    for (const lane of this.lanes.values()) {
      if (!lane.lost && lane.truth.diesAtH <= this.nowH) {
        lane.lost = true
        event = true
        for (const host of lane.hosts) {
          if (host.frame >= 0) lane.usedH += Math.max(0, lane.truth.diesAtH - host.startedH)
          host.frame = -1
        }
      }
    }
    if (this.policy.copies) this.copyOverdue()
    if (this.policy.replan && (event || this.late())) this.planAgain()
  }

  private slownessOf(lane: Lane): number {
    return lane.plannedH > 0 ? lane.renderedH / lane.plannedH : 1
  }

  /** Whether a lane now looks as if it would end beyond the target, and the last plan did not know. */
  private late(): boolean {
    const targetH = this.deadlineH * this.policy.planAt
    for (const lane of this.lanes.values()) {
      if (lane.lost) continue
      const slow = (4 + lane.done * this.slownessOf(lane)) / (4 + lane.done)
      let hours = 0
      for (const f of lane.queue) hours += this.plannedHours(lane, f)
      if (hours === 0) continue
      const ends = Math.max(this.nowH, lane.truth.readyH) + (hours * slow) / Math.max(1, lane.wanted) + lane.offer.deliverH
      const known = this.assumed.get(lane.offer.id) ?? 1
      const worse = slow > known * 1.05 || (lane.truth.readyH > this.nowH && this.nowH > lane.offer.readyH * 1.2 + this.planned)
      if (ends > targetH && worse) return true
    }
    return false
  }

  private planAgain(): void {
    const settled = Uint8Array.from(this.done)
    const offers: Record<string, OfferProgress> = {}
    for (const lane of this.lanes.values()) {
      const slowness = this.slownessOf(lane)
      const busy = lane.hosts.filter((host) => host.frame >= 0)
      if (!lane.lost) for (const host of busy) settled[host.frame] = 1
      const rest = busy.reduce(
        (sum, host) => sum + Math.max(0, this.plannedHours(lane, host.frame) * slowness - (this.nowH - host.startedH)),
        0,
      )
      const started = lane.truth.readyH <= this.nowH
      // Nothing is known of a queue but that it lasts; it is taken to last as long again as it is overdue.
      const waits = Math.max(lane.offer.readyH - (this.nowH - this.planned), 0.5 * Math.max(0, this.nowH - lane.offer.readyH))
      offers[lane.offer.id] = {
        slowness,
        sampled: lane.done,
        lost: lane.lost,
        started,
        readyInH: started ? rest / Math.max(1, lane.wanted) : waits,
        usedNodeH: lane.usedH,
      }
    }
    const shares = [this.policy.planAt, (1 + this.policy.planAt) / 2, 0.97]
    for (const share of shares) {
      const goal = { ...this.problem.goal, kind: 'cheapest', deadlineH: this.deadlineH * share } as const
      if (goal.deadlineH <= this.nowH) continue
      const { answer, frames } = replan({ ...this.problem, goal }, { nowH: this.nowH, settled, offers })
      if (answer?.kind !== 'plan') continue
      this.replans++
      this.planned = this.nowH
      this.adopt(answer, frames)
      this.assumed = new Map(
        [...this.lanes.values()].map((lane) => [lane.offer.id, (4 + lane.done * this.slownessOf(lane)) / (4 + lane.done)]),
      )
      return
    }
    this.rescue()
  }

  /** No plan is in time any more: frames of lost farms go where most hosts are. */
  private rescue(): void {
    for (const lane of this.lanes.values()) {
      if (!lane.lost) continue
      const frames = lane.queue.splice(0)
      for (let f = 0; f < this.done.length; f++) {
        if (this.done[f] === 0 && !this.isQueuedOrRunning(f) && !frames.includes(f)) frames.push(f)
      }
      for (const f of frames) {
        const options = [...this.lanes.values()].filter((one) => !one.lost && this.plannedHours(one, f) < Infinity)
        const best = options.sort((a, b) => a.queue.length / Math.max(1, a.wanted) - b.queue.length / Math.max(1, b.wanted))[0]
        best?.queue.push(f)
      }
    }
  }

  private isQueuedOrRunning(frame: number): boolean {
    for (const lane of this.lanes.values()) {
      if (lane.lost) continue
      if (lane.queue.includes(frame) || lane.hosts.some((host) => host.frame === frame)) return true
    }
    return false
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
      if (route.order === 'lpt') queue.sort((a, b) => this.plannedHours(lane, b) - this.plannedHours(lane, a) || a - b)
      lane.queue = queue
    })
  }

  private copyOverdue(): void {
    for (const lane of this.lanes.values()) {
      for (const host of lane.hosts) {
        const { frame } = host
        if (frame < 0) continue
        const expected = this.plannedHours(lane, frame) * Math.max(1, this.slownessOf(lane))
        if (this.nowH - host.startedH < OVERDUE * expected || this.copies(frame) > 1) continue
        for (const other of this.lanes.values()) {
          if (other.lost || other.truth.readyH > this.nowH || this.plannedHours(other, frame) === Infinity) continue
          const idle = other.hosts.find((one) => one.frame < 0 && one !== host)
          if (idle === undefined || other.queue.length > 0) continue
          this.copied++
          this.start(other, idle, frame)
          break
        }
      }
    }
  }

  private copies(frame: number): number {
    let n = 0
    for (const lane of this.lanes.values()) for (const host of lane.hosts) if (host.frame === frame) n++
    return n
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
