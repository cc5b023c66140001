import { Bench } from './farm/bench.ts'
import { changeRules } from './farm/change-rules.ts'
import { describeRules } from './farm/describe-rules.ts'
import { faultRules } from './farm/fault-rules.ts'
import { outputRules } from './farm/output-rules.ts'
import { pollRules } from './farm/poll-rules.ts'
import { quoteRules } from './farm/quote-rules.ts'
import type { Rule } from './farm/rule.ts'
import { stageRules } from './farm/stage-rules.ts'
import { submitRules } from './farm/submit-rules.ts'
import type { FarmConformanceOptions, FarmSupports } from './farm/subject.ts'
import { tidyRules } from './farm/tidy-rules.ts'
import type { ConformanceCase } from './case.ts'

const RULES: readonly Rule[] = [
  ...describeRules,
  ...quoteRules,
  ...stageRules,
  ...submitRules,
  ...pollRules,
  ...changeRules,
  ...outputRules,
  ...faultRules,
  ...tidyRules,
]

function reason(rule: Rule, supports: FarmSupports): string | undefined {
  if (rule.scenario && !supports.scenarios?.includes(rule.scenario)) return `supports.scenarios lacks ${rule.scenario}`
  return rule.skip?.(supports)
}

/**
 * The rules that every farm adapter keeps, as data for any test runner. Each case makes a fresh subject. A failing case says what to change.
 * @example
 * ```ts
 * for (const { name, skip, run } of farmConformance({ supports, make })) it.skipIf(skip !== undefined)(name, run)
 * ```
 */
export function farmConformance(options: FarmConformanceOptions): ConformanceCase[] {
  return RULES.map((rule) => {
    const skip = reason(rule, options.supports)
    if (skip !== undefined) return { name: rule.name, skip, run: async () => {} }
    return { name: rule.name, run: () => runRule(rule, options) }
  })
}

async function runRule(rule: Rule, options: FarmConformanceOptions): Promise<void> {
  const bench = await Bench.open(options, rule.scenario ?? 'plain')
  try {
    await rule.check(bench)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${rule.name}: ${message}\n  To change: ${rule.change}`, { cause })
  } finally {
    await bench.close()
  }
}
