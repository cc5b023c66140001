import type { CallContext, Clock } from '../contract/context.ts'
import type { Farm } from '../contract/farm.ts'
import { askedRestMs, wasNotTaken } from '../run/farm-rest.ts'

/** How long a call waits for a farm that asks for rests, in milliseconds. */
const PATIENCE_MS = 60_000

/** The farm for planning: a call that it puts off (429 or 503 with `Retry-After`) is repeated when it said, because a busy farm is not an unreachable one. */
export function patientFarm(farm: Farm, clock: Clock): Farm {
  async function again<T>(ctx: CallContext, call: () => Promise<T>, may: (error: unknown) => boolean = () => true): Promise<T> {
    for (let leftMs = PATIENCE_MS; ;) {
      try {
        return await call()
      } catch (error) {
        const restMs = askedRestMs(error)
        if (restMs === 0 || restMs > leftMs || !may(error)) throw error
        leftMs -= restMs
        await clock.sleep(restMs, ctx.signal)
      }
    }
  }
  return {
    contract: farm.contract,
    id: farm.id,
    describe: (ctx) => again(ctx, () => farm.describe(ctx)),
    quote: (request, ctx) => again(ctx, () => farm.quote(request, ctx)),
    stage: (manifest, files, ctx) => again(ctx, () => farm.stage(manifest, files, ctx)),
    // Some farms cannot find a task by its key: one that may have been taken is not sent again.
    submit: (task, ctx) => again(ctx, () => farm.submit(task, ctx), wasNotTaken),
    poll: (query, ctx) => again(ctx, () => farm.poll(query, ctx)),
    set: (ref, change, ctx) => again(ctx, () => farm.set(ref, change, ctx)),
    open: (output, range, ctx) => again(ctx, () => farm.open(output, range, ctx)),
  }
}
