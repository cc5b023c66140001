import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { CallContext } from '../../contract/context.ts'
import { isPictorError, type PictorError, type PictorErrorCode } from '../../contract/error.ts'
import type { Body, FarmEvent, FarmInfo, Output, TaskRef, TaskState, Unavailable } from '../../contract/farm.ts'
import type { Quote } from '../../contract/quote.ts'
import type { Task, Work } from '../../contract/task.ts'
import type { FarmConformanceOptions, FarmSubject, FarmSupports, Scenario } from './subject.ts'
import { Network } from './network.ts'

/** States in which nothing more happens to a task. */
export const ENDS: readonly TaskState[] = ['succeeded', 'failed', 'canceled', 'incompatible', 'lost']

/** The frames that the kit renders. */
export const FRAMES: readonly number[] = [1, 2, 3, 4, 5, 6]

type EventOf<T extends FarmEvent['type']> = Extract<FarmEvent, { type: T }>

/** What was seen of one farm: every page with the cursor it was asked with. */
export interface Watched {
  readonly events: FarmEvent[]
  readonly pages: { readonly asked: string | undefined; readonly cursor: string; readonly events: readonly FarmEvent[] }[]
}

/** Events of one type in what was watched. */
export function ofType<T extends FarmEvent['type']>(watched: Watched, type: T): EventOf<T>[] {
  return watched.events.filter((event): event is EventOf<T> => event.type === type)
}

/** Last state that was reported for a task. */
export function stateOf(watched: Watched, ref: TaskRef): TaskState | undefined {
  return ofType(watched, 'state').findLast((event) => sameRef(event.task, ref))?.state
}

/** Whether two references name one task. */
export function sameRef(a: TaskRef, b: TaskRef): boolean {
  return a.farm === b.farm && a.ref === b.ref
}

/** The bench on which one case works: one fresh subject and the steps that cases share. */
export class Bench {
  readonly network: Network
  readonly subject: FarmSubject
  readonly supports: FarmSupports
  readonly patienceMs: number
  readonly run: string = randomBytes(32).toString('hex')
  #tasks = 0
  #stage: Task['stage'] | undefined
  #info: FarmInfo | undefined

  private constructor(subject: FarmSubject, network: Network, options: FarmConformanceOptions) {
    this.subject = subject
    this.network = network
    this.supports = options.supports
    this.patienceMs = options.patienceMs ?? 10_000
  }

  static async open(options: FarmConformanceOptions, scenario: Scenario): Promise<Bench> {
    const network = new Network()
    return new Bench(await options.make({ scenario, network }), network, options)
  }

  async close(): Promise<void> {
    this.network.calm()
    await this.subject.farm.close?.()
    await this.subject.close?.()
  }

  get farm(): FarmSubject['farm'] {
    return this.subject.farm
  }

  ctx(name: string, extra: Partial<CallContext> = {}): CallContext {
    return { key: createHash('sha256').update(`${this.run}:${name}`).digest('hex'), ...extra }
  }

  async info(): Promise<FarmInfo> {
    this.#info ??= await this.farm.describe(this.ctx('describe'))
    return this.#info
  }

  async quote(): Promise<Quote | undefined> {
    const { job } = this.subject
    const estimate = {
      work: FRAMES.map(() => 1),
      low: 0.8,
      high: 1.25,
      classes: [{ id: 'scene', memoryMiB: 64 }],
      basis: ['conformance kit'],
      probeMs: 0,
    }
    const answer = await this.farm.quote({ spec: job, estimate, atMs: Date.now() }, this.ctx('quote'))
    return answer.kind === 'quote' ? answer : undefined
  }

  async task(work: Work = { kind: 'frames', frames: FRAMES }): Promise<Task> {
    const { job, files, dress } = this.subject
    this.#stage ??= await this.farm.stage(job.bundle, files, this.ctx('stage'))
    const bare: Task = {
      contract: 1,
      run: this.run,
      id: ++this.#tasks,
      attempt: 1,
      // A farm with a key wants a lease for renders; without one from the subject the kit asks for probes.
      purpose: (await this.info()).key !== undefined && !dress ? 'probe' : 'render',
      bundle: job.bundle,
      stage: this.#stage,
      spec: job.render,
      work,
    }
    return freeze(dress ? await dress(bare) : bare)
  }

