import type { SoftwareBuild } from '../contract/farm.ts'
import type { Address } from '../contract/messages.ts'
import type { TaskCommand, TaskInput } from '../job/task-facts.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { askChecker, type CheckerRequest } from './ask-checker.ts'
import { collect } from './collect.ts'
import { effort, pause, pauseTimer, tryUntilDone, untilDone } from './effort.ts'
import { commitOf } from './evidence.ts'
import { askedRestMs } from './farm-rest.ts'
import type { JobHost } from './job-host.ts'
import { neighboursOf } from './neighbours.ts'
import { leaseResult } from './settle-effects.ts'
import { farmOf, submit } from './submit-effects.ts'

/** What a farm says that it renders with; a farm that is gone says nothing, one that rests is asked again after it. */
async function softwareOf(host: JobHost, farm: string, signal: AbortSignal): Promise<readonly SoftwareBuild[] | undefined> {
  const { clock, tuning } = host.shared
  const loop = host.shared.farm(farm)
  if (!loop) return undefined
  const info = await loop.info(signal).catch(async (error: unknown) => {
    const restMs = askedRestMs(error)
    if (restMs === 0 || restMs > tuning.callMs) return undefined
    await pause(clock, restMs, signal)
    return loop.info(signal).catch(() => undefined)
  })
  return info?.software
}

/** Performs one command of a task. */
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
  // A checker that refuses is silent about this lease from then on.
  const askOne = (about: Extract<TaskCommand, { checker: Address }>, request: CheckerRequest): Promise<void> =>
    askChecker(host, stream.name, about, signal, request, (reason) =>
      send({ type: 'checker-silent', checker: about.checker, action: about.kind, reason }),
    )
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
        fetched: (index) => state.fetched[index],
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
        loop.call(ctx.signal!, (limited) =>
          loop.farm.set({ farm: state.order!.farm, ref: command.ref }, change, { ...ctx, signal: limited }),
        ),
      )
      return
    }
    case 'hold': {
      const commit = commitOf(state, host.jobId(), state.commits[command.commit]!)
      const lease = host.lease(host.row(task))
      const sealed = state.sealed?.map(({ outputHash, sealedHash }) => ({ outputHash, sealedHash }))
      return askOne(command, { kind: 'hold', lease, commit, farm: lease.farm, ...(sealed ? { sealed } : {}) })
    }
    case 'check': {
      const commits = state.commits.map((kept) => commitOf(state, host.jobId(), kept))
      const software = await softwareOf(host, state.order!.farm, signal)
      const neighbours = await untilDone(effort(host, stream.name, command.id, signal), () => neighboursOf(host, host.row(task)))
      return askOne(command, {
        kind: 'check',
        lease: host.lease(host.row(task)),
        commits,
        ...(neighbours.length > 0 ? { neighbours } : {}),
        ...(software ? { software } : {}),
      })
    }
    case 'reveal':
      return askOne(command, { kind: 'reveal', lease: task })
    case 'judge':
      return judge(host, task, state, send, signal)
    case 'report':
      return report(host, task, state, command.report)
    case 'timer':
      await pauseTimer(host.shared.clock, command, state, signal)
      if (!signal.aborted) await send({ type: 'tick', timer: command.timer })
      return
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

async function report(
  host: JobHost,
  task: number,
  state: TaskStreamState,
  what: Extract<TaskCommand, { kind: 'report' }>['report'],
): Promise<void> {
  const send = host.job.send
  const failure = state.failure ? { failure: state.failure } : {}
  const cancel = state.cancel ? { cancel: state.cancel } : {}
  const held = state.kept ? { held: true as const } : {}
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
                ...held,
              })
            : send({ type: 'task-freed', task })
  await sent.catch(() => {})
}
