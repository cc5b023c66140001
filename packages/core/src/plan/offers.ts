import { decimalsOf } from '../contract/money.ts'
import type { Offer, Quote } from '../contract/quote.ts'
import type { RouteOffer } from '../route/index.ts'

const HOUR_MS = 3_600_000

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

/** One offer of a quote as the router sees it: the same figures in hours and currency units. One to one; {@link Offer} stays the truth for bills. */
export function routeOffer(quote: Quote, offer: Offer, known: FarmKnowledge): RouteOffer {
  const unit = 10 ** decimalsOf(quote.currency)
  const { price } = offer
  return {
    id: offerId(quote.farm, offer.id),
    farm: quote.farm,
    nodes: offer.hosts,
    readyH: offer.readyMs / HOUR_MS,
    startH: (known.startMs ?? offer.startMs) / HOUR_MS,
    billStart: offer.billStart,
    perFrameH: offer.perFrameMs / HOUR_MS,
    deliverH: offer.deliverMs / HOUR_MS,
    hoursPerWork: offer.msPerWork.map((ms) => (ms === null ? null : (known.msPerWork ?? ms) / HOUR_MS)),
    price: {
      perNodeH: Number(price.perHostHour) / unit,
      ...(price.tiers
        ? { tiers: price.tiers.map((tier) => ({ fromNodeH: tier.fromHostMs / HOUR_MS, factor: tier.perMille / 1000 })) }
        : {}),
      stepH: price.stepMs / HOUR_MS,
      minCharge: Number(price.minCharge) / unit,
      fixed: Number(price.fixed) / unit,
      perFrame: Number(price.perFrame) / unit,
    },
    ...(known.trust === undefined ? {} : { trust: known.trust }),
    ...(known.quarantined ? { quarantined: true } : {}),
  }
}

/** The offer that a route was chosen from, with what core measured written into it, so that bills and times rest on the same figures as the plan. */
export function knownOffer(offer: Offer, known: FarmKnowledge): Offer {
  return {
    ...offer,
    startMs: known.startMs ?? offer.startMs,
    msPerWork: offer.msPerWork.map((ms) => (ms === null ? null : (known.msPerWork ?? ms))),
  }
}
