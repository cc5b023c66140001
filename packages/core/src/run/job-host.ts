import type { Memo } from '../cache/index.ts'
import type { CheckerJob } from '../contract/checker.ts'
import type { Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32, Lease, LeaseSet } from '../contract/messages.ts'
import type { JobCommand, JobFact, JobInput } from '../job/job-facts.ts'
import { leaseOfRow } from '../job/job-rows.ts'
import type { JobStreamState, SetRow, TaskRow } from '../job/job-state.ts'
import { jobMachine } from '../job/job.ts'
import type { TaskCommand, TaskFact, TaskInput } from '../job/task-facts.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { taskMachine } from '../job/task.ts'
import type { Fence } from '../store/types.ts'
import type { CheckerRequest } from './ask-checker.ts'
import { checkerLoop, type CheckerLoop } from './checker-loop.ts'
import type { Deliveries } from './deliveries.ts'
import { commandKey, pause } from './effort.ts'
import { leaseOf, loadTask } from './evidence.ts'
import type { FarmLoop } from './farm-loop.ts'
import type { FarmRegistry } from './farm-registry.ts'
import { performJob } from './job-effects.ts'
import { type LedgerLoop, ledgerLoop } from './ledger-loop.ts'
import type { JobProofs } from './proofs.ts'
import { keyInForce } from './key-in-force.ts'
import { setMessage } from './set-message.ts'
import { openStream, type StreamHost } from './stream.ts'
import { performTask } from './task-effects.ts'
import type { RunnerTuning } from './tuning.ts'
import { workWatch, type WorkWatch } from './work-watch.ts'
import type { RunnerOptions } from './types.ts'

/** What all runs of a runner share. */
export interface Shared {
  readonly options: RunnerOptions
  readonly clock: Clock
  readonly tuning: RunnerTuning
  readonly proofs: JobProofs
  readonly deliveries: Deliveries
  /** The farm's loop, or undefined while the host has no such farm. */
  farm(id: string): FarmLoop | undefined
  /** Stage handles and what farms say of themselves; may be emptied at any time. */
  readonly memo: Memo
  /** What is known of farms over all jobs. */
  readonly registry: FarmRegistry
}

/** Tasks that are over whose states stay in memory: checks of their neighbours, and batches, look at them once more. */
const RESTING_TASKS = 16

/** Everything that a run needs while it is owned by this runner. */
export interface JobHost {
  readonly run: Bytes32
  readonly shared: Shared
  readonly job: StreamHost<JobStreamState, JobInput>
  readonly checkers: ReadonlyMap<string, CheckerLoop>
  readonly ledger: LedgerLoop
  readonly tasks: Map<number, StreamHost<TaskStreamState, TaskInput>>
  /** What progress last said, by task. */
  readonly progress: Map<number, { readonly framesDone: number; readonly frame?: number; readonly fraction?: number }>
  /** The estimate, refined by the frames that were rendered. */
  readonly work: WorkWatch
  openTask(task: number): Promise<StreamHost<TaskStreamState, TaskInput>>
  /** A task's state, from memory or folded from the store. */
  taskState(task: number): Promise<TaskStreamState>
  jobId(): Bytes32
  checkerJob(): CheckerJob
  /** What the checkers are asked to sign of the batch that is being signed: the same for all of them, and long. */
  signing: { readonly n: number; readonly request: Promise<CheckerRequest | undefined> } | undefined
  row(task: number): TaskRow
  lease(row: TaskRow): Lease
  leases(set: SetRow): readonly Lease[]
  tree(set: SetRow): ReturnType<JobProofs['setTree']>
  setMessage(set: SetRow): Promise<LeaseSet>
  key(stream: string, command: string): string
  stop(): void
}

export interface JobHostOptions {
  readonly run: Bytes32
  readonly fence: Fence
  readonly shared: Shared
  /** Called after facts of this run became durable. */
  readonly onFacts: (stream: string, facts: readonly (JobFact | TaskFact)[]) => void
  readonly onDead: (error: unknown) => void
}

