import type { ProbePlan } from './probe-plan.ts'

/** One measured frame of a probe. */
export interface ProbeSample {
  readonly frame: number
  readonly window: 'low' | 'high'
  readonly renderMs: number
}

/** Cost of a whole frame at the ordered settings, as one farm's probes predict it. */
export interface FramePrediction {
  readonly frame: number
  readonly ms: number
  /** The share of it that does not depend on pixels: the same for every tile of the frame. */
  readonly fixedMs: number
}

/**
 * The slope model: `ms = fixed + k * pixels * samples`, one line a frame through its two probes, read at the full load. A frame whose two times contradict the model
 * (more samples took no longer) is taken as all fixed cost. Several samples of one frame and window (one a slot) are averaged.
 * Source: docs/estimates.md; scaling one cheap probe by pixels x samples was wrong by 79 % to 4,914 % on the same scenes.
 */
export function predictFrames(plan: ProbePlan, samples: readonly ProbeSample[]): FramePrediction[] {
  const mean = (frame: number, window: 'low' | 'high'): number | undefined => {
    const times = samples.filter((sample) => sample.frame === frame && sample.window === window).map((sample) => sample.renderMs)
    return times.length === 0 ? undefined : times.reduce((sum, ms) => sum + ms, 0) / times.length
  }
  const predictions: FramePrediction[] = []
  for (const frame of plan.frames) {
    const low = mean(frame, 'low')
    const high = mean(frame, 'high')
    if (low === undefined || high === undefined) continue
    const slope = Math.max(0, (high - low) / (plan.load.high - plan.load.low))
    const fixed = Math.max(0, Math.min(low, high) - slope * plan.load.low)
    const ms = Math.max(1, fixed + slope * plan.load.full)
    predictions.push({ frame, ms, fixedMs: Math.min(ms, fixed) })
  }
  return predictions
}

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
