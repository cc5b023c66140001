import { invalid } from '../contract/error.ts'
import type { RouteAnswer } from './plan.ts'
import { validateProblem, type RouteGoal, type RouteOffer, type RouteProblem } from './problem.ts'
import { solveRoute } from './solve.ts'

/** What was observed of one offer since the plan was made. */
export interface OfferProgress {
  /** Hours frames really took over hours planned, as an average; left out while nothing is known. */
  readonly slowness?: number
  /** Frames the average rests on; few frames move the estimate little. */
  readonly sampled?: number
  /** The offer takes no more frames: its farm failed, stalled, or went into quarantine. */
  readonly lost?: boolean
  /** It has started: neither queue nor upload lie ahead, and its fixed charge is spent. */
  readonly started?: boolean
  /** Hours from now until a host is free, left out to take the offer's own figure (or 0 once started). */
  readonly readyInH?: number
  /** Node-hours billed so far; they have used up the cheap or dear end of the volume tiers and of the minimum charge. */
  readonly usedNodeH?: number
}

/** The state of a job in the middle of a plan. */
export interface RouteProgress {
  /** Hours since the moment the problem's times count from. */
  readonly nowH: number
  /** 1 for each frame that needs no place any more: done, or running where it will be left running. */
  readonly settled: Uint8Array
  /** Money spent or committed so far; lowers what is left of a budget. */
  readonly spent?: number
  /** By offer id. */
  readonly offers?: Readonly<Record<string, OfferProgress>>
  /** New quotes; an offer with a known id replaces the old one. */
  readonly quotes?: readonly RouteOffer[]
  /** Frames that still run, for {@link Replan.copies}. */
  readonly running?: readonly RunningFrame[]
}

/** A frame that a farm is rendering now. */
export interface RunningFrame {
  readonly frame: number
  readonly offer: string
  /** Hours since it was started. */
  readonly forH: number
}

/** A new plan for what is left. */
export interface Replan {
  /** The problem of the remaining frames, in hours from now. */
  readonly problem: RouteProblem
  /** Frame of the original problem for each frame of the new one. */
  readonly frames: Uint32Array
  /** Answer for the new problem; left out when no frame needs a place. */
  readonly answer?: RouteAnswer
  /** Running frames worth a second copy elsewhere, and where. */
  readonly copies: readonly { readonly frame: number; readonly offer: string }[]
}

/** Frames of prior belief in a farm's own figures when its observed speed is averaged in. */
const PRIOR_FRAMES = 4
/** A running frame that has taken this many times its planned hours is taken to be stuck or straggling. */
const OVERDUE = 2

/**
 * Plans again what is left of a job. Call it when something happened (a farm failed, stalled or quoted anew, a route runs late) and
 * otherwise with a heartbeat of about five minutes.
 *
 * @throws PictorError `invalid-input` naming the bad field in `details.path`.
 */
export function replan(problem: RouteProblem, progress: RouteProgress): Replan {
  validateProblem(problem)
  validateProgress(problem, progress)
  const { settled } = progress
  const frames = Uint32Array.from({ length: settled.reduce((n, one) => n + (one === 0 ? 1 : 0), 0) })
  let at = 0
  settled.forEach((one, f) => {
    if (one === 0) frames[at++] = f
  })
  const rest = remaining(problem, progress, frames)
  const copies = overdue(problem, progress)
  return frames.length === 0 ? { problem: rest, frames, copies } : { problem: rest, frames, answer: solveRoute(rest), copies }
}

/** Refuses malformed progress; new quotes are checked with the problem that they become part of. */
function validateProgress(problem: RouteProblem, progress: RouteProgress): void {
  const { nowH, settled } = progress
  if (!(nowH >= 0 && nowH < Infinity)) throw invalid('progress.nowH', 'a finite number >= 0', nowH)
  if (!(settled instanceof Uint8Array) || settled.length !== problem.work.length) {
    throw invalid('progress.settled', `a Uint8Array of ${problem.work.length} entries`, settled)
  }
  for (const [id, seen] of Object.entries(progress.offers ?? {})) {
    for (const key of ['slowness', 'sampled', 'readyInH', 'usedNodeH'] as const) {
      const value = seen[key]
      if (value !== undefined && !(value >= 0 && value < Infinity)) {
        throw invalid(`progress.offers.${id}.${key}`, 'a finite number >= 0', value)
      }
    }
  }
  if (progress.spent !== undefined && !(progress.spent >= 0 && progress.spent < Infinity)) {
    throw invalid('progress.spent', 'a finite number >= 0', progress.spent)
  }
  progress.running?.forEach(({ frame, forH }, i) => {
    if (!(Number.isInteger(frame) && frame >= 0 && frame < problem.work.length)) {
      throw invalid(`progress.running[${i}].frame`, `a frame of the problem, 0 to ${problem.work.length - 1}`, frame)
    }
    if (!(forH >= 0 && forH < Infinity)) throw invalid(`progress.running[${i}].forH`, 'a finite number >= 0', forH)
  })
}

