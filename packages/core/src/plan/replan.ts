import { parseFrames } from '../contract/frames.ts'
import type { Estimate } from '../contract/job.ts'
import { solveInWorker } from '../run/route-worker.ts'
import type { Allocation, Replan, ReplanRequest } from '../run/index.ts'
import { findOffer, routeProblem } from './problem.ts'

const HOUR_MS = 3_600_000

/**
 * Places frames again through the router: the remaining farms, the time left, the frames that need a farm. When no split meets the deadline any more, the fastest
 * one is taken: late frames are better than none until the job gives up.
 */
export const replanByRoute: Replan = async (request) => {
  const quotes = request.quotes.filter((quote) => request.excluded[quote.farm] === undefined && quote.offers.length > 0)
  if (quotes.length === 0 || request.frames.length === 0) return []
  const all = parseFrames(request.spec.frames)
  const wanted = new Set(request.frames)
  const indices = [...all.keys()].filter((i) => wanted.has(all[i]!))
  const estimate: Estimate = {
    work: request.work,
    low: 1,
    high: 1,
    classes: [{ id: 'scene', memoryMiB: 0 }],
    basis: [],
    probeMs: 0,
  }
  const leftH = Math.max(0, request.deadlineAtMs - request.atMs) / HOUR_MS
  const known = Object.fromEntries(quotes.map((quote) => [quote.farm, {}]))
  const byDeadline = await solveInWorker(routeProblem(estimate, quotes, known, { kind: 'cheapest', deadlineH: leftH }, indices))
  const answer =
    byDeadline.kind === 'plan'
      ? byDeadline
      : await solveInWorker(routeProblem(estimate, quotes, known, { kind: 'cheapest', deadlineH: 24 * 365 }, indices))
  if (answer.kind !== 'plan') return []
  return allocations(
    request,
    answer.routes.map((route) => route.offer),
    answer.assign,
    indices,
    all,
  )
}

function allocations(
  request: ReplanRequest,
  offers: readonly string[],
  assign: Uint16Array,
  indices: readonly number[],
  all: readonly number[],
): Allocation[] {
  return offers
    .map((id, index): Allocation => {
      const { quote, offer } = findOffer(request.quotes, id)!
      return {
        farm: quote.farm,
        offer: offer.id,
        frames: indices.filter((_, position) => assign[position] === index).map((i) => all[i]!),
      }
    })
    .filter((allocation) => allocation.frames.length > 0)
}
