/** One rule of a conformance kit, ready for any test runner. A case that does not apply says why in `skip`, and its `run` does nothing. */
export interface ConformanceCase {
  readonly name: string
  readonly skip?: string
  run(): Promise<void>
}

/** What became of one case. */
export interface CaseResult {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Why it failed and what to change, or why it was skipped. */
  readonly message?: string
  readonly ms: number
}

/** Runs cases one after the other, for callers without a test runner. Never throws: a failure is a result. */
export async function runCases(cases: readonly ConformanceCase[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const { name, skip, run } of cases) {
    if (skip !== undefined) {
      results.push({ name, outcome: 'skipped', message: skip, ms: 0 })
      continue
    }
    const startMs = performance.now()
    const message = await run().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    const ms = performance.now() - startMs
    results.push(message === undefined ? { name, outcome: 'passed', ms } : { name, outcome: 'failed', message, ms })
  }
  return results
}
