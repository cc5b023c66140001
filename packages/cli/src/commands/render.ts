import { resolve } from 'node:path'
import { PictorError, parseDeadline, parseFrames, type JobRun, type JobState } from '@pictor/core'
import { budgetOf } from '../budget.ts'
import { compose, requireChainFor, type Composition, type StateOptions } from '../compose.ts'
import { findRun } from '../find-run.ts'
import { writeResults } from '../results.ts'
import { EXIT } from '../terminal/failure.ts'
import { followRun, jobView } from '../terminal/job-view.ts'
import { inspectionLines, planLines, planProgress } from '../terminal/plan-view.ts'
import type { CommandContext } from './context.ts'
import { firstInterrupt } from './interrupted.ts'
import { wishesOf, type SceneOptions } from './scene-options.ts'
import { wholeNumber } from './whole-number.ts'

export interface RenderOptions extends StateOptions, SceneOptions {
  readonly scene?: string
  readonly frames?: string
  readonly deadline?: string
  readonly budget?: string
  readonly out: string
  readonly attach?: string
  readonly goal?: 'cheapest' | 'fastest'
  readonly name?: string
  readonly probeAgain?: boolean
  readonly maxFarms?: string
  readonly tiles?: string
  readonly scouts?: boolean
}

/** `pictor render`: plans, locks, renders, checks, pays and delivers; or takes a run up again with `--attach`. Returns the exit code. */
export async function render(options: RenderOptions, context: CommandContext): Promise<number> {
  const request = options.attach === undefined ? checkRequest(options) : undefined
  if (request) requireChainFor(options, request.budget)
  const composition = await compose(options, planProgress(context))
  const detach = firstInterrupt('detaching', context)
  try {
    const { pictor } = composition
    const run = request ? await start() : await pictor.attach(await findRun(pictor, options.attach!))
    context.emit({ type: 'run', run: run.id })
    const outcome = await follow(run, composition, context, detach.signal)
    if (outcome === undefined) {
      context.screen.log(
        `detached: nothing is lost. Farms elsewhere go on, farms of this machine rest until you take it up again with\n  pictor render --attach ${run.id} --out ${options.out}`,
      )
      return EXIT.detached
    }
    const result = await run.done()
    await writeResults(composition.pictor, run, result, resolve(options.out), context)
    return exitOf(result.outcome)

    async function start(): Promise<JobRun> {
      await composition.requireRate(request!.budget)
      const plans = await pictor.plan(request!, { signal: detach.signal })
      const plan = options.goal === 'fastest' ? plans.fastest : plans.cheapest
      for (const line of [...inspectionLines(plans.inspection, context, options.frames), ...planLines(plan, context)])
        context.screen.log(line)
      context.emit({ type: 'plan', plan })
      return pictor.submit(plan, { outDir: resolve(options.out), ...(options.scouts ? { scouts: true } : {}) })
    }
  } finally {
    detach.end()
    await composition.close()
  }
}

/** `--tiles auto` or a number of them. @throws invalid-input */
export function tilesOf(text: string | undefined): { readonly tiles?: 'auto' | number } {
  if (text === undefined) return {}
  if (text === 'auto') return { tiles: 'auto' }
  if (!/^\d{1,3}$/.test(text))
    throw new PictorError('invalid-input', `--tiles: expected auto or a number, found ${text}`, { details: { path: 'tiles' } })
  return { tiles: Number(text) }
}

function checkRequest(options: RenderOptions) {
  const missing = (['scene', 'deadline', 'budget'] as const).find((name) => options[name] === undefined)
  if (missing)
    throw new PictorError('invalid-input', missing === 'scene' ? 'the scene is missing' : `--${missing} is missing`, {
      details: { path: missing, hint: 'pictor render SCENE --frames 1-240 --deadline 2h --budget 40 --out out' },
    })
  parseDeadline(options.deadline!, Date.now())
  if (options.frames !== undefined) parseFrames(options.frames)
  return {
    scene: options.scene!,
    deadline: options.deadline!,
    budget: budgetOf(options.budget!),
    ...(options.frames === undefined ? {} : { frames: options.frames }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.probeAgain ? { probeAgain: true } : {}),
    ...(options.maxFarms === undefined ? {} : { maxFarms: wholeNumber('max-farms', options.maxFarms) }),
    ...tilesOf(options.tiles),
    inspect: wishesOf(options),
  }
}

/** How the process ends after a run that ended. */
export const exitOf = (outcome: JobState['outcome']): number =>
  outcome === 'done' ? EXIT.ok : outcome === 'partial' ? EXIT.partial : EXIT.failed

/** Shows a run as it goes. Its outcome, or undefined when the user detached first. */
export async function follow(
  run: JobRun,
  { names }: Pick<Composition, 'names'>,
  context: CommandContext,
  signal: AbortSignal,
): Promise<JobState['outcome']> {
  try {
    if (context.json) for await (const event of run.events(undefined, { signal })) context.emit(event)
    else await followRun(run, jobView(context.screen, context.style, run.state().money.currency, await names()), signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
  return signal.aborted ? undefined : run.state().outcome
}
