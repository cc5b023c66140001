import type { Farm, FarmInfo, Pictor } from '@pictor/core'
import { compose, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import { farmLines, type FarmReport, type PastTrouble } from '../terminal/farm-view.ts'
import type { CommandContext } from './context.ts'

/** A farm that takes longer to say who it is does not answer. */
const REACH_MS = 20_000
/** So many of the latest jobs are read for what went wrong with farms. */
const JOBS_READ = 50

/** `pictor farms`: asks every configured farm who it is; prices with their sources, and what went wrong in this folder's jobs. Exit code 1 when one does not answer. */
export async function farms(options: StateOptions, context: CommandContext): Promise<number> {
  const composition = await compose(options)
  try {
    const troubles = await troublesOf(composition.pictor)
    const reports = await Promise.all(composition.farms.map((farm) => reach(farm, troubles.get(farm.id) ?? [])))
    for (const report of reports) {
      context.emit({ type: 'farm', ...report })
      for (const line of farmLines(report, Date.now(), context.style)) context.screen.log(line)
    }
    return reports.every(({ reach }) => reach === 'ok') ? EXIT.ok : EXIT.failed
  } finally {
    await composition.close()
  }
}

async function reach(farm: Farm, troubles: readonly PastTrouble[]): Promise<FarmReport> {
  const startMs = performance.now()
  try {
    const info: FarmInfo = await farm.describe({ key: `describe/${farm.id}`, signal: AbortSignal.timeout(REACH_MS) })
    return { ...info, id: farm.id, reach: 'ok', reachMs: Math.round(performance.now() - startMs), troubles }
  } catch (error) {
    const { code } = error as { code?: unknown }
    const message = error instanceof Error ? error.message : String(error)
    return { id: farm.id, reach: 'failed', message, troubles, ...(typeof code === 'string' ? { code } : {}) }
  }
}

/** Why farms were left out of jobs of this folder, newest first. */
async function troublesOf(pictor: Pictor): Promise<Map<string, PastTrouble[]>> {
  const jobs = []
  for await (const job of pictor.jobs()) jobs.push(job)
  jobs.sort((a, b) => b.createdAtMs - a.createdAtMs)
  const troubles = new Map<string, PastTrouble[]>()
  for (const { run, name, createdAtMs } of jobs.slice(0, JOBS_READ)) {
    const state = await pictor.state(run)
    for (const [farm, { quarantined }] of Object.entries(state.farms))
      if (quarantined !== undefined)
        troubles.set(farm, [...(troubles.get(farm) ?? []), { run, job: name, startedAtMs: createdAtMs, reason: quarantined }])
  }
  return troubles
}
