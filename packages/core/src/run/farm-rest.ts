import type { Clock } from '../contract/context.ts'
import { isPictorError, PictorError } from '../contract/error.ts'
import type { Farm } from '../contract/farm.ts'

/** A farm with the waits that it asks for. */
export interface RestingFarm {
  readonly farm: Farm
  /** When the rest that it asked for last is over, or was; 0 when it never asked. */
  readonly restUntilMs: number
  /** How long it has rested up to now, all rests together, in milliseconds. */
  readonly restedMs: number
  /** Rests that it has asked for. */
  readonly rests: number
  /** Calls that it was sent. */
  readonly calls: number
}

/**
 * The farm, left alone after it asked for it: one answer with `Retry-After` (429 and 503; `farm-unreachable` with `details.retryAfterMs`) holds back all calls to the
 * farm, of all tasks and jobs. A call meanwhile is refused here as retryable with the rest of the time, and with `details.sent` false: nothing reached the farm.
 */
export function restingFarm(farm: Farm, clock: Clock): RestingFarm {
  let untilMs = 0
  let askedMs = 0
  let sumMs = 0
  let rests = 0
  let calls = 0
  // A clock that is set back makes no rest longer.
  const restUntilMs = (): number => Math.min(untilMs, clock.now() + askedMs)
  const leftMs = (): number => Math.max(0, restUntilMs() - clock.now())
  const rest = (ms: number): void => {
    if (leftMs() === 0) rests++
    sumMs += Math.max(0, ms - leftMs())
    askedMs = ms
    untilMs = clock.now() + ms
  }
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    const waitMs = leftMs()
    if (waitMs > 0)
      throw new PictorError('farm-unreachable', `${farm.id} asked to be left alone for another ${waitMs} ms`, {
        details: { retryAfterMs: waitMs, sent: false },
      })
    calls++
    try {
      return await call()
    } catch (error) {
      const retryAfterMs = askedRestMs(error)
      if (retryAfterMs > leftMs()) rest(retryAfterMs)
      throw error
    }
  }
  const resting: Farm = {
    contract: farm.contract,
    id: farm.id,
    describe: (ctx) => ask(() => farm.describe(ctx)),
    quote: (request, ctx) => ask(() => farm.quote(request, ctx)),
    stage: (manifest, files, ctx) => ask(() => farm.stage(manifest, files, ctx)),
    submit: (task, ctx) => ask(() => farm.submit(task, ctx)),
    poll: (query, ctx) => ask(() => farm.poll(query, ctx)),
    set: (ref, change, ctx) => ask(() => farm.set(ref, change, ctx)),
    open: (output, at, ctx) => ask(() => farm.open(output, at, ctx)),
  }
  return {
    farm: resting,
    get restUntilMs() {
      return restUntilMs()
    },
    get restedMs() {
      return sumMs - leftMs()
    },
    get rests() {
      return rests
    },
    get calls() {
      return calls
    },
  }
}

/** The rest that a farm asks for by an error, in milliseconds; 0 for any other error. */
export function askedRestMs(error: unknown): number {
  return isPictorError(error, 'farm-unreachable') ? (error.details.retryAfterMs ?? 0) : 0
}

/** Whether an error says that the farm did not take the call, so that nobody needs to look for what it may have done. */
export function wasNotTaken(error: unknown): boolean {
  return isPictorError(error) && (error.details['sent'] === false || error.details['status'] === 429)
}
