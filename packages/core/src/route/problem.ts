import { invalid } from '../contract/error.ts'
import type { RouteRisk } from './risk.ts'

/** What a route is optimized for. Money is in currency units, time in hours, counted from the moment of planning. */
export type RouteGoal =
  | { readonly kind: 'cheapest'; readonly deadlineH: number; readonly maxFarms?: number | null }
  | { readonly kind: 'fastest'; readonly budget: number; readonly maxFarms?: number | null }
  | { readonly kind: 'weighted'; readonly hourValue: number; readonly maxFarms?: number | null }

/** Price of a tier; gross, so that offers of different farms compare. */
export interface RoutePrice {
  /** Price of a node-hour, at least 0. */
  readonly perNodeH: number
  /** Incremental volume discounts: node-hours from `fromNodeH` on cost `perNodeH * factor`. The first starts at 0; `fromNodeH` rises. */
  readonly tiers?: readonly { readonly fromNodeH: number; readonly factor: number }[]
  /** Billing step of the route's total node-hours; 0 = exact. */
  readonly stepH?: number
  /** Least charge for usage. */
  readonly minCharge?: number
  /** Charge for using the offer at all; it lies outside `minCharge`. */
  readonly fixed?: number
  /** Charge for each frame. */
  readonly perFrame?: number
}

/** One priority tier of one farm. Tiers of a farm exclude each other. */
export interface RouteOffer {
  readonly id: string
  readonly farm: string
  /** Most render hosts that work at once, an integer of at least 1. */
  readonly nodes: number
  /** Hours of queue and upload before the first host may start. */
  readonly readyH: number
  /** Hours each used host needs to load the scene. */
  readonly startH: number
  readonly billStart: boolean
  /** Fixed hours a frame. */
  readonly perFrameH: number
  /** Hours from the last frame's end until it is validated and delivered. */
  readonly deliverH: number
  /** Node-hours a unit of work, one entry a class; `null` where the offer cannot render the class. */
  readonly hoursPerWork: readonly (number | null)[]
  readonly price: RoutePrice
  /** Trust in the farm's results, 0 to 1 (left out: 1). With `checking` it prices the expected re-rendering by checkers. */
  readonly trust?: number
  /** A farm under quarantine gets no frames. */
  readonly quarantined?: boolean
}

/** Expected cost of checking one frame: `costPerFrame * (baseShare + distrustShare * (1 - trust))`. */
export interface RouteChecking {
  /** Cost of re-rendering and comparing one frame. */
  readonly costPerFrame: number
  /** Share of frames that are re-rendered whoever made them, 0 to 1. */
  readonly baseShare: number
  /** Further share for a farm with trust 0, 0 to 1. */
  readonly distrustShare: number
}

/** Frames with work and class, offers, and a goal: the whole input of the router. */
export interface RouteProblem {
  readonly id?: string
  /** Ids of the memory classes; `classOf` and `hoursPerWork` index them. */
  readonly classes: readonly string[]
  /** Work of each frame in any unit, at least 0. */
  readonly work: Float64Array
  /** Class index of each frame. */
  readonly classOf: Uint8Array | Uint16Array
  readonly offers: readonly RouteOffer[]
  readonly goal: RouteGoal
  readonly checking?: RouteChecking
  /** How execution strays from plans, for the probability of meeting the deadline (left out: {@link MILD_RISK}). */
  readonly risk?: RouteRisk
}

/** Most frames of one problem; frame and route ids then fit the typed arrays of a plan with room to spare. */
export const MAX_FRAMES = 20_000_000
const MAX_OFFERS = 60_000

function atLeast(value: unknown, low: number, path: string, high: number = Infinity): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < low || value > high) {
    throw invalid(path, high === Infinity ? `a finite number >= ${low}` : `a number from ${low} to ${high}`, value)
  }
}

function checkTiers(tiers: RoutePrice['tiers'], path: string): void {
  if (tiers === undefined) return
  if (!Array.isArray(tiers) || tiers.length === 0) throw invalid(path, 'a list of at least one tier', tiers)
  tiers.forEach((tier: { fromNodeH: number; factor: number }, i) => {
    atLeast(tier?.fromNodeH, 0, `${path}[${i}].fromNodeH`)
    atLeast(tier.factor, 0, `${path}[${i}].factor`)
    const before = tiers[i - 1] as { fromNodeH: number } | undefined
    if (before === undefined && tier.fromNodeH !== 0) throw invalid(`${path}[0].fromNodeH`, '0', tier.fromNodeH)
    if (before !== undefined && tier.fromNodeH <= before.fromNodeH) {
      throw invalid(`${path}[${i}].fromNodeH`, `more than ${before.fromNodeH}`, tier.fromNodeH)
    }
  })
}

