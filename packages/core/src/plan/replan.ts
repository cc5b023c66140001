import { parseFrames } from '../contract/frames.ts'
import type { Estimate } from '../contract/job.ts'
import { decimalsOf } from '../contract/money.ts'
import type { OfferProgress, RouteGoal, RoutePlan } from '../route/index.ts'
import { replanInWorker } from '../run/route-worker.ts'
import type { Allocation, Replan, ReplanRequest } from '../run/index.ts'
import { offerId } from './offers.ts'
import { findOffer, routeProblem } from './problem.ts'

const HOUR_MS = 3_600_000
/** Shares of the time left that a new plan may use, in the order in which they are tried: what goes wrong once may go wrong again. */
const SHARES = [0.85, 0.97]
/** With less time than this there is nothing to keep in reserve. */
const LEAST_RESERVED_MS = 60_000

/**
 * Places frames again through the router: the farms that remain, at the speed they showed, the time left, the frames that need a farm.
 * When no split meets the deadline any more, the fastest one that the budget allows is taken, then the cheapest: late frames are better
 * than none until the job gives up.
 */
export const replanByRoute: Replan = async (request) => {
  const quotes = request.quotes.filter((quote) => request.excluded[quote.farm] === undefined && quote.offers.length > 0)
  if (quotes.length === 0 || request.frames.length === 0) return []
  const all = parseFrames(request.spec.frames)
  const wanted = new Set(request.frames)
  const estimate: Estimate = {
    work: request.work,
    low: 1,
    high: 1,
    classes: [{ id: 'scene', memoryMiB: 0 }],
    basis: [],
    probeMs: 0,
  }
  const settled = Uint8Array.from(all, (frame) => (wanted.has(frame) ? 0 : 1))
  const known = Object.fromEntries(quotes.map((quote) => [quote.farm, {}]))
  const offers = observedOffers(request)
  for (const goal of goals(request)) {
    const problem = routeProblem(estimate, quotes, known, goal)
    const { answer, frames } = await replanInWorker(problem, { nowH: 0, settled, offers })
    if (answer?.kind === 'plan') return allocations(request, answer, frames, all)
  }
  return []
}

/** What is wanted, then what is put up with. */
function goals(request: ReplanRequest): RouteGoal[] {
  const leftMs = Math.max(0, request.deadlineAtMs - request.atMs)
  const shares = leftMs > LEAST_RESERVED_MS ? SHARES : [1]
  const budget = Number(request.farmBudgetLeft) / 10 ** decimalsOf(request.spec.budget.currency)
  const maxFarms = request.spec.maxFarms ?? null
  return [
    ...shares.map((share): RouteGoal => ({ kind: 'cheapest', deadlineH: (share * leftMs) / HOUR_MS, maxFarms })),
    { kind: 'fastest', budget, maxFarms },
    { kind: 'cheapest', deadlineH: 24 * 365, maxFarms },
  ]
}

/** How the offers in use did so far, by offer id of the problem. */
function observedOffers({ observed }: ReplanRequest): Record<string, OfferProgress> {
  return Object.fromEntries(
    Object.entries(observed).map(([farm, seen]) => [
      offerId(farm, seen.offer),
      // Until something is rendered, queue and upload may still lie ahead.
      seen.slowness === undefined
        ? {}
        : {
            started: true,
            slowness: seen.slowness,
            sampled: seen.sampled,
            readyInH: seen.busyMs / HOUR_MS,
            usedNodeH: seen.usedMs / HOUR_MS,
          },
    ]),
  )
}

function allocations(request: ReplanRequest, plan: RoutePlan, frames: Uint32Array, all: readonly number[]): Allocation[] {
  return plan.routes.map(({ offer: id }, index): Allocation => {
    const { quote, offer } = findOffer(request.quotes, id)!
    return {
      farm: quote.farm,
      offer: offer.id,
      frames: Array.from(
        frames.filter((_, position) => plan.assign[position] === index),
        (i) => all[i]!,
      ),
    }
  })
}
