import { isPictorError, PictorError } from '../contract/error.ts'
import type { Failure, FailureClass } from '../contract/farm.ts'
import type { RenderSpec } from '../contract/job.ts'
import type { Address, Lease, Ready } from '../contract/messages.ts'
import type { StageRef, Task, Work } from '../contract/task.ts'
import { FAILURE_RULES } from '../job/failure.ts'
import type { TaskRow } from '../job/job-state.ts'
import type { TaskCommand, TaskInput } from '../job/task-facts.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { effort, limitedCall, pause, pauseFromFact, tryUntilDone } from './effort.ts'
import type { FarmLoop } from './farm-loop.ts'
import { wasNotTaken } from './farm-rest.ts'
import type { JobHost } from './job-host.ts'
import { withStage } from './stage.ts'

/** The farm's loop; while the host has no such farm the job is shown as blocked. */
export async function farmOf(host: JobHost, farm: string, signal: AbortSignal): Promise<FarmLoop | undefined> {
  for (let blocked = false; !signal.aborted;) {
    const loop = host.shared.farm(farm)
    if (loop) {
      if (blocked) await host.job.send({ type: 'blocked', reason: null }).catch(() => {})
      return loop
    }
    if (!blocked) await host.job.send({ type: 'blocked', reason: `farm ${farm} is not configured here` }).catch(() => {})
    blocked = true
    await pause(host.shared.clock, 5_000, signal)
  }
  return undefined
}

/** Hands a lease to its farm, once. */
export async function submit(
  host: JobHost,
  state: TaskStreamState,
  command: Extract<TaskCommand, { kind: 'submit' }>,
  signal: AbortSignal,
  send: (input: TaskInput) => Promise<void>,
  resumed: boolean,
): Promise<void> {
  const order = state.order!
  const loop = await farmOf(host, order.farm, signal)
  if (!loop) return
  await pauseFromFact(host.shared.clock, command.notBeforeAtMs, state, signal)
  // After a restart nobody knows whether the submit went out.
  let unsure = resumed
  const own = effort(host, state.id, command.id, signal)
  const error = await tryUntilDone(
    { ...own, tuning: { ...own.tuning, callMs: own.tuning.stageMs + own.tuning.callMs } },
    async (ctx) => {
      const info = await loop.info(ctx.signal!)
      if (unsure && info.idempotency === 'at-most-once')
        throw new PictorError('farm-refused', 'its reply was lost and it cannot find tasks by key', { details: { lost: true } })
      const [task, ref] = await withStage(host, loop, ctx, async (stage) => {
        const handed = await limitedCall(own.clock, own.tuning.callMs, ctx.signal!, () =>
          taskOf(host, host.row(order.lease.id), command.attempt, stage, order.priority),
        )
        const taken = await loop.call(ctx.signal!, (limited) => {
          const before = unsure
          unsure = true
          return loop.farm.submit(handed, { ...ctx, signal: limited }).catch((error: unknown) => {
            if (wasNotTaken(error)) unsure = before
            throw error
          })
        })
        return [handed, taken] as const
      })
      if (ref.leaseSignature && !host.shared.proofs.verifyAccept(task.lease!, ref.leaseSignature))
        throw new PictorError('farm-refused', 'its countersignature of the lease does not hold', {
          details: { class: 'protocol', lost: true },
        })
      await send({
        type: 'submitted',
        attempt: command.attempt,
        ref: ref.ref,
        ...(ref.leaseSignature ? { leaseSignature: ref.leaseSignature } : {}),
      })
    },
  )
  if (error === undefined) return
  const unknown = isPictorError(error) && error.details['lost'] === true
  await send({ type: 'submit-failed', attempt: command.attempt, failure: failureOf(error), unknown })
}

/** A lease of tiles is one tile of one frame; farms that do not know tiles decline it by its kind. */
function workOf({ tiles }: RenderSpec, { frames, part }: Lease): Work {
  return part === 0 ? { kind: 'frames', frames } : { kind: 'tiles', frame: frames[0]!, tiles: [tiles![part - 1]!] }
}

/** The task of a lease as its farm is handed it. */
export async function taskOf(host: JobHost, row: TaskRow, attempt: number, stage: StageRef, priority: number): Promise<Task> {
  const job = host.job.state
  const order = job.order!
  const set = job.sets[row.seq]!
  const lease = host.lease(row)
  return {
    contract: 1,
    run: host.run,
    id: row.id,
    attempt,
    purpose: 'render',
    bundle: order.spec.bundle,
    stage,
    spec: order.spec.render,
    work: workOf(order.spec.render, lease),
    offer: row.offer,
    priority,
    lease: {
      domain: host.shared.options.ledger.domain,
      terms: order.terms,
      job: host.jobId(),
      lease,
      set: await host.setMessage(set),
      proof: host.tree(set).proof(row.id - set.first),
      ready: quorumOf(set.ready, order.terms.quorum),
      ...(order.sealKeys ? { sealKeys: order.sealKeys } : {}),
    },
  }
}

/** The first quorum of Ready signatures in order of address: the same for every try. */
export function quorumOf(ready: ReadonlyMap<Address, Ready>, quorum: number): Ready[] {
  return [...ready.values()].sort((a, b) => (a.checker < b.checker ? -1 : 1)).slice(0, quorum)
}

/** An error of a farm in the words of the contract. */
export function failureOf(error: unknown): Failure {
  const details = isPictorError(error) ? error.details : {}
  const named = details['class']
  const known = typeof named === 'string' && named in FAILURE_RULES ? (named as FailureClass) : 'protocol'
  return {
    class: known,
    message: error instanceof Error ? error.message : String(error),
    ...(typeof details.retryAfterMs === 'number' ? { retryAfterMs: details.retryAfterMs } : {}),
  }
}
