import type { FarmEvent } from '../contract/farm.ts'
import { ZERO_HASH } from '../proof/hash.ts'
import { type FarmModel, type Happening, type SimTask, stateEvent } from './farm-model.ts'
import type { SimulatedFarmOptions } from './farm-options.ts'
import { simulatedFarmKey } from './keys.ts'

/** Place in the event stream; undefined for a cursor that the farm does not know any more. */
export function cursorSeq(cursor: string | undefined, epoch: number): number | undefined {
  const match = /^(\d+):(\d+)$/.exec(cursor ?? '')
  return match && Number(match[1]) === epoch ? Number(match[2]) : undefined
}

export const refOf = (happening: Happening): string | undefined =>
  happening.kind === 'event' ? ('task' in happening.event ? happening.event.task?.ref : undefined) : happening.task.ref.ref

/** The whole truth about every task, for a poll without a cursor. */
export function everything(model: FarmModel): Happening[] {
  const list: Happening[] = []
  for (const sim of model.tasks.values()) {
    if (sim.ticket && !sim.ticket.closed)
      list.push({ kind: 'event', event: { type: 'ticket', task: sim.ref, ticket: sim.ticket, atMs: sim.submittedAtMs } })
    sim.doneAtMs.forEach((done, index) => done > 0 && list.push({ kind: 'output', task: sim, index }))
    for (const [index, failure] of sim.failedFrames)
      list.push({
        kind: 'event',
        event: { type: 'frame-failed', task: sim.ref, frame: sim.frames[index]!, failure, atMs: sim.lastAtMs },
      })
    sim.commits.forEach((_, index) => list.push({ kind: 'commit', task: sim, index }))
    list.push({ kind: 'event', event: stateEvent(sim) })
    if (sim.canceledAtMs !== undefined) list.push({ kind: 'canceled', task: sim })
  }
  return list
}

/** Makes the public event of a happening. */
export async function toEvent(
  model: FarmModel,
  happening: Happening,
  options: SimulatedFarmOptions,
  nowMs: number,
): Promise<FarmEvent | undefined> {
  if (happening.kind === 'event') return happening.event
  const sim: SimTask = happening.task
  if (!model.tasks.has(sim.ref.ref)) return undefined
  if (happening.kind === 'output') {
    const output = model.outputOf(sim, happening.index, happening.draft)
    return { type: 'output', output, atMs: output.completedAtMs }
  }
  if (happening.kind === 'commit') {
    const commit = await model.commitOf(sim, happening.index)
    return { type: 'commit', task: sim.ref, commit, atMs: sim.commits[happening.index]!.atMs }
  }
  const framesDone = sim.frames.filter((_, i) => sim.doneAtMs[i]! > 0)
  const ticket = sim.task.lease
  const key = options.key ?? simulatedFarmKey(options.id)
  if (ticket && !sim.canceledSignature) {
    const done = await Promise.all(sim.commits.map((_, i) => model.commitOf(sim, i)))
    const outputs = done.flatMap((commit) => commit.outputs)
    sim.canceledRoot = outputs.length > 0 ? key.outputRoot(outputs) : ZERO_HASH
    const message = { job: ticket.job, lease: ticket.lease.id, outputRoot: sim.canceledRoot }
    sim.canceledSignature = await key.signCanceled(ticket.domain, message)
  }
  return {
    type: 'canceled',
    task: sim.ref,
    framesDone,
    atMs: sim.canceledAtMs ?? nowMs,
    ...(sim.canceledSignature && sim.canceledRoot ? { signature: sim.canceledSignature, outputRoot: sim.canceledRoot } : {}),
  }
}
