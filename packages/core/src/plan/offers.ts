import { decimalsOf } from '../contract/money.ts'
import type { Offer, Quote } from '../contract/quote.ts'
import { offersFromQuotes, type RouteOffer } from '../route/index.ts'

/** What core knows about a farm beyond its quote. */
export interface FarmKnowledge {
  /** Host-milliseconds a unit of work, measured by probes; replaces the farm's own figure. */
  readonly msPerWork?: number
  /** Scene load measured by probes. */
  readonly startMs?: number
  /** Trust in its results, 0..1. */
  readonly trust?: number
  readonly quarantined?: boolean
}

/** Name of an offer inside one problem: farm and offer together are unique. */
export function offerId(farm: string, offer: string): string {
  return `${farm}/${offer}`
}

/** The offers of quotes for the router, with ids that are unique over all farms, and what core knows of the farms. {@link Offer} stays the truth for bills. */
export function routeOffers(quotes: readonly Quote[], known: Readonly<Record<string, FarmKnowledge>>): RouteOffer[] {
  return quotes.flatMap((quote) => {
    const { trust, quarantined, ...speed } = known[quote.farm] ?? {}
    const offers = quote.offers.map((offer) => knownOffer(offer, speed))
    return offersFromQuotes([{ ...quote, offers }], 10 ** decimalsOf(quote.currency)).map((offer) => ({
      ...offer,
      id: offerId(offer.farm, offer.id),
      ...(trust === undefined ? {} : { trust }),
      ...(quarantined ? { quarantined: true } : {}),
    }))
  })
}

/** The offer that a route was chosen from, with what core measured written into it, so that bills and times rest on the same figures as the plan. */
export function knownOffer(offer: Offer, known: FarmKnowledge): Offer {
  return {
    ...offer,
    startMs: known.startMs ?? offer.startMs,
    msPerWork: offer.msPerWork.map((ms) => (ms === null ? null : (known.msPerWork ?? ms))),
  }
}
