/** Spoilt share, allowed escape and detection of the sampling rule; the deterrence floor for one frame at a loss of 20 frame prices (docs/checker.md). */
const RULE = { cheatShare: 0.1, escape: 0.01, detection: 0.9, floor: 0.053 } as const

/** Jobs of up to this many frames have every frame compared (PROTOCOL.md, Pay). */
const EVERY_FRAME = 50

/**
 * How many frames of a job are drawn for a render comparison, in thousandths: the least p with (1 - p detection)^(cheatShare frames) <= escape, so that a farm
 * which spoils a tenth of the frames goes unseen in at most 1 % of jobs. The checkers' default rule, before a farm's standing raises it.
 */
export function samplingPerMille(frames: number): number {
  if (frames <= EVERY_FRAME) return 1000
  const bound = (1 - RULE.escape ** (1 / Math.max(1, RULE.cheatShare * frames))) / RULE.detection
  return Math.ceil(1000 * Math.min(1, Math.max(RULE.floor, bound)))
}

/**
 * Cost of one comparison against the cost of the frame: its crops, strips and small render pay the frame's fixed cost each and their share of the pixels. Measured
 * 0.23 at 640 x 360 and 0.66 to 0.69 at 256 x 144 (docs/checker.md); less of larger frames, more of scenes that are slow to set up.
 */
const COMPARISON_COST_PER_MILLE = 330n

/**
 * Time of one comparison against that of the frame by its pixels: crops and strips have a size of their own, and some is paid each time. Through the two sizes measured above.
 */
const comparisonShare = (pixels: number): number => 0.145 + 19_500 / pixels

/** Time that each checker renders of its own for a job of `workS` seconds, milliseconds, when it is as fast as the machine whose seconds these are and finds nothing. */
export function checkTimeMs(workS: number, frames: number, pixels: number): number {
  return Math.round(workS * samplingPerMille(frames) * Math.min(1, comparisonShare(pixels)))
}

/** Expected cost of checking against the cost of rendering, per mille of it: one comparison a sampled frame and checker. */
export function checkCostPerMille(frames: number, checkers: number): bigint {
  return (BigInt(checkers) * BigInt(samplingPerMille(frames)) * COMPARISON_COST_PER_MILLE) / 1000n
}

/** Fee for checking one frame, all checkers together, at the plan's mean price of a frame. Rounded up, at least 1. */
export function checkFeePerFrame(planCost: bigint, frames: number, checkers: number): bigint {
  const unit = BigInt(frames) * 1000n
  return (planCost * checkCostPerMille(frames, checkers) + unit - 1n) / unit || 1n
}

/** The bound on undetected loss that is printed with a quote: the chance that a farm which spoils `share` of the frames is not noticed. */
export function escapeProbability(frames: number, share: number, detection: number = RULE.detection): number {
  return (1 - (detection * samplingPerMille(frames)) / 1000) ** Math.ceil(frames * share)
}
