import type { LedgerCase } from './case.ts'

/** What a receipt can be built from. */
export const evidenceCases: readonly LedgerCase[] = []
