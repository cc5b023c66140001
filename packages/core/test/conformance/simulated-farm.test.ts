import { describe, it } from 'vitest'
import { farmConformance, type FarmSupports } from '../../src/conformance/index.ts'
import { simulatedFarm, virtualClock } from '../../src/simulate/index.ts'
import { smallJob } from './small-farm.ts'

const native = 'native' as const
const supports: FarmSupports = {
  lane: 'partner',
  capabilities: {
    cancelQueued: native,
    cancelRunning: native,
    hold: native,
    priority: native,
    tiles: 'none',
    samples: 'none',
    windows: native,
    partialOutputs: native,
    resumeDownload: native,
    bindingQuote: native,
  },
}

async function make() {
  const clock = virtualClock(Date.now())
  const farm = simulatedFarm({ id: 'sim', clock, slots: 2, msPerWork: 200, pollMs: 100, checkFiles: true })
  return { ...(await smallJob()), farm, advance: async (ms: number) => clock.jump(ms) }
}

describe('the simulated farm keeps the rules', () => {
  for (const { name, skip, run } of farmConformance({ supports, make, patienceMs: 2_000 }))
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} (${skip})`, run)
})
