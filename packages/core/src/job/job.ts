import { failureRule } from './failure.ts'
import { evolveJob, keepOf } from './job-evolve.ts'
import { acceptReplan, hedgeCandidates } from './job-replan.ts'
import { STRIKE_GAP_MS } from './job-rows.ts'
import type { JobCommand, JobFact, JobInput, JobStreamState, TaskRow } from './job-types.ts'
import { emptyAgenda, type Decision, type Machine } from './machine.ts'

/** Times that a farm may fail, stall or get lost in one job before it gets no more leases of it. */
export const MAX_STRIKES = 3
/** Empty answers in a row after which frames that nobody takes are given up, when nothing is live any more. */
export const MAX_EMPTY_REPLANS = 6

/** The machine of a whole job: plan, money, leases, deliveries. It decides; tasks report to it. */
export const jobMachine: Machine<JobStreamState, JobInput, JobFact, JobCommand> = {
  name: 'job',
  empty: (id) => ({
    id,
    phase: 'new',
    order: undefined,
    job: undefined,
    frames: [],
    frameIndex: undefined,
    frameState: new Uint8Array(0),
    cover: new Uint8Array(0),
    attempts: new Uint8Array(0),
    winner: new Int32Array(0),
    idle: new Set(),
    accepted: 0,
    delivered: 0,
    missing: 0,
    rendered: 0,
    rows: new Map(),
    live: new Set(),
    openRows: 0,
    farms: new Map(),
    sets: [],
    batches: [],
    toSettle: [],
    batchDue: false,
    delivering: 0,
    paths: new Map(),
    wanted: 'run',
    priority: 0,
    deadlineAtMs: 0,
    pastDeadline: false,
    attestOver: false,
    blocked: undefined,
    readyPosted: false,
    scoutsLeft: new Set(),
    replan: { n: 0, open: false, reason: 'failed', notBeforeAtMs: 0, empty: 0, hedges: [] },
    contesting: new Set(),
    contestWinner: new Map(),
    money: {
      locked: 0n,
      live: 0n,
      liveCheck: 0n,
      attested: 0n,
      attestedCheck: 0n,
      released: 0n,
      paid: 0n,
      refunded: 0n,
      pending: 0n,
    },
    cancels: new Map(),
    final: { keep: undefined, signatures: new Map(), done: false },
    refundOpen: false,
    evidence: undefined,
    evidenceOver: false,
    outcome: undefined,
    message: undefined,
    ledgerEvents: [],
    answers: 0,
    nextTask: 1,
    startedAtMs: 0,
    lastAtMs: 0,
    agenda: emptyAgenda(),
  }),
  accept,
  next,
  evolve: evolveJob,
  commands: (state) => state.agenda,
  pending: (state) => state.agenda.open.values(),
}

type Refuse = (reason: string) => Decision<JobFact>

function accept(state: JobStreamState, input: JobInput, atMs: number): Decision<JobFact> {
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

/** Facts stay small: the leases of a big set are spread over several. */
const LEASES_A_FACT = 200

export function leaseFacts(at: number, seq: number, leases: readonly JobLease[]): JobFact[] {
  const facts: JobFact[] = []
  for (let i = 0; i < leases.length; i += LEASES_A_FACT)
    facts.push({ v: 1, at, t: 'leases', seq, leases: leases.slice(i, i + LEASES_A_FACT) })
  return facts
}
type JobLease = Extract<JobFact, { t: 'leases' }>['leases'][number]

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
      case 'ready':
        return !state.readyPosted
      case 'attested':
        return state.batches.some((batch) => batch.hash === event['batchHash'] && batch.phase === 'attesting')
      case 'released':
        return state.batches.some((batch) => batch.number === event['batch'] && batch.phase === 'attested')
      case 'finalized':
      case 'refunded':
        return !state.final.done
      default:
        return !state.ledgerEvents.some((known) => known.id === event.id)
    }
  }
  return fits() ? { facts: [{ v: 1, at, t: 'ledger', event }] } : undefined
}

