import type { CallContext } from '../contract/context.ts'
import { isPictorError } from '../contract/error.ts'
import type { StageRef } from '../contract/task.ts'
import { limitedCall } from './effort.ts'
import type { FarmLoop } from './farm-loop.ts'
import type { JobHost } from './job-host.ts'

/** How long a farm's handle on a staged scene is used without asking. A farm that threw the files away earlier refuses the task, and they are staged again. */
const HANDLE_TTL_MS = 6 * 3_600_000

interface Staged {
  readonly stage: StageRef
  /** The handle is an old one: the farm may know it no more. */
  readonly remembered: boolean
}

function stageName(host: JobHost, loop: FarmLoop): string {
  return `stage/${loop.farm.id}/${host.job.state.order!.spec.bundle.root}`
}

async function staged(host: JobHost, loop: FarmLoop, ctx: CallContext): Promise<Staged> {
  const { memo, options, clock, tuning } = host.shared
  const { bundle } = host.job.state.order!.spec
  const key = host.key(`farm:${loop.farm.id}`, `stage ${bundle.root}`)
  const { value, remembered } = await memo.recall<StageRef>({
    name: stageName(host, loop),
    is: (kept): kept is StageRef => {
      const { farm, ref } = (kept ?? {}) as Partial<StageRef>
      return farm === loop.farm.id && typeof ref === 'string'
    },
    ttlMs: () => HANDLE_TTL_MS,
    make: () =>
      loop.uploads.add(() =>
        limitedCall(clock, tuning.stageMs, ctx.signal!, (signal) => loop.farm.stage(bundle, options.artifacts, { signal, key })),
      ),
  })
  return { stage: value, remembered }
}

/**
 * Does something that needs the scene at the farm: it is staged once a farm and bundle, whatever the number of tasks. When the farm refuses an old handle, for whatever
 * reason, the scene is staged anew, which is harmless, and the call repeated once.
 */
export async function withStage<T>(
  host: JobHost,
  loop: FarmLoop,
  ctx: CallContext,
  act: (stage: StageRef) => Promise<T>,
): Promise<T> {
  const first = await staged(host, loop, ctx)
  try {
    return await act(first.stage)
  } catch (error) {
    const stale =
      first.remembered && isPictorError(error) && !error.retryable && error.code !== 'conflict' && !ctx.signal?.aborted
    if (!stale) throw error
    await host.shared.memo.forget(stageName(host, loop))
    const { stage } = await staged(host, loop, ctx)
    return await act(stage)
  }
}
