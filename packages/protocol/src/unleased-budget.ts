import { invalid, PictorError, type Farm, type Task } from '@pictor/core/contract'

/** Options of {@link unleasedBudget}. */
export interface UnleasedBudgetOptions {
  /** How much is rendered without a lease in any hour, counted in whole frames at the samples of their spec: sixteen probes of a quarter of the width and height are one. */
  readonly framesPerHour: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const HOUR_MS = 3_600_000
/** Every task costs its start, however small its window: the least it counts, in frames. */
const LEAST = 0.01

/**
 * A farm that renders so much an hour for nothing and no more. Probes and checks need no lease, so whoever has access could have whole frames by calling them probes. Leased
 * tasks, and an order that is repeated with its key, count nothing. The hour is in memory: a restart begins a new one. One budget for all callers: a farm of many
 * creators gives each a token that it can take back.
 * @throws invalid-input when the budget is no number above 0
 */
export function unleasedBudget(farm: Farm, { framesPerHour, now = Date.now }: UnleasedBudgetOptions): Farm {
  if (!(framesPerHour > 0)) throw invalid('framesPerHour', 'a number above 0', framesPerHour)
  const taken = new Map<string, { readonly atMs: number; readonly frames: number }>()
  return {
    ...farm,
    async submit(task, ctx) {
      if (task.lease || taken.has(ctx.key)) return farm.submit(task, ctx)
      for (const [key, { atMs }] of taken) if (atMs <= now() - HOUR_MS) taken.delete(key)
      const used = [...taken.values()].reduce((sum, { frames }) => sum + frames, 0)
      const frames = framesIn(task)
      if (used + frames > framesPerHour)
        throw new PictorError(
          'farm-refused',
          `${frames.toFixed(2)} frames without a lease: ${used.toFixed(2)} of ${framesPerHour} were rendered in the last hour`,
          { details: { path: 'task.lease', reason: 'unleased-budget', class: 'capacity' } },
        )
      taken.set(ctx.key, { atMs: now(), frames })
      try {
        return await farm.submit(task, ctx)
      } catch (error) {
        taken.delete(ctx.key)
        throw error
      }
    },
  }
}

/** What a task renders, in whole frames. */
function framesIn({ work, window, spec }: Task): number {
  const count = work.kind === 'frames' || work.kind === 'command' ? work.frames.length : 1
  const { width, height } = spec.output
  const resolution = (window?.resolutionPct ?? 100) / 100
  const area = window?.region ? (window.region.width * window.region.height) / (width * height) : resolution * resolution
  return count * Math.max(LEAST, area * ((window?.samples ?? spec.samples) / Math.max(1, spec.samples)))
}
