// pnpm campaign kills [from] [to]: real processes over a real SQLite file, killed with kill -9 at every call of a short job, before and after its effect. The same in simulated processes: packages/core/test/run/boundaries.test.ts.
import { killedJob } from '../packages/core/test/run/kill-harness.ts'

export async function campaign(args: readonly string[]): Promise<boolean> {
  const { calls, broken } = await killedJob({ name: 'alive', kills: [] })
  console.log(`${calls} calls without a kill${broken.length > 0 ? `: ${broken.join('; ')}` : ''}`)
  let bad = broken.length
  let kills = 0
  const to = Math.min(calls, Number(args[1] ?? calls))
  for (let atCall = Number(args[0] ?? 1); atCall <= to; atCall++)
    for (const effect of ['before', 'after'] as const) {
      const report = await killedJob({ name: `killed ${effect} ${atCall}`, kills: [{ atCall, effect }] })
      kills += report.kills
      bad += report.broken.length
      if (report.broken.length > 0) console.log(`${effect} call ${atCall}: ${report.broken.join('; ')}`)
    }
  console.log(`${kills} processes killed with -9 at calls up to ${to} of ${calls}, ${bad} broken promises`)
  return bad === 0
}
