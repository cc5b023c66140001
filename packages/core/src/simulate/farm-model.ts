import { hash } from 'node:crypto'
import type { Failure, FarmEvent, Output, TaskChange, TaskRef, TaskState, Ticket } from '../contract/farm.ts'
import type { Bytes32, Commit, FrameOutput, Signature } from '../contract/messages.ts'
import type { Task } from '../contract/task.ts'
import { timerHeap } from '../run/timer-heap.ts'
import type { FarmKey, SimulatedFarmOptions, SimulatedFarmStats } from './farm-options.ts'
import { hashUnit } from './random.ts'

/** One task at the simulated farm. */
export interface SimTask {
  readonly ref: TaskRef
  readonly key: string
  readonly task: Task
  readonly frames: readonly number[]
  state: TaskState
  raw: string
  wanted: 'run' | 'hold' | 'cancel'
  priority: number
  readonly submittedAtMs: number
  /** Completion time by frame index; 0 = not done. */
  readonly doneAtMs: number[]
  readonly renderMs: number[]
  readonly failedFrames: Map<number, Failure>
  /** Until when a frame has other bytes than its last ones, by index. */
  readonly drafts: Map<number, number>
  next: number
  onHost: boolean
  failure?: Failure
  /** Frame indexes of each commitment made, and the signed message once somebody polled. */
  readonly commits: { readonly indexes: readonly number[]; readonly atMs: number; signed?: Commit }[]
  readonly committed: Set<number>
  ticket?: Ticket
  canceledAtMs?: number
  canceledSignature?: Signature
  canceledRoot?: Bytes32
  lastAtMs: number
}

/** A place in the event stream: enough to make the event when it is asked for. */
export type Happening =
  | { readonly kind: 'event'; readonly event: FarmEvent }
  | { readonly kind: 'output'; readonly task: SimTask; readonly index: number; readonly draft?: true }
  | { readonly kind: 'commit'; readonly task: SimTask; readonly index: number }
  | { readonly kind: 'canceled'; readonly task: SimTask }

/** The farm's machines: a queue, hosts and their clock, computed up to the time that is asked for. */
export interface FarmModel {
  readonly tasks: Map<string, SimTask>
  advance(nowMs: number): void
  add(task: Task, key: string, nowMs: number): SimTask
  change(task: SimTask, change: TaskChange, nowMs: number): 'done' | 'accepted' | undefined
  erase(task: SimTask): void
  /** Happenings after `seq`; undefined when they are no longer kept. */
  since(seq: number, limit: number): { readonly list: readonly Happening[]; readonly seq: number } | undefined
  readonly seq: number
  /** `draft`: the bytes before the last ones. */
  outputOf(task: SimTask, index: number, draft?: boolean): Output
  bytesOf(task: SimTask, index: number, draft?: boolean): Uint8Array
  commitOf(task: SimTask, index: number): Promise<Commit>
}

/** Happenings that a cursor may still ask for. */
const KEPT_HAPPENINGS = 20_000
const KEPT_HAPPENINGS_LEAN = 500

