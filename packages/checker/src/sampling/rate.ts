/** How much of a job is compared with the checker's own renders. */
export interface SamplingOptions {
  /** Least share of frames, whatever the farm's standing; 0..1. The default deters cheating on a single frame at a loss of 20 frame prices, see {@link deterrenceFloor}. */
  readonly floor: number
  /** The job bound: cheating on this share of the job's frames... */
  readonly cheatShare: number
  /** ...goes unseen with at most this chance. */
  readonly escape: number
  /** Lower bound of the chance that one comparison shows a cheated frame. */
  readonly detection: number
  /** Share of the drawn frames that are rendered whole instead of as a crop, 0..1: what deters local defects, which a crop mostly misses. */
  readonly full: number
  /** Share of the frames drawn as a crop that are also looked at outside of it, 0..1: by a small render of the whole (a sixteenth of a frame's work), crops where that directs, and strips. */
  readonly probe: number
}

/** Rates of the frame-validation study: 5.3 % floor, at most 1 % escape when 10 % of the frames are cheated. */
export const DEFAULT_SAMPLING: SamplingOptions = {
  floor: 0.053,
  cheatShare: 0.1,
  escape: 0.01,
  detection: 0.9,
  full: 0.1,
  probe: 1,
}

/** Consecutive valid results below which a farm is always checked (BOINC, adaptive replication: `CV < 10`). */
const TRUST_FROM = 10

/**
 * Share of frames to check so that one cheated frame does not pay: p >= gain / (detection (gain + loss)), both in frame prices. Gain 1, loss 20,
 * detection 0.9 give 5.3 %.
 */
export function deterrenceFloor(gain: number, loss: number, detection: number): number {
  return Math.min(1, gain / (detection * (gain + loss)))
}

/**
 * Chance that a farm which cheats on `cheatShare` of `frames` frames is never seen: (1 - p d)^(f N) (independent draws after commitment).
 */
export function escapeBound(p: number, frames: number, options: Pick<SamplingOptions, 'cheatShare' | 'detection'>): number {
  return (1 - p * options.detection) ** Math.max(1, options.cheatShare * frames)
}

/** Whether a drawn frame is rendered whole: decided by the draw's own number, so that anyone can repeat it once the seed is revealed. */
export function drawnWhole(renderSeed: number, full: number): boolean {
  return renderSeed % 1000 < Math.round(full * 1000)
}

/** Jobs of up to this many frames have every frame compared (PROTOCOL.md, Pay). */
const EVERY_FRAME = 50

/** Least p with {@link escapeBound} <= `escape`; 1 for short jobs, where every frame is checked. */
export function jobBound(frames: number, options: SamplingOptions): number {
  if (frames <= EVERY_FRAME) return 1
  const cheated = Math.max(1, options.cheatShare * frames)
  return Math.min(1, (1 - options.escape ** (1 / cheated)) / options.detection)
}

/**
 * p = max(floor, job bound, reputation), reputation 1 for fewer than 10 consecutive valid frames, else their reciprocal (BOINC's adaptive replication).
 * Returned in thousandths, rounded up, as the draw needs it.
 */
export function samplingPerMille(frames: number, consecutiveValid: number, options: SamplingOptions): number {
  const reputation = consecutiveValid < TRUST_FROM ? 1 : 1 / consecutiveValid
  const p = Math.max(options.floor, jobBound(frames, options), reputation)
  return Math.min(1000, Math.ceil(p * 1000))
}
