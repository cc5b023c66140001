import { isPictorError } from '../contract/error.ts'
import type { Address, LeaseSet } from '../contract/messages.ts'
import type { JobCommand, JobInput } from '../job/job-facts.ts'
import { HEDGE_TICK_MS } from '../job/job-reports.ts'
import { leaseOfRow } from '../job/job-rows.ts'
import type { TaskRow } from '../job/job-state.ts'
import type { TaskOrder } from '../job/task-state.ts'
import { askChecker, type CheckerRequest } from './ask-checker.ts'
import { deliver } from './deliver-effects.ts'
import { effort, pause, pauseTimer, pauseUntil, tryUntilDone } from './effort.ts'
import { canceledLeases, givenBack } from './give-back.ts'
import { writeBlob } from './evidence.ts'
import type { JobHost } from './job-host.ts'
import { keyInForce } from './key-in-force.ts'
import { replan } from './replan-effects.ts'
import { attest, makeBatch, open, signaturesOf, signBatchAction, tell } from './settle-effects.ts'
import { quorumOf } from './submit-effects.ts'

/** Tries of one task at one farm that may fail with a class that counts. */
const MAX_TRIES = 2

/** Performs one command of the job. */
export async function performJob(host: JobHost, command: JobCommand, signal: AbortSignal): Promise<void> {
  const { job, shared } = host
  const { clock } = shared
  const send = async (input: JobInput): Promise<void> => void (await job.send(input).catch(() => {}))
  const refused = (error: unknown): Promise<void> =>
    send({
      type: 'refused',
      command: command.id,
      code: isPictorError(error) ? error.code : 'internal',
      message: error instanceof Error ? error.message : String(error),
    })
  const own = effort(host, job.name, command.id, signal)
  const askOne = (about: Extract<JobCommand, { checker: Address }>, request: CheckerRequest): Promise<void> =>
    askChecker(host, job.name, about, signal, request, (message) =>
      send({ type: 'checker-refused', checker: about.checker, action: about.kind, message }),
    )
  switch (command.kind) {
    case 'timer':
      await pauseTimer(clock, command, job.state, signal)
      // Looking for tails comes round again and again; it is journaled only when it finds something.
      while (!signal.aborted) {
        await send({ type: 'tick', timer: command.timer })
        if (command.timer !== 'hedge') return
        await pause(clock, HEDGE_TICK_MS, signal)
      }
      return
    case 'watch':
      return host.ledger.start()
    case 'task':
      return keepTask(host, command.task, signal)
    case 'open':
      return host.ledger.during(() => open(host, command.id, signal, refused))
    case 'sign-set': {
      await keyInForce(host, signal)
      const error = await tryUntilDone(own, async () => {
        const set = job.state.sets[command.seq]!
        const root = host.tree(set).root
        const message = { job: host.jobId(), seq: set.seq, setRoot: root }
        const signature = await shared.proofs.signLeaseSet(shared.options.ledger.domain, shared.options.leaseSigner, message)
        await send({ type: 'set-signed', seq: set.seq, root, signature })
      })
      return error === undefined ? undefined : refused(error)
    }
    case 'ready': {
      const set = job.state.sets[command.seq]!
      let message: LeaseSet | undefined
      const error = await tryUntilDone(own, async () => void (message = await host.setMessage(set)))
      if (!message) return error === undefined ? undefined : refused(error)
      return askOne(command, {
        kind: 'ready',
        set: message,
        leases: host.leases(set),
        canceled: canceledLeases(host),
      })
    }
    case 'sign-final':
      return askOne(command, {
        kind: 'sign-final',
        keep: BigInt(command.keep),
        canceled: [...canceledLeases(host), ...(await givenBack(host, signal))],
      })
    case 'sign-batch': {
      const action = await signBatchAction(host, command.n, signal)
      return action && askOne(command, action)
    }
    case 'post-ready': {
      const { terms } = job.state.order!
      return tell(host, command.id, signal, { kind: 'ready', terms, ready: quorumOf(job.state.sets[0]!.ready, terms.quorum) })
    }
    case 'make-batch':
      return makeBatch(host, command.n, signal, refused)
    case 'attest':
      return host.ledger.during(() => attest(host, command.n, command.id, signal, refused))
    case 'release': {
      // The ledger's time, which may be ahead of this machine's: never longer than the window that it counts.
      const windowMs = job.state.order!.terms.disputeWindowS * 1_000
      await pauseUntil(clock, Math.min(command.notBeforeAtMs, clock.now() + windowMs), signal)
      const batch = job.state.batches[command.n]!
      return tell(host, command.id, signal, { kind: 'release', terms: job.state.order!.terms, batch: batch.number! })
    }
    case 'final': {
      const signatures = signaturesOf(job.state.final.signatures)
      const { terms } = job.state.order!
      return tell(host, command.id, signal, {
        kind: 'final',
        terms,
        keep: BigInt(command.keep),
        signatures: signatures.slice(0, terms.quorum),
      })
    }
    case 'refund':
      return tell(host, command.id, signal, { kind: 'refund', terms: job.state.order!.terms })
    case 'tell-farm': {
      const { farm, task, incident, message } = command
      const told = await tryUntilDone(own, () =>
        shared.registry.tell(farm, { type: 'incident', run: host.run, task, kind: incident, message }, own.key),
      )
      if (!signal.aborted && told === undefined) await send({ type: 'farm-told', task })
      return
    }
    case 'deliver':
      return deliver(host, command.task, signal, send)
    case 'replan':
      return replan(host, command.n, signal, send, refused)
    case 'evidence': {
      const error = await tryUntilDone(own, async (ctx) => {
        const evidence = await shared.options.ledger.evidence(host.jobId(), ctx)
        await send({ type: 'evidence', blob: await writeBlob(shared, evidence ?? null) })
      })
      if (error !== undefined) await send({ type: 'evidence', blob: null })
      return
    }
    case 'answer':
      return answer(host, command, signal, send)
  }
}

