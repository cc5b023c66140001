import type { Offer, Quote } from '../contract/quote.ts'
import type { RouteOffer } from './problem.ts'

const MS_PER_HOUR = 3_600_000

/**
 * Turns the offers of quotes into offers of a routing problem, one to one. Prices of a quote are gross and in the smallest unit of its
 * currency; `unitsPerMajor` (1e6 for USD in micro-dollars) scales them to the floats the router compares.
 */
export function offersFromQuotes(quotes: readonly Quote[], unitsPerMajor: number): RouteOffer[] {
  return quotes.flatMap((quote) => quote.offers.map((offer) => offerFromQuote(quote.farm, offer, unitsPerMajor)))
}

function offerFromQuote(farm: string, offer: Offer, unitsPerMajor: number): RouteOffer {
  const money = (amount: bigint) => Number(amount) / unitsPerMajor
  return {
    id: offer.id,
    farm,
    nodes: offer.hosts,
    readyH: offer.readyMs / MS_PER_HOUR,
    startH: offer.startMs / MS_PER_HOUR,
    billStart: offer.billStart,
    perFrameH: offer.perFrameMs / MS_PER_HOUR,
    deliverH: offer.deliverMs / MS_PER_HOUR,
    hoursPerWork: offer.msPerWork.map((ms) => (ms === null ? null : ms / MS_PER_HOUR)),
    price: {
      perNodeH: money(offer.price.perHostHour),
      tiers: (offer.price.tiers ?? [{ fromHostMs: 0, perMille: 1000 }]).map((tier) => ({
        fromNodeH: tier.fromHostMs / MS_PER_HOUR,
        factor: tier.perMille / 1000,
      })),
      stepH: offer.price.stepMs / MS_PER_HOUR,
      minCharge: money(offer.price.minCharge),
      fixed: money(offer.price.fixed),
      perFrame: money(offer.price.perFrame),
    },
  }
}

/** A float cost as an integer bill in the smallest unit, rounded up; noise of a millionth of a unit is not a unit. */
export function billOf(cost: number, unitsPerMajor: number): bigint {
  return BigInt(Math.ceil(cost * unitsPerMajor - 1e-6))
}
