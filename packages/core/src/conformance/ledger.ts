import type { LedgerSupports } from '../contract/ledger.ts'
import type { ConformanceCase } from './case.ts'
import { batchCases } from './ledger/batch-cases.ts'
import type { LedgerCase } from './ledger/case.ts'
import { disputeCases } from './ledger/dispute-cases.ts'
import { evidenceCases } from './ledger/evidence-cases.ts'
import { leaseKeyCases } from './ledger/lease-key-cases.ts'
import { jobCases } from './ledger/job-cases.ts'
import type { MakeLedger } from './ledger/subject.ts'

export type { LedgerCase } from './ledger/case.ts'
export {
  type LedgerScenario,
  type ScenarioOptions,
  type SetOfLeases,
  SCENARIO_FARMS,
  ledgerScenario,
  namedSigner,
  scenarioOn,
} from './ledger/scenario.ts'
export { receiptOfJob } from './ledger/evidence-cases.ts'
export type { LedgerSubject, MakeLedger } from './ledger/subject.ts'

/** The rules that every ledger keeps, as data. */
export const LEDGER_CASES: readonly LedgerCase[] = [
  ...jobCases,
  ...batchCases,
  ...disputeCases,
  ...evidenceCases,
  ...leaseKeyCases,
]

/**
 * The same rules ready for any test runner, on fresh subjects from `make`. What the ledger does not support is skipped with the reason.
 * @example
 * ```ts
 * for (const { name, skip, run } of ledgerConformance({ make, supports })) it.skipIf(skip !== undefined)(name, run)
 * ```
 */
export function ledgerConformance(options: { readonly make: MakeLedger; readonly supports: LedgerSupports }): ConformanceCase[] {
  return LEDGER_CASES.map(({ name, needs, run }) => {
    if (needs && !options.supports[needs]) return { name, skip: `supports.${needs} is false`, run: async () => {} }
    return { name, run: () => closing(options.make, run) }
  })
}

/** Runs a case and closes whatever subjects it made. */
async function closing(make: MakeLedger, run: (make: MakeLedger) => Promise<void>): Promise<void> {
  const closers: (() => Promise<void>)[] = []
  try {
    await run(async (keys) => {
      const subject = await make(keys)
      closers.push(async () => subject.close?.())
      return subject
    })
  } finally {
    for (const close of closers) await close()
  }
}