/** Opens the task if it is new and tells it what is wanted now. */
async function keepTask(host: JobHost, task: number, signal: AbortSignal): Promise<void> {
  const { job, shared } = host
  const row = host.row(task)
  try {
    const stream = await host.openTask(task)
    if (stream.state.phase === 'new') await stream.send({ type: 'open', order: taskOrder(host, row) })
    if (row.contested && row.hedgeOf === 0) await stream.send({ type: 'contested' })
    if (row.contestWon !== undefined) {
      await stream.send({ type: 'contest', won: row.contestWon })
      if (!row.contestWon) await stream.send({ type: 'want', wanted: 'cancel', reason: 'another lease was faster' })
    }
    if (row.giveUp) await stream.send({ type: 'give-up', reason: row.giveUp })
    if (job.state.wanted !== stream.state.wanted) await stream.send({ type: 'want', wanted: job.state.wanted, reason: 'asked' })
    if (stream.state.order && job.state.priority !== stream.state.order.priority)
      await stream.send({ type: 'priority', priority: job.state.priority })
  } catch (error) {
    if (signal.aborted || isPictorError(error, 'canceled')) return
    if (isPictorError(error, 'unknown-fact')) await job.send({ type: 'blocked', reason: error.message }).catch(() => {})
    await pause(shared.clock, shared.tuning.retryMs, signal)
    if (!signal.aborted) return keepTask(host, task, signal)
  }
}

function taskOrder(host: JobHost, row: TaskRow): TaskOrder {
  const { state } = host.job
  const reason = state.sets[row.seq]!.reason
  return {
    lease: leaseOfRow(state, row),
    farm: row.farm,
    offer: row.offer,
    expectedMs: row.expectedMs,
    seq: row.seq,
    checkers: state.order!.checkers,
    quorum: state.order!.terms.quorum,
    maxTries: MAX_TRIES,
    contested: row.contested,
    priority: state.priority,
    reason: reason === 'plan' || reason === 'refused' || reason === 'hedge' ? reason : reason === 'failed' ? 'retry' : 'replan',
  }
}

export async function answer(
  host: JobHost,
  command: Extract<JobCommand, { kind: 'answer' }>,
  signal: AbortSignal,
  send: (input: JobInput) => Promise<void>,
): Promise<void> {
  const task = [...host.tasks.values()].find((stream) => stream.state.tickets.has(command.ticket))
  const loop = host.shared.farm(command.farm)
  const ref = task?.state.ref
  let result = 'no task has this ticket'
  if (loop && ref) {
    const error = await tryUntilDone(effort(host, host.job.name, command.id, signal), async (ctx) => {
      const change = { answer: { ticket: command.ticket, fields: command.fields } }
      const done = await loop.call(ctx.signal!, (limited) => loop.farm.set(ref, change, { ...ctx, signal: limited }))
      result = typeof done === 'string' ? done : `${done.reason}: ${done.message}`
    })
    if (error !== undefined) result = error instanceof Error ? error.message : String(error)
  }
  if (!signal.aborted) await send({ type: 'answered', n: command.n, result })
}
