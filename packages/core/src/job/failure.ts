import type { Failure, FailureClass } from '../contract/farm.ts'

/** What a class of failure means for the lease: who is to blame, whether the try counts, what to do next. */
export interface FailureRule {
  readonly blame: 'farm' | 'customer' | 'network' | 'nobody'
  /** Whether the attempt uses up one of the lease's tries. */
  readonly counts: boolean
  /** Whether another try at the same farm makes sense at all. */
  readonly again: boolean
  /** Least wait before it, in milliseconds. */
  readonly waitMs: number
}

/** One rule a class: licence, capacity, quota, preemption, rate limits and transfers never use up a retry (facts/farms.md section 6, point 7). */
export const FAILURE_RULES: Readonly<Record<FailureClass, FailureRule>> = {
  auth: { blame: 'customer', counts: true, again: false, waitMs: 0 },
  quota: { blame: 'customer', counts: false, again: true, waitMs: 60_000 },
  payment: { blame: 'customer', counts: true, again: false, waitMs: 0 },
  capacity: { blame: 'farm', counts: false, again: true, waitMs: 30_000 },
  license: { blame: 'farm', counts: false, again: true, waitMs: 60_000 },
  asset: { blame: 'customer', counts: true, again: false, waitMs: 0 },
  scene: { blame: 'customer', counts: true, again: false, waitMs: 0 },
  'out-of-memory': { blame: 'customer', counts: true, again: false, waitMs: 0 },
  'device-fault': { blame: 'farm', counts: true, again: true, waitMs: 5_000 },
  timeout: { blame: 'farm', counts: true, again: true, waitMs: 5_000 },
  stalled: { blame: 'farm', counts: true, again: true, waitMs: 5_000 },
  preempted: { blame: 'nobody', counts: false, again: true, waitMs: 1_000 },
  'bad-output': { blame: 'farm', counts: true, again: true, waitMs: 1_000 },
  transfer: { blame: 'network', counts: false, again: true, waitMs: 5_000 },
  'rate-limit': { blame: 'nobody', counts: false, again: true, waitMs: 10_000 },
  protocol: { blame: 'farm', counts: true, again: false, waitMs: 0 },
}

/** The rule of a failure; a class that this version does not know counts and is tried again. */
export function failureRule(failure: Pick<Failure, 'class'>): FailureRule {
  return FAILURE_RULES[failure.class] ?? { blame: 'nobody', counts: true, again: true, waitMs: 5_000 }
}
