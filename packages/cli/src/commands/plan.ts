import { readFileSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { PictorError, formatMoney, parseFrames } from '@pictor/core'
import { planToJson, problemFromInstance, solveRoute } from '@pictor/core/route'
import { budgetOf } from '../budget.ts'
import { compose, type StateOptions } from '../compose.ts'
import { frontierChart } from '../pictures/frontier-chart.ts'
import { rasterize } from '../pictures/svg.ts'
import { chartLines } from '../terminal/chart.ts'
import { EXIT } from '../terminal/failure.ts'
import { inspectionLines, planLines, planProgress } from '../terminal/plan-view.ts'
import type { CommandContext } from './context.ts'
import { firstInterrupt } from './interrupted.ts'
import { tilesOf } from './render.ts'
import { wishesOf, type SceneOptions } from './scene-options.ts'
import { wholeNumber } from './whole-number.ts'

export interface PlanOptions extends StateOptions, SceneOptions {
  readonly scene?: string
  readonly frames?: string
  readonly deadline: string
  readonly budget: string
  readonly probeAgain?: boolean
  readonly maxFarms?: string
  readonly tiles?: string
  readonly instance?: string
  readonly svg?: string
  readonly png?: string
}

/** `pictor plan`: the choice for a scene, or the solution of a routing instance. */
export async function plan(options: PlanOptions, context: CommandContext): Promise<number> {
  if (options.instance !== undefined) return planInstance(options.instance, context)
  if (options.scene === undefined)
    throw new PictorError(
      'invalid-input',
      'the scene is missing: name the file to plan for, or a routing instance with --instance',
      {
        details: { path: 'scene', hint: 'pictor plan shot.blend --frames 1-240 --deadline 2h, or pictor plan --instance FILE' },
      },
    )
  if (options.frames !== undefined) parseFrames(options.frames)
  const budget = budgetOf(options.budget)
  const composition = await compose(options, planProgress(context))
  const interrupt = firstInterrupt('ending the plan, which has moved no money', context)
  try {
    await composition.requireRate(budget)
    const request = {
      scene: options.scene,
      deadline: options.deadline,
      budget,
      ...(options.frames === undefined ? {} : { frames: options.frames }),
      ...(options.probeAgain ? { probeAgain: true } : {}),
      ...(options.maxFarms === undefined ? {} : { maxFarms: wholeNumber('max-farms', options.maxFarms) }),
      ...tilesOf(options.tiles),
      inspect: wishesOf(options),
    }
    const plans = await composition.pictor.plan(request, { signal: interrupt.signal })
    context.emit({ type: 'plans', cheapest: plans.cheapest, fastest: plans.fastest, frontier: plans.frontier })
    for (const line of inspectionLines(plans.inspection, context, options.frames)) context.screen.log(line)
    const same = isDeepStrictEqual(plans.cheapest.routes, plans.fastest.routes)
    for (const choice of same ? [plans.cheapest] : [plans.cheapest, plans.fastest]) {
      context.screen.log(`\n${context.style.bold(choice.label)}: ${formatMoney(choice.cost)}`)
      for (const line of planLines(choice, context)) context.screen.log(line)
    }
    if (same) context.screen.log(context.style.dim('  within the budget no plan is faster'))
    const currency = plans.cheapest.cost.currency
    context.screen.log('')
    for (const line of chartLines(plans.frontier, currency)) context.screen.log(line)
    const picture = frontierChart(plans.frontier, { title: `${plans.cheapest.spec.name}: cost against time`, currency })
    if (options.svg) writeFileSync(options.svg, picture)
    if (options.png) writeFileSync(options.png, rasterize(picture))
    return EXIT.ok
  } finally {
    interrupt.end()
    await composition.close()
  }
}

/** Solves one `pictor-route-instance/1` file; prints `pictor-route-plan/1`. Exit code 5 when no plan exists, with the proof. */
function planInstance(file: string, context: CommandContext): number {
  let instance: unknown
  try {
    instance = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new PictorError('invalid-input', `${file}: ${(cause as Error).message}`, { details: { path: 'instance' }, cause })
  }
  const answer = solveRoute(problemFromInstance(instance as never))
  if (answer.kind === 'plan') process.stdout.write(`${JSON.stringify(planToJson(answer))}\n`)
  else if (context.json) context.emit({ type: answer.kind, ...answer, nearest: undefined })
  else context.screen.log(`${answer.kind}: ${answer.message}`)
  return answer.kind === 'plan' ? EXIT.ok : EXIT.money
}
