import type { JobFact, JobInput } from './job-facts.ts'
import { acceptReplan, hedgeCandidates } from './job-replan.ts'
import { acceptReport } from './job-reports.ts'
import { acceptReady, leaseFacts } from './job-sets.ts'
import { acceptCheckerRefusal, isClosed, outcomeOf } from './job-settle.ts'
import type { BatchRow, JobStreamState } from './job-state.ts'
import type { Decision } from './machine.ts'

type Refuse = (reason: string) => Decision<JobFact>

/** Decides one input. Late, duplicate and impossible ones change nothing and say why. */
export function acceptJob(state: JobStreamState, input: JobInput, atMs: number): Decision<JobFact> {
  const at = Math.max(atMs, state.lastAtMs)
  const refuse: Refuse = (reason) => ({ facts: [], refused: { input: input.type, state: state.phase, reason } })
  const one = (fact: JobFact): Decision<JobFact> => ({ facts: [fact] })
  if (input.type === 'order') return state.phase === 'new' ? acceptOrder(input, at) : refuse('the order is known')
  if (state.phase === 'new') return refuse('there is no order yet')
  if (state.phase === 'ended') return refuse('the job has ended')
  switch (input.type) {
    case 'ledger':
      return acceptLedger(state, input.event, at) ?? refuse('the event is known or fits nothing')
    case 'set-signed': {
      const set = state.sets[input.seq]
      if (set?.phase !== 'signing') return refuse('no such set is to be signed')
      return one({ v: 1, at, t: 'set-signed', seq: input.seq, root: input.root, sig: input.signature })
    }
    case 'ready':
      return acceptReady(state, input, at) ?? refuse('it is late, known or about another set')
    case 'checker-refused':
      return acceptCheckerRefusal(state, input, at) ?? refuse('nothing is asked of this checker')
    case 'task-rendered':
    case 'task-contest-ready':
    case 'task-judged':
    case 'task-voided':
    case 'task-freed': {
      const row = state.rows.get(input.task)
      return (row && acceptReport(state, row, input, at)) ?? refuse(`lease ${input.task} is ${row?.phase ?? 'unknown'}`)
    }
    case 'delivered':
      return state.agenda.open.has(`deliver/${input.task}`)
        ? one({ v: 1, at, t: 'delivered', task: input.task, paths: input.paths })
        : refuse('no such delivery is open')
    case 'unopened':
      return state.agenda.open.has(`deliver/${input.task}`)
        ? one({ v: 1, at, t: 'unopened', task: input.task })
        : refuse('no such delivery is open')
    case 'replanned':
      if (!state.replan.open || input.n !== state.replan.n) return refuse('no such replan is open')
      return { facts: acceptReplan(state, input, at) }
    case 'batch-made': {
      const batch = state.batches[input.n]
      if (batch?.phase !== 'making') return refuse('no such batch is to be made')
      return one({ v: 1, at, t: 'batch-made', n: input.n, hash: input.hash, blob: input.blob })
    }
    case 'batch-signed': {
      const batch = state.batches.findLast((one) => one.hash === input.hash)
      if (batch?.phase !== 'signing' || batch.signatures.has(input.checker)) return refuse('no such signature is open')
      return one({ v: 1, at, t: 'batch-signed', n: batch.n, checker: input.checker, sig: input.signature })
    }
    case 'final-signed':
      if (state.phase !== 'settling' || input.keep !== String(state.final.keep) || state.final.signatures.has(input.checker))
        return refuse('no such signature is open')
      return one({ v: 1, at, t: 'final-signed', checker: input.checker, sig: input.signature })
    case 'evidence':
      return state.agenda.open.has('evidence') ? one({ v: 1, at, t: 'evidence', blob: input.blob }) : refuse('none is open')
    case 'refused':
      return acceptRefusal(state, input, at) ?? refuse('no such command is open')
    case 'farm-standing':
      return acceptStanding(state, input, at) ?? refuse('it has no part in this job, or is known to stand so')
    case 'farm-told':
      return state.agenda.open.has(`tell-farm/${input.task}`)
        ? one({ v: 1, at, t: 'farm-told', task: input.task })
        : refuse('nothing is to be told')
    case 'blocked':
      return (state.blocked ?? null) === input.reason ? refuse('known') : one({ v: 1, at, t: 'blocked', reason: input.reason })
    case 'want':
      if (state.wanted === input.wanted || state.wanted === 'cancel') return refuse(`it is wanted to ${state.wanted}`)
      return one({ v: 1, at, t: 'wanted', wanted: input.wanted })
    case 'priority':
      return one({ v: 1, at, t: 'priority', priority: input.priority })
    case 'deadline':
      return one({ v: 1, at, t: 'deadline', deadlineAtMs: input.atMs })
    case 'answer':
      return one({ v: 1, at, t: 'answer', n: state.answers + 1, farm: input.farm, ticket: input.ticket, fields: input.fields })
    case 'answered':
      return state.agenda.open.has(`answer/${input.n}`)
        ? one({ v: 1, at, t: 'answered', n: input.n, result: input.result })
        : refuse('no such answer is open')
    case 'tick':
      return acceptTick(state, input.timer, at) ?? refuse('the timer is over')
    default:
      return refuse('unknown input')
  }
}

