import { describe, expect, it } from 'vitest'
import { chaosJob } from '../../src/simulate/chaos.ts'

// A failing seed replays with `pnpm campaign simulate SEED SEED+1`.
const JOBS = 2_000
const PARTS = 8

// Faults are errors by the thousand, and nobody reads where they came from.
Error.stackTraceLimit = 0

describe('2,000 seeded jobs with faults of every kind, kills and stops', () => {
  for (let part = 0; part < PARTS; part++)
    it(`keep every promise, seeds ${part} mod ${PARTS}`, { timeout: 120_000 }, async () => {
      const broken: string[] = []
      for (let seed = 10_000 + part; seed < 10_000 + JOBS; seed += PARTS) {
        const report = await chaosJob(seed)
        if (report.broken.length > 0) broken.push(`seed ${seed}: ${report.broken.join('; ')}`)
      }
      expect(broken).toEqual([])
    })

  it('replay exactly: the same seed gives the same journal', { timeout: 60_000 }, async () => {
    for (let seed = 20_000; seed < 20_040; seed++) {
      const first = await chaosJob(seed)
      const second = await chaosJob(seed)
      expect(second).toEqual(first)
    }
  })
})
