<<<<<<< HEAD
import type { Farm, FarmInfo, Pictor } from '@pictor/core'
=======
import type { Farm, FarmInfo, FarmReport } from '@pictor/core'
>>>>>>> 9cd32db (Farms over all jobs: a journal for each farm, quarantine and probation that outlive jobs and processes, pictor farms --trust and --quarantine)
import { compose, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import { farmLines, type FarmReport, type PastTrouble } from '../terminal/farm-view.ts'
import type { CommandContext } from './context.ts'

<<<<<<< HEAD
/** A farm that takes longer to say who it is does not answer. */
const REACH_MS = 20_000
/** So many of the latest jobs are read for what went wrong with farms. */
const JOBS_READ = 50

/** `pictor farms`: asks every configured farm who it is; prices with their sources, and what went wrong in this folder's jobs. Exit code 1 when one does not answer. */
export async function farms(options: StateOptions, context: CommandContext): Promise<number> {
=======
export interface FarmsOptions extends StateOptions {
  /** Farm to trust again before its quarantine and probation are over. */
  readonly trust?: string
  /** Farm to keep leases from. */
  readonly quarantine?: string
  readonly hours?: string
  readonly reason?: string
}

/** `pictor farms`: asks every configured farm who it is, and shows where it stands over all jobs. Exit code 1 when one does not answer. */
export async function farms(options: FarmsOptions, context: CommandContext): Promise<number> {
>>>>>>> 9cd32db (Farms over all jobs: a journal for each farm, quarantine and probation that outlive jobs and processes, pictor farms --trust and --quarantine)
  const composition = await compose(options)
  const { pictor } = composition
  try {
<<<<<<< HEAD
    const troubles = await troublesOf(composition.pictor)
    const reports = await Promise.all(composition.farms.map((farm) => reach(farm, troubles.get(farm.id) ?? [])))
    for (const report of reports) {
      context.emit({ type: 'farm', ...report })
      for (const line of farmLines(report, Date.now(), context.style)) context.screen.log(line)
    }
    return reports.every(({ reach }) => reach === 'ok') ? EXIT.ok : EXIT.failed
=======
    const reason = options.reason ?? 'said at the command line'
    if (options.trust !== undefined) await pictor.trustFarm(options.trust, reason)
    if (options.quarantine !== undefined)
      await pictor.quarantineFarm(options.quarantine, reason, Date.now() + Number(options.hours ?? 24) * 3_600_000)
    const reports = new Map((await pictor.farms()).map((report) => [report.farm, report]))
    let silent = 0
    const rows = await Promise.all(
      composition.farms.map(async (farm) => {
        const report = reports.get(farm.id)
        const reach = await reachOf(farm)
        if (!reach.info) silent++
        context.emit({
          type: 'farm',
          id: farm.id,
          ...reach.info,
          ...standing(report),
          ...(reach.info ? { reach: 'ok' } : { reach: 'failed', message: reach.message }),
        })
        return reach.info
          ? [...row(reach.info), standingCell(report, context)]
          : [farm.id, context.style.red('no answer'), '', '', '', reach.message.slice(0, 60), standingCell(report, context)]
      }),
    )
    context.screen.log(table(['farm', 'lane', '>slots', 'software', 'verified', 'prices', 'standing'], rows))
    for (const { farm, incidents } of reports.values())
      for (const { atMs, kind, message } of incidents.slice(-3))
        context.screen.log(`  ${farm}  ${new Date(atMs).toISOString()}  ${kind}: ${message}`)
    return silent === 0 ? EXIT.ok : EXIT.failed
>>>>>>> 9cd32db (Farms over all jobs: a journal for each farm, quarantine and probation that outlive jobs and processes, pictor farms --trust and --quarantine)
  } finally {
    await composition.close()
  }
}

<<<<<<< HEAD
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
=======
async function reachOf(farm: Farm): Promise<{ readonly info?: FarmInfo; readonly message: string }> {
  try {
    return { info: await farm.describe({ key: `describe/${farm.id}`, signal: AbortSignal.timeout(20_000) }), message: '' }
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) }
  }
}

function row(info: FarmInfo): string[] {
  const software = info.software.map(({ name, version }) => `${name} ${version}`).join(', ') || 'unknown'
  const prices = info.priceBook ? `${info.priceBook.source} (${info.priceBook.kind}, ${info.priceBook.asOf})` : 'by quote'
  return [info.id, info.lane, String(info.slots ?? '?'), software, info.verification, prices]
>>>>>>> 9cd32db (Farms over all jobs: a journal for each farm, quarantine and probation that outlive jobs and processes, pictor farms --trust and --quarantine)
}

/** Where a farm stands; one that nothing is known of is trusted. */
function standing(report: FarmReport | undefined): Pick<FarmReport, 'standing'> & Partial<FarmReport> {
  if (!report) return { standing: 'trusted' }
  const { farm: _id, cursor: _cursor, ...rest } = report
  return rest
}

function standingCell(report: FarmReport | undefined, { style }: CommandContext): string {
  if (report === undefined || report.standing === 'trusted') return 'trusted'
  if (report.standing === 'probation') return `on probation (${report.reason})`
  return style.red(`quarantined until ${new Date(report.untilMs!).toISOString().slice(0, 16)}Z: ${report.reason}`)
}
