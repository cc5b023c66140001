import type { HostRating } from '../contract/farm.ts'
import type { Look } from '../contract/inspect.ts'
import type { Estimate } from '../contract/job.ts'
import type { Window } from '../contract/task.ts'
import { PictorError } from '../contract/error.ts'
import { bandOf } from './band.ts'
import { interpolate, predictFrames } from './fit.ts'
import type { ProbeSample } from './fit.ts'
import type { FarmProbe } from './probe.ts'
import type { ProbeKind, ProbePlan } from './probe-plan.ts'

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
  ratings: Readonly<Record<string, HostRating>> = {},
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
  const msPerWork: Record<string, number> = {}
  const startMs: Record<string, number> = {}
  for (const probe of probes) {
    const factor = speedFactor(reference.probe.samples, probe.samples)
    if (factor !== undefined) msPerWork[probe.farm] = 1000 * factor
    startMs[probe.farm] = probe.startMs
  }
  const band = bandOf(plan, reference.probe.samples)
  const rating = ratings[reference.probe.farm]
  const probeMs = probes.reduce((sum, probe) => sum + probe.spentMs, 0)
  const earlier = usable.filter(({ probe }) => probe.spentMs === 0)
  return {
    estimate: {
      work: seconds,
      low: band.low,
      high: band.high,
      classes: [{ id: 'scene', memoryMiB }],
      ...(rating ? { rating } : {}),
      basis: [
        ...basisOf(plan, reference.probe),
        `nine of ten frames within ${band.low.toFixed(2)} to ${band.high.toFixed(2)} of it, by the scatter of ${band.probes} probes`,
        ...(probes.length > 1
          ? [
              `speed of ${probes
                .slice(1)
                .map((probe) => probe.farm)
                .join(', ')} by the same renders`,
            ]
          : []),
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

/** How much longer a farm took than the reference for the same renders; undefined when they share none. */
function speedFactor(reference: readonly ProbeSample[], other: readonly ProbeSample[]): number | undefined {
  const keyOf = ({ frame, window }: ProbeSample): string => `${frame} ${window}`
  const counted = (samples: readonly ProbeSample[]): ProbeSample[] => samples.filter((one) => one.window !== 'warm')
  const mean = (samples: readonly ProbeSample[], key: string): number => {
    const times = samples.filter((one) => keyOf(one) === key).map((one) => one.renderMs)
    return times.reduce((sum, ms) => sum + ms, 0) / times.length
  }
  const theirs = new Set(counted(other).map(keyOf))
  const shared = [...new Set(counted(reference).map(keyOf))].filter((key) => theirs.has(key))
  const total = (samples: readonly ProbeSample[]): number => shared.reduce((sum, key) => sum + mean(samples, key), 0)
  return total(reference) > 0 ? total(other) / total(reference) : undefined
}

/** Frames that are named one by one. */
const MOST_SWITCHES = 8

/** Where looks change, in words. */
function switchesOf(looks: readonly Look[]): string {
  const [, ...changes] = looks.map(({ from }) => from)
  const more = changes.length - MOST_SWITCHES
  return `${changes.slice(0, MOST_SWITCHES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** What the probes of the reference were, in words. */
function basisOf({ low, high, looks }: ProbePlan, { farm, samples }: FarmProbe): string[] {
  const framesOf = (window: ProbeKind): number[] =>
    [...new Set(samples.filter((one) => one.window === window).map((one) => one.frame))].sort((a, b) => a - b)
  const [lows, whole] = [new Set(framesOf('low')), framesOf('full')]
  const modelled = framesOf('high').filter((frame) => lows.has(frame))
  const window = ({ resolutionPct, samples: count }: Window): string =>
    `${count} sample${count === 1 ? '' : 's'} at ${resolutionPct} % size`
  return [
    ...(modelled.length > 0
      ? [
          `frames ${modelled.join(', ')} probed on ${farm} (${window(low)}, ${window(high)}): fixed cost and cost of samples apart`,
        ]
      : []),
    whole.length === 0
      ? 'no whole frame was rendered: the job is too short for it'
      : modelled.length > 0
        ? `frames ${whole.join(', ')} rendered whole, the others weighed against them`
        : `frames ${whole.join(', ')} rendered whole on ${farm}: a probe of the scene costs nearly as much as a frame`,
    looks
      ? `frames between probes interpolated, with jumps where the file switches objects or cameras (frames ${switchesOf(looks)})`
      : 'frames between probes interpolated',
  ]
}
