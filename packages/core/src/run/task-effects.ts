import type { CallContext } from '../contract/context.ts'
import { isPictorError, PictorError } from '../contract/error.ts'
import type { CheckerAction } from '../contract/checker.ts'
import type { Failure, FailureClass } from '../contract/farm.ts'
import type { Address, Ready } from '../contract/messages.ts'
import type { StageRef, Task } from '../contract/task.ts'
import { FAILURE_RULES } from '../job/failure.ts'
import type { TaskRow } from '../job/job-types.ts'
import type { TaskCommand, TaskInput, TaskStreamState } from '../job/task-types.ts'
import { collect } from './collect.ts'
import { limitedCall, pause, pauseUntil, tryUntilDone } from './effort.ts'
import type { FarmLoop } from './farm-loop.ts'
import { commitOf, votesOf, type JobHost } from './job-host.ts'

/** Performs one command of a task. Never rejects. */
export async function performTask(
  host: JobHost,
  task: number,
  command: TaskCommand,
  signal: AbortSignal,
  resumed: boolean,
): Promise<void> {
  // Commands start with the stream, before it is entered into the host's table.
  await Promise.resolve()
  const stream = host.tasks.get(task)
  if (!stream || signal.aborted) return
  const { state } = stream
  const send = async (input: TaskInput): Promise<void> => {
    // A stream that stopped meanwhile takes nothing any more; its commands are open in the journal.
    await stream.send(input).catch(() => {})
  }
  switch (command.kind) {
    case 'submit':
      return submit(host, state, command, signal, send, resumed)
    case 'collect': {
      const loop = await farmOf(host, state.order!.farm, signal)
      if (!loop || !state.order) return
      return collect({
        loop,
        ref: { farm: state.order.farm, ref: command.ref },
        order: state.order,
        job: host.jobId(),
        domain: host.shared.options.ledger.domain,
        fetched: (index) => state.fetched[index] !== undefined,
        committed: (commit) => state.commits.some((one) => one.index === commit.index),
        send,
        onProgress: (progress) => host.progress.set(task, progress),
        artifacts: host.shared.options.artifacts,
        proofs: host.shared.proofs,
        clock: host.shared.clock,
        tuning: host.shared.tuning,
        signal,
      })
    }
    case 'set': {
      const loop = await farmOf(host, state.order!.farm, signal)
      if (!loop) return
      const { desired, priority } = command
      const change = { desired, ...(priority === undefined ? {} : { priority }) }
      await tryUntilDone(effort(host, stream.name, command.id, signal), (ctx) =>
        loop.calls.add(() => loop.farm.set({ farm: state.order!.farm, ref: command.ref }, change, ctx)),
      )
      return
    }
    case 'hold': {
      const commit = commitOf(state, host.jobId(), state.commits[command.commit]!)
      const lease = host.lease(host.row(task))
      return ask(host, stream.name, command, signal, send, { kind: 'hold', lease, commit, farm: lease.farm })
    }
    case 'check': {
      const commits = state.commits.map((kept) => commitOf(state, host.jobId(), kept))
      return ask(host, stream.name, command, signal, send, { kind: 'check', lease: host.lease(host.row(task)), commits })
    }
    case 'reveal':
      return ask(host, stream.name, command, signal, send, { kind: 'reveal', lease: task })
    case 'judge':
      return judge(host, task, state, send, signal)
    case 'report':
      return report(host, task, state, command.report)
    case 'timer':
      await pauseUntil(host.shared.clock, command.atMs, signal)
      if (!signal.aborted) await send({ type: 'tick', timer: command.timer })
      return
  }
}

export function effort(host: JobHost, stream: string, command: string, signal: AbortSignal): Parameters<typeof tryUntilDone>[0] {
  const { clock, tuning } = host.shared
  return { clock, tuning, key: host.key(stream, command), signal }
}

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

