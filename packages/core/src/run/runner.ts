import { randomUUID } from 'node:crypto'
import PQueue from 'p-queue'
import { memoOver } from '../cache/index.ts'
import { PictorError, isPictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import type { JobInput } from '../job/job-facts.ts'
import { systemClock } from './clock.ts'
import { pause } from './effort.ts'
import type { Fence } from '../store/types.ts'
import { farmLoop, type FarmLoop, type FarmMemory } from './farm-loop.ts'
import { farmRegistry } from './farm-registry.ts'
import { type JobHost, openJobHost, type Shared } from './job-host.ts'
import { isDeadOwner, processOwner } from './owner.ts'
import { jobRun, type RunSource } from './job-run.ts'
import { orderInput } from './order.ts'
import { realProofs } from './real-proofs.ts'
import { DEFAULT_TUNING } from './tuning.ts'
import type { JobOrder } from './job-order.ts'
import type { JobSummary } from './job-view.ts'
import type { JobRun, Runner, RunnerInput, RunnerOptions } from './types.ts'
import { jobReader, jobSummary, loadJob, readState, receiptMaterial } from './view.ts'

interface Entry {
  host: JobHost | undefined
  readonly listeners: Set<() => void>
}

/**
 * Makes a runner over a store and ports. Nothing happens before `submit`, `attach` or `start`; several runners may share a store, each job is run by one of them
 * at a time.
 */
export function createRunner(options: RunnerOptions): Runner {
  const clock = options.clock ?? systemClock()
  const tuning = { ...DEFAULT_TUNING, ...options.tuning }
  const owner = options.owner ?? processOwner()
  const memo = memoOver(options.cache ?? new Map(), clock)
  const closing = new AbortController()
  const farms = new Map<string, FarmLoop>()
  const registry = farmRegistry({ store: options.store, clock, snapshotFacts: tuning.snapshotFacts, claim: claimGroup })
  const entries = new Map<Bytes32, Entry>()
  const claiming = new Map<Bytes32, Promise<JobHost | undefined>>()
  let looping: Promise<unknown> | undefined
  let takesOver = false

  const shared: Shared = {
    options,
    clock,
    tuning,
    proofs: options.proofs ?? realProofs(),
    deliveries: new PQueue({ concurrency: tuning.downloadsAtOnce }),
    farm(id) {
      const farm = options.farms(id)
      if (!farm) return undefined
      let loop = farms.get(id)
      // The host may have replaced the farm object: the old loop must not go on with it.
      if (loop && loop.source !== farm) {
        loop.close()
        loop = undefined
      }
      if (!loop) farms.set(id, (loop = farmLoop(farm, clock, tuning, memo, memoryOf(id))))
      return loop
    },
    memo,
    registry,
  }

  const memoryOf = (id: string): FarmMemory => ({
    cursor: async () => (await registry.look(id)).cursor,
    note: (input) => void registry.tell(id, input).catch(() => {}),
  })

  const entry = (run: Bytes32): Entry => {
    let found = entries.get(run)
    if (!found) entries.set(run, (found = { host: undefined, listeners: new Set() }))
    return found
  }

  /** Takes a run if nobody else has it. Two calls at once share one claim. */
  function take(run: Bytes32): Promise<JobHost | undefined> {
    const known = entries.get(run)?.host
    if (known) return Promise.resolve(known)
    let promise = claiming.get(run)
    if (!promise) {
      promise = claimHost(run).finally(() => claiming.delete(run))
      claiming.set(run, promise)
    }
    return promise
  }

  async function claimHost(run: Bytes32): Promise<JobHost | undefined> {
    closing.signal.throwIfAborted()
    const fence = await claimGroup(run)
    if (fence === undefined) return undefined
    const own = entry(run)
    const host = await openJobHost({
      run,
      fence,
      shared,
      onFacts: () => {
        for (const listener of own.listeners) listener()
        if (host.job.state.phase === 'ended') void retire(run, host, fence)
      },
      onDead: (error) => void fall(run, host, error),
    })
    own.host = host
    if (host.job.state.phase === 'ended') {
      await retire(run, host, fence)
      return undefined
    }
    host.job.resume()
    loop()
    return host
  }

  /** When a process of this machine that is dead holds the group, nobody needs to wait until its claim is over. */
  async function claimGroup(group: string): Promise<Fence | undefined> {
    const fence = await options.store.claim(group, owner, clock.now(), tuning.claimMs)
    if (fence !== undefined) return fence
    const holder = await options.store.holder(group)
    return holder !== undefined && isDeadOwner(holder)
      ? options.store.claim(group, owner, clock.now(), tuning.claimMs, holder)
      : undefined
  }

  /** Takes the run as soon as its present owner lets go of it, or dies. */
  async function takeWhenFree(run: Bytes32): Promise<void> {
    const read = jobReader(shared, run)
    while (!closing.signal.aborted) {
      await pause(clock, Math.min(1_000, tuning.claimMs / 4), closing.signal)
      if (closing.signal.aborted || (await take(run).catch(() => undefined)) !== undefined) return
      if ((await read().catch(() => undefined))?.phase === 'ended') return
    }
  }

  async function retire(run: Bytes32, host: JobHost, fence: number): Promise<void> {
    // The last facts' listeners run first: whoever waits for the end still sees this host's state.
    await Promise.resolve()
    if (entries.get(run)?.host === host) entry(run).host = undefined
    host.stop()
    await options.store.release(run, fence).catch(() => {})
    for (const listener of entry(run).listeners) listener()
  }

  /** The store refused an append: what is in memory is worth nothing. After a full disk the run is taken up again, after a lost claim it is another runner's. */
  async function fall(run: Bytes32, host: JobHost, error: unknown): Promise<void> {
    if (entries.get(run)?.host === host) entry(run).host = undefined
    if (isPictorError(error, 'stale-fence')) {
      for (const listener of entry(run).listeners) listener()
      return
    }
    for (let attempt = 0; !closing.signal.aborted; attempt++) {
      await pause(clock, Math.min(tuning.retryMaxMs, tuning.retryMs * 2 ** attempt), closing.signal)
      if (closing.signal.aborted) return
      try {
        await take(run)
        return
      } catch {
        // The store is not back yet.
      }
    }
  }

  /** Keeps claims, reads the inbox, takes over what others left behind. */
  function loop(): void {
    looping ??= Promise.all([renewLoop(), inboxLoop()])
  }

  async function renewLoop(): Promise<void> {
    while (!closing.signal.aborted) {
      await pause(clock, tuning.claimMs / 3, closing.signal)
      if (closing.signal.aborted) return
      await options.store.renew(owner, clock.now(), tuning.claimMs).catch(() => {})
      await registry.refresh().catch(() => {})
      if (takesOver) await takeDue().catch(() => {})
    }
  }

  async function takeDue(): Promise<void> {
    for (const run of await options.store.due(clock.now(), 1_000))
      if (run.startsWith('0x')) await take(run as Bytes32).catch(() => {})
  }

  async function inboxLoop(): Promise<void> {
    while (!closing.signal.aborted) {
      const posted = await options.store.posted(owner).catch(() => [])
      for (const { id, group, body } of posted)
        if (!(await registry.takePosted(group, body, id).catch(() => true)))
          await entries
            .get(group as Bytes32)
            ?.host?.job.send(JSON.parse(body) as JobInput, id)
            .catch(() => {})
      await pause(clock, tuning.inboxMs, closing.signal)
    }
  }

  async function post(run: Bytes32, input: RunnerInput, key: string = randomUUID()): Promise<void> {
    const job = jobInput(input)
    const host = entries.get(run)?.host
    if (host) {
      await host.job.send(job)
      return
    }
    const state = await loadJob(shared, run)
    if (state.phase !== 'ended') await options.store.post(run, JSON.stringify(job), key)
  }

  const source = (run: Bytes32): RunSource => ({
    run,
    shared,
    host: () => entries.get(run)?.host,
    closed: closing.signal,
    onNews(listener) {
      const { listeners } = entry(run)
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    post: (input) => post(run, input),
  })

  return {
    async submit(order: JobOrder): Promise<JobRun> {
      const addresses = options.checkers.map((checker) => checker.address)
      const input = orderInput(order, addresses, shared.proofs)
      let host = await take(order.run)
      let known = host?.job.state ?? (await loadJob(shared, order.run).catch(() => undefined))
      // Somebody claimed the run and has written nothing: he is submitting it now, or died doing so, which shows when his claim is over.
      for (let waited = 0; !host && known?.order === undefined; waited++) {
        if (waited === 6)
          throw new PictorError('conflict', `run ${order.run} is being submitted by another process`, {
            details: { run: order.run },
          })
        await clock.sleep(tuning.claimMs / 4, closing.signal)
        host = await take(order.run)
        known = host?.job.state ?? (await loadJob(shared, order.run).catch(() => undefined))
      }
      if (known?.order !== undefined) {
        if (
          shared.proofs.jobId(options.ledger.domain, known.order.terms) !==
            shared.proofs.jobId(options.ledger.domain, order.terms) ||
          known.order.terms.specHash !== order.terms.specHash ||
          known.order.terms.quoteHash !== order.terms.quoteHash
        )
          throw new PictorError('conflict', `run ${order.run} exists with another order`, { details: { run: order.run } })
        return jobRun(source(order.run), known)
      }
      await host!.job.send(input)
      return jobRun(source(order.run))
    },
    async attach(run) {
      const known = await loadJob(shared, run)
      if (known.phase !== 'ended' && (await take(run)) === undefined) void takeWhenFree(run)
      return jobRun(source(run), known)
    },
    async *jobs(): AsyncGenerator<JobSummary> {
      for (let cursor: string | undefined; ;) {
        const page = await options.store.list('job', { limit: 100, ...(cursor === undefined ? {} : { cursor }) })
        for (const stream of page.streams) {
          const run = stream.slice('job:'.length) as Bytes32
          yield jobSummary(run, entries.get(run)?.host?.job.state ?? (await loadJob(shared, run)))
        }
        if (page.cursor === undefined) return
        cursor = page.cursor
      }
    },
    async start() {
      takesOver = true
      await takeDue()
      loop()
    },
    post,
    state: (run) => readState(shared, run, clock.now()),
    material: async (run) => receiptMaterial(shared, run, entries.get(run)?.host?.job.state ?? (await loadJob(shared, run))),
    farms: () => registry.all(),
    farm: (id) => registry.look(id),
    trustFarm: (id, reason) => registry.tell(id, { type: 'trust', reason }),
    quarantineFarm: (id, reason, untilMs) => registry.tell(id, { type: 'quarantine', reason, untilMs }),
    async close() {
      if (closing.signal.aborted) return
      closing.abort(new PictorError('canceled', 'the runner was closed'))
      for (const [run, { host, listeners }] of entries) {
        host?.stop()
        const fence = host && (await options.store.claim(run, owner, clock.now(), tuning.claimMs).catch(() => undefined))
        if (fence !== undefined) await options.store.release(run, fence).catch(() => {})
        for (const listener of listeners) listener()
      }
      for (const farm of farms.values()) farm.close()
      await registry.close()
      await looping
    },
  }
}

function jobInput(input: RunnerInput): JobInput {
  if (input === 'cancel' || input === 'hold') return { type: 'want', wanted: input }
  if (input === 'resume') return { type: 'want', wanted: 'run' }
  if ('priority' in input) return { type: 'priority', priority: input.priority }
  if ('deadlineAtMs' in input) return { type: 'deadline', atMs: input.deadlineAtMs }
  return { type: 'answer', ...input.answer }
}