function acceptReady(
  state: JobStreamState,
  input: Extract<JobInput, { type: 'ready' }>,
  at: number,
): Decision<JobFact> | undefined {
  const set = state.sets.at(-1)
  const { checker, seq, setRoot } = input.ready
  if (!set || set.seq !== seq || set.root !== setRoot || set.ready.has(checker)) return undefined
  if (set.phase === 'signing' || set.phase === 'void') return undefined
  if (!state.order!.checkers.includes(checker)) return undefined
  const facts: JobFact[] = [{ v: 1, at, t: 'ready', ready: input.ready }]
  if (set.phase === 'readying' && set.ready.size + 1 === state.order!.terms.quorum) facts.push({ v: 1, at, t: 'set-ready', seq })
  return { facts }
}

/** More refusals than a quorum can bear end what was asked. */
function acceptCheckerRefusal(
  state: JobStreamState,
  input: Extract<JobInput, { type: 'checker-refused' }>,
  at: number,
): Decision<JobFact> | undefined {
  const { checkers, terms } = state.order!
  const bearable = checkers.length - terms.quorum
  const { checker, action, message } = input
  const set = state.sets.at(-1)
  if (action === 'ready' && set?.phase === 'readying' && !set.refused.has(checker) && !set.ready.has(checker)) {
    const facts: JobFact[] = [{ v: 1, at, t: 'checker-refused', seq: set.seq, batch: -1, checker, action, message }]
    if (set.refused.size + 1 > bearable) facts.push({ v: 1, at, t: 'set-void', seq: set.seq })
    return { facts }
  }
  const batch = state.batches.find((one) => one.phase === 'signing' && !one.refused.has(checker) && !one.signatures.has(checker))
  if (action === 'sign-batch' && batch) {
    const facts: JobFact[] = [{ v: 1, at, t: 'checker-refused', seq: -1, batch: batch.n, checker, action, message }]
    if (batch.refused.size + 1 > bearable) facts.push({ v: 1, at, t: 'batch-broken', n: batch.n, message })
    return { facts }
  }
  return undefined
}

function acceptReport(
  state: JobStreamState,
  row: TaskRow,
  input: Extract<JobInput, { type: `task-${string}` }>,
  at: number,
): Decision<JobFact> | undefined {
  const task = row.id
  switch (input.type) {
    case 'task-rendered': {
      if (row.phase !== 'live' || row.rendered) return undefined
      const facts: JobFact[] = [{ v: 1, at, t: 'task-rendered', task }]
      // The first of several leases over the same frames that is whole is the one that counts; the others are told so when they ask.
      if (row.contested) {
        const winner = state.contestWinner.get(row.hedgeOf || task)
        facts.push({ v: 1, at, t: 'contest-won', task, won: winner === undefined || winner === task })
      }
      return { facts }
    }
    case 'task-contest-ready':
      return state.contesting.has(task) ? { facts: [{ v: 1, at, t: 'contest-ready', task }] } : undefined
    case 'task-judged': {
      if (row.phase !== 'live') return undefined
      const facts: JobFact[] = [{ v: 1, at, t: 'task-judged', task, verdicts: input.verdicts }]
      const farm = state.farms.get(row.farm)!
      if (input.verdicts.includes('r') && farm.excluded === undefined)
        facts.push({ v: 1, at, t: 'farm-excluded', farm: row.farm, reason: `a frame of lease ${task} was refused` })
      return { facts }
    }
    case 'task-voided': {
      if (row.phase !== 'live') return undefined
      const blame = ['lost', 'lapsed'].includes(input.reason) || (input.failure && failureRule(input.failure).blame === 'farm')
      const struck = blame === true && input.reason !== 'contested' && state.wanted !== 'cancel' && !state.pastDeadline
      const facts: JobFact[] = [
        {
          v: 1,
          at,
          t: 'task-voided',
          task,
          reason: input.reason,
          freed: input.freed,
          ...(input.failure ? { failure: input.failure } : {}),
          ...(struck ? { blame: true } : {}),
          ...(input.cancel ? { cancel: input.cancel } : {}),
        },
      ]
      const farm = state.farms.get(row.farm)!
      const counts = struck && at - farm.struckAtMs >= STRIKE_GAP_MS
      if (counts && farm.excluded === undefined && farm.strikes + 1 >= MAX_STRIKES)
        facts.push({ v: 1, at, t: 'farm-excluded', farm: row.farm, reason: `${MAX_STRIKES} leases failed, stalled or got lost` })
      return { facts }
    }
    case 'task-freed':
      return row.phase === 'void' ? { facts: [{ v: 1, at, t: 'task-freed', task }] } : undefined
  }
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
  if (command === 'open') return { facts: [refused, { v: 1, at, t: 'ended', outcome: 'failed', message }] }
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
      return state.final.done || state.refundOpen ? undefined : fact({ v: 1, at, t: 'refund-due' })
    case 'give-up':
      return fact({ v: 1, at, t: 'ended', outcome: outcomeOf(state), message: 'given up: giveUpAt is over' })
    default:
      return undefined
  }
}

