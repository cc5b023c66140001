// pnpm bench route [-- --full] [--only WORD]: gaps to proven optima and to our own certified bound, times, memory, the frontier, the four
// baselines beside it, and simulated execution. Quick takes a few minutes; --full uses the numbers of instances of docs/routing.md.
import type { Bench } from '../scripts/bench.ts'
import {
  baselinePlan,
  frontier,
  MILD_RISK,
  planToJson,
  problemFromInstance,
  SEVERE_RISK,
  solveRoute,
  type Baseline,
  type RouteInstance,
  type RouteProblem,
} from '../packages/core/src/route/index.ts'
import { simulateRoute, type RoutePolicy } from '../packages/core/src/simulate/route-execution.ts'
import { judge } from '../packages/core/test/route/oracle.ts'
import { instanceOf, SHAPES, shaped, sharedTools, type Options } from './route/instances.ts'
import { exactOptimum, loadHighs } from './route/reference.ts'

type Report = Parameters<Bench>[0]
const POLICIES: readonly Baseline[] = ['cheapest-farm', 'fastest-farm', 'round-robin', 'greedy']

/** What must never happen, counted over everything the benchmark solves. */
const never = { plans: 0, invalid: 0, worse: 0, boundAbove: 0, unresolved: 0, missed: 0 }

interface Run {
  readonly gap: number
  readonly ms: number
  readonly kind: string
  readonly objective: number
  readonly baselines: ReadonlyMap<Baseline, number | undefined>
}

type Tools = Awaited<ReturnType<typeof sharedTools>>

function errorsOf(tools: Tools, instance: RouteInstance, problem: RouteProblem, plan: ReturnType<typeof planToJson>): string[] {
  if (tools !== undefined) return tools.check(instance, plan).errors
  return problem.work.length <= 20_000 ? judge(problem, plan).errors : []
}

function run(tools: Tools, instance: RouteInstance, problem: RouteProblem, withBaselines: boolean): Run {
  const start = performance.now()
  const answer = solveRoute(problem)
  const ms = performance.now() - start
  const baselines = new Map<Baseline, number | undefined>()
  let objective = Infinity
  let gap = Infinity
  if (answer.kind === 'plan') {
    never.plans++
    objective = answer.objective
    gap = 100 * answer.gap
    const errors = errorsOf(tools, instance, problem, planToJson(answer))
    if (errors.length > 0) {
      never.invalid++
      console.log(`  INVALID ${problem.id}: ${errors.join('; ')}`)
    }
  } else if (answer.kind === 'unresolved') never.unresolved++
  for (const policy of withBaselines ? POLICIES : []) {
    const rival = baselinePlan(problem, policy)
    const late = rival === undefined || (problem.goal.kind === 'cheapest' && rival.finishH > problem.goal.deadlineH)
    baselines.set(policy, late ? undefined : rival.objective)
    if (late) continue
    if (answer.kind !== 'plan') never.missed++
    else if (rival.objective < objective * (1 - 1e-9)) never.worse++
    if (answer.kind === 'plan' && rival.objective < answer.lowerBound * (1 - 1e-6)) never.boundAbove++
  }
  return { gap, ms, kind: answer.kind, objective, baselines }
}

const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
}
const show = (x: number) => (Number.isFinite(x) ? x.toFixed(3) : '-')

/** Gaps to our own bound, with the baselines' gaps (and how many are late) beside them. */
function table(report: Report, name: string, runs: readonly Run[]): void {
  const planned = runs.filter((one) => one.kind === 'plan')
  const gaps = planned.map((one) => one.gap)
  const rivals = POLICIES.map((policy) => {
    const inTime = planned.flatMap((one) => {
      const rival = one.baselines.get(policy)
      return rival === undefined ? [] : [100 * (rival / (one.objective * (1 - one.gap / 100)) - 1)]
    })
    const late = planned.filter((one) => one.baselines.size > 0 && one.baselines.get(policy) === undefined).length
    return `${policy} ${inTime.length > 0 ? `+${quantile(inTime, 0.5).toFixed(1)} %` : '-'} (${late} late)`
  })
  const kinds = runs.filter((one) => one.kind !== 'plan')
  const others =
    kinds.length > 0
      ? `; ${kinds.filter((one) => one.kind === 'infeasible').length} proven infeasible, ${kinds.filter((one) => one.kind === 'unresolved').length} unresolved`
      : ''
  report({
    name,
    value: quantile(gaps, 0.5),
    unit: '% gap p50',
    note: `n=${runs.length} p90 ${show(quantile(gaps, 0.9))} p99 ${show(quantile(gaps, 0.99))} max ${show(Math.max(...gaps))}; ms p50 ${quantile(
      planned.map((one) => one.ms),
      0.5,
    ).toFixed(1)} max ${Math.max(...planned.map((one) => one.ms)).toFixed(0)}${others}; ${rivals.join(', ')}`,
  })
}

