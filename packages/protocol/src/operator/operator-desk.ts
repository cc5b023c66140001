import {
  isPictorError,
  money,
  PictorError,
  type FarmEvent,
  type Output,
  type Refusal,
  type TaskChange,
  type TaskRef,
  type TaskState,
  type Ticket,
} from '@pictor/core/contract'
import type { Arrivals } from './arrivals.ts'
import type { ExchangeFolder } from './exchange-folder.ts'
import type { Entry, OperatorJournal } from './journal.ts'
import { changeTicket, frameTicket, priorityTicket, sendTicket, type OperatorWords } from './tickets.ts'

type TaskEntry = Extract<Entry, { kind: 'task' }>

interface OpenTask extends TaskEntry {
  readonly frames: readonly number[]
  readonly done: Set<number>
  readonly failed: Set<number>
  readonly tickets: Map<string, Ticket>
  state: TaskState
}

/** What the desk works with. */
export interface DeskParts {
  readonly journal: OperatorJournal
  readonly exchange: ExchangeFolder
  readonly arrivals: Arrivals
  readonly words: OperatorWords
  readonly downloads: string
  readonly now: () => number
}

/** The state of an operator's farm: a fold over its journal, and the moves that add to it. Calls must not overlap. */
export interface OperatorDesk {
  /** Tasks that have not ended. */
  readonly open: number
  /** Events so far; the cursor after the last one. */
  readonly size: number
  byKey(key: string): TaskEntry | undefined
  /** @throws not-found */
  find(ref: TaskRef): TaskEntry
  add(entry: TaskEntry, frames: readonly number[]): Promise<void>
  /** Takes in what has arrived in the download folder. */
  look(signal: AbortSignal | undefined): Promise<void>
  since(cursor: number): { events: FarmEvent[]; at: number }
  output(wanted: Output): Output | undefined
  change(ref: TaskRef, change: TaskChange): Promise<'done' | 'accepted' | 'manual' | Refusal>
}

const ENDED: readonly TaskState[] = ['succeeded', 'failed', 'canceled']
const refused = (reason: string, message: string): Refusal => ({ refused: true, reason, message })

