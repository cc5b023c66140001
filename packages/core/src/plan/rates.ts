import type { CallContext, Clock } from '../contract/context.ts'
import { invalid } from '../contract/error.ts'
import type { Farm } from '../contract/farm.ts'
import type { Address, DigestSigner } from '../contract/messages.ts'
import type { Decline, OfferPrice, Quote } from '../contract/quote.ts'
import type { RateQuote, RateSource } from '../contract/rate.ts'
import { signRate, verifyRate } from '../proof/index.ts'

/** What farms quote in; a job in another currency is planned at a rate from this one. */
const FARM_CURRENCY = 'USD'

/** A rate source of one's own: `amountsOf` says what something costs now, `signer` answers for it for `validForMs`. */
export function signedRates(options: {
  readonly signer: DigestSigner
  /** Name of where the amounts come from. */
  readonly source: string
  readonly validForMs: number
  readonly amountsOf: (
    pair: { readonly from: string; readonly to: string },
    ctx: CallContext,
  ) => Promise<{ readonly fromAmount: bigint; readonly toAmount: bigint }>
  readonly clock: Pick<Clock, 'now'>
}): RateSource {
  const { signer, source, validForMs, amountsOf, clock } = options
  return {
    quoter: signer.address,
    async quote(pair, ctx) {
      const amounts = await amountsOf(pair, ctx)
      const quotedAtMs = clock.now()
      return signRate(signer, { ...pair, ...amounts, quotedAtMs, expiresAtMs: quotedAtMs + validForMs, source })
    },
  }
}

/** An amount at a rate, rounded up so that nobody is paid less than its price. */
export function atRate(amount: bigint, { fromAmount, toAmount }: Pick<RateQuote, 'fromAmount' | 'toAmount'>): bigint {
  return (amount * toAmount + fromAmount - 1n) / fromAmount
}

function priceAtRate(price: OfferPrice, rate: RateQuote): OfferPrice {
  return {
    ...price,
    perHostHour: atRate(price.perHostHour, rate),
    minCharge: atRate(price.minCharge, rate),
    fixed: atRate(price.fixed, rate),
    perFrame: atRate(price.perFrame, rate),
  }
}

/** A quote in the rate's currency. It carries the rate, so the terms' quoteHash covers rate and expiry, and it ends when either does. */
export function quoteAtRate(quote: Quote, rate: RateQuote): Quote {
  return {
    ...quote,
    currency: rate.to,
    validUntilAtMs: Math.min(quote.validUntilAtMs, rate.expiresAtMs),
    offers: quote.offers.map((offer) => ({ ...offer, price: priceAtRate(offer.price, rate) })),
    rate,
  }
}

/** Farms as they quote for a job in any currency that `source` has a rate for. One rate serves the whole network while more than half of its time is left. */
export function farmsAtRate(source: RateSource, clock: Pick<Clock, 'now'>): (farm: Farm) => Farm {
  const known = new Map<string, RateQuote>()
  const rateTo = async (to: string, ctx: CallContext): Promise<RateQuote> => {
    const kept = known.get(to)
    if (kept && clock.now() < (kept.quotedAtMs + kept.expiresAtMs) / 2) return kept
    const rate = await source.quote({ from: FARM_CURRENCY, to }, ctx)
    verifyRate(rate, { quoter: source.quoter, from: FARM_CURRENCY, to, nowMs: clock.now() })
    known.set(to, rate)
    return rate
  }
  return (farm) => ({
    ...farm,
    async quote(request, ctx): Promise<Quote | Decline> {
      const { budget } = request.spec
      if (budget.currency === FARM_CURRENCY) return farm.quote(request, ctx)
      const rate = await rateTo(budget.currency, ctx)
      const amount = (budget.amount * rate.fromAmount) / rate.toAmount
      const spec = { ...request.spec, budget: { amount, currency: FARM_CURRENCY } }
      const answer = await farm.quote({ ...request, spec }, ctx)
      return answer.kind === 'quote' && answer.currency === FARM_CURRENCY ? quoteAtRate(answer, rate) : answer
    },
  })
}

/**
 * Makes sure, before money is locked, that every rate in a plan's quotes was signed by the trusted quoter and holds now.
 * @throws signature-invalid, invalid-input naming the quote
 */
export function requireRates(quotes: readonly Quote[], quoter: Address | undefined, nowMs: number): void {
  for (const [i, { rate, currency }] of quotes.entries()) {
    if (!rate) continue
    const path = `plan.quotes[${i}].rate`
    if (quoter === undefined) throw invalid(path, 'no rate, since this Pictor has no rate source', rate.quoter)
    verifyRate(rate, { quoter, from: FARM_CURRENCY, to: currency, nowMs }, path)
  }
}
