import { randomUUID } from 'node:crypto'
import { memoOver, memoryCache } from '../cache/index.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import type { JobInput } from '../job/job-facts.ts'
import { systemClock } from './clock.ts'
import { deliveries } from './deliveries.ts'
import type { Fence } from '../store/types.ts'
import { farmLoop, type FarmLoop, type FarmMemory } from './farm-loop.ts'
import { farmRegistry } from './farm-registry.ts'
import { heldRuns } from './held-runs.ts'
import { artifactsInTime, inTime, storeInTime } from './in-time.ts'
import type { Shared } from './job-host.ts'
import { isDeadOwner, processOwner } from './owner.ts'
import { jobRun, type RunSource } from './job-run.ts'
import { orderInput } from './order.ts'
import { realProofs } from './real-proofs.ts'
import { DEFAULT_TUNING } from './tuning.ts'
import type { JobOrder } from './job-order.ts'
import type { JobSummary } from './job-view.ts'
import type { JobRun, Runner, RunnerInput, RunnerOptions } from './types.ts'
import { jobSummary, loadJob, readState, receiptMaterial } from './view.ts'

/**
 * Makes a runner over a store and ports. Nothing happens before `submit`, `attach` or `start`; several runners may share a store, each job is run by one of them
 * at a time.
 */
export function createRunner(given: RunnerOptions): Runner {
  const clock = given.clock ?? systemClock()
  const tuning = { ...DEFAULT_TUNING, ...given.tuning }
  const owner = given.owner ?? processOwner()
  const memo = memoOver(given.cache ?? memoryCache(), clock)
  const closing = new AbortController()
  const disk = inTime(clock, tuning.diskMs, closing.signal)
  const options: RunnerOptions = {
    ...given,
    store: storeInTime(given.store, disk),
    artifacts: artifactsInTime(given.artifacts, disk),
  }
  const farms = new Map<string, FarmLoop>()
  const registry = farmRegistry({ store: options.store, clock, snapshotFacts: tuning.snapshotFacts, claim })

  const shared: Shared = {
    options,
    clock,
    tuning,
    proofs: options.proofs ?? realProofs(),
    deliveries: deliveries({
      deliver: options.deliver,
      clock,
      places: tuning.downloadsAtOnce,
      deliverMs: tuning.deliverMs,
      closing: closing.signal,
    }),
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

  const runs = heldRuns({ shared, owner, claim, closing: closing.signal })

  /** When a process of this machine that is dead holds the group, nobody needs to wait until its claim is over. */
  async function claim(group: string): Promise<Fence | undefined> {
    const fence = await options.store.claim(group, owner, clock.now(), tuning.claimMs)
    if (fence !== undefined) return fence
    const holder = await options.store.holder(group)
    return holder !== undefined && isDeadOwner(holder)
      ? options.store.claim(group, owner, clock.now(), tuning.claimMs, holder)
      : undefined
  }

  async function post(run: Bytes32, input: RunnerInput, key: string = randomUUID()): Promise<void> {
    const job = jobInput(input)
    const host = runs.host(run)
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
    host: () => runs.host(run),
    closed: closing.signal,
    onNews: (listener) => runs.onNews(run, listener),
    post: (input) => post(run, input),
  })

  return {
    async submit(order: JobOrder): Promise<JobRun> {
      const addresses = options.checkers.map((checker) => checker.address)
      const input = orderInput(order, addresses, shared.proofs)
      let host = await runs.take(order.run)
      let known = host?.job.state ?? (await loadJob(shared, order.run).catch(() => undefined))
      // Somebody claimed the run and has written nothing: he is submitting it now, or died doing so, which shows when his claim is over.
      for (let waited = 0; !host && known?.order === undefined; waited++) {
        if (waited === 6)
          throw new PictorError('conflict', `run ${order.run} is being submitted by another process`, {
            details: { run: order.run },
          })
        await clock.sleep(tuning.claimMs / 4, closing.signal)
        host = await runs.take(order.run)
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
      if (known.phase !== 'ended' && (await runs.take(run)) === undefined) void runs.takeWhenFree(run)
      return jobRun(source(run), known)
    },
    async *jobs(): AsyncGenerator<JobSummary> {
      for (let cursor: string | undefined; ;) {
        const page = await options.store.list('job', { limit: 100, ...(cursor === undefined ? {} : { cursor }) })
        for (const stream of page.streams) {
          const run = stream.slice('job:'.length) as Bytes32
          yield jobSummary(run, runs.host(run)?.job.state ?? (await loadJob(shared, run)))
        }
        if (page.cursor === undefined) return
        cursor = page.cursor
      }
    },
    start: () => runs.takeOver(),
    post,
    state: (run) => readState(shared, run, clock.now()),
    material: async (run) => receiptMaterial(shared, run, runs.host(run)?.job.state ?? (await loadJob(shared, run))),
    farms: () => registry.all(),
    farm: (id) => registry.look(id),
    trustFarm: (id, reason) => registry.tell(id, { type: 'trust', reason }),
    quarantineFarm: (id, reason, untilMs) => registry.tell(id, { type: 'quarantine', reason, untilMs }),
    async close() {
      if (closing.signal.aborted) return
      closing.abort(new PictorError('canceled', 'the runner was closed'))
      await runs.letGo()
      for (const farm of farms.values()) farm.close()
      await registry.close()
      await runs.idle()
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
