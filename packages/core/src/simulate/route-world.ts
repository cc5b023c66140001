import type { RouteOffer, RouteProblem, RouteRisk } from '../route/index.ts'
import { seededRandom, type Random } from './random.ts'

/** How a farm behaves in one world; the job only sees the consequences. */
export interface FarmTruth {
  /** Queue and upload time over the quoted one. */
  readonly queue: number
  /** Hours of its frames over the quoted ones. */
  readonly slowness: number
  /** Hour from which the farm does nothing any more; Infinity for most. */
  readonly diesAtH: number
}

/**
 * One random world in which a job is run: farms, hosts and frames behave as `risk` says. Every draw has a key of its own (farm, host,
 * frame on an offer), so two policies that are compared meet the same farms, hosts and frames.
 */
export class RouteWorld {
  private readonly risk: RouteRisk
  private readonly seed: number
  private readonly truths = new Map<string, FarmTruth>()
  private readonly offerNumber: ReadonlyMap<string, number>

  constructor(problem: RouteProblem, risk: RouteRisk, seed: number, deadlineH: number) {
    this.risk = risk
    this.seed = seed
    this.offerNumber = new Map(problem.offers.map((offer, o) => [offer.id, o]))
    for (const { farm } of problem.offers) {
      if (this.truths.has(farm)) continue
      const random = this.draw(FARM, this.truths.size, 0)
      const slow = random.chance(risk.slowShare) ? between(random, risk.slowLeast, risk.slowMost) : 1
      this.truths.set(farm, {
        queue: Math.exp(risk.queueSigma * normal(random)),
        slowness: slow * Math.exp(risk.biasSigma * normal(random)),
        diesAtH: random.chance(risk.deathShare) ? deadlineH * random.next() : Infinity,
      })
    }
  }

  /** The truth about a farm. */
  farm(id: string): FarmTruth {
    return this.truths.get(id) as FarmTruth
  }

  /** How much longer everything takes on the n-th host of an offer; 1 for most. */
  hostSlowness(offer: RouteOffer, host: number): number {
    const random = this.draw(HOST, this.offerNumber.get(offer.id) as number, host)
    return random.chance(this.risk.stragglerShare) ? between(random, this.risk.stragglerLeast, this.risk.stragglerMost) : 1
  }

  /** What one frame takes on an offer over what it should take there; 1 on average. */
  frameNoise(offer: RouteOffer, frame: number): number {
    const { frameSigma } = this.risk
    const random = this.draw(FRAME, this.offerNumber.get(offer.id) as number, frame)
    return Math.exp(frameSigma * normal(random) - frameSigma ** 2 / 2)
  }

  private draw(kind: number, a: number, b: number): Random {
    let h = Math.imul(this.seed ^ 0x9e3779b9, 0x85ebca6b) ^ kind
    for (const part of [a, b]) {
      h = Math.imul(h ^ (h >>> 15) ^ part, 0xc2b2ae35)
      h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f)
    }
    return seededRandom(h)
  }
}

const FARM = 1
const HOST = 2
const FRAME = 3

const between = (random: Random, low: number, high: number): number => low + (high - low) * random.next()

/** Box and Muller. */
const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
