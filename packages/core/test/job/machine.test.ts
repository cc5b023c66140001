import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  jobMachine,
  taskMachine,
  type JobFact,
  type JobInput,
  type JobStreamState,
  type TaskFact,
  type TaskInput,
  type TaskStreamState,
} from '../../src/job/index.ts'
import { readFact } from '../../src/run/fact-text.ts'

const GOLDEN = new URL('golden/', import.meta.url)

interface Line {
  readonly stream: string
  readonly body: string
}

/** Journals of released versions; they stay, whatever later versions write. */
const journals = readdirSync(GOLDEN)
  .filter((name) => name.endsWith('.jsonl'))
  .sort()
  .map((name) => ({
    name,
    lines: readFileSync(new URL(name, GOLDEN), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line),
  }))

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item)))

describe('golden journals', () => {
  it.each(journals)('$name still folds to the same end', ({ lines }) => {
    const job = jobMachine.empty('job')
    const tasks = new Map<string, TaskStreamState>()
    for (const { stream, body } of lines) {
      if (stream.startsWith('job:')) jobMachine.evolve(job, readFact<JobFact>(body, stream))
      else {
        const task = tasks.get(stream) ?? taskMachine.empty(stream)
        tasks.set(stream, task)
        taskMachine.evolve(task, readFact<TaskFact>(body, stream))
      }
    }
    const { money, phase, outcome, accepted, delivered, missing, openRows } = job
    const phases: Record<string, number> = {}
    for (const task of tasks.values()) phases[task.phase] = (phases[task.phase] ?? 0) + 1
    expect(plain({ phase, outcome, accepted, delivered, missing, openRows, money, tasks: phases })).toMatchSnapshot()
    expect(job.phase).toBe('ended')
    expect([...jobMachine.pending(job)]).toEqual([])
  })

  it('refuse a fact of a newer version and name it', () => {
    expect(() => readFact('{"v":3,"t":"later","at":1}', 'job:0xaa')).toThrow(/version 3 needs a newer Pictor/)
  })
})

const hash = fc.constantFrom('0x'.padEnd(66, 'a'), '0x'.padEnd(66, 'b')) as fc.Arbitrary<`0x${string}`>
const small = fc.integer({ min: -1, max: 30 })

/** Inputs of every type with fields that may or may not fit anything. */
const taskInput = (checkers: readonly `0x${string}`[], ref: string): fc.Arbitrary<TaskInput> => {
  const checker = fc.constantFrom(...checkers, '0xdd' as const) as fc.Arbitrary<`0x${string}`>
  const refs = fc.constantFrom(ref, 'another')
  const failure = fc.constantFrom({ class: 'license', message: 'x' } as const, { class: 'scene', message: 'x' } as const)
  const record = <T>(shape: T): fc.Arbitrary<TaskInput> => fc.record(shape as never) as never
  return fc.oneof(
    record({ type: fc.constant('submitted'), attempt: small, ref: refs }),
    record({ type: fc.constant('submit-failed'), attempt: small, failure, unknown: fc.boolean() }),
    record({
      type: fc.constant('farm-state'),
      ref: refs,
      state: fc.constantFrom('running', 'succeeded', 'failed', 'canceled', 'lost', 'new-word'),
    }),
    record({
      type: fc.constant('fetched'),
      ref: refs,
      frames: fc.array(small, { maxLength: 3 }),
      hashes: fc.array(hash, { minLength: 3, maxLength: 3 }),
      renderMs: fc.constant([]),
      completedAtMs: fc.constant([]),
    }),
    record({
      type: fc.constant('commit'),
      ref: refs,
      commit: fc.record({
        job: hash,
        lease: small,
        index: small,
        outputRoot: hash,
        signature: hash,
        outputs: fc.array(fc.record({ frame: small, part: fc.constant(0), outputHash: hash, completedAtMs: fc.constant(1) }), {
          maxLength: 3,
        }),
      }),
    }),
    record({ type: fc.constant('commit-bad'), ref: refs, message: fc.constant('x') }),
    record({ type: fc.constant('canceled'), ref: refs }),
    record({ type: fc.constant('stalled'), ref: refs, quietMs: small }),
    record({ type: fc.constant('held'), checker, outputRoot: hash, signature: hash }),
    record({ type: fc.constant('checked'), checker }),
    record({ type: fc.constant('votes'), checker, blob: hash, verdicts: fc.constantFrom('a', 'rr', 'aaa') }),
    record({ type: fc.constant('checker-silent'), checker, action: fc.constant('hold'), reason: fc.constant('x') }),
    record({ type: fc.constant('judged'), verdicts: fc.constantFrom('a', 'ar'), acceptedWeight: small }),
    record({ type: fc.constant('contest'), won: fc.boolean() }),
    record({ type: fc.constant('contested') }),
    record({ type: fc.constant('want'), wanted: fc.constantFrom('run', 'hold', 'cancel'), reason: fc.constant('x') }),
    record({ type: fc.constant('priority'), priority: small }),
    record({ type: fc.constant('give-up'), reason: fc.constant('unverifiable') }),
    record({ type: fc.constant('tick'), timer: fc.constantFrom('commit-by', 'vote-grace', 'cancel-grace', 'end-grace') }),
  )
}

