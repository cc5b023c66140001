export { runCases, type CaseResult, type ConformanceCase } from './case.ts'
export { farmConformance } from './farm.ts'
export { Network, type Fault, type Fetch } from './farm/network.ts'
export type { FarmConformanceOptions, FarmSubject, FarmSupports, Scenario, SubjectWish } from './farm/subject.ts'
export {
  type LedgerCase,
  type LedgerScenario,
  type LedgerSubject,
  type MakeLedger,
  type ScenarioOptions,
  type SetOfLeases,
  LEDGER_CASES,
  SCENARIO_FARMS,
  ledgerConformance,
  ledgerScenario,
  namedSigner,
  receiptOfJob,
  scenarioOn,
} from './ledger.ts'
export { storeConformance, type StoreConformanceOptions, type StoreSubject } from './store.ts'
