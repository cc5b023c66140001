// pnpm campaign kills [from] [to]: real processes over a real SQLite file. Killed with kill -9 at every call of a short job (before its effect, after its effect, after a commit) and at more than 30 random points;
// stopped beyond their claim, also inside a transaction; on a full disk; with the clock set by an hour. The same in simulated processes: packages/core/test/run/boundaries.test.ts.
import { type KillOptions, killedJob, type KillReport } from '../packages/core/test/run/kill-harness.ts'
import { seededRandom } from '../packages/core/src/simulate/index.ts'

/** Jobs at once: most of a job's time is waiting for clocks. */
const AT_ONCE = 4
/** Calls that a job may have more than the one that was counted: how often it polls depends on the machine. */
const SPARE_CALLS = 10
const HOUR_MS = 3_600_000

export async function campaign(args: readonly string[]): Promise<boolean> {
  const whole = await killedJob({ name: 'alive', frames: 4, blows: [] })
  console.log(`${whole.calls} calls without a kill${whole.broken.length > 0 ? `: ${whole.broken.join('; ')}` : ''}`)
  const from = Number(args[0] ?? 1)
  const to = Number(args[1] ?? whole.calls + SPARE_CALLS)
  let good = whole.broken.length === 0
  const part = async (what: string, jobs: readonly KillOptions[]): Promise<void> => {
    const startedAt = performance.now()
    const reports = await runAll(jobs)
    const kills = reports.reduce((sum, report) => sum + report.kills, 0)
    const broken = reports.reduce((sum, report) => sum + report.broken.length, 0)
    good &&= broken === 0
    console.log(
      `${what}: ${jobs.length} jobs, ${kills} kills, ${broken} broken promises, ${Math.round((performance.now() - startedAt) / 1_000)} s`,
    )
  }
  for (let first = from; first <= to; first += 25) {
    const last = Math.min(to, first + 24)
    const calls = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    await part(
      `calls ${first} to ${last}`,
      calls.flatMap((atCall) =>
        (['before', 'after'] as const).map((blow) => ({ name: `${blow} ${atCall}`, frames: 4, blows: [{ atCall, blow }] })),
      ),
    )
  }
  const random = seededRandom(30)
  const anywhere = (): number => 1 + random.below(whole.calls)
  await part(
    'random points, three in each job',
    Array.from({ length: 16 }, (_, job) => ({
      name: `random ${job}`,
      blows: Array.from({ length: 3 }, () => ({ atCall: anywhere(), blow: random.pick(['before', 'after'] as const) })),
    })),
  )
  await part(
    'stopped beyond the claim',
    Array.from({ length: 10 }, (_, job) => ({ name: `stopped ${job}`, blows: [{ atCall: anywhere(), blow: 'stop' as const }] })),
  )
  await part(
    'stopped inside a transaction',
    Array.from({ length: 5 }, (_, job) => ({
      name: `inside ${job}`,
      blows: [{ atCall: random.below(60) + 1, blow: 'stop-inside' as const }],
    })),
  )
  await part(
    'disk full, then killed',
    [16, 17, 18, 19].map((maxPages) => ({ name: `disk of ${maxPages} pages`, maxPages, blows: [] })),
  )
  await part(
    'clock set by an hour',
    [HOUR_MS, -HOUR_MS].flatMap((blow) =>
      [20, 60, 100].map((atCall) => ({ name: `${blow} ${atCall}`, blows: [{ atCall, blow }] })),
    ),
  )
  return good
}

async function runAll(jobs: readonly KillOptions[]): Promise<KillReport[]> {
  const reports: KillReport[] = []
  const left = [...jobs]
  const work = async (): Promise<void> => {
    for (let job = left.shift(); job; job = left.shift()) {
      const report = await killedJob(job)
      reports.push(report)
      if (report.broken.length > 0) console.log(`${job.name}: ${report.broken.join('; ')}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return reports
}