export async function openJobHost(options: JobHostOptions): Promise<JobHost> {
  const { run, fence, shared } = options
  const { options: ports, clock } = shared
  const closing = new AbortController()
  const tasks = new Map<number, StreamHost<TaskStreamState, TaskInput>>()
  const opening = new Map<number, Promise<StreamHost<TaskStreamState, TaskInput>>>()
  /** Those looked at last come last. */
  const resting = new Map<number, TaskStreamState>()
  const setLeases = new Map<number, { readonly leases: readonly Lease[]; tree?: ReturnType<JobProofs['setTree']> }>()
  let jobId: Bytes32 | undefined
  const work = workWatch(() => job.state)
  const onFacts: JobHostOptions['onFacts'] = (stream, facts) => {
    work.note(stream, facts)
    options.onFacts(stream, facts)
  }

  const die = (error: unknown): void => {
    if (closing.signal.aborted) return
    host.stop()
    options.onDead(error)
  }

  const job = await openStream<JobStreamState, JobInput, JobFact, JobCommand>({
    machine: jobMachine,
    store: ports.store,
    clock,
    name: `job:${run}`,
    fence,
    snapshotFacts: shared.tuning.snapshotFacts,
    perform: (command, signal) => performJob(host, command, signal),
    onFacts: (facts) => {
      onFacts(`job:${run}`, facts)
      for (const fact of facts) {
        retire(fact)
        praise(fact)
        if (fact.t === 'ordered') followFarms()
      }
    },
    onDead: die,
    isOpen: (state) => state.phase !== 'ended',
  })

  const host: JobHost = {
    run,
    shared,
    job,
    checkers: new Map(),
    ledger: ledgerLoop(() => host, shared.tuning, closing.signal),
    tasks,
    progress: new Map(),
    signing: undefined,
    work,
    async openTask(task) {
      const known = tasks.get(task)
      if (known) return known
      resting.delete(task)
      let promise = opening.get(task)
      if (!promise) {
        promise = openStream<TaskStreamState, TaskInput, TaskFact, TaskCommand>({
          machine: taskMachine,
          store: ports.store,
          clock,
          name: `task:${run}:${task}`,
          fence,
          snapshotFacts: shared.tuning.snapshotFacts,
          perform: (command, signal, resumed) => performTask(host, task, command, signal, resumed),
          onFacts: (facts) => onFacts(`task:${run}:${task}`, facts),
          onDead: die,
        })
        opening.set(task, promise)
      }
      // One that could not be read is not kept: the next caller reads again.
      const stream = await promise.finally(() => opening.delete(task))
      if (closing.signal.aborted) {
        stream.stop()
        throw closing.signal.reason
      }
      if (!tasks.has(task)) {
        tasks.set(task, stream)
        stream.resume()
      }
      return stream
    },
    async taskState(task) {
      const known = tasks.get(task)
      if (known) return known.state
      return rest(task, resting.get(task) ?? (await loadTask(shared, run, task)))
    },
    jobId: () => (jobId ??= shared.proofs.jobId(ports.ledger.domain, order().terms)),
    checkerJob() {
      const { terms, spec } = order()
      return {
        domain: ports.ledger.domain,
        terms,
        job: host.jobId(),
        run,
        spec: spec.render,
        bundle: spec.bundle,
        files: ports.artifacts,
      }
    },
    row: (task) => job.state.rows.get(task)!,
    lease: (row) => leaseOf(leaseOfRow(job.state, row)),
    leases(set) {
      let kept = setLeases.get(set.seq)
      if (!kept || kept.leases.length !== set.last - set.first + 1) {
        const leases: Lease[] = []
        for (let id = set.first; id <= set.last; id++) leases.push(host.lease(host.row(id)))
        setLeases.set(set.seq, (kept = { leases }))
      }
      return kept.leases
    },
    tree(set) {
      const leases = host.leases(set)
      const kept = setLeases.get(set.seq)!
      return (kept.tree ??= shared.proofs.setTree(leases))
    },
    async setMessage(set) {
      if (set.seq > 0) await keyInForce(host, closing.signal)
      return setMessage(shared, job.state, host.jobId(), set)
    },
    key: (stream, command) => commandKey(run, stream, command),
    stop() {
      if (closing.signal.aborted) return
      closing.abort(new PictorError('canceled', `run ${run} was stopped`))
      for (const stop of following) stop()
      job.stop()
      for (const task of tasks.values()) task.stop()
    },
  }
  const order = () => job.state.order!
  const following: (() => void)[] = []
  if (job.state.order) {
    followFarms()
    // What an earlier process saw; the job does not wait for it.
    void work.catchUp(ports.store, run, closing.signal).catch(() => {})
  }
  const loops = host.checkers as Map<string, CheckerLoop>
  for (const checker of ports.checkers)
    loops.set(
      checker.address,
      checkerLoop(checker, () => host, shared.tuning, closing.signal),
    )

  function rest(task: number, state: TaskStreamState): TaskStreamState {
    resting.delete(task)
    if (['judged', 'freed'].includes(state.phase)) resting.set(task, state)
    if (resting.size > RESTING_TASKS) resting.delete(resting.keys().next().value!)
    return state
  }

  /** Lets go of tasks that are over; their farm may forget them too. */
  function retire(fact: JobFact): void {
    const over: number[] = []
    if (fact.t === 'task-freed' || (fact.t === 'task-voided' && fact.freed) || fact.t === 'delivered') over.push(fact.task)
    if (fact.t === 'ledger' && fact.event.type === 'attested') {
      const batch = job.state.batches.find((one) => one.hash === fact.event['batchHash'])
      over.push(...(batch?.leases ?? []))
    }
    for (const task of over) {
      const row = job.state.rows.get(task)
      const settled = row && ['attested', 'kept', 'gone'].includes(row.phase) && !job.state.agenda.open.has(`deliver/${task}`)
      if (settled) void evict(task)
    }
  }

  /** An accepted lease ends a farm's strikes and its probation; nothing is lost when the process dies first. */
  function praise(fact: JobFact): void {
    if (fact.t !== 'task-judged' || /[^au]/.test(fact.verdicts)) return
    const { farm } = job.state.rows.get(fact.task)!
    void shared.registry.tell(farm, { type: 'accepted', run, task: fact.task }).catch(() => {})
  }

  /** The job hears where its farms stand over all jobs. */
  function followFarms(): void {
    for (const farm of Object.keys(order().parties))
      following.push(
        shared.registry.watch(farm, ({ standing, reason }) => {
          const why = reason === undefined ? {} : { reason }
          void job.send({ type: 'farm-standing', farm, standing, ...why }).catch(() => {})
        }),
      )
  }

  async function evict(task: number): Promise<void> {
    const stream = tasks.get(task)
    if (!stream) return
    const { ref, phase } = stream.state
    const farm = ref && shared.farm(ref.farm)
    if (ref && farm) {
      // Best effort: what a farm keeps longer costs nothing, and the job does not wait for it.
      const key = host.key(stream.name, 'erase')
      if (phase !== 'judged') await pause(clock, 1, closing.signal)
      void farm.call(closing.signal, (signal) => farm.farm.set(ref, { desired: 'erase' }, { key, signal })).catch(() => {})
    }
    stream.stop()
    tasks.delete(task)
    rest(task, stream.state)
    host.progress.delete(task)
  }
  return host
}
