import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatMoney, isPictorError, PictorError, type JobRun, type Money, type Pictor, type Plan } from '@pictor/core'
import { encodeReceipt } from '@pictor/core/proof'
import type { Shot, Show } from './show.ts'
import { sourceOf, versionFolder, versionsOf, writeVersion, type Version } from './versions.ts'

export { readShow, type Shot, type Show } from './show.ts'
export type { Version } from './versions.ts'

export interface PipelineOptions {
  readonly pictor: Pictor
  /** Folder of the show's renders: `<shot>/v001/…`. */
  readonly renders: string
  /** Asked before money is locked; false leaves the shot out. Left out: every plan within the budget is taken. */
  readonly approve?: (shot: Shot, plan: Plan) => boolean | Promise<boolean>
  /** Told when a version's frames are all there: the place to call a tracker or an editor's conform. */
  readonly published?: (version: Version) => void | Promise<void>
  readonly signal?: AbortSignal
}

/** What became of one shot. */
export type ShotResult =
  | { readonly shot: string; readonly outcome: 'published' | 'unchanged' | 'failed'; readonly version: Version }
  | { readonly shot: string; readonly outcome: 'declined' }

/**
 * Renders the shots of a show one after another: what changed since its last version becomes a new one, what was under way goes on, what is published stays.
 * Run it as often as you like, also after a crash.
 * @throws budget-too-small when a shot does not fit what is left of the show's budget; nothing was locked for it
 */
export async function* renderShow(show: Show, options: PipelineOptions): AsyncGenerator<ShotResult> {
  for (const shot of show.shots) yield await renderShot(show, shot, options)
}

async function renderShot(show: Show, shot: Shot, options: PipelineOptions): Promise<ShotResult> {
  const source = await sourceOf(shot)
  const last = (await versionsOf(options.renders, shot.name)).at(-1)
  if (last?.source === source && last.state === 'published') return { shot: shot.name, outcome: 'unchanged', version: last }
  const open = last?.source === source && last.state === 'rendering' ? last : undefined
  const started =
    (open && (await attached(open, options))) ??
    (await start(show, shot, source, open?.number ?? (last?.number ?? 0) + 1, options))
  return started === undefined ? { shot: shot.name, outcome: 'declined' } : publish(started.version, started.run, options)
}

interface Started {
  readonly version: Version
  readonly run: JobRun
}

/** The run of an earlier process, unless it died between writing the version and locking the money. */
async function attached(version: Version, { pictor }: PipelineOptions): Promise<Started | undefined> {
  try {
    return { version, run: await pictor.attach(version.run) }
  } catch (error) {
    if (isPictorError(error, 'not-found')) return undefined
    throw error
  }
}

async function start(
  show: Show,
  shot: Shot,
  source: string,
  number: number,
  options: PipelineOptions,
): Promise<Started | undefined> {
  const { pictor, renders, approve, signal } = options
  const budget = await budgetLeft(show, renders)
  if (budget.amount <= 0n)
    throw new PictorError('budget-too-small', `${shot.name}: the budget of ${show.name} (${formatMoney(show.budget)}) is spent`, {
      details: { path: 'budget', hint: 'raise the budget in the show file' },
    })
  const request = {
    scene: shot.scene,
    deadline: show.deadline,
    budget,
    name: shot.name,
    ...(shot.frames === undefined ? {} : { frames: shot.frames }),
  }
  const { cheapest: plan } = await pictor.plan(request, signal ? { signal } : {})
  if (approve && !(await approve(shot, plan))) return undefined
  const version: Version = {
    shot: shot.name,
    number,
    source,
    run: plan.run,
    state: 'rendering',
    paid: '0',
    frames: [],
    missing: [],
  }
  await writeVersion(renders, version)
  return { version, run: await pictor.submit(plan, { outDir: versionFolder(renders, shot.name, number) }) }
}

async function publish(version: Version, run: JobRun, options: PipelineOptions): Promise<ShotResult> {
  const { pictor, renders, published, signal } = options
  const result = await run.done(signal ? { signal } : {})
  const complete = result.outcome === 'done'
  const ended: Version = {
    ...version,
    state: complete ? 'published' : 'failed',
    paid: result.money.paid.toString(),
    frames: result.frames.map(({ path }) => path),
    missing: result.missing,
  }
  await writeFile(
    join(versionFolder(renders, version.shot, version.number), 'receipt.json'),
    encodeReceipt(await pictor.receipt(run.id)),
  )
  await writeVersion(renders, ended)
  if (complete) await published?.(ended)
  return { shot: version.shot, outcome: complete ? 'published' : 'failed', version: ended }
}

/** What the show may still spend: its budget less what all versions of its shots have cost. */
async function budgetLeft(show: Show, renders: string): Promise<Money> {
  let { amount } = show.budget
  for (const shot of show.shots) for (const { paid } of await versionsOf(renders, shot.name)) amount -= BigInt(paid)
  return { ...show.budget, amount }
}
