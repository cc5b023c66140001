import type { RouteProblem } from './problem.ts'

/** The offers of a problem as columns of numbers, in the order of `problem.offers`; quarantined offers render no class. */
export interface OfferTables {
  readonly offers: number
  readonly classes: number
  readonly farms: number
  readonly farmOf: Int32Array
  readonly nodes: Float64Array
  /** readyH + startH + deliverH: what a deadline loses before and after rendering. */
  readonly overheadH: Float64Array
  /** startH where it is billed, else 0. */
  readonly billedStartH: Float64Array
  readonly perFrameH: Float64Array
  /** Node-hours a work unit, `offer * classes + class`; 0 = incompatible. */
  readonly hoursPerWork: Float64Array
  readonly stepH: Float64Array
  readonly minCharge: Float64Array
  readonly fixed: Float64Array
  /** Charge a frame, with the expected checking cost. */
  readonly perFrame: Float64Array
  /** Bounds of the volume tiers and the price of a node-hour from there on. */
  readonly tierFrom: readonly Float64Array[]
  readonly tierPrice: readonly Float64Array[]
}

/** Compiles the offers of a valid problem. */
export function offerTables(problem: RouteProblem): OfferTables {
  const n = problem.offers.length
  const classes = problem.classes.length
  const farmIds = new Map<string, number>()
  const column = () => new Float64Array(n)
  const tables = {
    offers: n,
    classes,
    farms: 0,
    farmOf: new Int32Array(n),
    nodes: column(),
    overheadH: column(),
    billedStartH: column(),
    perFrameH: column(),
    hoursPerWork: new Float64Array(n * classes),
    stepH: column(),
    minCharge: column(),
    fixed: column(),
    perFrame: column(),
    tierFrom: [] as Float64Array[],
    tierPrice: [] as Float64Array[],
  }
  const checking = problem.checking
  problem.offers.forEach((offer, o) => {
    const farm = farmIds.get(offer.farm) ?? farmIds.size
    farmIds.set(offer.farm, farm)
    tables.farmOf[o] = farm
    tables.nodes[o] = offer.nodes
    tables.overheadH[o] = offer.readyH + offer.startH + offer.deliverH
    tables.billedStartH[o] = offer.billStart ? offer.startH : 0
    tables.perFrameH[o] = offer.perFrameH
    offer.hoursPerWork.forEach((hours, c) => {
      tables.hoursPerWork[o * classes + c] = offer.quarantined === true ? 0 : (hours ?? 0)
    })
    const { price } = offer
    tables.stepH[o] = price.stepH ?? 0
    tables.minCharge[o] = price.minCharge ?? 0
    tables.fixed[o] = price.fixed ?? 0
    const share = checking === undefined ? 0 : checking.baseShare + checking.distrustShare * (1 - (offer.trust ?? 1))
    tables.perFrame[o] = (price.perFrame ?? 0) + (checking === undefined ? 0 : checking.costPerFrame * share)
    const tiers = price.tiers ?? [{ fromNodeH: 0, factor: 1 }]
    tables.tierFrom.push(Float64Array.from(tiers, (tier) => tier.fromNodeH))
    tables.tierPrice.push(Float64Array.from(tiers, (tier) => tier.factor * price.perNodeH))
  })
  tables.farms = farmIds.size
  return tables
}

/** Node-hours of one frame on an offer, or 0 when the class is incompatible. */
export function frameHours(tables: OfferTables, offer: number, work: number, cls: number): number {
  const hours = tables.hoursPerWork[offer * tables.classes + cls] as number
  return hours === 0 ? 0 : (tables.perFrameH[offer] as number) + hours * work
}
