import type { Estimate } from '../contract/job.ts'
import { PictorError } from '../contract/error.ts'
import { interpolate, predictFrames } from './fit.ts'
import type { FarmProbe } from './probe.ts'
import type { ProbePlan } from './probe-plan.ts'

/**
 * The band of the slope model: true cost lay within 0.80 and 1.25 of the prediction for every scene and both start states that it was measured on but one
 * (docs/estimates.md: errors -18.8 % to +25.6 %).
 */
const BAND = { low: 0.8, high: 1.25 } as const

/** Work per frame for the job, and what each probed farm needs for one unit of it. */
export interface MeasuredEstimate {
  readonly estimate: Estimate
  /** The part of each frame's work that every tile of it costs again. */
  readonly fixedWork: readonly number[]
  /** Host-milliseconds a unit of work, by farm id. */
  readonly msPerWork: Readonly<Record<string, number>>
  readonly startMs: Readonly<Record<string, number>>
}

/**
 * Turns probes into work per frame. The first farm that was probed is the reference: one unit of work is one of its seconds. Other farms differ by one factor, the
 * ratio of predicted times over the frames that both probed.
 * @throws job-failed when no farm delivered a usable probe
 */
export function estimateFrom(
  plan: ProbePlan,
  probes: readonly FarmProbe[],
  frames: readonly number[],
  memoryMiB: number,
): MeasuredEstimate {
  const usable = probes
    .map((probe) => ({ probe, predictions: predictFrames(plan, probe.samples) }))
    .filter(({ predictions }) => predictions.length > 0)
  const reference = usable[0]
  if (!reference)
    throw new PictorError('job-failed', 'no farm delivered a probe render, so the cost cannot be estimated', {
      details: { hint: 'run `pictor farms` to see what each farm says' },
    })
  const seconds = interpolate(reference.predictions, frames).map((ms) => ms / 1000)
  const fixedWork = interpolate(
    reference.predictions.map(({ frame, fixedMs }) => ({ frame, ms: fixedMs })),
    frames,
  ).map((ms) => ms / 1000)
  const total = (list: readonly { ms: number }[]) => list.reduce((sum, item) => sum + item.ms, 0)
  const msPerWork: Record<string, number> = {}
  const startMs: Record<string, number> = {}
  for (const { probe, predictions } of usable) {
    const shared = reference.predictions.filter(({ frame }) => predictions.some((other) => other.frame === frame))
    const same = predictions.filter(({ frame }) => shared.some((other) => other.frame === frame))
    msPerWork[probe.farm] = shared.length === 0 ? 1000 : (1000 * total(same)) / total(shared)
    startMs[probe.farm] = probe.startMs
  }
  const probeMs = probes.reduce((sum, probe) => sum + probe.spentMs, 0)
  const earlier = usable.filter(({ probe }) => probe.spentMs === 0)
  return {
    estimate: {
      work: seconds,
      low: BAND.low,
      high: BAND.high,
      classes: [{ id: 'scene', memoryMiB }],
      basis: [
        `probe renders of frames ${plan.frames.join(', ')} at ${plan.low.resolutionPct} % size with ${plan.low.samples} and ${plan.high.samples} samples on ${usable.map(({ probe }) => probe.farm).join(', ')}`,
        'fixed cost and cost per pixel-sample separated by two probes a frame; frames between probes interpolated',
        ...earlier.map(
          ({ probe }) =>
            `probes of ${probe.farm} were rendered for an earlier plan, ${new Date(probe.measuredAtMs).toISOString()}`,
        ),
      ],
      probeMs,
    },
    fixedWork,
    msPerWork,
    startMs,
  }
}
