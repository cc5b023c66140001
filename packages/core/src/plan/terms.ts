import { PictorError } from '../contract/error.ts'
import type { Address, Lease, Terms } from '../contract/messages.ts'
import { formatMoney } from '../contract/money.ts'
import type { Quote } from '../contract/quote.ts'
import { leastFrameCap, sharePrice } from '../job/split.ts'
import { quoteHashOf, specHashOf } from '../proof/index.ts'
import type { Plan } from './plan.ts'

/** Who takes part in a job beside its farms, and the ledger's times. Seconds. */
export interface TermsParties {
  readonly creator: Address
  readonly leaseKey: Address
  readonly checkers: readonly Address[]
  /** How many checkers the registry draws instead; 0 or left out: `checkers` are named. */
  readonly registryDraw?: number
  readonly quorum: number
  readonly arbiter: Address
  readonly platform: Address
  readonly platformFeeBps: number
  readonly token: Address
  /** How long a batch waits for disputes; 0 is for development. */
  readonly disputeWindowS: number
  readonly recordMode?: 'full' | 'root'
}

/** Gaps between the times of a job, in seconds: long enough for a transaction under congestion, short enough that money is not kept. */
const ATTEST_S = 3600
const CLAIM_S = 3600
const REFUND_S = 3600
const RESOLVE_S = 72 * 3600
/** How long frames that no machine could judge wait for objections; an escrow refuses a refund before that (PROTOCOL.md, 8). */
const SLOW_WINDOW_S = 72 * 3600

/** Up to this many frames every frame's record is in the chain's events (facts: 1,523 gas a frame); above, only roots. */
const FULL_RECORDS = 10_000

/**
 * The terms of a plan. The whole budget is locked, split into what farms and what checkers may earn: headroom for frames that must be rendered again; what is
 * not earned comes back. `frameCap` is twice the dearest frame of the plan and of every quoted offer that could render the whole job for the farms' budget, so that a re-lease at a
 * dearer farm stays legal and a slip of a price does not.
 * @throws budget-too-small when the budget does not hold the plan and its checks
 */
export function makeTerms(plan: Plan, leases: readonly Lease[], parties: TermsParties): Terms {
  const { registryDraw = 0 } = parties
  const fee = plan.checkFee
  const checks = fee * BigInt(plan.frameCount)
  const budget = plan.spec.budget.amount
  if (plan.cost.amount + checks > budget)
    throw new PictorError(
      'budget-too-small',
      `the plan costs ${formatMoney({ ...plan.cost, amount: plan.cost.amount + checks })} with its checks, the budget is ${formatMoney(plan.spec.budget)}`,
      {
        details: { cheapest: (plan.cost.amount + checks).toString() },
      },
    )
  // Spare money goes to farms and checkers in the proportion of the plan.
  const spare = budget - plan.cost.amount - checks
  const checkSpare = plan.cost.amount + checks === 0n ? 0n : (spare * checks) / (plan.cost.amount + checks)
  const deadlineAtS = Math.ceil(plan.spec.deadlineAtMs / 1000)
  const farmBudget = plan.cost.amount + spare - checkSpare
  const dearest = [leastFrameCap(leases), ...fallbackFrames(plan, farmBudget)].reduce((most, one) => (one > most ? one : most))
  return {
    creator: parties.creator,
    runId: plan.run,
    token: parties.token,
    farmBudget,
    checkBudget: checks + checkSpare,
    frameCap: dearest > 0n ? 2n * dearest : 1n,
    checkFee: fee,
    specHash: specHashOf(plan.spec.render),
    bundleRoot: plan.spec.bundle.root,
    quoteHash: quoteHashOf(quoteDocument(plan.quotes, plan.estimate.work)),
    checkers: registryDraw > 0 ? [] : [...parties.checkers].sort(),
    registryDraw,
    quorum: parties.quorum,
    arbiter: parties.arbiter,
    leaseKey: parties.leaseKey,
    platform: parties.platform,
    platformFeeBps: parties.platformFeeBps,
    recordMode: parties.recordMode ?? (plan.frameCount <= FULL_RECORDS ? 'full' : 'root'),
    deadlineAtS,
    attestByS: deadlineAtS + ATTEST_S,
    claimTimeS: CLAIM_S,
    refundAfterS: deadlineAtS + ATTEST_S + Math.max(CLAIM_S + REFUND_S, longestWindow(parties.disputeWindowS)),
    disputeWindowS: parties.disputeWindowS,
    resolveByS: RESOLVE_S,
  }
}

/** What the heaviest frame costs alone under each offer that could render the whole job for the farms' budget: those that a re-plan falls back on. */
function fallbackFrames({ quotes, estimate }: Plan, farmBudget: bigint): bigint[] {
  const { work, classOf } = estimate
  const offers = quotes.flatMap((quote) => quote.offers)
  return offers.flatMap((offer) => {
    // A memory class that the offer cannot render has no time.
    const frameMs = work.map((one, unit) => offer.perFrameMs + (offer.msPerWork[classOf?.[unit] ?? 0] ?? Infinity) * one)
    const totalMs = frameMs.reduce((sum, ms) => sum + ms, 0)
    if (!Number.isFinite(totalMs)) return []
    const heaviestMs = frameMs.reduce((most, ms) => Math.max(most, ms), 0)
    const whole = sharePrice(offer, work.length, totalMs, Math.min(offer.hosts, work.length))
    return whole <= farmBudget ? [sharePrice(offer, 1, heaviestMs, 1)] : []
  })
}

/** The longest that a batch may wait for disputes. A job without a window (development) has none for slow batches either. */
function longestWindow(disputeWindowS: number): number {
  return disputeWindowS === 0 ? 0 : Math.max(disputeWindowS, SLOW_WINDOW_S)
}

/** What the terms' quoteHash stands for: prices with their expiry, and the estimated work of each frame. Kept with the job and shown in its receipt. */
export function quoteDocument(
  quotes: readonly Quote[],
  work: readonly number[],
): { readonly quotes: readonly Quote[]; readonly work: readonly number[] } {
  return { quotes, work }
}