async function againstOptimum(report: Report, tools: Tools, count: number): Promise<void> {
  const highs = await loadHighs()
  if (highs === undefined)
    return report({ name: 'tiny', value: 0, unit: 'instances', note: 'skipped: npm highs is not installed' })
  const gaps: number[] = []
  const times: number[] = []
  const reference: number[] = []
  let open = 0
  let boundAbove = 0
  for (let k = 0; k < count; k++) {
    const options = { farms: 3, frames: 12 + (k % 9), seed: 1000 + k, slack: [1.3, 2, 4][k % 3] as number }
    const { instance, problem } = instanceOf(tools?.generate, options)
    const start = performance.now()
    const best = exactOptimum(highs, problem, 10)
    reference.push(performance.now() - start)
    const one = run(tools, instance, problem, true)
    if (best === undefined) open++
    else if (best === 'infeasible') {
      if (one.kind === 'plan') never.invalid++
    } else {
      if (one.kind !== 'plan') never.missed++
      gaps.push(100 * (one.objective / best - 1))
      times.push(one.ms)
      if (one.objective * (1 - one.gap / 100) > best * (1 + 1e-6) + 1e-6) boundAbove++
    }
  }
  never.boundAbove += boundAbove
  report({
    name: 'tiny: optimal (to 1e-4)',
    value: (100 * gaps.filter((gap) => gap <= 0.01).length) / gaps.length,
    unit: '%',
    note: `3 farms x 12-20 frames, ${gaps.length} proven by HiGHS (${open} open after 10 s); worst gap ${show(Math.max(...gaps))} %; bound above optimum: ${boundAbove}`,
  })
  report({
    name: 'tiny: time p50',
    value: quantile(times, 0.5),
    unit: 'ms',
    peer: 'HiGHS',
    peerValue: quantile(reference, 0.5),
    note: `max ${Math.max(...times).toFixed(0)}`,
  })
}

function gaps(
  report: Report,
  tools: Tools,
  count: number,
  sizes: readonly (readonly [number, number])[],
  baselines: boolean,
): void {
  for (const [farms, frames] of sizes) {
    for (const slack of [1.3, 2, 4]) {
      const runs = Array.from({ length: Math.max(2, Math.round(count / Math.max(1, frames / 2000))) }, (_, k) => {
        const { instance, problem } = instanceOf(tools?.generate, { farms, frames, seed: k + 1, slack })
        return run(tools, instance, problem, baselines)
      })
      table(report, `${farms} x ${frames}, slack ${slack}`, runs)
    }
  }
}

function otherShapes(report: Report, tools: Tools, count: number): void {
  const sizes: readonly (readonly [number, number])[] = [
    [1, 1],
    [1, 200],
    [5, 200],
    [20, 2000],
    [300, 1000],
  ]
  for (const shape of SHAPES) {
    for (const [farms, frames] of sizes) {
      const runs = Array.from({ length: farms === 300 ? 2 : count }, (_, k) => {
        const instance = shaped(shape, { farms, frames, seed: k + 1, slack: [1.3, 2, 4][k % 3] as number })
        return run(tools, instance, problemFromInstance(instance), true)
      })
      table(report, `${shape}: ${farms} x ${frames}`, runs)
    }
  }
}

function otherGoals(report: Report, tools: Tools, count: number): void {
  for (const options of [
    { goal: 'fastest' },
    { goal: 'weighted' },
    { profile: 'fixed' },
    { profile: 'plain' },
    { maxFarms: 3 },
  ] as Partial<Options>[]) {
    const runs = Array.from({ length: count }, (_, k) => {
      const { instance, problem } = instanceOf(tools?.generate, { farms: 10, frames: 300, seed: k + 1, slack: 2, ...options })
      return run(tools, instance, problem, problem.goal.kind === 'cheapest' && !problem.goal.maxFarms)
    })
    table(report, `10 x 300, ${JSON.stringify(options).replaceAll('"', '')}`, runs)
  }
}

