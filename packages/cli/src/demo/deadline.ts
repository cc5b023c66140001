import type { Plan, PlanSet } from '@pictor/core'

/** How long the demo gives itself in all, in milliseconds: leases end by then. */
const DEADLINE_MS = 180_000

/**
 * A plan that uses every farm: the deadline is kept and the share of it that the plan may use is tightened towards the fastest finish, until the cheap farms alone
 * are too slow. The rest of the time is for frames that are refused and rendered again.
 */
export function planForAll(plans: PlanSet, farms: number, nowMs: number): Plan {
  const deadlineAtMs = nowMs + DEADLINE_MS
  let best: Plan | undefined
  for (const factor of [1.6, 1.45, 1.3, 1.2, 1.1, 1.05, 1.01]) {
    const share = Math.min(1, (plans.fastest.finishMs * factor) / DEADLINE_MS)
    const plan = plans.cheapestBy(deadlineAtMs, share)
    if (best === undefined || plan.routes.length > best.routes.length) best = plan
    if (plan.routes.length >= farms) return plan
  }
  return best!
}
