import type { Inspection } from '../contract/inspect.ts'
import type { Estimate, JobSpec } from '../contract/job.ts'
import type { Bytes32 } from '../contract/messages.ts'
import type { Money } from '../contract/money.ts'
import type { Decline, Quote } from '../contract/quote.ts'
import type { FarmParty } from '../run/index.ts'

/** One farm's share of a plan under one offer. */
export interface PlanRoute {
  readonly farm: string
  /** Id of the offer in the farm's quote. */
  readonly offer: string
  readonly hosts: number
  /** Frame range expression. */
  readonly frames: string
  /** Frames, or tiles where frames are split. */
  readonly frameCount: number
  /** Where frames are split: the route's tiles, by their number from 1. */
  readonly tiles?: readonly { readonly part: number; readonly frames: string }[]
  /** In the smallest unit of the plan's currency, rounded up. */
  readonly cost: bigint
  readonly finishMs: number
}

/** A way to render the whole job, with its proof of how good it is. Plain data: it can be kept, sent and submitted later, until its quotes expire. */
export interface Plan {
  readonly contract: 1
  readonly kind: 'plan'
  /** The run that submitting it starts: the same plan twice is the same run. */
  readonly run: Bytes32
  readonly label: 'cheapest' | 'fastest'
  readonly createdAtMs: number
  readonly validUntilAtMs: number
  readonly spec: JobSpec
  /** Frames, or tiles where frames are split: what is leased, checked and paid one by one. */
  readonly frameCount: number
  readonly routes: readonly PlanRoute[]
  /** What the farms earn when every frame is accepted. */
  readonly cost: Money
  /** Certified: no plan that meets the same deadline costs less, by these quotes and estimates. */
  readonly lowerBound: Money
  /** When the last frame is expected to be rendered, milliseconds after `createdAtMs`. */
  readonly finishMs: number
  /** Host time of each checker's own renders, beside the farms', when it is as fast as the machine that was probed. Where checkers share a machine with farms, both take longer. */
  readonly checkMs: number
  /** Chance to meet the deadline under mild noise (docs/routing.md), 0..1, before any re-plan. */
  readonly hitProbability: number
  /** Fee for checking one frame, all checkers together. */
  readonly checkFee: bigint
  readonly checkCost: Money
  /** Frames drawn for a render comparison, in thousandths, and the chance that a farm which spoils a tenth of its frames escapes. */
  readonly samplingPerMille: number
  readonly escapeProbability: number
  readonly estimate: Estimate
  /** With measured speeds written in. */
  readonly quotes: readonly Quote[]
  readonly declines: readonly Decline[]
  readonly parties: Readonly<Record<string, FarmParty>>
}

/** A point of the cost/time frontier. Cost in whole currency units. */
export interface PlanPoint {
  readonly finishMs: number
  readonly cost: number
  readonly boundCost: number
}

/** What a creator chooses from. */
export interface PlanSet {
  readonly inspection: Inspection
  /** Least cost that meets the deadline. */
  readonly cheapest: Plan
  /** Earliest finish that the budget pays for. */
  readonly fastest: Plan
  readonly frontier: readonly PlanPoint[]
  /** The cheapest plan for another deadline, from the same probes and quotes. `plannedShare` as in the request. @throws deadline-impossible, budget-too-small */
  cheapestBy(deadline: string | number, plannedShare?: number): Plan
}
