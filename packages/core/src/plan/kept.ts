import type { MemoEntry } from '../cache/index.ts'
import { canonicalJson } from '../contract/codec.ts'
import type { Clock } from '../contract/context.ts'
import type { FarmInfo } from '../contract/farm.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Decline, Quote, QuoteRequest } from '../contract/quote.ts'
import type { FarmProbe, ProbePlan, ProbeRequest } from '../estimate/index.ts'
import { sha256Hex } from '../proof/index.ts'

type Ask<T> = Omit<MemoEntry<T>, 'make'>

const digest = (value: unknown): string => sha256Hex(canonicalJson(value))

/** A farm's answer with the deadline that it was given for. */
export interface KeptQuote {
  readonly answer: Quote | Decline
  readonly deadlineAtMs: number
}

/**
 * A quote stands for the same work until half of its validity is over, so that whoever reads the plan has the other half to decide. It was promised for its deadline
 * and so holds for any later one. Name and size of the budget price nothing. Declines are asked anew.
 */
export function quoteEntry(farm: string, { spec, estimate }: QuoteRequest, clock: Clock): Ask<KeptQuote> {
  const { deadlineAtMs, name: _name, budget, ...work } = spec
  return {
    name: `quote/${farm}/${digest({ work, currency: budget.currency, estimate: { ...estimate, basis: [], probeMs: 0 } })}`,
    is: (kept): kept is KeptQuote => {
      const { answer, deadlineAtMs: until } = (kept ?? {}) as Partial<KeptQuote>
      return answer?.kind === 'quote' && answer.farm === farm && Array.isArray(answer.offers) && Number(until) <= deadlineAtMs
    },
    ttlMs: ({ answer }) => (answer.kind === 'quote' ? (answer.validUntilAtMs - clock.now()) / 2 : 0),
  }
}

const DAY_MS = 86_400_000

/** Machines change silently (drivers, cooling, neighbours): after a week a farm is measured again. */
const PROBE_TTL_MS = 7 * DAY_MS

/** The same scene, settings and probe frames on the same farm with the same software, devices and slots take the same time. */
export function probeEntry(info: FarmInfo, spec: JobSpec, plan: ProbePlan, role: ProbeRequest['role']): Ask<FarmProbe> {
  const { id, key, software, slots } = info
  return {
    name: `probe/${id}/${digest({ key, software, slots, bundle: spec.bundle.root, render: spec.render, plan, role })}`,
    is: (kept): kept is FarmProbe => {
      const { farm, measuredAtMs, startMs, samples } = (kept ?? {}) as Partial<FarmProbe>
      return (
        farm === id &&
        Number.isFinite(measuredAtMs) &&
        Number.isFinite(startMs) &&
        Array.isArray(samples) &&
        samples.every(({ frame, renderMs }) => Number.isInteger(frame) && Number.isFinite(renderMs))
      )
    },
    ttlMs: () => PROBE_TTL_MS,
  }
}