const jobInput: fc.Arbitrary<JobInput> = (() => {
  const record = <T>(shape: T): fc.Arbitrary<JobInput> => fc.record(shape as never) as never
  const checker = fc.constant('0xdd')
  return fc.oneof(
    record({
      type: fc.constant('ledger'),
      event: fc.record({
        id: fc.constantFrom('1', '99'),
        type: fc.constantFrom('opened', 'ready', 'attested', 'released', 'finalized', 'new-word'),
        atMs: fc.constant(1),
        batch: small,
        batchHash: hash,
      }),
    }),
    record({ type: fc.constant('set-signed'), seq: small, root: hash, signature: hash }),
    record({ type: fc.constant('ready'), ready: fc.record({ checker, seq: small, setRoot: hash }) }),
    record({
      type: fc.constant('checker-refused'),
      checker,
      action: fc.constantFrom('ready', 'sign-batch'),
      message: fc.constant('x'),
    }),
    record({ type: fc.constant('task-rendered'), task: small }),
    record({ type: fc.constant('task-contest-ready'), task: small }),
    record({ type: fc.constant('task-judged'), task: small, verdicts: fc.constantFrom('a', 'rrr', ''), weight: small }),
    record({ type: fc.constant('task-voided'), task: small, reason: fc.constantFrom('lost', 'failed'), freed: fc.boolean() }),
    record({ type: fc.constant('task-freed'), task: small }),
    record({ type: fc.constant('delivered'), task: small, paths: fc.constant('x{1}') }),
    record({ type: fc.constant('replanned'), n: small, leases: fc.constant([]) }),
    record({ type: fc.constant('batch-made'), n: small, hash, blob: hash }),
    record({ type: fc.constant('batch-signed'), hash, checker, signature: hash }),
    record({ type: fc.constant('final-signed'), keep: fc.constantFrom('0', '5'), checker, signature: hash }),
    record({ type: fc.constant('evidence'), blob: fc.constant(null) }),
    record({
      type: fc.constant('refused'),
      command: fc.constantFrom('open', 'replan/1', 'attest/0', 'attest/77'),
      code: fc.constant('x'),
      message: fc.constant('x'),
    }),
    record({ type: fc.constant('blocked'), reason: fc.constantFrom('x', null) }),
    record({ type: fc.constant('want'), wanted: fc.constantFrom('run', 'hold', 'cancel') }),
    record({ type: fc.constant('priority'), priority: small }),
    record({ type: fc.constant('deadline'), atMs: small }),
    record({
      type: fc.constant('tick'),
      timer: fc.constantFrom('batch', 'replan', 'hedge', 'deadline', 'attest-by', 'refund', 'give-up'),
    }),
    record({ type: fc.constant('a-word-of-tomorrow') }),
  )
})()

/** Decides and applies an input as the shell does. */
function step<S, I, F>(
  machine: {
    accept(state: S, input: I, at: number): { facts: readonly F[]; refused?: { input: string; state: string; reason: string } }
    next(state: S, at: number): F | undefined
    evolve(state: S, fact: F): void
  },
  state: S,
  input: I,
  at: number,
): void {
  const decision = machine.accept(state, input, at)
  if (decision.facts.length === 0) {
    expect(decision.refused?.reason).toBeTruthy()
    expect(decision.refused?.state).toBeTruthy()
    return
  }
  for (const fact of decision.facts) machine.evolve(state, fact)
  for (let fact = machine.next(state, at), steps = 0; fact; fact = machine.next(state, at)) {
    machine.evolve(state, fact)
    expect(++steps).toBeLessThan(1_000)
  }
}

describe('late, duplicate and impossible inputs', () => {
  it('never throw in a job, wherever it stands, and say why they change nothing', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.array(jobInput, { maxLength: 25 }), (which, cut, inputs) => {
        const { lines } = journals[which % journals.length]!
        const own = lines.filter((line) => line.stream.startsWith('job:'))
        const state: JobStreamState = jobMachine.empty('job')
        for (const line of own.slice(0, cut % own.length)) jobMachine.evolve(state, readFact<JobFact>(line.body, line.stream))
        for (const input of inputs) step(jobMachine, state, input, state.lastAtMs + 1_000)
        expect(state.money.live).toBeGreaterThanOrEqual(0n)
      }),
      { numRuns: 400 },
    )
  })

  it('never throw in a task, wherever it stands, and say why they change nothing', () => {
    const byStream = new Map<string, Line[]>()
    for (const { name, lines } of journals)
      for (const line of lines)
        if (line.stream.startsWith('task:'))
          byStream.set(`${name} ${line.stream}`, [...(byStream.get(`${name} ${line.stream}`) ?? []), line])
    const streams = [...byStream.values()]
    const input = fc.nat().chain((which) => {
      const own = streams[which % streams.length]!
      const opened = readFact<Extract<TaskFact, { t: 'opened' }>>(own[0]!.body, 'task')
      const submitted = own.map((line) => readFact<TaskFact>(line.body, line.stream)).find((fact) => fact.t === 'submitted')
      return fc.tuple(
        fc.constant(own),
        fc.nat(),
        fc.array(taskInput(opened.order.checkers, submitted?.ref ?? 'none'), { maxLength: 25 }),
      )
    })
    fc.assert(
      fc.property(input, ([own, cut, inputs]) => {
        const state = taskMachine.empty('task')
        for (const line of own.slice(0, cut % (own.length + 1)))
          taskMachine.evolve(state, readFact<TaskFact>(line.body, line.stream))
        for (const one of inputs) step(taskMachine, state, one, state.lastAtMs + 1_000)
      }),
      { numRuns: 400 },
    )
  })
})
