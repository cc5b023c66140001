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
export function slopePredictions(plan: ProbePlan, samples: readonly ProbeSample[]): RawPrediction[] {
  const raw = rawSlopes(plan, samples)
  return raw.map((one, i) => ({ ...one, ms: smoothed(raw[i - 1]?.ms, one.ms, raw[i + 1]?.ms) }))
}

/** {@link slopePredictions} before neighbours are averaged. */
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

/** Neighbours whose cost differs by less than this factor are taken for one cost with noise: what two short renders differ by is small and uncertain. */
const ALIKE = 1.35

function smoothed(before: number | undefined, ms: number, after: number | undefined): number {
  const alike = [before, after].filter((other) => other !== undefined && Math.max(other / ms, ms / other) < ALIKE) as number[]
  return (2 * ms + alike.reduce((sum, other) => sum + other, 0)) / (2 + alike.length)
}

/**
 * Predictions of all probed frames, ascending. Frames that were rendered whole are as measured; they correct the others by how far the slope model was off, more
 * like the one whose predicted cost is nearer.
 */
export function predictFrames(plan: ProbePlan, samples: readonly ProbeSample[]): FramePrediction[] {
  const raw = slopePredictions(plan, samples)
  const [lowMs, highMs] = [average(samples, 'low'), average(samples, 'high')]
  // A farm that only told its speed has one window of each of two frames.
  if (raw.length === 0) return lowMs > 0 && highMs > 0 ? [{ frame: plan.frames[0]!, ...lineThrough(plan, lowMs, highMs) }] : []
  const modelled = raw.filter((one) => one.modelled)
  const known = raw.flatMap(({ frame, fullMs }) => {
    if (fullMs === undefined || modelled.length === 0) return []
    const [ms] = interpolate(modelled, [frame]) as [number]
    return [{ at: Math.log(ms), factor: fullMs / ms }]
  })
  known.sort((a, b) => a.at - b.at)
  const factorAt = (ms: number): number => {
    if (known.length === 0) return 1
    const at = Math.log(ms)
    const next = known.findIndex((one) => one.at >= at)
    if (next <= 0) return (next === 0 ? known[0]! : known.at(-1)!).factor
    const [a, b] = [known[next - 1]!, known[next]!]
    return b.at === a.at ? (a.factor + b.factor) / 2 : a.factor + ((b.factor - a.factor) * (at - a.at)) / (b.at - a.at)
  }
  return raw.map(({ frame, ms, fixedMs, fullMs }) => {
    const corrected = Math.max(1, fullMs ?? ms * factorAt(ms))
    return { frame, ms: corrected, fixedMs: Math.min(corrected, fixedMs) }
  })
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
