import type { RouteOffer, RouteProblem } from '../route/index.ts'
import type { RouteWorld } from './route-world.ts'

/** A host at work or waiting (frame -1). */
export interface Host {
  frame: number
  startedH: number
  endsH: number
  readonly slowness: number
  loaded: boolean
}

/** One offer in use: its hosts, the frames that wait for one, and what was seen of it. Times are hours since the job began. */
export class Lane {
  readonly offer: RouteOffer
  readonly index: number
  readonly hosts: Host[] = []
  /** Hosts the current plan pays for. */
  wanted = 0
  queue: number[] = []
  /** Known to be lost. */
  lost = false
  /** Hour at which it was asked, and the hour at which its queue and upload are through. */
  readonly askedAtH: number
  readonly readyAtH: number
  readonly diesAtH: number
  /** Hours to pay, without the loading of the scene. */
  usedH = 0
  done = 0
  /** Hours that finished frames took, and what they should have taken. */
  tookH = 0
  plannedH = 0
  private readonly problem: RouteProblem
  private readonly world: RouteWorld
  private readonly slowness: number

  constructor(problem: RouteProblem, index: number, world: RouteWorld, nowH: number) {
    this.problem = problem
    this.world = world
    this.index = index
    this.offer = problem.offers[index] as RouteOffer
    const truth = world.farm(this.offer.farm)
    this.askedAtH = nowH
    this.readyAtH = nowH + this.offer.readyH * truth.queue
    this.diesAtH = truth.diesAtH
    this.slowness = truth.slowness
  }

  /** Hours of a frame by the offer's own figures, Infinity when it is not compatible. */
  quotedH(frame: number): number {
    const rate = this.offer.hoursPerWork[this.problem.classOf[frame] as number] ?? null
    return rate === null ? Infinity : this.offer.perFrameH + rate * (this.problem.work[frame] as number)
  }

  /** A host that waits, or a new one while fewer than `most` are in use. */
  freeHost(most: number): Host | undefined {
    const waiting = this.hosts.find((host) => host.frame < 0)
    if (waiting !== undefined || this.hosts.length >= most) return waiting
    const slowness = this.world.hostSlowness(this.offer, this.hosts.length)
    const host = { frame: -1, startedH: 0, endsH: 0, slowness, loaded: false }
    this.hosts.push(host)
    return host
  }

  /** Whether frames start here now. */
  works(nowH: number): boolean {
    return !this.lost && this.readyAtH <= nowH && nowH < this.diesAtH
  }

  start(host: Host, frame: number, nowH: number): void {
    host.frame = frame
    host.startedH = nowH + (host.loaded ? 0 : this.offer.startH)
    host.endsH = host.startedH + this.quotedH(frame) * this.slowness * host.slowness * this.world.frameNoise(this.offer, frame)
    host.loaded = true
  }

  /** The host's frame is rendered. */
  finish(host: Host, nowH: number): void {
    const took = nowH - host.startedH
    this.usedH += took
    this.tookH += took
    this.plannedH += this.quotedH(host.frame)
    host.frame = -1
  }

  /** The host's frame is given up; what it took so far is paid. */
  stop(host: Host, nowH: number): void {
    this.usedH += Math.max(0, nowH - host.startedH)
    host.frame = -1
  }

  /** Nothing comes from here any more. */
  lose(): void {
    this.lost = true
    for (const host of this.hosts) if (host.frame >= 0) this.stop(host, this.diesAtH)
  }
}
