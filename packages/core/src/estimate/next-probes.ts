import { average, interpolate, predictFrames, TIME_SD, windowsSd } from './fit.ts'
import type { FramePrediction, ProbeSample } from './fit.ts'
import { likenessOf, sameLook, standIns } from './looks.ts'
import { anchors } from './probe-plan.ts'
import type { ProbeKind, ProbePlan } from './probe-plan.ts'

/** A render that is asked for. */
export interface ProbeOrder {
  readonly frame: number
  readonly window: ProbeKind
}

/** Neighbours that differ by more than this factor are looked at closer. */
const JUMP = 1.35

/**
 * Price of a frame's two windows in whole frames, times how much larger the variance of what they tell is: above this, whole frames say more for the same. Below 1,
 * since a whole frame has no error of the model.
 */
const DEAR = 0.5

/** Where along the timeline frames are rendered whole beside the middle one when no windows are. */
const PLACES = [1 / 8, 7 / 8, 1 / 3] as const

/** Most frames that are rendered whole. */
const MOST_WHOLES: number = 1 + PLACES.length

/** The last whole frame may cost so much more than is left, as a share of it: without it the level rests on one. */
const OVERDRAFT = 0.2

/**
 * What to probe next, given what was measured so far; nothing: it is enough. First one window of each of two frames, and a frame whole: they tell what the budget
 * buys. Where windows are good value, those of as many frames along the timeline as the budget buys, then of those where the cost jumps, last another whole frame, far
 * from the first. Else whole frames alone.
 * Every frame comes after another one, since a warm renderer is quicker at the frame that it just had. A farm that is not the reference only tells its speed.
 */
export function nextProbes(plan: ProbePlan, samples: readonly ProbeSample[], role: 'reference' | 'other'): ProbeOrder[] {
  const { first, middle } = typicalFrames(plan)
  if (samples.length === 0) return [{ frame: first, window: 'warm' }]
  if (average(samples, 'high') === 0)
    return [
      { frame: middle, window: 'low' },
      { frame: first, window: 'high' },
    ]
  if (role === 'other') return []
  const [lows, highs, wholes] = (['low', 'high', 'full'] as const).map((window) => framesOf(samples, window))
  const modelled = new Set([...lows!].filter((frame) => highs!.has(frame)))
  const known = predictFrames(plan, samples)
  const budget = budgetOf(plan, samples, known, modelled.size > 0)
  const whole = (frames: readonly number[]): ProbeOrder[] =>
    frames
      .slice(0, budget.wholes)
      .filter((frame) => wholes!.size === 0 || interpolate(known, [frame])[0]! < budget.leftMs * (1 + OVERDRAFT))
      .map((frame) => ({ frame, window: 'full' }))
  if (modelled.size === 0 && middle !== first) {
    if (wholes!.size === 0 && budget.wholes > 0) return whole([middle])
    const places = PLACES.map((share) => plan.frames[Math.floor(share * plan.frames.length)]!)
    const next = unlike(plan, wholes!) ?? places.filter((frame) => !wholes!.has(frame))
    if (wholes!.size > 1 || (wholes!.size > 0 && budget.dear)) return whole(next.slice(0, 1))
    return [
      { frame: first, window: 'low' },
      { frame: middle, window: 'high' },
    ]
  }
  const frames = chooseFrames(plan, known, modelled, budget)
  if (frames.length > 0) return (['low', 'high'] as const).flatMap((window) => frames.map((frame) => ({ frame, window })))
  return whole(unlike(plan, wholes!) ?? farthest(plan.frames, wholes!))
}

/** The two frames that are probed first: the middle one and the first; where looks change, the one that stands for most and the farthest that looks like it. */
function typicalFrames({ frames, looks }: ProbePlan): { readonly first: number; readonly middle: number } {
  if (!looks) return { first: frames[0]!, middle: frames[Math.floor(frames.length / 2)]! }
  const likeness = likenessOf(looks)
  const middle = standIns(likeness, frames, [], 1)[0]!
  const [first] = farthest(
    frames.filter((frame) => frame === middle || sameLook(likeness, frame, middle)),
    new Set([middle]),
  )
  return { first: first ?? frames.find((frame) => frame !== middle) ?? middle, middle }
}

/** Where looks change, the frame that says most beside those of `seen`. */
const unlike = ({ frames, looks }: ProbePlan, seen: ReadonlySet<number>): number[] | undefined =>
  looks && standIns(likenessOf(looks), frames, seen, 1)

