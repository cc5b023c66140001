import { formatFrames } from '../contract/frames.ts'
import type { Estimate } from '../contract/job.ts'
import type { Offer, Quote } from '../contract/quote.ts'
import type { RouteGoal, RouteProblem } from '../route/index.ts'
import { offerId, routeOffers, type FarmKnowledge } from './offers.ts'

/** The routing problem of a job: its frames with their estimated work, every offer of every quote. */
export function routeProblem(
  estimate: Estimate,
  quotes: readonly Quote[],
  known: Readonly<Record<string, FarmKnowledge>>,
  goal: RouteGoal,
): RouteProblem {
  return {
    classes: estimate.classes.map(({ id }) => id),
    work: Float64Array.from(estimate.work),
    classOf: Uint16Array.from(estimate.work, (_, i) => estimate.classOf?.[i] ?? 0),
    offers: routeOffers(quotes, known),
    goal,
  }
}

/** The offer behind a route's offer id. */
export function findOffer(quotes: readonly Quote[], id: string): { readonly quote: Quote; readonly offer: Offer } | undefined {
  for (const quote of quotes) for (const offer of quote.offers) if (offerId(quote.farm, offer.id) === id) return { quote, offer }
  return undefined
}

/** Frame numbers of a list of indices into the expanded frames. */
export function framesAt(
  frames: readonly number[],
  indices: Iterable<number>,
): { readonly list: number[]; readonly expression: string } {
  const list = Array.from(indices, (i) => frames[i]!).sort((a, b) => a - b)
  return { list, expression: formatFrames(list) }
}
