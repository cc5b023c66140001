import { average, lineThrough, slopePredictions } from './fit.ts'
import type { ProbeSample, RawPrediction } from './fit.ts'
import { anchors } from './probe-plan.ts'
import type { ProbeKind, ProbePlan } from './probe-plan.ts'

/** A render that is asked for. */
export interface ProbeOrder {
  readonly frame: number
  readonly window: ProbeKind
}

/** Neighbours that differ by more than this factor are looked at closer. */
const JUMP = 1.35

/** Above this share of a frame's cost its two windows are not worth their price: whole frames say more. */
const DEAR = 0.6

/**
 * What to probe next, given what was measured so far; nothing: it is enough. First one window of each of two frames tells what a frame costs about, and so what the
 * budget buys; then as many frames along the timeline as that, then the places where the cost jumps; last a few whole frames, by which the others are corrected.
 * Every frame comes after another one, since a warm renderer is quicker at the frame that it just had. A farm that is not the reference only tells its speed.
 */
export function nextProbes(plan: ProbePlan, samples: readonly ProbeSample[], role: 'reference' | 'other'): ProbeOrder[] {
  const first = plan.frames[0]!
  const middle = plan.frames[Math.floor(plan.frames.length / 2)]!
  if (samples.length === 0) return [{ frame: middle, window: 'warm' }]
  if (average(samples, 'high') === 0)
    return [
      { frame: first, window: 'low' },
      { frame: middle, window: 'high' },
    ]
  if (role === 'other' || samples.some((one) => one.window === 'full')) return []
  const raw = slopePredictions(plan, samples)
  const budget = budgetOf(plan, samples, raw)
  const whole = (frames: readonly number[]): ProbeOrder[] => frames.map((frame) => ({ frame, window: 'full' }))
  if (budget.pairMs > DEAR * budget.frameMs && budget.wholes > 0)
    return whole(anchors(plan.frames, budget.wholes + 2).slice(1, -1))
  if (raw.length === 0)
    return [...(middle === first ? [] : [{ frame: middle, window: 'low' } as const]), { frame: first, window: 'high' }]
  const frames = chooseFrames(plan, raw, budget)
  if (frames.length > 0) return (['low', 'high'] as const).flatMap((window) => frames.map((frame) => ({ frame, window })))
  return whole(dearAndMiddle(raw, budget.wholes))
}

interface Budget {
  readonly leftMs: number
  /** What a whole frame and what a frame's two windows cost about. */
  readonly frameMs: number
  readonly pairMs: number
  /** Whole frames that are rendered in the end. */
  readonly wholes: number
}

function budgetOf(plan: ProbePlan, samples: readonly ProbeSample[], raw: readonly RawPrediction[]): Budget {
  const about = lineThrough(plan, average(samples, 'low'), average(samples, 'high'))
  const frameMs = raw.length === 0 ? about.ms : raw.reduce((sum, one) => sum + one.ms, 0) / raw.length
  const fixedMs = Math.min(frameMs, about.fixedMs)
  const { low, high, full } = plan.load
  const pairMs = 2 * fixedMs + ((frameMs - fixedMs) * (low + high)) / full
  const spentMs = samples.reduce((sum, { window, renderMs }) => sum + (window === 'warm' ? 0 : renderMs), 0)
  const leftMs = plan.budgetFrames * frameMs - spentMs
  const dear = pairMs > DEAR * frameMs
  const wholes = dear
    ? Math.min(4, Math.floor(leftMs / frameMs))
    : plan.budgetFrames >= 3.5
      ? 2
      : plan.budgetFrames >= 1.6
        ? 1
        : 0
  return { leftMs, frameMs, pairMs, wholes: Math.max(0, wholes) }
}

/** Frames whose two windows are measured next: evenly spread at first, with a part of the budget kept for jumps; then halfway between neighbours that differ. */
function chooseFrames(plan: ProbePlan, raw: readonly RawPrediction[], { leftMs, frameMs, pairMs, wholes }: Budget): number[] {
  const room = Math.min(Math.floor((leftMs - wholes * frameMs) / pairMs), plan.mostFrames - raw.length)
  if (room < 1) return []
  const known = new Set(raw.map((one) => one.frame))
  const even = known.size > 2 ? [] : anchors(plan.frames, Math.ceil(room * 0.75) + 2).filter((frame) => !known.has(frame))
  const chosen = even.length > 0 ? even : jumps(plan, raw)
  return chosen.slice(0, room).sort((a, b) => a - b)
}

/** Frames halfway between neighbours whose cost differs much, the largest difference first. */
function jumps(plan: ProbePlan, raw: readonly RawPrediction[]): number[] {
  const found: { readonly frame: number; readonly jump: number }[] = []
  for (const [i, b] of raw.entries()) {
    const a = raw[i - 1]
    if (!a) continue
    const between = plan.frames.filter((frame) => frame > a.frame && frame < b.frame)
    const jump = Math.max(a.ms / b.ms, b.ms / a.ms)
    if (between.length > 0 && jump > JUMP) found.push({ frame: between[Math.floor(between.length / 2)]!, jump })
  }
  return found.sort((a, b) => b.jump - a.jump).map(({ frame }) => frame)
}

/** The dearest of the probed frames and one of middle cost. */
function dearAndMiddle(raw: readonly RawPrediction[], count: number): number[] {
  const byCost = raw.toSorted((a, b) => a.ms - b.ms).map(({ frame }) => frame)
  return [...new Set([byCost[Math.floor(byCost.length / 2)]!, byCost.at(-1)!])].slice(0, count).sort((a, b) => a - b)
}