const framesOf = (samples: readonly ProbeSample[], window: ProbeKind): Set<number> =>
  new Set(samples.filter((one) => one.window === window).map((one) => one.frame))

interface Budget {
  readonly leftMs: number
  /** What a whole frame and what a frame's two windows cost about. */
  readonly frameMs: number
  readonly pairMs: number
  /** Whether whole frames tell more than windows for the same price. */
  readonly dear: boolean
  /** Whole frames that can still be rendered, and how many of them windows must leave room for. */
  readonly wholes: number
  readonly reserved: number
}

function budgetOf(
  plan: ProbePlan,
  samples: readonly ProbeSample[],
  known: readonly FramePrediction[],
  modelled: boolean,
): Budget {
  const [lowMs, highMs] = [average(samples, 'low'), modelled ? average(samples, 'high') : highBeside(plan, samples)]
  const frameMs = interpolate(known, plan.frames).reduce((sum, ms) => sum + ms, 0) / plan.frames.length
  const pairMs = lowMs + highMs
  const dear = (pairMs / frameMs) * (windowsSd(plan, lowMs, highMs) / TIME_SD) ** 2 > DEAR
  const spentMs = samples.reduce((sum, { window, renderMs }) => sum + (window === 'warm' ? 0 : renderMs), 0)
  const leftMs = plan.budgetFrames * frameMs - spentMs
  const rendered = framesOf(samples, 'full').size
  // Two whole frames in jobs that can afford them beside enough windows, one in shorter ones.
  const wanted = plan.budgetFrames >= 3.5 ? 2 : plan.budgetFrames >= 1.6 ? 1 : 0
  const reserved = Math.max(0, wanted - rendered)
  const affordable = dear || wanted > 0 ? Math.min(MOST_WHOLES - rendered, Math.floor(leftMs / frameMs)) : 0
  const last = reserved > 0 && leftMs > (1 - OVERDRAFT) * frameMs ? 1 : 0
  return { leftMs, frameMs, pairMs, dear, wholes: Math.max(0, affordable, last), reserved }
}

/** Time of the larger window beside the smaller one of the same frame: between that and the whole frame, where it was rendered. */
function highBeside({ load }: ProbePlan, samples: readonly ProbeSample[]): number {
  const wholeMs = average(samples, 'full')
  if (wholeMs === 0) return average(samples, 'high')
  const lowMs = average(samples, 'low')
  return lowMs + (Math.max(0, wholeMs - lowMs) * (load.high - load.low)) / (load.full - load.low)
}

/** The frame that lies farthest along the timeline from those of `others`; none when all are among them. */
function farthest(frames: readonly number[], others: ReadonlySet<number>): number[] {
  const far = (frame: number): number => Math.min(...[...others].map((other) => Math.abs(other - frame)))
  const best = frames.reduce((a, b) => (far(b) > far(a) ? b : a))
  return others.has(best) ? [] : [best]
}

/** Frames whose two windows are measured next: evenly spread at first, with a part of the budget kept for jumps; then halfway between neighbours that differ. */
function chooseFrames(
  plan: ProbePlan,
  known: readonly FramePrediction[],
  modelled: ReadonlySet<number>,
  { leftMs, frameMs, pairMs, reserved }: Budget,
): number[] {
  const room = Math.min(Math.floor((leftMs - reserved * frameMs) / pairMs), plan.mostFrames - modelled.size)
  if (room < 1) return []
  const count = Math.ceil(room * 0.75)
  const spread = plan.looks
    ? standIns(likenessOf(plan.looks), plan.frames, modelled, count)
    : anchors(plan.frames, count + 2).filter((frame) => !modelled.has(frame))
  const even = modelled.size > 2 ? [] : spread
  const chosen = even.length > 0 ? even : jumps(plan, known).filter((frame) => !modelled.has(frame))
  return chosen.slice(0, room).sort((a, b) => a - b)
}

/** Frames halfway between neighbours whose cost differs much, the largest difference first. */
function jumps(plan: ProbePlan, known: readonly FramePrediction[]): number[] {
  const found: { readonly frame: number; readonly jump: number }[] = []
  for (const [i, b] of known.entries()) {
    const a = known[i - 1]
    if (!a) continue
    const between = plan.frames.filter((frame) => frame > a.frame && frame < b.frame)
    const jump = Math.max(a.ms / b.ms, b.ms / a.ms)
    if (between.length > 0 && jump > JUMP) found.push({ frame: between[Math.floor(between.length / 2)]!, jump })
  }
  return found.sort((a, b) => b.jump - a.jump).map(({ frame }) => frame)
}