/** Folds the journal into a desk. */
export function operatorDesk({ journal, exchange, arrivals, words, downloads, now }: DeskParts): OperatorDesk {
  const tasks = new Map<string, OpenTask>()
  const keys = new Map<string, OpenTask>()
  const events: FarmEvent[] = []
  const outputs = new Map<string, Output>()
  const outputKey = ({ task, name }: Pick<Output, 'task' | 'name'>): string => `${task.ref}/${name}`

  const fold = (entry: Entry): void => {
    if (entry.kind === 'task') {
      const frames = entry.task.work.kind === 'frames' ? entry.task.work.frames : []
      const task: OpenTask = { ...entry, frames, done: new Set(), failed: new Set(), tickets: new Map(), state: 'submitted' }
      tasks.set(entry.ref.ref, task)
      keys.set(entry.key, task)
    } else if (entry.kind === 'event') foldEvent(entry.event)
  }
  const foldEvent = (event: FarmEvent): void => {
    events.push(event)
    const task = tasks.get((event.type === 'output' ? event.output.task : event.task)?.ref ?? '')
    if (!task) return
    if (event.type === 'state') task.state = event.state
    else if (event.type === 'output') {
      task.done.add(event.output.frame)
      outputs.set(outputKey(event.output), event.output)
    } else if (event.type === 'frame-failed') task.failed.add(event.frame)
    else if (event.type === 'ticket') {
      if (event.ticket.closed) task.tickets.delete(event.ticket.id)
      else task.tickets.set(event.ticket.id, event.ticket)
    }
  }
  const write = async (...entries: readonly Entry[]): Promise<void> => {
    await journal.append(...entries)
    for (const entry of entries) fold(entry)
  }
  const tell = (...list: readonly FarmEvent[]): Promise<void> => write(...list.map((event): Entry => ({ kind: 'event', event })))
  const stateOf = (task: OpenTask, state: TaskState, raw: string): FarmEvent => ({
    type: 'state',
    task: task.ref,
    state,
    raw,
    atMs: now(),
  })
  const ask = (task: OpenTask, ticket: Ticket): FarmEvent => ({ type: 'ticket', task: task.ref, ticket, atMs: now() })
  const close = (task: OpenTask, ticket: Ticket): FarmEvent => ask(task, { ...ticket, closed: true })
  const need = (ref: TaskRef): OpenTask => {
    const task = tasks.get(ref.ref)
    if (!task) throw new PictorError('not-found', `task ${ref.ref} is not known`, { details: { path: 'task' } })
    return task
  }
  for (const entry of journal.entries) fold(entry)

  const accept = async (task: OpenTask, frame: number, path: string): Promise<void> => {
    const { file, bytes, hash } = await exchange.keepOutput(task.ref.ref, frame, path)
    const layer = task.task.spec.viewLayers[0] ?? 'ViewLayer'
    const output: Output = { task: task.ref, frame, part: 0, layer, name: file, bytes, hash, completedAtMs: now() }
    const ticket = task.tickets.get(frameTicket(task.ref.ref, frame, '').id)
    const count = { framesDone: task.done.size + 1, framesTotal: task.frames.length }
    await tell(
      ...(task.state === 'awaiting-operator' ? [stateOf(task, 'running', 'frames arrive')] : []),
      { type: 'output', output, atMs: now() },
      { type: 'progress', task: task.ref, atMs: now(), ...count },
      ...(ticket ? [close(task, ticket)] : []),
    )
  }
  const endWhenAllThere = async (task: OpenTask): Promise<void> => {
    if (task.done.size + task.failed.size < task.frames.length) return
    const closing = [...task.tickets.values()].map((ticket) => close(task, ticket))
    const end =
      task.failed.size > 0
        ? stateOf(task, 'failed', `${task.failed.size} frames given up`)
        : stateOf(task, 'succeeded', 'all frames arrived')
    await tell(...closing, end)
  }
  const answers = answerTickets({ tell, stateOf, close, endWhenAllThere, now })

  return {
    get open() {
      return [...tasks.values()].filter((task) => !ENDED.includes(task.state)).length
    },
    get size() {
      return events.length
    },
    byKey: (key) => keys.get(key),
    find: need,
    async add(entry) {
      const name = entry.ref.ref
      const steps = words.send({ name, folder: name, downloads })
      await exchange.writePackage(name, entry.task, { title: `Render ${name}`, steps })
      const waiting: FarmEvent = {
        type: 'state',
        task: entry.ref,
        state: 'awaiting-operator',
        raw: 'package written',
        atMs: now(),
      }
      const ticket: FarmEvent = { type: 'ticket', task: entry.ref, ticket: sendTicket(name, steps), atMs: now() }
      await write(entry, { kind: 'event', event: waiting }, { kind: 'event', event: ticket })
    },
    async look(signal) {
      for (const task of tasks.values()) {
        if (ENDED.includes(task.state)) continue
        const missing = new Set(task.frames.filter((frame) => !task.done.has(frame) && !task.failed.has(frame)))
        for (const arrival of await arrivals.look(task.ref.ref, missing, task.task.spec.output, now())) {
          signal?.throwIfAborted()
          // Two files of one frame (a retry beside the first): the first whole one counts.
          if (task.done.has(arrival.frame)) continue
          if (arrival.whole) await accept(task, arrival.frame, arrival.path)
          else {
            const ticket = frameTicket(task.ref.ref, arrival.frame, arrival.problem)
            if (!task.tickets.has(ticket.id)) await tell(ask(task, ticket))
          }
        }
        await endWhenAllThere(task)
      }
    },
    since: (cursor) => ({ events: events.slice(cursor), at: events.length }),
    output: (wanted) => {
      const found = outputs.get(outputKey(wanted))
      return found?.frame === wanted.frame ? found : undefined
    },
    async change(ref, change) {
      const task = need(ref)
      if (change.answer) return answers(task, change.answer)
      if (ENDED.includes(task.state)) {
        if (change.desired === 'erase') await exchange.removePackage(ref.ref)
        return change.desired === 'erase' ? 'done' : refused('ended', `the task has ended: ${task.state}`)
      }
      const serial = events.length
      if (change.priority !== undefined) {
        if (!words.priority) return refused('priority', 'this farm has no priority that could be changed')
        if (task.state !== 'awaiting-operator') return refused('started', 'priority can be changed only before rendering starts')
        await tell(ask(task, priorityTicket(ref.ref, change.priority, words.priority, serial)))
        return 'manual'
      }
      const kind = change.desired === 'run' ? 'resume' : change.desired
      if (kind === undefined) return 'done'
      if (kind === 'erase') return refused('running', 'cancel the task before it is erased')
      const steps = words[kind]
      if (!steps) return refused(kind, 'this farm is not known to pause a job')
      const asked = [...task.tickets.keys()].some((id) => id.startsWith(`${kind}-${ref.ref}-`))
      if (!asked) await tell(ask(task, changeTicket(kind, ref.ref, steps, serial)))
      return 'manual'
    },
  }
}

