/**
 * How many frames of a job are drawn for a render comparison, in thousandths. So that a farm that spoils a tenth of the frames escapes in at most 1 % of jobs when
 * a comparison finds 90 % of spoilt frames: ln(1/0.01) / (0.9 * 0.1 * frames), at least the deterrence floor of 53 per mille (docs/checker.md), at most all.
 */
export function samplingPerMille(frames: number): number {
  return Math.min(1000, Math.max(53, Math.ceil((1000 * Math.log(100)) / (0.9 * 0.1 * frames))))
}

/**
 * Cost of one comparison against the cost of the frame: a crop pays the frame's fixed cost and its share of the pixels. Measured 0.28 to 0.62 over
 * three scenes (docs/checker.md); the planner's expectation lies between.
 */
const COMPARISON_COST_PER_MILLE = 330n

/** Expected cost of checking against the cost of rendering, per mille of it: one crop a sampled frame and checker. */
export function checkCostPerMille(frames: number, checkers: number): bigint {
  return (BigInt(checkers) * BigInt(samplingPerMille(frames)) * COMPARISON_COST_PER_MILLE) / 1000n
}

/** Fee for checking one frame, all checkers together, at the plan's mean price of a frame. Rounded up, at least 1. */
export function checkFeePerFrame(planCost: bigint, frames: number, checkers: number): bigint {
  const unit = BigInt(frames) * 1000n
  return (planCost * checkCostPerMille(frames, checkers) + unit - 1n) / unit || 1n
}

/** The bound on undetected loss that is printed with a quote: the chance that a farm which spoils `share` of the frames is not noticed. */
export function escapeProbability(frames: number, share: number, detection = 0.9): number {
  return (1 - (detection * samplingPerMille(frames)) / 1000) ** Math.ceil(frames * share)
}