  async submit(name = 'submit', work?: Work): Promise<TaskRef> {
    return this.farm.submit(await this.task(work), this.ctx(name))
  }

  async pass(ms: number): Promise<void> {
    if (this.subject.advance) await this.subject.advance(ms)
    else await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(ms, 1), 20)))
  }

  /** Polls until `done` says so, answers tickets, and lets time pass. Fails when patience ends. */
  async watch(done: (watched: Watched) => boolean, watched: Watched = { events: [], pages: [] }): Promise<Watched> {
    const endMs = Date.now() + this.patienceMs
    while (!done(watched)) {
      assert(Date.now() < endMs, `nothing more happened within ${this.patienceMs} ms; last events: ${tail(watched)}`)
      const asked = watched.pages.at(-1)?.cursor
      const page = await this.farm.poll(asked === undefined ? {} : { cursor: asked }, this.ctx('poll'))
      checkPage(page)
      watched.pages.push({ asked, cursor: page.cursor, events: page.events })
      watched.events.push(...page.events)
      await this.#answer(page.events)
      if (!done(watched)) await this.pass(page.waitMs)
    }
    return watched
  }

  async #answer(events: readonly FarmEvent[]): Promise<void> {
    for (const event of events) {
      if (event.type !== 'ticket' || event.ticket.closed || !event.task || !this.subject.answer) continue
      const fields = await this.subject.answer(event.ticket, event.task)
      if (fields) await this.farm.set(event.task, { answer: { ticket: event.ticket.id, fields } }, this.ctx(event.ticket.id))
    }
  }

  /** Watches until the task has ended. */
  async finish(ref: TaskRef, watched?: Watched): Promise<Watched> {
    return this.watch((seen) => ENDS.includes(stateOf(seen, ref) ?? 'submitted'), watched)
  }

  /** Watches until the task is in one of the states or has ended. */
  async reach(ref: TaskRef, states: readonly TaskState[], watched?: Watched): Promise<Watched> {
    return this.watch((seen) => [...states, ...ENDS].includes(stateOf(seen, ref) ?? ('none' as TaskState)), watched)
  }

  async download(output: Output, offset = 0): Promise<Uint8Array> {
    const body = await this.farm.open(output, { offset }, this.ctx('open'))
    assert(isBody(body), `open said ${'unavailable' in body ? body.unavailable : 'nothing'} for frame ${output.frame}`)
    return readAll(body)
  }
}

/** Whether `open` gave bytes. */
export function isBody(answer: Body | Unavailable): answer is Body {
  return 'stream' in answer
}

/** All bytes of a body. */
export async function readAll(body: Body): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body.stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** sha256 as `0x` hex. */
export function sha256(bytes: Uint8Array): `0x${string}` {
  return `0x${createHash('sha256').update(bytes).digest('hex')}`
}

/** The Pictor error that a promise rejects with. */
export async function failure(call: Promise<unknown>, codes?: readonly PictorErrorCode[]): Promise<PictorError> {
  const error = await call.then(
    (value) => assert.fail(`expected a rejection, got ${shown(value)}`),
    (cause: unknown) => cause,
  )
  if (error instanceof assert.AssertionError) throw error
  assert(
    isPictorError(error),
    `expected a PictorError, got ${error instanceof Error ? `${error.name}: ${error.message}` : shown(error)}`,
  )
  if (codes) assert(codes.includes(error.code), `expected the code ${codes.join(' or ')}, got ${error.code}: ${error.message}`)
  return error
}

/** A value for a message, cut at 300 characters. */
export function shown(value: unknown): string {
  return (
    JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}` : item))?.slice(0, 300) ?? String(value)
  )
}

/** Freezes a value and all it holds. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const item of Object.values(value)) freeze(item)
  }
  return value
}

function tail(watched: Watched): string {
  return (
    watched.events
      .slice(-3)
      .map((event) => shown(event))
      .join(', ') || 'none'
  )
}

function checkPage(page: { cursor: unknown; waitMs: unknown; events: unknown }): void {
  assert(Array.isArray(page.events), 'poll: events is no list')
  assert(typeof page.cursor === 'string', 'poll: cursor is no string')
  assert(typeof page.waitMs === 'number' && Number.isFinite(page.waitMs) && page.waitMs >= 0, 'poll: waitMs is no number >= 0')
}
