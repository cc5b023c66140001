import { PictorError } from '../contract/error.ts'
import type { Estimate, JobSpec } from '../contract/job.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { decimalsOf, formatMoney } from '../contract/money.ts'
import type { Decline, Quote } from '../contract/quote.ts'
import {
  billOf,
  frontier,
  hitProbability,
  MILD_RISK,
  solveRoute,
  type RouteAnswer,
  type RouteGoal,
  type RoutePlan,
  type RouteTiming,
} from '../route/index.ts'
import type { FarmParty } from '../run/index.ts'
import { sharePrice } from '../job/split.ts'
import { checkCostPerMille, checkFeePerFrame, checkTimeMs, escapeProbability, samplingPerMille } from './checking.ts'
import { tilesAt } from './tiles.ts'
import { findOffer, framesAt, routeProblem } from './problem.ts'
import type { Plan, PlanPoint, PlanRoute } from './plan.ts'

const HOUR_MS = 3_600_000

/**
 * Share of the time until the deadline that the first plan may use: the rest is for what goes wrong. Planning at 0.8 with re-plans and hedges met 95.5 % of
 * deadlines under mild noise, at 1.0 only 69 % (docs/routing.md).
 */
export const PLANNED_SHARE = 0.8

/** Everything that plans of one job are made from. */
export interface PlanBasis {
  readonly spec: JobSpec
  /** Expanded frames, ascending. */
  readonly frames: readonly number[]
  /** One number of work a frame, or a tile where `spec.render.tiles` split them. */
  readonly estimate: Estimate
  /** With measured speeds written in. */
  readonly quotes: readonly Quote[]
  readonly declines: readonly Decline[]
  readonly parties: Readonly<Record<string, FarmParty>>
  readonly checkers: number
  /** Share of the time until the deadline that the plan may use, above 0 to 1; {@link PLANNED_SHARE} is the usual one. */
  readonly plannedShare: number
  readonly nowMs: number
  newRun(): Bytes32
}

/** The cheapest plan that meets the deadline. @throws deadline-impossible, budget-too-small, no-farm */
export function cheapestPlan(basis: PlanBasis): Plan {
  refuseLate(basis.spec.deadlineAtMs, basis.nowMs)
  const hours = (basis.spec.deadlineAtMs - basis.nowMs) / HOUR_MS
  const maxFarms = basis.spec.maxFarms ?? null
  let answer = solve(basis, { kind: 'cheapest', deadlineH: hours * basis.plannedShare, maxFarms })
  if (answer.kind !== 'plan') answer = solve(basis, { kind: 'cheapest', deadlineH: hours, maxFarms })
  if (answer.kind !== 'plan') throw impossible(basis, answer)
  return within(basis, toPlan(basis, answer, 'cheapest', answer.lowerBound))
}

/** The plan with the earliest finish that the budget pays for, checks included. @throws budget-too-small, deadline-impossible, no-farm */
export function fastestPlan(basis: PlanBasis): Plan {
  const unit = 10 ** decimalsOf(basis.spec.budget.currency)
  // Checks cost a fixed share of what the farms earn, so the farms' part of the budget is known beforehand.
  const share = 1 + Number(checkCostPerMille(basis.estimate.work.length, basis.checkers)) / 1000
  const budget = Number(basis.spec.budget.amount) / unit / share
  const answer = solve(basis, { kind: 'fastest', budget: budget * (1 - 1e-6), maxFarms: basis.spec.maxFarms ?? null })
  if (answer.kind !== 'plan') throw tooDear(basis, answer)
  return within(basis, toPlan(basis, answer, 'fastest', 0))
}

/** Cost against time: up to `count` plans between the fastest there is and the cheapest there is, each with its certified bound, ascending by finish. */
export function planPoints(basis: PlanBasis, count: number): PlanPoint[] {
  const problem = routeProblem(
    basis.estimate,
    basis.quotes,
    {},
    { kind: 'weighted', hourValue: 0, maxFarms: basis.spec.maxFarms ?? null },
  )
  return frontier(problem, count).map(({ plan }) => ({
    finishMs: plan.finishH * HOUR_MS,
    cost: plan.cost,
    boundCost: plan.lowerBound,
  }))
}

function solve(basis: PlanBasis, goal: RouteGoal): RouteAnswer {
  if (!basis.quotes.some((quote) => quote.offers.length > 0)) throw noFarm(basis.declines)
  return solveRoute(routeProblem(basis.estimate, basis.quotes, {}, goal))
}

