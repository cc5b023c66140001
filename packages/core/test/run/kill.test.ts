import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/simulate/index.ts'
import { killedJob, type KillOptions, type KillReport } from './kill-harness.ts'

/** Several jobs at once: most of a job's time is waiting. */
async function together(jobs: readonly KillOptions[]): Promise<KillReport[]> {
  const reports: KillReport[] = []
  const left = [...jobs]
  const work = async (): Promise<void> => {
    for (let job = left.shift(); job; job = left.shift()) {
      const report = await killedJob(job)
      expect({ job, broken: report.broken }).toEqual({ job, broken: [] })
      reports.push(report)
    }
  }
  await Promise.all([work(), work(), work()])
  return reports
}

const killsOf = (reports: readonly KillReport[]): number => reports.reduce((sum, report) => sum + report.kills, 0)

describe('a runner that is killed with -9', () => {
  it('loses nothing, pays nothing twice and orders nothing twice: 30 kills at random calls of many jobs', async () => {
    const random = seededRandom(4)
    let kills = 0
    for (let round = 0; kills < 30; round++) {
      const jobs = Array.from({ length: 3 }, (_, job) => ({
        name: `killed ${round} ${job}`,
        blows: Array.from({ length: 4 }, () => ({
          atCall: 1 + random.below(150),
          blow: random.pick(['before', 'after'] as const),
        })),
      }))
      kills += killsOf(await together(jobs))
    }
  })
})

describe('a runner', () => {
  it('that stood still beyond its claim cannot write, nor repeat what it did; inside a transaction it holds others up and harms nothing', async () => {
    await together([
      { name: 'stopped', blows: [{ atCall: 25, blow: 'stop' }] },
      { name: 'stopped inside', blows: [{ atCall: 15, blow: 'stop-inside' }] },
    ])
  })

  it('bears a full disk, also when it is killed there, and a clock that is set by an hour', async () => {
    const [starved] = await together([{ name: 'full disk', maxPages: 17, blows: [] }])
    expect(starved!.kills).toBe(1)
    await together([
      { name: 'ahead', blows: [{ atCall: 30, blow: 3_600_000 }] },
      { name: 'behind', blows: [{ atCall: 30, blow: -3_600_000 }] },
    ])
  })
})
