import { describe, expect, it } from 'vitest'
import { chaosJob } from '../../src/simulate/chaos.ts'

const JOBS = 1_000
const PARTS = 4

/** Seeded jobs with faults of every kind, kills and stops: half of the 2,000 of a test run, so that two cores share them. A failing seed replays with `pnpm campaign simulate SEED SEED+1`. */
export function describeChaos(first: number): void {
  // Faults are errors by the thousand, and nobody reads where they came from.
  Error.stackTraceLimit = 0
  describe(`${JOBS} seeded jobs from ${first}`, () => {
    for (let part = 0; part < PARTS; part++)
      it(`keep every promise, seeds ${part} mod ${PARTS}`, { timeout: 120_000 }, async () => {
        const broken: string[] = []
        for (let seed = first + part; seed < first + JOBS; seed += PARTS) {
          const report = await chaosJob(seed)
          if (report.broken.length > 0) broken.push(`seed ${seed}: ${report.broken.join('; ')}`)
        }
        expect(broken).toEqual([])
      })

    it('replay exactly: the same seed gives the same journal', { timeout: 60_000 }, async () => {
      for (let seed = first + 10_000; seed < first + 10_020; seed++) {
        const once = await chaosJob(seed)
        const again = await chaosJob(seed)
        expect(again).toEqual(once)
      }
    })
  })
}
