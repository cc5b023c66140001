import type { RenderSpec } from '../contract/job.ts'
import type { Window } from '../contract/task.ts'

/** Two windows over the same frames: their difference is the price of samples, the rest is fixed cost. */
export interface ProbePlan {
  /** Frames that are probed, ascending. */
  readonly frames: readonly number[]
  readonly low: Window
  readonly high: Window
  /** Pixels x samples of one frame: under `low`, under `high`, and as ordered. */
  readonly load: { readonly low: number; readonly high: number; readonly full: number }
}

/** Probe resolution that the slope model was measured with (192 x 108 px; five scenes, mean error 8.4 %): smaller ones are dominated by fixed cost. */
const PROBE_PIXELS = 192 * 108

/** Most samples of a probe, of the same measurement (2 and 16). */
const PROBE_SAMPLES = 16

/** Chooses frames (spread over the timeline, ends included) and the two windows for a job. `count` anchors, 1 or more. */
export function planProbes(spec: RenderSpec, frames: readonly number[], count: number): ProbePlan {
  const { width, height } = spec.output
  const resolutionPct = Math.min(100, Math.max(5, Math.ceil(100 * Math.sqrt(PROBE_PIXELS / (width * height)))))
  const high = Math.max(2, Math.min(PROBE_SAMPLES, spec.samples))
  const low = Math.max(1, Math.min(2, high - 1))
  const pixels = Math.floor((width * resolutionPct) / 100) * Math.floor((height * resolutionPct) / 100)
  return {
    frames: anchors(frames, count),
    low: { samples: low, resolutionPct },
    high: { samples: high, resolutionPct },
    load: { low: pixels * low, high: pixels * high, full: width * height * spec.samples },
  }
}

/** `count` members of a sorted list, evenly spread by index, first and last included. */
export function anchors(frames: readonly number[], count: number): number[] {
  const n = Math.min(count, frames.length)
  if (n === 1) return [frames[Math.floor(frames.length / 2)]!]
  return Array.from({ length: n }, (_, i) => frames[Math.round((i * (frames.length - 1)) / (n - 1))]!)
}