function next(state: JobStreamState, atMs: number): JobFact | undefined {
  if (state.phase === 'new' || state.phase === 'ended') return undefined
  const at = Math.max(atMs, state.lastAtMs)
  if (state.idle.size > 0) {
    const reason = whyGiveUp(state)
    if (reason) return { v: 1, at, t: 'missing', frames: [...state.idle], reason }
  }
  const settledSet = ['ready', 'void'].includes(state.sets.at(-1)?.phase ?? '')
  if (state.phase === 'running' && settledSet && !state.replan.open && state.wanted === 'run') {
    const hedges = state.replan.hedges
    if ((state.idle.size > 0 && at >= state.replan.notBeforeAtMs) || hedges.length > 0)
      return {
        v: 1,
        at,
        t: 'replan-started',
        n: state.replan.n + 1,
        reason: state.idle.size > 0 ? state.replan.reason : 'hedge',
        hedges,
      }
  }
  if (state.toSettle.length > 0) {
    const { batchLeases } = state.order!.options
    const quiet = state.live.size === state.toSettle.length
    if (state.toSettle.length >= batchLeases || state.batchDue || quiet)
      return { v: 1, at, t: 'batched', n: state.batches.length, leases: state.toSettle.slice(0, batchLeases) }
  }
  const over = state.openRows === 0 && state.idle.size === 0 && !state.replan.open
  if ((state.phase === 'running' || state.phase === 'readying') && over)
    return { v: 1, at, t: 'settling', keep: String(keepOf(state)) }
  if (
    state.phase === 'settling' &&
    state.final.done &&
    state.money.pending === 0n &&
    state.delivering === 0 &&
    state.evidenceOver
  )
    return { v: 1, at, t: 'ended', outcome: outcomeOf(state) }
  return undefined
}

/** Why frames without a lease get none any more, or undefined while there is hope. */
function whyGiveUp(state: JobStreamState): string | undefined {
  if (state.wanted === 'cancel') return 'canceled'
  if (state.pastDeadline) return 'the deadline is over'
  const empty = state.replan.empty >= MAX_EMPTY_REPLANS && !state.replan.open
  return empty && state.openRows === 0 ? 'no farm takes them' : undefined
}

function outcomeOf(state: JobStreamState): 'done' | 'partial' | 'failed' | 'canceled' {
  if (state.frames.length > 0 && state.delivered === state.frames.length) return 'done'
  if (state.wanted === 'cancel') return 'canceled'
  return state.delivered > 0 ? 'partial' : 'failed'
}