function remaining(problem: RouteProblem, progress: RouteProgress, frames: Uint32Array): RouteProblem {
  const startedOn = new Map(
    problem.offers.flatMap((offer) => (progress.offers?.[offer.id]?.started === true ? [[offer.farm, offer.id] as const] : [])),
  )
  const fresh = new Map((progress.quotes ?? []).map((offer) => [offer.id, offer]))
  const offers = problem.offers.map((offer) => fresh.get(offer.id) ?? offer)
  for (const offer of fresh.values()) if (!problem.offers.some((old) => old.id === offer.id)) offers.push(offer)
  return {
    ...problem,
    work: Float64Array.from(frames, (f) => problem.work[f] as number),
    classOf: Uint16Array.from(frames, (f) => problem.classOf[f] as number),
    offers: offers.map((offer) => {
      const now = updated(offer, progress.offers?.[offer.id], progress.nowH)
      // A farm that works on one tier does not take the job on another as well.
      const other = startedOn.get(offer.farm)
      return other !== undefined && other !== offer.id ? { ...now, quarantined: true } : now
    }),
    goal: laterGoal(problem.goal, progress),
  }
}

function laterGoal(goal: RouteGoal, progress: RouteProgress): RouteGoal {
  if (goal.kind === 'cheapest') return { ...goal, deadlineH: Math.max(0, goal.deadlineH - progress.nowH) }
  if (goal.kind === 'fastest') return { ...goal, budget: Math.max(0, goal.budget - (progress.spent ?? 0)) }
  return goal
}

/** The offer as it stands now: observed speed, what lies behind it, and what of its price is spent. */
function updated(offer: RouteOffer, seen: OfferProgress | undefined, nowH: number): RouteOffer {
  if (seen === undefined) return offer
  const sampled = seen.slowness === undefined ? 0 : (seen.sampled ?? 1)
  const slowness = (PRIOR_FRAMES + sampled * (seen.slowness ?? 1)) / (PRIOR_FRAMES + sampled)
  const used = seen.usedNodeH ?? 0
  const { price } = offer
  const tiers = price.tiers ?? [{ fromNodeH: 0, factor: 1 }]
  const usedPrice = volume(tiers, price.perNodeH, used)
  return {
    ...offer,
    quarantined: offer.quarantined === true || seen.lost === true,
    readyH: seen.readyInH ?? (seen.started === true ? 0 : Math.max(0, offer.readyH - nowH)),
    // Hosts that have the scene loaded do not load it again.
    startH: seen.started === true ? 0 : offer.startH,
    perFrameH: offer.perFrameH * slowness,
    hoursPerWork: offer.hoursPerWork.map((hours) => (hours === null ? null : hours * slowness)),
    price: {
      ...price,
      fixed: seen.started === true ? 0 : (price.fixed ?? 0),
      minCharge: seen.started === true ? Math.max(0, (price.minCharge ?? 0) - usedPrice) : (price.minCharge ?? 0),
      tiers: shifted(tiers, used),
    },
  }
}

type Tiers = readonly { readonly fromNodeH: number; readonly factor: number }[]

function volume(tiers: Tiers, perNodeH: number, hours: number): number {
  let sum = 0
  tiers.forEach((tier, i) => {
    const high = tiers[i + 1]?.fromNodeH ?? Infinity
    if (hours > tier.fromNodeH) sum += (Math.min(hours, high) - tier.fromNodeH) * perNodeH * tier.factor
  })
  return sum
}

function shifted(tiers: Tiers, used: number): Tiers {
  const at = Math.max(
    0,
    tiers.findLastIndex((tier) => tier.fromNodeH <= used),
  )
  return tiers.slice(at).map((tier, i) => ({ ...tier, fromNodeH: i === 0 ? 0 : tier.fromNodeH - used }))
}

/** Frames that take far longer than planned, each with the offer that would render a copy soonest. */
function overdue(problem: RouteProblem, progress: RouteProgress): { frame: number; offer: string }[] {
  const byId = new Map(problem.offers.map((offer) => [offer.id, offer]))
  const lost = (id: string) => progress.offers?.[id]?.lost === true
  return (progress.running ?? []).flatMap(({ frame, offer, forH }) => {
    const here = byId.get(offer)
    const planned = here === undefined ? 0 : hoursOn(problem, here, frame)
    const slow = progress.offers?.[offer]?.slowness ?? 1
    if (!lost(offer) && forH < OVERDUE * planned * Math.max(1, slow)) return []
    let best: string | undefined
    let soonest = Infinity
    for (const other of problem.offers) {
      if (other.id === offer || other.quarantined === true || lost(other.id) || (other.farm === here?.farm && !lost(offer)))
        continue
      const seen = progress.offers?.[other.id]
      // A copy must not open a new farm: it goes where hosts already run.
      if (seen?.started !== true) continue
      const hours = hoursOn(problem, other, frame) * (seen.slowness ?? 1) + (seen.readyInH ?? 0) + other.deliverH
      if (hours > 0 && hours < soonest) {
        soonest = hours
        best = other.id
      }
    }
    return best === undefined ? [] : [{ frame, offer: best }]
  })
}

function hoursOn(problem: RouteProblem, offer: RouteOffer, frame: number): number {
  const rate = offer.hoursPerWork[problem.classOf[frame] as number] ?? null
  return rate === null ? Infinity : offer.perFrameH + rate * (problem.work[frame] as number)
}
