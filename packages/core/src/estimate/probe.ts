import type { Artifacts, BundleManifest } from '../contract/artifacts.ts'
import type { CallContext, Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Farm, FarmEvent, FarmInfo, TaskRef } from '../contract/farm.ts'
import type { RenderSpec } from '../contract/job.ts'
import type { StageRef, Window } from '../contract/task.ts'
import { average } from './fit.ts'
import type { ProbeSample } from './fit.ts'
import { nextProbes } from './next-probes.ts'
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
  /** The reference tells the cost of frames along the timeline, other farms only how fast they are. */
  readonly role: 'reference' | 'other'
  readonly clock: Clock
  /** Called as frames arrive: done, of those that are known to be needed. */
  readonly onProgress?: (farm: string, done: number, total: number) => void
}

/**
 * Probes one farm: round after round of what `nextProbes` asks for. The first rounds run in several slots at once, so that what is measured contains the contention
 * that the job will meet; later ones are dealt out. The first render's extra time is the scene load.
 * @throws farm-refused when a probe fails, timeout after `ctx.deadlineAtMs`
 */
export async function probeFarm(farm: Farm, info: FarmInfo, request: ProbeRequest, ctx: CallContext): Promise<FarmProbe> {
  const { plan, role, onProgress } = request
  const stage = await farm.stage(request.bundle, request.files, { ...ctx, key: `${ctx.key}/stage` })
  // Every slot costs as much again: no more of them than the budget has frames.
  const slots = Math.min(Math.max(1, info.slots ?? 1), Math.max(1, Math.floor(plan.budgetFrames)))
  const samples: ProbeSample[] = []
  for (let round = 0; ; round++) {
    const orders = nextProbes(plan, samples, role)
    if (orders.length === 0) break
    for (const window of new Set(orders.map((order) => order.window))) {
      const frames = orders.filter((order) => order.window === window).map((order) => order.frame)
      // The warm-up and the first two frames tell what the slots do to each other.
      const shares = round < 2 ? Array.from({ length: slots }, () => frames) : dealt(frames, slots)
      const step = {
        stage,
        name: `${round}-${window}`,
        shares,
        window: window === 'full' ? undefined : plan[window === 'high' ? 'high' : 'low'],
      }
      const rendered = await renderAll(farm, request, ctx, step, (count) =>
        onProgress?.(farm.id, samples.length + count, samples.length + orders.length),
      )
      samples.push(...rendered.map((one) => ({ ...one, window })))
    }
  }
  return {
    farm: farm.id,
    samples,
    startMs: Math.max(0, Math.round(average(samples, 'warm') - average(samples, 'low'))),
    spentMs: Math.round(samples.reduce((sum, item) => sum + item.renderMs, 0)),
    measuredAtMs: request.clock.now(),
  }
}

/** Frames in as many shares as there are slots, neighbours apart. */
function dealt(frames: readonly number[], slots: number): number[][] {
  const shares = Array.from({ length: Math.min(slots, frames.length) }, (): number[] => [])
  for (const [i, frame] of frames.entries()) shares[i % shares.length]!.push(frame)
  return shares
}

interface Rendered {
  readonly frame: number
  readonly renderMs: number
}

interface Step {
  readonly stage: StageRef
  readonly name: string
  /** Frames of each task. */
  readonly shares: readonly (readonly number[])[]
  readonly window: Window | undefined
}

async function renderAll(
  farm: Farm,
  request: ProbeRequest,
  ctx: CallContext,
  { stage, name, shares, window }: Step,
  onCount: (count: number) => void,
): Promise<Rendered[]> {
  const refs = await Promise.all(
    shares.map((frames, slot) =>
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
          ...(window ? { window } : {}),
        },
        { ...ctx, key: `${ctx.key}/${name}/${slot}` },
      ),
    ),
  )
  const rendered: Rendered[] = []
  const open = new Set(refs.map((ref) => ref.ref))
  let cursor: string | undefined
  while (open.size > 0) {
    const poll = await farm.poll(
      { scope: refs, ...(cursor === undefined ? {} : { cursor }) },
      { ...ctx, key: `${ctx.key}/${name}/poll` },
    )
    cursor = poll.cursor
    const before = rendered.length
    for (const event of poll.events) note(event, refs, open, rendered, farm.id)
    if (rendered.length > before) onCount(rendered.length)
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