function times(report: Report, tools: Tools, count: number): void {
  for (const [farms, frames, n, goalMs] of [
    [10, 1000, 10 * count, 30],
    [100, 1_000_000, count, 300],
  ] as const) {
    const ms: number[] = []
    const cpuMs: number[] = []
    let memory = 0
    for (let k = 0; k < n + 3; k++) {
      const { problem } = instanceOf(frames > 2000 && tools === undefined ? undefined : tools?.generate, {
        farms,
        frames,
        seed: (k % n) + 1,
        slack: 2,
      })
      globalThis.gc?.()
      const before = process.memoryUsage()
      const cpu = process.cpuUsage()
      const start = performance.now()
      solveRoute(problem)
      const after = process.memoryUsage()
      // The first runs warm the compiler up.
      if (k >= 3) {
        ms.push(performance.now() - start)
        const used = process.cpuUsage(cpu)
        cpuMs.push((used.user + used.system) / 1000)
      }
      memory = Math.max(memory, after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers)
    }
    report({
      name: `time ${farms} x ${frames}`,
      value: quantile(ms, 0.5),
      unit: 'ms p50',
      note: `goal ${goalMs}; CPU of all threads p50 ${quantile(cpuMs, 0.5).toFixed(0)}; p90 ${quantile(ms, 0.9).toFixed(0)} max ${Math.max(...ms).toFixed(0)}; extra memory at the end ${(memory / 1e6).toFixed(0)} MB (garbage included)`,
    })
  }
}

function frontiers(report: Report, tools: Tools): void {
  for (const [farms, frames] of [
    [10, 1000],
    [30, 10_000],
  ] as const) {
    const { problem } = instanceOf(tools?.generate, { farms, frames, seed: 30, slack: 2 })
    frontier(problem, 10)
    const start = performance.now()
    const points = frontier(problem, 50)
    const ms = performance.now() - start
    const gap = points.map((point) => 100 * point.plan.gap)
    report({
      name: `frontier ${farms} x ${frames}`,
      value: ms,
      unit: 'ms',
      note: `50 deadlines, ${points.length} undominated points; gap p50 ${show(quantile(gap, 0.5))} max ${show(Math.max(...gap))} %`,
    })
  }
}

/** Jobs in noisy worlds: 12 farms x 2000 frames, slack 3; cost relative to what the plan for the whole deadline costs on paper. */
function executions(report: Report, tools: Tools, jobs: number, worlds: number): void {
  const policies: readonly RoutePolicy[] = [
    { planAt: 1, replan: false, copies: false },
    { planAt: 0.8, replan: false, copies: false },
    { planAt: 0.85, replan: true, copies: false },
    { planAt: 0.85, replan: true, copies: true },
  ]
  for (const [name, risk] of [
    ['mild', MILD_RISK],
    ['severe', SEVERE_RISK],
  ] as const) {
    for (const policy of policies) {
      let hits = 0
      let runs = 0
      let cost = 0
      for (let job = 1; job <= jobs; job++) {
        const { problem } = instanceOf(tools?.generate, { farms: 12, frames: 2000, seed: job, slack: 3 })
        const plan = solveRoute(problem)
        for (let world = 0; plan.kind === 'plan' && world < worlds; world++) {
          const outcome = simulateRoute(problem, risk, policy, job * 100 + world)
          if (outcome === undefined) continue
          runs++
          hits += outcome.hit ? 1 : 0
          cost += outcome.cost / plan.cost
        }
      }
      const how = policy.replan ? `re-plan${policy.copies ? ' + copies' : ''}` : 'static'
      report({
        name: `${name} noise, ${how} at ${policy.planAt} D`,
        value: (100 * hits) / runs,
        unit: '% in time',
        note: `cost ${(cost / runs).toFixed(3)} x planned, n=${runs}`,
      })
    }
  }
}

export const bench: Bench = async (report, args) => {
  const full = args.includes('--full')
  const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined
  const want = (name: string) => only === undefined || only === name
  const tools = await sharedTools()
  console.log(
    tools === undefined
      ? 'instances of our own (the shared generator is absent)'
      : 'instances of the shared generator, plans checked by the shared oracle',
  )
  if (want('time')) times(report, tools, full ? 15 : 5)
  if (want('frontier')) frontiers(report, tools)
  if (want('tiny')) await againstOptimum(report, tools, full ? 200 : 30)
  if (want('small'))
    gaps(
      report,
      tools,
      full ? 100 : 12,
      [
        [3, 50],
        [5, 200],
      ],
      true,
    )
  if (want('large'))
    gaps(
      report,
      tools,
      full ? 100 : 12,
      [
        [10, 1000],
        [30, 10_000],
        [100, 100_000],
      ],
      true,
    )
  if (want('goals')) otherGoals(report, tools, full ? 30 : 5)
  if (want('shapes')) otherShapes(report, tools, full ? 12 : 3)
  if (want('execution')) executions(report, tools, full ? 25 : 4, full ? 8 : 4)
  for (const [name, value] of Object.entries(never))
    report({ name: `never: ${name}`, value, unit: name === 'plans' ? 'plans' : 'cases' })
}
