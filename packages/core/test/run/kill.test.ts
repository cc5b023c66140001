import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/simulate/index.ts'
import { killedJob } from './kill-harness.ts'

describe('a runner that is killed with -9', () => {
  it(
    'loses nothing, pays nothing twice and orders nothing twice: 30 kills at random calls of many jobs',
    { timeout: 120_000 },
    async () => {
      const random = seededRandom(4)
      let kills = 0
      for (let job = 0; kills < 30; job++) {
        const plan = Array.from({ length: 3 }, () => ({
          atCall: 1 + random.below(150),
          effect: random.pick(['before', 'after'] as const),
        }))
        const report = await killedJob({ name: `killed ${job}`, kills: plan })
        expect({ plan, broken: report.broken }).toEqual({ plan, broken: [] })
        kills += report.kills
      }
    },
  )

  it('cannot write after it stood still beyond its claim', { timeout: 60_000 }, async () => {
    const report = await killedJob({ name: 'stopped', kills: [], stopAtCall: 25 })
    expect(report.broken).toEqual([])
  })
})