function toPlan(basis: PlanBasis, answer: RoutePlan, label: Plan['label'], lowerBound: number): Plan {
  const currency = basis.spec.budget.currency
  const routes = answer.routes.map((route, index): PlanRoute => {
    const indices = [...answer.assign.keys()].filter((frame) => answer.assign[frame] === index)
    const { offer } = findOffer(basis.quotes, route.offer)!
    const tiles = basis.spec.render.tiles ? tilesAt(basis.frames, indices, basis.spec.render.tiles.length) : undefined
    const parts = basis.spec.render.tiles?.length ?? 1
    const { expression } = framesAt(basis.frames, new Set(indices.map((unit) => Math.floor(unit / parts))))
    return {
      farm: route.farm,
      offer: offer.id,
      hosts: route.nodes,
      frames: expression,
      frameCount: indices.length,
      ...(tiles ? { tiles } : {}),
      cost: sharePrice(offer, indices.length, route.nodeH * HOUR_MS, route.nodes),
      finishMs: Math.ceil(route.finishH * HOUR_MS),
    }
  })
  const cost = routes.reduce((sum, route) => sum + route.cost, 0n)
  const frameCount = basis.estimate.work.length
  const checkFee = checkFeePerFrame(cost, frameCount, basis.checkers)
  return {
    contract: 1,
    kind: 'plan',
    run: basis.newRun(),
    label,
    createdAtMs: basis.nowMs,
    validUntilAtMs: Math.min(...basis.quotes.map((quote) => quote.validUntilAtMs)),
    spec: basis.spec,
    frameCount,
    routes,
    cost: { amount: cost, currency },
    lowerBound: { amount: billOf(lowerBound, 10 ** decimalsOf(currency)), currency },
    finishMs: Math.ceil(answer.finishH * HOUR_MS),
    checkMs: checkTimeMs(
      basis.estimate.work.reduce((sum, work) => sum + work, 0),
      frameCount,
      basis.spec.render.output.width * basis.spec.render.output.height,
    ),
    hitProbability: hitProbability(
      answer.routes.map((route) => timing(basis, route)),
      (basis.spec.deadlineAtMs - basis.nowMs) / HOUR_MS,
      MILD_RISK,
    ),
    checkFee,
    checkCost: { amount: checkFee * BigInt(frameCount), currency },
    samplingPerMille: samplingPerMille(frameCount),
    escapeProbability: escapeProbability(frameCount, 0.1),
    estimate: basis.estimate,
    quotes: basis.quotes,
    declines: basis.declines,
    parties: basis.parties,
  }
}

/** A route's times as the risk model takes them. */
function timing(basis: PlanBasis, route: RoutePlan['routes'][number]): RouteTiming {
  const { offer } = findOffer(basis.quotes, route.offer)!
  const readyH = offer.readyMs / HOUR_MS
  const fixedH = (offer.startMs + offer.deliverMs) / HOUR_MS
  return { readyH, fixedH, makespanH: Math.max(0, route.finishH - readyH - fixedH), nodes: route.nodes, frames: route.frames }
}

function within(basis: PlanBasis, plan: Plan): Plan {
  const total = { amount: plan.cost.amount + plan.checkCost.amount, currency: plan.cost.currency }
  if (total.amount > basis.spec.budget.amount)
    throw new PictorError(
      'budget-too-small',
      `the ${plan.label} plan costs ${formatMoney(total)} (checks included), the budget is ${formatMoney(basis.spec.budget)}`,
      {
        details: {
          path: 'budget',
          cheapest: total.amount.toString(),
          hint: `raise the budget to at least ${formatMoney(total)}, allow more time, or render fewer frames`,
        },
      },
    )
  return plan
}

/** @throws deadline-impossible when nothing is left of the time in which the job was to be rendered */
export function refuseLate(deadlineAtMs: number, nowMs: number): void {
  if (nowMs < deadlineAtMs) return
  throw new PictorError(
    'deadline-impossible',
    `the deadline passed ${forPeople(nowMs - deadlineAtMs)} ago, while the farms were being measured`,
    { details: { path: 'deadline', hint: 'allow more time: probe renders are part of it' } },
  )
}

/** A time for people, rounded up to whole minutes from two minutes on. */
function forPeople(ms: number): string {
  if (ms < 120_000) return `${Math.ceil(ms / 1000)} s`
  const minutes = Math.ceil(ms / 60_000)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function impossible(basis: PlanBasis, answer: RouteAnswer): PictorError {
  if (answer.kind === 'infeasible' && answer.constraint === 'class')
    return new PictorError('no-farm', `no farm that quoted can render every frame: ${answer.message}`, {
      details: { declines: basis.declines },
    })
  const needed =
    answer.kind === 'infeasible'
      ? answer.needed * HOUR_MS
      : answer.kind === 'unresolved' && answer.nearest
        ? answer.nearest.finishH * HOUR_MS
        : undefined
  const left = forPeople(basis.spec.deadlineAtMs - basis.nowMs)
  const [reason, hint] =
    needed === undefined
      ? ['message' in answer ? answer.message : 'none was found', 'allow more time or add farms']
      : [
          `the earliest finish is ${forPeople(needed)} from now, the deadline is in ${left}`,
          `allow at least ${forPeople(needed)}, render fewer frames, or add farms`,
        ]
  return new PictorError('deadline-impossible', `no split over the farms that quoted meets the deadline: ${reason}`, {
    details: { path: 'deadline', hint, ...(needed === undefined ? {} : { fastestMs: Math.ceil(needed) }) },
  })
}

function tooDear(basis: PlanBasis, answer: RouteAnswer): PictorError {
  return new PictorError(
    'budget-too-small',
    `no plan fits the budget of ${formatMoney(basis.spec.budget)}: ${'message' in answer ? answer.message : ''}`,
    {
      details: { path: 'budget', hint: 'raise the budget or render fewer frames' },
    },
  )
}

function noFarm(declines: readonly Decline[]): PictorError {
  const reasons = declines.map((decline) => `${decline.farm}: ${decline.message}`).join('; ')
  return new PictorError('no-farm', `no farm offers to render this job${reasons ? ` (${reasons})` : ''}`, {
    details: { declines, hint: 'run `pictor farms` to see what each farm says' },
  })
}