function checkOffer(offer: RouteOffer, classes: number, path: string): void {
  if (typeof offer !== 'object' || offer === null) throw invalid(path, 'an offer', offer)
  for (const key of ['id', 'farm'] as const) {
    if (typeof offer[key] !== 'string' || offer[key] === '') throw invalid(`${path}.${key}`, 'a non-empty text', offer[key])
  }
  atLeast(offer.nodes, 1, `${path}.nodes`, 1e7)
  if (!Number.isInteger(offer.nodes)) throw invalid(`${path}.nodes`, 'an integer', offer.nodes)
  for (const key of ['readyH', 'startH', 'perFrameH', 'deliverH'] as const) atLeast(offer[key], 0, `${path}.${key}`)
  if (typeof offer.billStart !== 'boolean') throw invalid(`${path}.billStart`, 'true or false', offer.billStart)
  if (!Array.isArray(offer.hoursPerWork) || offer.hoursPerWork.length !== classes) {
    throw invalid(`${path}.hoursPerWork`, `a list with one entry for each of ${classes} classes`, offer.hoursPerWork)
  }
  offer.hoursPerWork.forEach((hours: number | null, c) => {
    if (hours !== null) atLeast(hours, 0, `${path}.hoursPerWork[${c}]`)
    if (hours === 0) throw invalid(`${path}.hoursPerWork[${c}]`, 'a number above 0, or null for an incompatible class', hours)
  })
  if (typeof offer.price !== 'object' || offer.price === null) throw invalid(`${path}.price`, 'a price', offer.price)
  atLeast(offer.price.perNodeH, 0, `${path}.price.perNodeH`)
  for (const key of ['stepH', 'minCharge', 'fixed', 'perFrame'] as const) {
    if (offer.price[key] !== undefined) atLeast(offer.price[key], 0, `${path}.price.${key}`)
  }
  checkTiers(offer.price.tiers, `${path}.price.tiers`)
  if (offer.trust !== undefined) atLeast(offer.trust, 0, `${path}.trust`, 1)
  if (offer.quarantined !== undefined && typeof offer.quarantined !== 'boolean') {
    throw invalid(`${path}.quarantined`, 'true or false', offer.quarantined)
  }
}

function checkGoal(goal: RouteGoal): void {
  if (typeof goal !== 'object' || goal === null) throw invalid('goal', 'a goal', goal)
  if (goal.kind === 'cheapest') atLeast(goal.deadlineH, 0, 'goal.deadlineH')
  else if (goal.kind === 'fastest') atLeast(goal.budget, 0, 'goal.budget')
  else if (goal.kind === 'weighted') atLeast(goal.hourValue, 0, 'goal.hourValue')
  else throw invalid('goal.kind', 'cheapest, fastest or weighted', (goal as { kind: unknown }).kind)
  const most = goal.maxFarms
  if (most !== undefined && most !== null && !(Number.isInteger(most) && most >= 1)) {
    throw invalid('goal.maxFarms', 'null or an integer of at least 1', most)
  }
}

function checkFrames(problem: RouteProblem): void {
  const { work, classOf, classes } = problem
  if (!(work instanceof Float64Array)) throw invalid('work', 'a Float64Array', work)
  if (!(classOf instanceof Uint8Array || classOf instanceof Uint16Array)) throw invalid('classOf', 'a Uint8Array', classOf)
  if (work.length === 0 || work.length > MAX_FRAMES) throw invalid('work', `1 to ${MAX_FRAMES} frames`, work.length)
  if (classOf.length !== work.length) throw invalid('classOf', `${work.length} entries, one a frame`, classOf.length)
  for (let f = 0; f < work.length; f++) {
    const w = work[f] as number
    if (!(w >= 0 && w < Infinity)) throw invalid(`work[${f}]`, 'a finite number >= 0', w)
    if ((classOf[f] as number) >= classes.length) throw invalid(`classOf[${f}]`, `below ${classes.length}`, classOf[f])
  }
}

/**
 * Refuses a malformed problem.
 *
 * @throws PictorError `invalid-input` whose `details.path` names the field, such as `offers[2].price.stepH`.
 */
export function validateProblem(problem: RouteProblem): void {
  if (typeof problem !== 'object' || problem === null) throw invalid('problem', 'a routing problem', problem)
  if (!Array.isArray(problem.classes) || problem.classes.length === 0 || problem.classes.length > 65_535) {
    throw invalid('classes', 'at least one class id', problem.classes)
  }
  const seenClass = new Set<unknown>()
  problem.classes.forEach((id: unknown, c) => {
    if (typeof id !== 'string' || seenClass.has(id)) throw invalid(`classes[${c}]`, 'a text used once', id)
    seenClass.add(id)
  })
  if (!Array.isArray(problem.offers) || problem.offers.length === 0 || problem.offers.length > MAX_OFFERS) {
    throw invalid('offers', `1 to ${MAX_OFFERS} offers`, problem.offers)
  }
  const seenOffer = new Set<string>()
  problem.offers.forEach((offer: RouteOffer, o) => {
    checkOffer(offer, problem.classes.length, `offers[${o}]`)
    if (seenOffer.has(offer.id)) throw invalid(`offers[${o}].id`, 'an id used once', offer.id)
    seenOffer.add(offer.id)
  })
  checkGoal(problem.goal)
  if (problem.checking !== undefined) {
    atLeast(problem.checking.costPerFrame, 0, 'checking.costPerFrame')
    atLeast(problem.checking.baseShare, 0, 'checking.baseShare', 1)
    atLeast(problem.checking.distrustShare, 0, 'checking.distrustShare', 1)
  }
  for (const [key, value] of Object.entries(problem.risk ?? {})) atLeast(value, 0, `risk.${key}`)
  checkFrames(problem)
}
