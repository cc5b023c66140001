import { money, type Decline, type ListedPrice, type Offer, type Quote, type QuoteRequest } from '@pictor/core/contract'

/** One published rate of a farm that has no API; in US dollars. */
export interface PriceFigure extends ListedPrice {
  readonly device: 'cpu' | 'gpu'
  readonly unit: 'GHz-hour' | 'OctaneBench-hour'
  readonly currency: 'USD'
}

/** Figures older than this many days warn. */
export const STALE_DAYS = 90

/** How a lane without a price from the farm estimates its offers. */
export interface PriceOptions {
  readonly farm: string
  readonly figures: readonly PriceFigure[]
  readonly device: 'cpu' | 'gpu'
  /** Rating of one host in the unit of the figures: GHz (cores x clock) or OctaneBench. */
  readonly hostRating?: number
  /** Rating, in the same unit, of the machine whose seconds the estimate counts. Left out: what the estimate says of it, else taken as equal to a host. */
  readonly referenceRating?: number
  /** Hosts where no figure gives a limit. */
  readonly hosts?: number
  /** Queue and upload, in milliseconds. */
  readonly readyMs: number
  readonly validForMs: number
  readonly remarks: readonly string[]
}

/** Why a figure may mislead, or undefined. */
export function staleness({ asOf, source }: PriceFigure, nowMs: number): string | undefined {
  const days = Math.floor((nowMs - Date.parse(asOf)) / 86_400_000)
  return days > STALE_DAYS ? `warning: the price from ${source} is ${days} days old` : undefined
}

/** Offers from published figures: an estimate, never a binding price. Tiers without a published rate make no offer. */
export function quoteFrom(request: QuoteRequest, options: PriceOptions, nowMs: number): Quote | Decline {
  const { farm, figures, device, hostRating } = options
  const decline = (reason: Decline['reason'], message: string): Decline => ({
    contract: 1,
    kind: 'decline',
    farm,
    reason,
    message,
  })
  const priced = figures.filter((figure) => figure.device === device && figure.rate !== undefined)
  if (priced.length === 0) return decline('policy', `nobody has published a ${device} price of this farm: give one in \`prices\``)
  if (hostRating === undefined)
    return decline('policy', `the rating of a host is not published: give \`host.rating\` in ${priced[0]!.unit.slice(0, -5)}`)
  if (request.spec.budget.currency !== 'USD') return decline('currency', 'prices of this farm are in USD')
  const basis = [...options.remarks]
  const offers = priced.flatMap((figure): Offer[] => {
    const hosts = figure.hosts ?? options.hosts
    if (hosts === undefined) return []
    basis.push(
      `${figure.tier} ${device}: ${figure.rate} USD per ${figure.unit}, ${figure.source}, ${figure.asOf}, trust ${figure.trust}`,
    )
    const warning = staleness(figure, nowMs)
    if (warning) basis.push(warning)
    return [offerFrom(figure, hosts, options, request)]
  })
  if (offers.length === 0) return decline('policy', 'no limit of hosts is published: give `host.hosts`')
  const reference = referenceOf(options, request)
  if (reference.rating === undefined)
    basis.push('speed: one host is taken as equal to the machine that made the estimate; give `reference` to correct it')
  else
    basis.push(
      `speed: the estimate's machine counts ${reference.rating} ${priced[0]!.unit.slice(0, -5)} (${reference.basis}), a host here ${hostRating}`,
    )
  return {
    contract: 1,
    kind: 'quote',
    id: `${farm}-${nowMs}`,
    farm,
    currency: 'USD',
    validUntilAtMs: nowMs + options.validForMs,
    firmness: 'estimate',
    offers,
    basis,
  }
}

/** The rating of the machine that made the estimate: the caller's, else what its farm says of it. */
function referenceOf(
  { referenceRating, device }: PriceOptions,
  { estimate }: QuoteRequest,
): { readonly rating?: number; readonly basis: string } {
  if (referenceRating !== undefined) return { rating: referenceRating, basis: 'given in the options' }
  const rating = device === 'cpu' ? estimate.rating?.ghz : estimate.rating?.octaneBench
  return rating !== undefined && rating > 0 ? { rating, basis: estimate.rating!.basis } : { basis: '' }
}

function offerFrom(figure: PriceFigure, hosts: number, options: PriceOptions, request: QuoteRequest): Offer {
  const { estimate } = request
  const rating = options.hostRating!
  // Ratings have decimals; thousandths keep the product exact in integers.
  const perHostHour = (money(figure.rate!, 'USD').amount * BigInt(Math.round(rating * 1_000))) / 1_000n
  const msPerWork = (1_000 * (referenceOf(options, request).rating ?? rating)) / rating
  return {
    id: `${figure.tier}-${figure.device}`,
    tier: figure.tier,
    hosts,
    readyMs: options.readyMs,
    startMs: 0,
    billStart: true,
    perFrameMs: 0,
    deliverMs: 60_000,
    msPerWork: estimate.classes.map(() => msPerWork),
    price: { perHostHour, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n },
    ext: { source: figure.source, asOf: figure.asOf, trust: figure.trust },
  }
}

/** Published figures with the caller's own rates in place of the published ones. */
export function withOwnPrices(
  figures: readonly PriceFigure[],
  own: Readonly<Record<string, string>> | undefined,
  device: 'cpu' | 'gpu',
  asOf: string,
): PriceFigure[] {
  return figures.map((figure) => {
    const rate = figure.device === device ? own?.[figure.tier] : undefined
    return rate === undefined ? figure : { ...figure, rate, source: 'prices in the adapter’s options', asOf, trust: 'own' }
  })
}
