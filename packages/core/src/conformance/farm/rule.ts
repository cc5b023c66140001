import type { FarmSupports, Scenario } from './subject.ts'
import type { Bench } from './bench.ts'

/** One rule as data: what must hold, when it applies, what to change when it does not hold. */
export interface Rule {
  readonly name: string
  /** What an adapter's author should do about a failure. */
  readonly change: string
  readonly scenario?: Exclude<Scenario, 'plain'>
  /** Why the rule does not apply to such an adapter. */
  readonly skip?: (supports: FarmSupports) => string | undefined
  check(bench: Bench): Promise<void>
}

/** Skips adapters that do not talk HTTP. */
export const overHttp = (supports: FarmSupports): string | undefined =>
  supports.http ? undefined : 'the adapter does not talk HTTP through the kit (supports.http)'

/** Whether people do this farm's work. */
export const byHand = (supports: FarmSupports): boolean => supports.lane === 'desktop' || supports.lane === 'manual'
