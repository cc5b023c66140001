export { runCases, type CaseResult, type ConformanceCase } from './case.ts'
export { farmConformance } from './farm.ts'
export { Network, type Fault, type Fetch } from './farm/network.ts'
export type { FarmConformanceOptions, FarmSubject, FarmSupports, Scenario, SubjectWish } from './farm/subject.ts'