export function farmModel(options: SimulatedFarmOptions, key: FarmKey, stats: SimulatedFarmStats): FarmModel {
  const seed = options.seed ?? 1
  const faults = options.faults ?? {}
  const offMs = options.clockOffMs ?? 0
  const kept = options.lean ? KEPT_HAPPENINGS_LEAN : KEPT_HAPPENINGS
  const tasks = new Map<string, SimTask>()
  const queue: SimTask[] = []
  const agenda = timerHeap<{ readonly atMs: number; readonly act: (atMs: number) => void }>()
  let happenings: Happening[] = []
  let firstSeq = 1
  let free = options.slots ?? 1
  const warmRuns = new Set<string>()
  const at = (atMs: number, act: (atMs: number) => void): void => void agenda.add(atMs, { atMs, act })
  const luck = (sim: SimTask, what: string): number => hashUnit(`${seed} ${what} ${sim.key}`)
  const log = (happening: Happening): void => {
    happenings.push(happening)
    if (happenings.length > kept * 2) {
      firstSeq += happenings.length - kept
      happenings = happenings.slice(-kept)
    }
  }
  const setState = (sim: SimTask, state: TaskState, raw: string, atMs: number): void => {
    sim.state = state
    sim.raw = raw
    sim.lastAtMs = atMs
    log({ kind: 'event', event: stateEvent(sim) })
  }

  function startNext(atMs: number): void {
    while (free > 0) {
      let best = -1
      queue.forEach((sim, i) => {
        if (sim.wanted === 'run' && (best < 0 || sim.priority > queue[best]!.priority)) best = i
      })
      if (best < 0) return
      const [sim] = queue.splice(best, 1)
      free--
      sim!.onHost = true
      setState(sim!, 'running', 'rendering', atMs)
      const warm = warmRuns.has(sim!.task.run)
      warmRuns.add(sim!.task.run)
      renderNext(sim!, atMs + (warm ? 0 : (options.startMs ?? 0)))
    }
  }

  function renderNext(sim: SimTask, atMs: number): void {
    if (sim.wanted !== 'run') {
      if (sim.wanted === 'hold') setState(sim, 'suspended', 'held', atMs)
      return
    }
    if (sim.next >= sim.frames.length) return end(sim, 'succeeded', atMs)
    const fate = Math.floor(luck(sim, 'where') * sim.frames.length)
    if (sim.next === fate && luck(sim, 'stall') < (faults.taskStalls ?? 0)) return
    if (sim.next === fate && luck(sim, 'fail') < (faults.taskFails ?? 0)) {
      const classes = faults.taskFailClass ?? ['device-fault']
      const failureClass = classes[Math.floor(luck(sim, 'class') * classes.length)]!
      sim.failure = { class: failureClass, message: `simulated ${failureClass}`, raw: 'ERR' }
      return end(sim, 'failed', atMs)
    }
    const index = sim.next
    const frame = sim.frames[index]!
    const work = (options.work?.(frame) ?? 1) * (0.9 + 0.2 * hashUnit(`${seed} ms ${frame}`))
    const slow = luck(sim, 'slow') < (faults.taskSlow ?? 0) ? (faults.slowFactor ?? 10) : 1
    const ms = Math.max(1, Math.round(((options.perFrameMs ?? 0) + (options.msPerWork ?? 1000) * work) * slow))
    sim.next++
    at(atMs + ms, (endMs) => frameEnd(sim, index, ms, endMs))
  }

  function frameEnd(sim: SimTask, index: number, ms: number, atMs: number): void {
    if (sim.state !== 'running') return
    const frame = sim.frames[index]!
    if (luck(sim, `frame ${frame}`) < (faults.frameFails ?? 0)) {
      const failure: Failure = { class: 'bad-output', message: `simulated failure of frame ${frame}`, frame }
      sim.failedFrames.set(index, failure)
      log({ kind: 'event', event: { type: 'frame-failed', task: sim.ref, frame, failure, atMs } })
    } else {
      sim.doneAtMs[index] = atMs
      sim.renderMs[index] = ms
      stats.framesRendered++
      if (!options.lean) {
        const name = `${sim.task.run}/${sim.task.id}/${frame}`
        stats.renders.set(name, (stats.renders.get(name) ?? 0) + 1)
      }
      sim.lastAtMs = atMs
      if (luck(sim, `again ${frame}`) < (faults.outputAgain ?? 0)) {
        const untilMs = atMs + 500 + Math.floor(5_000 * luck(sim, `until ${frame}`))
        sim.drafts.set(index, untilMs)
        log({ kind: 'output', task: sim, index, draft: true })
        at(untilMs, () => log({ kind: 'output', task: sim, index }))
      } else log({ kind: 'output', task: sim, index })
    }
    if (sim.next % (options.commitEvery ?? Infinity) === 0) commitDone(sim, atMs)
    renderNext(sim, atMs)
  }

  /** Commits every finished frame that no earlier commitment holds. */
  function commitDone(sim: SimTask, atMs: number): void {
    if (!sim.task.lease) return
    const indexes = sim.doneAtMs.map((done, i) => (done > 0 && !sim.committed.has(i) ? i : -1)).filter((i) => i >= 0)
    if (indexes.length === 0) return
    for (const i of indexes) sim.committed.add(i)
    sim.commits.push({ indexes, atMs })
    log({ kind: 'commit', task: sim, index: sim.commits.length - 1 })
  }

  function end(sim: SimTask, state: TaskState, atMs: number): void {
    commitDone(sim, atMs)
    if (sim.onHost) free++
    sim.onHost = false
    setState(sim, state, state === 'succeeded' ? 'finished' : state, atMs)
    if (state === 'canceled') {
      sim.canceledAtMs = atMs
      stats.canceled++
      log({ kind: 'canceled', task: sim })
    }
    startNext(atMs)
  }

  const model: FarmModel = {
    tasks,
    get seq() {
      return firstSeq + happenings.length - 1
    },
    advance(nowMs) {
      for (let due = agenda.takeDue(nowMs); due; due = agenda.takeDue(nowMs)) due.act(due.atMs)
    },
    add(task, taskKey, nowMs) {
      const frames = task.work.kind === 'frames' || task.work.kind === 'command' ? task.work.frames : [task.work.frame]
      const ref: TaskRef = { farm: options.id, ref: `${task.run.slice(2, 14)}-${task.id}-${task.attempt}-${taskKey.slice(0, 8)}` }
      const sim: SimTask = {
        ref,
        key: taskKey,
        task,
        frames,
        state: 'queued',
        raw: 'waiting',
        wanted: 'run',
        priority: task.priority ?? 0,
        submittedAtMs: nowMs,
        doneAtMs: frames.map(() => 0),
        renderMs: frames.map(() => 0),
        failedFrames: new Map(),
        drafts: new Map(),
        next: 0,
        onHost: false,
        commits: [],
        committed: new Set(),
        lastAtMs: nowMs,
      }
      tasks.set(ref.ref, sim)
      if (!options.lean) {
        const attempt = `${task.run}/${task.id}/${task.attempt}`
        stats.tasksByAttempt.set(attempt, (stats.tasksByAttempt.get(attempt) ?? 0) + 1)
      }
      log({ kind: 'event', event: stateEvent(sim) })
      if (options.ticketPerTask) {
        sim.state = 'awaiting-operator'
        sim.ticket = {
          id: `ticket-${ref.ref}`,
          title: `Start ${frames.length} frames at ${options.id}`,
          instructions: ['Open the farm application', 'Start the job', 'Enter its number here'],
          fields: [{ name: 'number', label: 'Number of the job at the farm', required: true }],
        }
        log({ kind: 'event', event: { type: 'ticket', task: ref, ticket: sim.ticket, atMs: nowMs } })
      } else at(nowMs + (options.queueMs ?? 0), (ms) => enqueue(sim, ms))
      return sim
    },
    change(sim, change, nowMs) {
      if (change.priority !== undefined) sim.priority = change.priority
      if (change.answer) {
        if (sim.ticket?.id !== change.answer.ticket || !change.answer.fields['number']) return undefined
        if (!sim.ticket.closed) {
          sim.ticket = { ...sim.ticket, closed: true }
          log({ kind: 'event', event: { type: 'ticket', task: sim.ref, ticket: sim.ticket, atMs: nowMs } })
          at(nowMs + (options.queueMs ?? 0), (ms) => enqueue(sim, ms))
        }
      }
      if (change.desired) return want(sim, change.desired, nowMs)
      return 'done'
    },
    erase(sim) {
      stats.erased++
      tasks.delete(sim.ref.ref)
      if (options.lean) stats.tasksByKey.delete(sim.key)
    },
    since(seq, limit) {
      if (seq < firstSeq - 1 || seq > model.seq) return undefined
      const list = happenings.slice(seq - firstSeq + 1, seq - firstSeq + 1 + limit)
      return { list, seq: seq + list.length }
    },
    outputOf(sim, index, draft = false) {
      const bytes = model.bytesOf(sim, index, draft)
      const frame = sim.frames[index]!
      return {
        task: sim.ref,
        frame,
        part: sim.task.lease?.lease.part ?? 0,
        layer: '',
        name: `${sim.task.id}/${frame}`,
        bytes: bytes.length,
        hash: sha256(bytes),
        completedAtMs: sim.doneAtMs[index]! + offMs,
        renderMs: sim.renderMs[index]!,
      }
    },
    bytesOf(sim, index, draft = false) {
      const frame = sim.frames[index]!
      if (draft) return Buffer.from(`simulated draft of frame ${frame}\n`)
      const honest = !(hashUnit(`${seed} honest ${sim.task.run} ${frame}`) < (options.dishonest ?? 0))
      return (options.content ?? simulatedContent)(sim.task, frame, honest)
    },
    async commitOf(sim, index) {
      const made = sim.commits[index]!
      if (made.signed) return made.signed
      const ticket = sim.task.lease!
      const outputs: FrameOutput[] = made.indexes
        .map((i) => ({
          frame: sim.frames[i]!,
          part: ticket.lease.part,
          outputHash: sha256(model.bytesOf(sim, i)),
          completedAtMs: sim.doneAtMs[i]! + offMs,
        }))
        .sort((a, b) => a.frame - b.frame)
      const message = { job: ticket.job, lease: ticket.lease.id, index, outputRoot: key.outputRoot(outputs) }
      let signature = await key.signCommit(ticket.domain, message)
      if (luck(sim, 'forge') < (faults.commitForged ?? 0)) signature = `0x${'11'.repeat(65)}`
      made.signed = { ...message, outputs, signature }
      return made.signed
    },
  }

  function enqueue(sim: SimTask, atMs: number): void {
    if (sim.wanted === 'cancel') return
    setState(sim, 'queued', 'waiting', atMs)
    queue.push(sim)
    startNext(atMs)
  }

  function want(sim: SimTask, desired: 'run' | 'hold' | 'cancel' | 'erase', nowMs: number): 'done' | 'accepted' {
    if (desired === 'erase' || ['succeeded', 'failed', 'canceled'].includes(sim.state)) return 'done'
    sim.wanted = desired
    if (desired === 'cancel') {
      const waiting = queue.indexOf(sim)
      if (waiting >= 0) queue.splice(waiting, 1)
      end(sim, 'canceled', nowMs)
    } else if (desired === 'run' && sim.state === 'suspended') {
      setState(sim, 'running', 'rendering', nowMs)
      renderNext(sim, nowMs)
    } else startNext(nowMs)
    return desired === 'hold' && sim.state === 'running' ? 'accepted' : 'done'
  }
  return model
}

/** The state of a task as an event. */
export function stateEvent(sim: SimTask): FarmEvent {
  return {
    type: 'state',
    task: sim.ref,
    state: sim.state,
    raw: sim.raw,
    atMs: sim.lastAtMs,
    ...(sim.failure ? { failure: sim.failure } : {}),
  }
}

/** What an honest simulated farm delivers for a frame; the simulated checker compares against it. */
export function simulatedContent(
  task: Pick<Task, 'run'> & { readonly window?: unknown },
  frame: number,
  honest: boolean,
): Uint8Array {
  const window = task.window ? ` ${JSON.stringify(task.window)}` : ''
  return Buffer.from(`simulated frame ${frame} of ${task.run}${window}${honest ? '' : ' (badly rendered)'}\n`)
}

export function sha256(bytes: Uint8Array): Bytes32 {
  return `0x${hash('sha256', bytes)}`
}
