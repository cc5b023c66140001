import type { Estimate, JobSpec } from './job.ts'
import type { RateQuote } from './rate.ts'

/** What a farm prices. */
export interface QuoteRequest {
  readonly spec: JobSpec
  readonly estimate: Estimate
  readonly atMs: number
}

/** Price of a tier, gross (the platform's fee lies inside), in the smallest unit of the quote's currency. */
export interface OfferPrice {
  readonly perHostHour: bigint
  /** Incremental volume discounts: from this many host-milliseconds on, `perMille` of the price (1000 = full). The first starts at 0. */
  readonly tiers?: readonly { readonly fromHostMs: number; readonly perMille: number }[]
  /** Billing granularity of the route's total host time; 0 = exact. */
  readonly stepMs: number
  readonly minCharge: bigint
  readonly fixed: bigint
  readonly perFrame: bigint
}

/** One tier of one farm: enough numbers to price and time any share of the frames. Maps one to one on a RouteOffer. */
export interface Offer {
  readonly id: string
  readonly tier: string
  /** Most hosts (or slots) that work at once. */
  readonly hosts: number
  /** Queue and upload before the first host may start. */
  readonly readyMs: number
  /** Scene load a host. */
  readonly startMs: number
  readonly billStart: boolean
  readonly perFrameMs: number
  /** From the last frame's end until it is validated and delivered. */
  readonly deliverMs: number
  /** Host-milliseconds a unit of work, one entry a memory class of the estimate; a null entry means the class cannot be rendered here. */
  readonly msPerWork: readonly (number | null)[]
  readonly price: OfferPrice
  readonly ext?: Readonly<Record<string, unknown>>
}

export interface Quote {
  readonly contract: 1
  readonly kind: 'quote'
  readonly id: string
  readonly farm: string
  readonly currency: string
  readonly validUntilAtMs: number
  /** How firm the figures are. */
  readonly firmness: 'estimate' | 'ceiling' | 'locked'
  readonly offers: readonly Offer[]
  /** What the figures rest on, in words. */
  readonly basis: readonly string[]
  /** Who will see the scene. */
  readonly seenBy?: readonly string[]
  /** The rate at which the prices were put into `currency`. */
  readonly rate?: RateQuote
  readonly ext?: Readonly<Record<string, unknown>>
}

/** A farm that cannot render the job says why; that is a value, not an error. */
export interface Decline {
  readonly contract: 1
  readonly kind: 'decline'
  readonly farm: string
  readonly reason:
    | 'software'
    | 'engine'
    | 'memory'
    | 'capacity'
    | 'license'
    | 'region'
    | 'currency'
    | 'asset'
    | 'deadline'
    | 'policy'
    | 'unreachable'
  readonly message: string
  readonly retryAfterMs?: number
}