function acceptOrder(input: Extract<JobInput, { type: 'order' }>, at: number): Decision<JobFact> {
  return {
    facts: [
      { v: 1, at, t: 'ordered', order: input.order, root: input.root },
      ...leaseFacts(at, 0, input.leases),
      { v: 1, at, t: 'set', seq: 0, reason: 'plan' },
    ],
  }
}

function acceptLedger(
  state: JobStreamState,
  event: Extract<JobInput, { type: 'ledger' }>['event'],
  at: number,
): Decision<JobFact> | undefined {
  const fits = (): boolean => {
    switch (event.type) {
      case 'opened':
        return state.phase === 'opening'
      case 'drawn':
        return state.job !== undefined && state.order!.terms.registryDraw > 0 && state.order!.checkers.length === 0
      case 'ready':
        return !state.readyPosted
      case 'attested':
        return state.batches.some((batch) => batch.hash === event['batchHash'] && mayAttest(state, batch))
      case 'released':
        return (
          Array.isArray(event['paid']) &&
          state.batches.some((batch) => batch.number === event['batch'] && batch.phase === 'attested')
        )
      case 'finalized':
        return !state.final.done
      case 'refunded':
        return !isClosed(state)
      default:
        return !state.ledgerEvents.some((known) => known.id === event.id)
    }
  }
  return fits() ? { facts: [{ v: 1, at, t: 'ledger', event }] } : undefined
}

/** A batch may be on the ledger since just before attestBy, and become final after it. */
function mayAttest({ rows }: JobStreamState, { phase, leases }: BatchRow): boolean {
  return phase === 'attesting' || (phase === 'broken' && leases.every((id) => rows.get(id)?.phase === 'kept'))
}

/** A command was refused for good. What cannot go on ends the job or the batch; the rest is shown as a block. */
function acceptRefusal(
  state: JobStreamState,
  input: Extract<JobInput, { type: 'refused' }>,
  at: number,
): Decision<JobFact> | undefined {
  const { command, code, message } = input
  if (!state.agenda.open.has(command)) return undefined
  const refused: JobFact = { v: 1, at, t: 'refused', command, code, message }
  // Money that is locked comes back in time; only what was never locked is over at once.
  if (command === 'open' && state.job === undefined)
    return { facts: [refused, { v: 1, at, t: 'ended', outcome: 'failed', message }] }
  const batch = /^(?:make-batch|attest)\/(\d+)$/.exec(command)
  if (batch) return { facts: [refused, { v: 1, at, t: 'batch-broken', n: Number(batch[1]), message }] }
  if (command.startsWith('replan/'))
    return { facts: [refused, { v: 1, at, t: 'replan-empty', n: state.replan.n, againAtMs: at + 30_000, message }] }
  return { facts: [refused] }
}

function acceptTick(state: JobStreamState, timer: string, at: number): Decision<JobFact> | undefined {
  const fact = (one: JobFact): Decision<JobFact> => ({ facts: [one] })
  switch (timer) {
    case 'batch':
      return state.batchDue || state.toSettle.length === 0 ? undefined : fact({ v: 1, at, t: 'batch-due' })
    case 'replan':
      return state.idle.size === 0 ? undefined : fact({ v: 1, at, t: 'replan-due' })
    case 'hedge': {
      const tasks = hedgeCandidates(state, at)
      return tasks.length === 0 ? undefined : fact({ v: 1, at, t: 'contest', tasks })
    }
    case 'deadline':
      return state.pastDeadline ? undefined : fact({ v: 1, at, t: 'past-deadline' })
    case 'attest-by':
      return state.attestOver ? undefined : fact({ v: 1, at, t: 'attest-over' })
    case 'refund':
      return isClosed(state) || state.refundOpen ? undefined : fact({ v: 1, at, t: 'refund-due' })
    case 'give-up':
      return fact({ v: 1, at, t: 'ended', outcome: outcomeOf(state), message: 'given up: giveUpAt is over' })
    default:
      return undefined
  }
}

function acceptStanding(
  state: JobStreamState,
  input: Extract<JobInput, { type: 'farm-standing' }>,
  at: number,
): Decision<JobFact> | undefined {
  const { farm, standing, reason } = input
  if (state.order!.parties[farm] === undefined) return undefined
  const known = state.farms.get(farm)?.standing ?? 'trusted'
  if (known === standing) return undefined
  return { facts: [{ v: 1, at, t: 'farm-standing', farm, standing, ...(reason === undefined ? {} : { reason }) }] }
}
