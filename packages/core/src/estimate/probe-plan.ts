import type { Look } from '../contract/inspect.ts'
import type { RenderSpec } from '../contract/job.ts'
import type { Window } from '../contract/task.ts'

/** How a frame is probed: `warm` opens the scene and is not counted, `low` and `high` differ in samples, `full` is the frame as ordered. */
export type ProbeKind = 'warm' | 'low' | 'high' | 'full'

/** Two cheap windows, whose difference is the price of samples and whose rest is fixed cost, and how far to go with them. */
export interface ProbePlan {
  /** Frames of the job that may be probed, ascending: all of them, or an even choice of a long job's. */
  readonly frames: readonly number[]
  readonly low: Window
  readonly high: Window
  /** Pixels x samples of one frame: under `low`, under `high`, and as ordered. */
  readonly load: { readonly low: number; readonly high: number; readonly full: number }
  /** Most that the probes of one farm may cost, in whole frames. */
  readonly budgetFrames: number
  /** Most frames that are probed. */
  readonly mostFrames: number
  /** Where the scene switches objects or cameras. */
  readonly looks?: readonly Look[]
}

/** What probes may cost, of the job's rendering (issue: at most 5 % of a job of 100 frames; the rest is left for what a frame cost more than thought). */
const BUDGET_SHARE = 0.044

/** Frames among which probed ones are chosen; fewer where looks are compared, each with each. */
const MOST_CANDIDATES = { alike: 1000, withLooks: 400 } as const

/**
 * Share of a frame's pixels x samples under the larger window. For a given price the error of what two windows tell is least where samples cost about three times the fixed part of
 * the window; small frames have about a twentieth of fixed cost. Where a frame takes long, a smaller share is enough (1 to 7 us for each of its pixel-samples were measured).
 */
const SHARES = [
  { below: 10e6, share: 0.18 },
  { below: Infinity, share: 1 / 32 },
] as const

/** Frames of fewer samples are probed at a smaller size for the fixed cost: one sample of the whole size would be too large a part of them. */
const FEW_SAMPLES = 24

/** Fewest samples of the larger window where the smaller one has one sample of the same size: their difference must not drown in the error of both. */
const LEAST_BESIDE_ONE = 5

/** Chooses the two windows for a job: the frame's own size and fewer samples, and a smaller size where one sample is still too much. */
export function planProbes(spec: RenderSpec, frames: readonly number[], mostFrames = 24, looks?: readonly Look[]): ProbePlan {
  const { width, height } = spec.output
  const pixels = (pct: number): number =>
    Math.max(1, Math.floor((width * pct) / 100)) * Math.max(1, Math.floor((height * pct) / 100))
  const full = width * height * spec.samples
  const { share } = SHARES.find(({ below }) => full < below)!
  const few = spec.samples < FEW_SAMPLES
  const low = { pct: few ? 20 : 100, samples: 1 }
  const samples = Math.max(few ? 1 : LEAST_BESIDE_ONE, Math.round(spec.samples * share))
  const high = { pct: few ? Math.min(100, Math.ceil(100 * Math.sqrt((spec.samples * share) / samples))) : 100, samples }
  return {
    frames: anchors(frames, looks ? MOST_CANDIDATES.withLooks : MOST_CANDIDATES.alike),
    low: { samples: low.samples, resolutionPct: low.pct },
    high: { samples: high.samples, resolutionPct: high.pct },
    load: { low: pixels(low.pct) * low.samples, high: pixels(high.pct) * high.samples, full },
    budgetFrames: BUDGET_SHARE * frames.length,
    mostFrames: Math.max(2, mostFrames),
    ...(looks ? { looks } : {}),
  }
}

/** `count` members of a sorted list, evenly spread by index, first and last included. */
export function anchors(frames: readonly number[], count: number): number[] {
  const n = Math.min(count, frames.length)
  if (n === 1) return [frames[Math.floor(frames.length / 2)]!]
  return Array.from({ length: n }, (_, i) => frames[Math.round((i * (frames.length - 1)) / (n - 1))]!)
}
