import type { Artifacts, BundleManifest } from '../contract/artifacts.ts'
import type { CallContext, Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Farm, FarmEvent, FarmInfo, TaskRef } from '../contract/farm.ts'
import type { RenderSpec } from '../contract/job.ts'
import type { StageRef, Window } from '../contract/task.ts'
import type { ProbeSample } from './fit.ts'
import type { ProbePlan } from './probe-plan.ts'

/** What one farm's probes measured. */
export interface FarmProbe {
  readonly farm: string
  readonly samples: readonly ProbeSample[]
  /** Scene load of a cold host. */
  readonly startMs: number
  /** Host time that the probes took, all slots together; 0 when they were measured for an earlier plan. */
  readonly spentMs: number
  readonly measuredAtMs: number
}

export interface ProbeRequest {
  readonly run: string
  readonly spec: RenderSpec
  readonly bundle: BundleManifest
  readonly files: Artifacts
  readonly plan: ProbePlan
  readonly clock: Clock
  /** Called as frames arrive: done of total. */
  readonly onProgress?: (farm: string, done: number, total: number) => void
}

/**
 * Renders the plan's probes on one farm, in all its slots at once, so that what is measured contains the contention that the job will meet. Three tasks a slot:
 * a warm-up frame (its extra time is the scene load), then the low and the high window.
 * @throws farm-refused when a probe fails, timeout after `ctx.deadlineAtMs`
 */
export async function probeFarm(farm: Farm, info: FarmInfo, request: ProbeRequest, ctx: CallContext): Promise<FarmProbe> {
  const stage = await farm.stage(request.bundle, request.files, { ...ctx, key: `${ctx.key}/stage` })
  const slots = Math.max(1, info.slots ?? 1)
  const { frames, low, high } = request.plan
  const warm = await renderAll(farm, stage, request, ctx, 'warm', slots, frames.slice(0, 1), low, 0)
  const lows = await renderAll(farm, stage, request, ctx, 'low', slots, frames, low, warm.length)
  const highs = await renderAll(farm, stage, request, ctx, 'high', slots, frames, high, warm.length + lows.length)
  const samples: ProbeSample[] = [
    ...lows.map(({ frame, renderMs }) => ({ frame, renderMs, window: 'low' as const })),
    ...highs.map(({ frame, renderMs }) => ({ frame, renderMs, window: 'high' as const })),
  ]
  const average = (list: readonly { renderMs: number }[]) =>
    list.reduce((sum, item) => sum + item.renderMs, 0) / Math.max(1, list.length)
  const settled = average(lows.filter((item) => item.frame === frames[0]))
  return {
    farm: farm.id,
    samples,
    startMs: Math.max(0, Math.round(average(warm) - settled)),
    spentMs: Math.round([...warm, ...lows, ...highs].reduce((sum, item) => sum + item.renderMs, 0)),
    measuredAtMs: request.clock.now(),
  }
}

interface Rendered {
  readonly frame: number
  readonly renderMs: number
}

async function renderAll(
  farm: Farm,
  stage: StageRef,
  request: ProbeRequest,
  ctx: CallContext,
  step: string,
  slots: number,
  frames: readonly number[],
  window: Window,
  /** Frames that earlier steps rendered, for progress. */
  done: number,
): Promise<Rendered[]> {
  const refs = await Promise.all(
    Array.from({ length: slots }, (_, slot) =>
      farm.submit(
        {
          contract: 1,
          run: request.run,
          id: slot,
          attempt: 1,
          purpose: 'probe',
          bundle: request.bundle,
          stage,
          spec: request.spec,
          work: { kind: 'frames', frames },
          window,
        },
        { ...ctx, key: `${ctx.key}/${step}/${slot}` },
      ),
    ),
  )
  const rendered: Rendered[] = []
  const open = new Set(refs.map((ref) => ref.ref))
  let cursor: string | undefined
  while (open.size > 0) {
    const poll = await farm.poll(
      { scope: refs, ...(cursor === undefined ? {} : { cursor }) },
      { ...ctx, key: `${ctx.key}/${step}/poll` },
    )
    cursor = poll.cursor
    const before = rendered.length
    for (const event of poll.events) note(event, refs, open, rendered, farm.id)
    if (rendered.length > before)
      request.onProgress?.(farm.id, done + rendered.length, slots * (1 + 2 * request.plan.frames.length))
    if (open.size === 0) break
    if (ctx.deadlineAtMs !== undefined && request.clock.now() > ctx.deadlineAtMs)
      throw new PictorError('timeout', `farm ${farm.id} did not finish its probe renders in time`, { details: { farm: farm.id } })
    await request.clock.sleep(Math.min(Math.max(poll.waitMs, 20), 5_000), ctx.signal)
  }
  return rendered
}

function note(event: FarmEvent, refs: readonly TaskRef[], open: Set<string>, rendered: Rendered[], farm: string): void {
  if (event.type === 'output' && refs.some((ref) => ref.ref === event.output.task.ref))
    rendered.push({ frame: event.output.frame, renderMs: event.output.renderMs ?? 0 })
  if (event.type !== 'state' || !refs.some((ref) => ref.ref === event.task.ref)) return
  if (event.state === 'succeeded') open.delete(event.task.ref)
  if (event.state === 'failed' || event.state === 'canceled' || event.state === 'incompatible' || event.state === 'lost')
    throw new PictorError('farm-refused', `farm ${farm} could not render a probe: ${event.failure?.message ?? event.raw}`, {
      details: { farm, ...(event.failure ? { class: event.failure.class } : {}) },
    })
}
