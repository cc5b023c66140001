// pnpm campaign simulate [from] [to]: seeded jobs with every fault there is, each checked for every promise. A failing seed replays exactly: pnpm campaign simulate SEED SEED+1.
import { chaosJob } from '../packages/core/src/simulate/chaos.ts'

export async function campaign(args: readonly string[]): Promise<boolean> {
  // Faults are errors by the thousand, and nobody reads where they came from.
  Error.stackTraceLimit = 0
  const from = Number(args[0] ?? 1)
  const to = Number(args[1] ?? from + 100_000)
  const outcomes: Record<string, number> = {}
  let bad = 0
  let kills = 0
  const startedAt = Date.now()
  for (let seed = from; seed < to; seed++) {
    const report = await chaosJob(seed)
    outcomes[report.outcome] = (outcomes[report.outcome] ?? 0) + 1
    kills += report.kills
    if (report.broken.length > 0) {
      bad++
      console.log(`seed ${seed} (${report.outcome}, ${report.frames} frames):\n  ${report.broken.join('\n  ')}`)
    }
    if ((seed - from + 1) % 1_000 === 0) console.log(`${seed - from + 1} jobs, ${bad} broken, ${JSON.stringify(outcomes)}`)
  }
  const each = (Date.now() - startedAt) / (to - from)
  console.log(
    `${to - from} jobs, ${kills} kills and stops, ${bad} broken, ${JSON.stringify(outcomes)}, ${each.toFixed(1)} ms a job`,
  )
  return bad === 0
}
