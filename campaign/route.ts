// pnpm campaign route [count]: `count` instances (1000) of every profile, goal and shape of work against the oracle, the four baselines and the bound. Every
// tenth is solved twice and must give the same bytes. Which instance failed is printed with its options, which replay it.
import {
  baselinePlan,
  planToJson,
  problemFromInstance,
  solveRoute,
  type Baseline,
  type RouteInstance,
  type RouteProblem,
} from '../packages/core/src/route/index.ts'
import { judge } from '../packages/core/test/route/oracle.ts'
import { assignment, ASSIGNMENTS, SHAPES, shaped, sharedTools, type Options } from '../bench/route/instances.ts'

const POLICIES: readonly Baseline[] = ['cheapest-farm', 'fastest-farm', 'round-robin', 'greedy']
const SLACKS = [1.05, 1.3, 2, 4] as const
/** Farms and frames, from nothing to choose to much of either; really large ones are the benchmark's. */
const SIZES = [
  [1, 1],
  [1, 40],
  [2, 7],
  [3, 18],
  [3, 50],
  [5, 120],
  [8, 200],
  [12, 400],
  [25, 60],
  [4, 3000],
  [300, 150],
] as const

interface Tally {
  plans: number
  infeasible: number
  unresolved: number
  invalid: number
  worse: number
  boundAbove: number
  missed: number
  changed: number
  readonly gaps: number[]
  slowestMs: number
}

type Tools = Awaited<ReturnType<typeof sharedTools>>

/** Whether a plan of a baseline keeps the goal's limits. */
function keeps(
  problem: RouteProblem,
  plan: { readonly cost: number; readonly finishH: number; readonly routes: readonly unknown[] },
): boolean {
  const { goal } = problem
  if (goal.maxFarms && plan.routes.length > goal.maxFarms) return false
  if (goal.kind === 'cheapest') return plan.finishH <= goal.deadlineH
  return goal.kind === 'fastest' ? plan.cost <= goal.budget : true
}

function one(tools: Tools, instance: RouteInstance, again: boolean, tally: Tally): string[] {
  const problem = problemFromInstance(instance)
  const broken: string[] = []
  const cpu = process.threadCpuUsage()
  const answer = solveRoute(problem)
  const used = process.threadCpuUsage(cpu)
  tally.slowestMs = Math.max(tally.slowestMs, (used.user + used.system) / 1000)
  if (answer.kind === 'plan') {
    tally.plans++
    tally.gaps.push(100 * answer.gap)
    const json = planToJson(answer)
    const errors = tools === undefined ? judge(problem, json).errors : tools.check(instance, json).errors
    if (errors.length > 0) {
      tally.invalid++
      broken.push(...errors)
    }
  } else tally[answer.kind]++
  for (const policy of POLICIES) {
    const rival = baselinePlan(problem, policy)
    if (rival === undefined || !keeps(problem, rival)) continue
    if (answer.kind !== 'plan') {
      tally.missed++
      broken.push(`${answer.kind}, but ${policy} has a plan`)
      continue
    }
    if (rival.objective < answer.objective * (1 - 1e-9)) {
      tally.worse++
      broken.push(`${policy} is better: ${rival.objective} < ${answer.objective}`)
    }
    if (rival.objective < answer.lowerBound * (1 - 1e-6)) {
      tally.boundAbove++
      broken.push(`the bound ${answer.lowerBound} is above ${policy}'s ${rival.objective}`)
    }
  }
  if (again && JSON.stringify(solveRoute(problemFromInstance(instance))) !== JSON.stringify(answer)) {
    tally.changed++
    broken.push('another answer the second time')
  }
  return broken
}

/** A name and a maker of the k-th instance. */
type Kind = readonly [string, (options: Options) => RouteInstance]

function kinds(tools: Tools): Kind[] {
  const list: Kind[] = []
  const generate = tools?.generate
  if (generate !== undefined) {
    for (const [name, extra] of [
      ['mixed', {}],
      ['plain', { profile: 'plain' }],
      ['fixed', { profile: 'fixed' }],
      ['at most 2 farms', { maxFarms: 2 }],
      ['at most 3 farms', { maxFarms: 3 }],
      ['few hosts', { nodeScale: 0.3 }],
      ['many hosts', { nodeScale: 3 }],
      ['fastest', { goal: 'fastest' }],
      ['weighted', { goal: 'weighted' }],
      ['fastest, at most 2 farms', { goal: 'fastest', maxFarms: 2 }],
    ] as const) {
      list.push([name, (options) => generate({ ...options, ...extra })])
    }
  }
  for (const shape of SHAPES) list.push([shape, (options) => shaped(shape, options)])
  // The published sizes: every frame is a class of its own, with up to 20 agents and 200 tasks.
  for (const type of ASSIGNMENTS) {
    const sized = ({ farms, frames, ...rest }: Options) => ({
      ...rest,
      farms: Math.min(farms, 20),
      frames: Math.min(frames, 200),
    })
    list.push([`assignment ${type}`, (options) => assignment(type, sized(options))])
  }
  return list
}

const quantile = (values: number[], q: number): string => {
  const sorted = values.sort((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN).toFixed(3)
}

export async function campaign(args: readonly string[]): Promise<boolean> {
  const count = Number(args[0] ?? 1000)
  const only = args[1]
  const tools = await sharedTools()
  let good = true
  console.log(
    '| instances | plans | infeasible | unresolved | invalid | worse than a baseline | bound above a plan | missed | changed | gap p50 / p90 / p99 % | slowest ms |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|---|---|')
  for (const [name, make] of kinds(tools)) {
    if (only !== undefined && only !== name) continue
    const tally: Tally = {
      plans: 0,
      infeasible: 0,
      unresolved: 0,
      invalid: 0,
      worse: 0,
      boundAbove: 0,
      missed: 0,
      changed: 0,
      gaps: [],
      slowestMs: 0,
    }
    for (let k = 0; k < count; k++) {
      const [farms, frames] = SIZES[k % SIZES.length] as readonly [number, number]
      const options = { farms, frames, seed: 5000 + k, slack: SLACKS[Math.floor(k / SIZES.length) % SLACKS.length] as number }
      const broken = one(tools, make(options), k % 10 === 0, tally)
      if (broken.length === 0) continue
      good = false
      console.log(`${name} ${JSON.stringify(options)}: ${broken.join('; ')}`)
    }
    const { gaps } = tally
    console.log(
      `| ${name} (${count}) | ${tally.plans} | ${tally.infeasible} | ${tally.unresolved} | ${tally.invalid} | ${tally.worse} | ${tally.boundAbove} | ${tally.missed} | ${tally.changed} | ${quantile(gaps, 0.5)} / ${quantile(gaps, 0.9)} / ${quantile(gaps, 0.99)} | ${tally.slowestMs.toFixed(0)} |`,
    )
  }
  return good
}
