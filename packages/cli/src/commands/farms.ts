import type { Farm, FarmHealth, FarmInfo, Pictor } from '@pictor/core'
import { PictorError } from '@pictor/core'
import { compose, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import { farmLines, type FarmReport, type PastTrouble } from '../terminal/farm-view.ts'
import type { CommandContext } from './context.ts'

/** A farm that takes longer to say who it is does not answer. */
const REACH_MS = 20_000
/** So many of the latest jobs are read for what went wrong with farms. */
const JOBS_READ = 50

export interface FarmsOptions extends StateOptions {
  /** Farm to trust again before its quarantine and probation are over. */
  readonly trust?: string
  /** Farm to keep leases from. */
  readonly quarantine?: string
  /** How long, in hours (24). */
  readonly hours?: string
  readonly reason?: string
}

/** `pictor farms`: asks every configured farm who it is; where it stands over all jobs, prices with their sources, and what went wrong in this folder's jobs. Exit code 1 when one does not answer. */
export async function farms(options: FarmsOptions, context: CommandContext): Promise<number> {
  const composition = await compose(options)
  try {
    await decide(composition.pictor, options)
    const healths = new Map((await composition.pictor.farms()).map((health) => [health.farm, health]))
    const troubles = await troublesOf(composition.pictor)
    const reports = await Promise.all(
      composition.farms.map((farm) => reach(farm, troubles.get(farm.id) ?? [], healths.get(farm.id))),
    )
    for (const report of reports) {
      context.emit({ type: 'farm', ...report })
      for (const line of farmLines(report, Date.now(), context.style)) context.screen.log(line)
    }
    return reports.every(({ reach }) => reach === 'ok') ? EXIT.ok : EXIT.failed
  } finally {
    await composition.close()
  }
}

/** What a person wants of a farm. */
async function decide(
  pictor: Pictor,
  { trust, quarantine, hours = '24', reason = 'said at the command line' }: FarmsOptions,
): Promise<void> {
  if (!(Number(hours) > 0)) throw new PictorError('invalid-input', `--hours: expected a number above 0, found ${hours}`)
  if (trust !== undefined) await pictor.trustFarm(trust, reason)
  if (quarantine !== undefined) await pictor.quarantineFarm(quarantine, reason, Date.now() + Number(hours) * 3_600_000)
}

async function reach(farm: Farm, troubles: readonly PastTrouble[], health: FarmHealth | undefined): Promise<FarmReport> {
  const known = { troubles, ...(health ? { health } : {}) }
  const startMs = performance.now()
  try {
    const info: FarmInfo = await farm.describe({ key: `describe/${farm.id}`, signal: AbortSignal.timeout(REACH_MS) })
    return { ...info, id: farm.id, reach: 'ok', reachMs: Math.round(performance.now() - startMs), ...known }
  } catch (error) {
    const { code } = error as { code?: unknown }
    const message = error instanceof Error ? error.message : String(error)
    return { id: farm.id, reach: 'failed', message, ...known, ...(typeof code === 'string' ? { code } : {}) }
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
