import type { Decline, Estimate, Offer, OfferPrice, Quote, QuoteRequest, RateQuote } from '@pictor/core/contract'
import { bigint, count, ext, flag, list, named, nullable, object, optional, tagged, word, type Schema } from '../schema.ts'
import { address, atMs, contract, currency, hostRating, name, signature, words, zeroOrMore } from './basics.ts'
import { jobSpecSchema } from './job.ts'

const estimate = named(
  'Estimate',
  object<Estimate>({
    work: list(zeroOrMore, 10_000_000),
    low: zeroOrMore,
    high: zeroOrMore,
    classes: list(object<Estimate['classes'][number]>({ id: name, memoryMiB: zeroOrMore }), 1_000, 1),
    classOf: optional(list(count(), 10_000_000)),
    rating: optional(hostRating),
    basis: list(words, 1_000),
    probeMs: zeroOrMore,
  }),
)

/** What a farm prices. */
export const quoteRequestSchema: Schema<QuoteRequest> = named(
  'QuoteRequest',
  object<QuoteRequest>({ spec: jobSpecSchema, estimate, atMs }),
)

const offerPrice = object<OfferPrice>({
  perHostHour: bigint,
  tiers: optional(list(object<NonNullable<OfferPrice['tiers']>[number]>({ fromHostMs: zeroOrMore, perMille: count() }), 1_000)),
  stepMs: zeroOrMore,
  minCharge: bigint,
  fixed: bigint,
  perFrame: bigint,
})
const offer = named(
  'Offer',
  object<Offer>({
    id: name,
    tier: name,
    hosts: count(1),
    readyMs: zeroOrMore,
    startMs: zeroOrMore,
    billStart: flag,
    perFrameMs: zeroOrMore,
    deliverMs: zeroOrMore,
    msPerWork: list(nullable(zeroOrMore), 1_000),
    price: offerPrice,
    ext,
  }),
)
const rate: Schema<RateQuote> = object<RateQuote>({
  from: currency,
  to: currency,
  fromAmount: bigint,
  toAmount: bigint,
  quotedAtMs: atMs,
  expiresAtMs: atMs,
  source: words,
  quoter: address,
  signature,
})
/** A quote or a decline. */
export const quoteSchema: Schema<Quote | Decline> = tagged<Quote | Decline>('kind', {
  quote: named(
    'Quote',
    object<Quote>({
      contract,
      kind: word('quote'),
      id: name,
      farm: name,
      currency,
      validUntilAtMs: atMs,
      firmness: word('estimate', 'ceiling', 'locked'),
      offers: list(offer, 1_000),
      basis: list(words, 1_000),
      seenBy: optional(list(name, 1_000)),
      rate: optional(rate),
      ext,
    }),
  ),
  decline: named(
    'Decline',
    object<Decline>({
      contract,
      kind: word('decline'),
      farm: name,
      reason: word(
        'software',
        'engine',
        'memory',
        'capacity',
        'license',
        'region',
        'currency',
        'asset',
        'deadline',
        'policy',
        'unreachable',
      ),
      message: words,
      retryAfterMs: optional(zeroOrMore),
    }),
  ),
})
