import type { Estimate, JobSpec } from './job.js'
export interface QuoteRequest {
  readonly spec: JobSpec
  readonly estimate: Estimate
  readonly atMs: number
}
export interface OfferPrice {
  readonly perHostHour: bigint
  readonly tiers?: readonly {
    readonly fromHostMs: number
    readonly perMille: number
  }[]
  readonly stepMs: number
  readonly minCharge: bigint
  readonly fixed: bigint
  readonly perFrame: bigint
}
export interface Offer {
  readonly id: string
  readonly tier: string
  readonly hosts: number
  readonly readyMs: number
  readonly startMs: number
  readonly billStart: boolean
  readonly perFrameMs: number
  readonly deliverMs: number
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
  readonly firmness: 'estimate' | 'ceiling' | 'locked'
  readonly offers: readonly Offer[]
  readonly basis: readonly string[]
  readonly seenBy?: readonly string[]
  readonly ext?: Readonly<Record<string, unknown>>
}
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