async function submit(
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
  await pauseUntil(host.shared.clock, command.notBeforeAtMs, signal)
  // After a restart nobody knows whether the submit went out.
  let unsure = resumed
  const own = effort(host, state.id, command.id, signal)
  const error = await tryUntilDone(
    { ...own, tuning: { ...own.tuning, callMs: own.tuning.stageMs + own.tuning.callMs } },
    async (ctx) => {
      const info = await loop.info(ctx.signal!)
      if (unsure && info.idempotency === 'at-most-once')
        throw new PictorError('farm-refused', 'its reply was lost and it cannot find tasks by key', { details: { lost: true } })
      const stage = await staged(host, loop, ctx)
      const task = taskOf(host, host.row(order.lease.id), command.attempt, stage, order.priority)
      const ref = await loop.calls.add(() =>
        limitedCall(own.clock, own.tuning.callMs, ctx.signal!, (limited) => {
          unsure = true
          return loop.farm.submit(task, { ...ctx, signal: limited })
        }),
      )
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

/** The scene at the farm: once a farm and bundle, whatever the number of tasks. The cache may be emptied: staging again is harmless. */
export async function staged(host: JobHost, loop: FarmLoop, ctx: CallContext): Promise<StageRef> {
  const { stages, options, clock, tuning } = host.shared
  const { bundle } = host.job.state.order!.spec
  const name = `${loop.farm.id} ${bundle.root}`
  let stage = stages.get(name)
  if (!stage) {
    const key = host.key(`farm:${loop.farm.id}`, `stage ${bundle.root}`)
    stage = limitedCall(clock, tuning.stageMs, ctx.signal!, (signal) =>
      loop.farm.stage(bundle, options.artifacts, { signal, key }),
    )
    stages.set(name, stage)
    stage.catch(() => stages.delete(name))
  }
  return stage
}

/** The task of a lease as its farm is handed it. */
export function taskOf(host: JobHost, row: TaskRow, attempt: number, stage: StageRef, priority: number): Task {
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
    work: { kind: 'frames', frames: lease.frames },
    offer: row.offer,
    priority,
    lease: {
      domain: host.shared.options.ledger.domain,
      terms: order.terms,
      job: host.jobId(),
      lease,
      set: host.setMessage(set),
      proof: host.tree(set).proof(row.id - set.first),
      ready: quorumOf(set.ready, order.terms.quorum),
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

type LeaseAction = CheckerAction extends infer A ? (A extends { readonly job: unknown } ? Omit<A, 'job'> : never) : never

/** Asks a checker and asks again, with the same key, until its answer ended the command. A refusal makes it silent about this lease. */
async function ask(
  host: JobHost,
  stream: string,
  command: Extract<TaskCommand, { checker: Address }>,
  signal: AbortSignal,
  send: (input: TaskInput) => Promise<void>,
  action: LeaseAction,
): Promise<void> {
  const loop = host.checkers.get(command.checker)
  if (!loop) return
  const { clock, tuning } = host.shared
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(effort(host, stream, command.id, signal), async (ctx) => {
      await loop.checker.send({ job: host.checkerJob(), ...action } as CheckerAction, ctx)
      loop.expect()
    })
    if (error !== undefined) {
      await send({
        type: 'checker-silent',
        checker: command.checker,
        action: command.kind,
        reason: error instanceof Error ? error.message : String(error),
      })
      return
    }
    await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
  }
}

async function judge(
  host: JobHost,
  task: number,
  state: TaskStreamState,
  send: (input: TaskInput) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const error = await tryUntilDone(effort(host, state.id, 'judge', signal), async () => {
    const result = await leaseResult(host, task, state)
    const verdicts = result.records.map((record) => (/^0x0+$/.test(record.outputHash) ? '-' : record.verdict[0]!)).join('')
    await send({ type: 'judged', verdicts, acceptedWeight: result.acceptedWeight })
  })
  if (error !== undefined) await send({ type: 'judge-failed', message: error instanceof Error ? error.message : String(error) })
}

/** The lease as it is attested, from its journal and the votes among the artifacts. */
export async function leaseResult(
  host: JobHost,
  task: number,
  state: TaskStreamState,
): Promise<ReturnType<JobHost['shared']['proofs']['mergeVotes']>> {
  const { shared, job } = host
  const blobs = await votesOf(shared, state)
  const row = host.row(task)
  return shared.proofs.mergeVotes({
    domain: shared.options.ledger.domain,
    terms: job.state.order!.terms,
    lease: host.lease(row),
    seq: row.seq,
    commits: state.commits.map((kept) => commitOf(state, host.jobId(), kept)),
    votes: blobs.flatMap((blob) => blob.votes),
    seeds: blobs.map((blob) => blob.seed),
    reports: blobs.flatMap((blob) => blob.reports),
  })
}

async function report(
  host: JobHost,
  task: number,
  state: TaskStreamState,
  what: Extract<TaskCommand, { kind: 'report' }>['report'],
): Promise<void> {
  const send = host.job.send
  const failure = state.failure ? { failure: state.failure } : {}
  const cancel = state.cancel ? { cancel: state.cancel } : {}
  const sent =
    what === 'rendered'
      ? send({ type: 'task-rendered', task })
      : what === 'contest-ready'
        ? send({ type: 'task-contest-ready', task })
        : what === 'judged'
          ? send({ type: 'task-judged', task, verdicts: state.verdicts, weight: state.acceptedWeight })
          : what === 'voided'
            ? send({
                type: 'task-voided',
                task,
                reason: state.voidReason!,
                freed: state.phase === 'freed',
                ...failure,
                ...cancel,
              })
            : send({ type: 'task-freed', task })
  await sent.catch(() => {})
}