interface AnswerParts {
  readonly tell: (...list: readonly FarmEvent[]) => Promise<void>
  readonly stateOf: (task: OpenTask, state: TaskState, raw: string) => FarmEvent
  readonly close: (task: OpenTask, ticket: Ticket) => FarmEvent
  readonly endWhenAllThere: (task: OpenTask) => Promise<void>
  readonly now: () => number
}

/** What an operator's answer does. */
function answerTickets({ tell, stateOf, close, endWhenAllThere, now }: AnswerParts) {
  const usage = (task: OpenTask, line: string, price: string): FarmEvent => ({
    type: 'usage',
    task: task.ref,
    line,
    amount: money(price, 'USD').amount,
    currency: 'USD',
    atMs: now(),
  })
  return async (task: OpenTask, { ticket: id, fields }: NonNullable<TaskChange['answer']>): Promise<'done' | Refusal> => {
    const ticket = task.tickets.get(id)
    if (!ticket) return refused('ticket', `there is no open ticket ${id}`)
    const given = (name: string): string => (Object.hasOwn(fields, name) ? (fields[name] ?? '').trim() : '')
    const problem = given('problem')
    const lacking = ticket.fields.find((field) => field.required && given(field.name) === '')
    if (lacking && problem === '') return refused('answer-incomplete', `the answer lacks ${lacking.name}: ${lacking.label}`)
    const price = given('price')
    if (price !== '' && !isPrice(price))
      return refused('answer-invalid', `price: expected US dollars such as 12.50, found ${price}`)
    const paid = price === '' ? [] : [usage(task, `entered by the operator: ${ticket.title}`, price)]
    const done = close(task, ticket)
    if (id.startsWith('send-')) {
      if (problem !== '') {
        const failure = { class: 'capacity', message: problem, raw: problem } as const
        await tell(done, { type: 'state', task: task.ref, state: 'failed', raw: problem, atMs: now(), failure })
      } else await tell(done, ...paid, stateOf(task, 'running', `farm job ${given('job')}`))
    } else if (id.startsWith('cancel-')) {
      const others = [...task.tickets.values()].filter((other) => other.id !== id).map((other) => close(task, other))
      const end: FarmEvent = { type: 'canceled', task: task.ref, framesDone: [...task.done].sort((a, b) => a - b), atMs: now() }
      await tell(...others, done, ...paid, end, stateOf(task, 'canceled', 'canceled by the operator'))
    } else if (id.startsWith('frame-')) {
      const frame = Number(id.slice(id.lastIndexOf('-') + 1))
      if (given('give-up') !== 'yes') return refused('answer-invalid', 'write yes to give the frame up')
      const failure = { class: 'bad-output', message: ticket.instructions[0] ?? 'not delivered', frame } as const
      await tell(done, { type: 'frame-failed', task: task.ref, frame, failure, atMs: now() })
      await endWhenAllThere(task)
    } else if (id.startsWith('hold-')) await tell(done, stateOf(task, 'suspended', 'paused by the operator'))
    else if (id.startsWith('resume-')) await tell(done, stateOf(task, 'running', 'continued by the operator'))
    else await tell(done)
    return 'done'
  }
}

function isPrice(text: string): boolean {
  try {
    money(text, 'USD')
    return true
  } catch (error) {
    if (isPictorError(error)) return false
    throw error
  }
}
