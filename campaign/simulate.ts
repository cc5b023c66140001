// pnpm campaign simulate [from] [to]: seeded jobs with every fault there is, each checked for every promise, in one process. Parts of a long campaign are ranges of
// seeds. A failing seed replays exactly: pnpm campaign simulate SEED SEED+1.
import { createHash } from 'node:crypto'
import { chaosJob } from '../packages/core/src/simulate/chaos.ts'

const SAY_EACH_MS = 60_000

export async function campaign(args: readonly string[]): Promise<boolean> {
  // Faults are errors by the thousand, and nobody reads where they came from.
  Error.stackTraceLimit = 0
  const from = Number(args[0] ?? 1)
  const to = Number(args[1] ?? from + 100_000)
  const outcomes: Record<string, number> = {}
  const total = { jobs: 0, broken: 0, kills: 0, frames: 0, facts: 0 }
  const traces = createHash('sha256')
  const startedAtMs = Date.now()
  const say = (): void => {
    const { user, system } = process.cpuUsage()
    const cpuS = (user + system) / 1e6
    console.log(
      `seeds ${from} to ${from + total.jobs - 1}: ${total.jobs} of ${to - from} jobs, ${total.broken} broken, ${total.frames} frames, ${total.facts} facts, ` +
        `${total.kills} kills and stops, ${JSON.stringify(outcomes)}, ${cpuS.toFixed(0)} CPU s of ${((Date.now() - startedAtMs) / 1000).toFixed(0)} s, ` +
        `${((cpuS * 1000) / total.jobs).toFixed(1)} ms a job`,
    )
  }
  let saidAtMs = startedAtMs
  for (let seed = from; seed < to; seed++) {
    const report = await chaosJob(seed)
    outcomes[report.outcome] = (outcomes[report.outcome] ?? 0) + 1
    total.jobs++
    total.kills += report.kills
    total.frames += report.frames
    total.facts += report.facts
    traces.update(report.trace)
    if (report.broken.length > 0) {
      total.broken++
      console.log(`seed ${seed} (${report.outcome}, ${report.frames} frames):\n  ${report.broken.join('\n  ')}`)
    }
    if (Date.now() - saidAtMs < SAY_EACH_MS) continue
    saidAtMs = Date.now()
    say()
  }
  say()
  console.log(`the same seeds give the same journals: ${traces.digest('hex')}`)
  return total.broken === 0
}
