import { costCurve } from './curve.ts'
import type { Sight } from './curve.ts'
import { likenessOf, sameLook, type Likeness } from './looks.ts'
import type { ProbeKind, ProbePlan } from './probe-plan.ts'

/** One measured frame of a probe. */
export interface ProbeSample {
  readonly frame: number
  readonly window: ProbeKind
  readonly renderMs: number
}

/** Cost of a whole frame at the ordered settings, as one farm's probes predict it. */
export interface FramePrediction {
  readonly frame: number
  readonly ms: number
  /** The share of it that does not depend on pixels: the same for every tile of the frame. */
  readonly fixedMs: number
}

/** What the two windows say of one frame before whole frames have corrected it. */
export interface RawPrediction extends FramePrediction {
  /** Measured whole, when it was. */
  readonly fullMs?: number
  /** Whether the two windows were measured; else `ms` is the measured whole. */
  readonly modelled: boolean
}

/**
 * The slope model: `ms = fixed + k * pixels * samples`, one line a frame through its two probes, read at the full load. Several samples of one frame and window (one
 * a slot) are averaged. A frame whose times contradict the model (more samples took no longer) is taken as all fixed cost.
 * Source: docs/estimates.md; scaling one cheap probe by pixels x samples was wrong by 79 % to 4,914 % on the same scenes.
 */
export function rawSlopes(plan: ProbePlan, samples: readonly ProbeSample[]): RawPrediction[] {
  const times = new Map<number, Record<string, number[]>>()
  for (const { frame, window, renderMs } of samples) {
    const at = times.get(frame) ?? {}
    times.set(frame, { ...at, [window]: [...(at[window] ?? []), renderMs] })
  }
  const pooled = lineThrough(plan, average(samples, 'low'), average(samples, 'high'))
  return [...times]
    .sort(([a], [b]) => a - b)
    .flatMap(([frame, { low, high, full }]): RawPrediction[] => {
      const measured = full ? { fullMs: mean(full) } : {}
      if (low && high) return [{ frame, ...lineThrough(plan, mean(low), mean(high)), modelled: true, ...measured }]
      return full ? [{ frame, ms: mean(full), fixedMs: Math.min(mean(full), pooled.fixedMs), modelled: false, ...measured }] : []
    })
}

/** The line through the times of the two windows, read at the full load. */
export function lineThrough(
  { load }: ProbePlan,
  lowMs: number,
  highMs: number,
): { readonly ms: number; readonly fixedMs: number } {
  const slope = Math.max(0, (highMs - lowMs) / (load.high - load.low))
  const fixedMs = Math.max(0, Math.min(lowMs, highMs) - slope * load.low)
  const ms = Math.max(1, fixedMs + slope * load.full)
  return { ms, fixedMs: Math.min(ms, fixedMs) }
}

/** Mean time of one window over all frames; 0 when it was not measured. */
export function average(samples: readonly ProbeSample[], window: ProbeKind): number {
  const times = samples.filter((one) => one.window === window).map((one) => one.renderMs)
  return times.length === 0 ? 0 : mean(times)
}

/** Standard deviation of the logarithm of one render time: the same frame again, a moment later, on a machine that others use too. */
export const TIME_SD: number = 0.06

/**
 * Predictions of all probed frames, ascending: the curve along the timeline by windows and whole frames together, each counting for as much as it is certain.
 */
export function predictFrames(plan: ProbePlan, samples: readonly ProbeSample[]): FramePrediction[] {
  const raw = rawSlopes(plan, samples)
  const [lowMs, highMs] = [average(samples, 'low'), average(samples, 'high')]
  // A farm that only told its speed has one window of each of two frames.
  if (raw.length === 0) return lowMs > 0 && highMs > 0 ? [{ frame: plan.frames[0]!, ...lineThrough(plan, lowMs, highMs) }] : []
  const sd = windowsSd(plan, lowMs, highMs)
  const likeness = plan.looks && likenessOf(plan.looks)
  const curve = costCurve(
    raw.flatMap(({ frame, ms, modelled, fullMs }): Sight[] => [
      ...(modelled ? [{ frame, log: Math.log(ms), sd, modelled }] : []),
      ...(fullMs === undefined ? [] : [{ frame, log: Math.log(Math.max(1, fullMs)), sd: TIME_SD, modelled: false }]),
    ]),
    likeness,
  )
  // Between two looks the curve is no straight line.
  const edges = likeness ? plan.frames.flatMap((frame, i) => edgeAt(plan.frames[i - 1], frame, likeness)) : []
  const frames = [...new Set([...raw.map(({ frame }) => frame), ...edges])].sort((a, b) => a - b)
  const fixed = interpolate(
    raw.map(({ frame, fixedMs }) => ({ frame, ms: fixedMs })),
    frames,
  )
  return frames.map((frame, i) => {
    const ms = Math.max(1, Math.exp(curve(frame)))
    return { frame, ms, fixedMs: Math.min(ms, fixed[i]!) }
  })
}

const edgeAt = (before: number | undefined, frame: number, likeness: Likeness): number[] =>
  before === undefined || sameLook(likeness, before, frame) ? [] : [before, frame]

/** How uncertain a frame's cost is by its two windows, as {@link TIME_SD}: what they differ by is multiplied up to the full load. */
export function windowsSd({ load }: ProbePlan, lowMs: number, highMs: number): number {
  const factor = (load.full - load.low) / (load.high - load.low)
  const ms = lowMs + factor * Math.max(0, highMs - lowMs)
  return (TIME_SD * Math.hypot((factor - 1) * lowMs, factor * highMs)) / ms
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Piecewise linear along the timeline between predicted frames, constant beyond the ends. `predictions` ascending by frame, at least one. */
export function interpolate(
  predictions: readonly { readonly frame: number; readonly ms: number }[],
  frames: readonly number[],
): number[] {
  let segment = 0
  return frames.map((frame) => {
    while (segment < predictions.length - 2 && predictions[segment + 1]!.frame < frame) segment++
    const a = predictions[segment]!
    const b = predictions[segment + 1] ?? a
    if (b.frame === a.frame) return a.ms
    const share = Math.min(1, Math.max(0, (frame - a.frame) / (b.frame - a.frame)))
    return a.ms + (b.ms - a.ms) * share
  })
}
