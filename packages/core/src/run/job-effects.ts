import type { CheckerAction } from '../contract/checker.ts'
import { PictorError, isPictorError } from '../contract/error.ts'
import type { LedgerAction } from '../contract/ledger.ts'
import type { Address, Batch, CanceledLease } from '../contract/messages.ts'
import { HEDGE_TICK_MS } from '../job/job-evolve.ts'
import { budgetLeft } from '../job/job-replan.ts'
import { leaseOfRow } from '../job/job-rows.ts'
import { FRAME, type JobCommand, type JobInput, type PlannedLeaseJson, type SetRow, type TaskRow } from '../job/job-types.ts'
import { splitRoute } from '../job/split.ts'
import type { TaskOrder } from '../job/task-types.ts'
import { fateOf, pause, pauseUntil, tryUntilDone } from './effort.ts'
import { readBlob, votesOf, writeBlob, type BatchBlob, type JobHost } from './job-host.ts'
import { giveBack } from './give-back.ts'
import { effort, leaseResult, quorumOf } from './task-effects.ts'
import type { Allocation, ReplanRequest } from './types.ts'

/** Tries of one task at one farm that may fail with a class that counts. */
const MAX_TRIES = 2

/** Performs one command of the job. Never rejects. */
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
  switch (command.kind) {
    case 'timer':
      await pauseUntil(clock, command.atMs, signal)
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
      return open(host, command.id, signal, refused)
    case 'sign-set': {
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
      return askChecker(host, command, signal, {
        kind: 'ready',
        set: host.setMessage(set),
        leases: host.leases(set),
        canceled: canceledLeases(host),
      })
    }
    case 'sign-final':
      return askChecker(host, command, signal, {
        kind: 'sign-final',
        keep: BigInt(command.keep),
        canceled: [...canceledLeases(host), ...(await givenBack(host, signal))],
      })
    case 'sign-batch': {
      const action = await signBatchAction(host, command.n, signal)
      return action && askChecker(host, command, signal, action)
    }
    case 'post-ready': {
      const { terms } = job.state.order!
      return tell(host, command.id, signal, { kind: 'ready', terms, ready: quorumOf(job.state.sets[0]!.ready, terms.quorum) })
    }
    case 'make-batch':
      return makeBatch(host, command.n, signal, refused)
    case 'attest':
      return attest(host, command.n, command.id, signal, refused)
    case 'release': {
      await pauseUntil(clock, command.notBeforeAtMs, signal)
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

async function open(host: JobHost, id: string, signal: AbortSignal, refused: (error: unknown) => Promise<void>): Promise<void> {
  const { job, shared } = host
  const { clock, tuning } = shared
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(effort(host, job.name, id, signal), async (ctx) => {
      const opened = await shared.options.ledger.open(job.state.order!.terms, job.state.sets[0]!.root!, ctx)
      if (opened.awaiting)
        await job.send({ type: 'blocked', reason: `waits for the creator's ${opened.awaiting.kind}` }).catch(() => {})
      host.ledger.expect()
    })
    if (error !== undefined) return refused(error)
    await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
  }
}
const GIVEN_BACK = new WeakMap<JobHost, ReturnType<typeof giveBack>>()

/** One request to the farms, whatever the number of checkers that wait for it. */
function givenBack(host: JobHost, signal: AbortSignal): ReturnType<typeof giveBack> {
  const known = GIVEN_BACK.get(host)
  if (known) return known
  const asked = giveBack(host, signal)
  GIVEN_BACK.set(host, asked)
  return asked
}

/** Leases that their farms gave up by signature. */
function canceledLeases(host: JobHost): CanceledLease[] {
  const job = host.jobId()
  return [...host.job.state.cancels].map(([lease, { root, sig }]) => ({ job, lease, outputRoot: root, signature: sig }))
}

type JobAction = CheckerAction extends infer A ? (A extends { readonly job: unknown } ? Omit<A, 'job'> : never) : never

async function askChecker(
  host: JobHost,
  command: Extract<JobCommand, { checker: Address }>,
  signal: AbortSignal,
  action: JobAction,
): Promise<void> {
  const loop = host.checkers.get(command.checker)
  if (!loop) return
  const { clock, tuning } = host.shared
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(effort(host, host.job.name, command.id, signal), async (ctx) => {
      await loop.checker.send({ job: host.checkerJob(), ...action } as CheckerAction, ctx)
      loop.expect()
    })
    if (error !== undefined) {
      const message = error instanceof Error ? error.message : String(error)
      await host.job.send({ type: 'checker-refused', checker: command.checker, action: command.kind, message }).catch(() => {})
      return
    }
    await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
  }
}

/** That it has happened already is what was wanted: its event will come. */
function unlessDone(error: unknown): void {
  if (isPictorError(error, 'ledger-refused') && error.details['reason'] === 'done') return
  throw error
}

/** Sends a ledger action, and again with the same key, until its final event ended the command. Refusals may pass (a block time behind ours): they are shown and tried again. */
async function tell(host: JobHost, id: string, signal: AbortSignal, action: LedgerAction): Promise<void> {
  const { shared, job } = host
  const { clock, tuning } = shared
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(effort(host, job.name, id, signal), async (ctx) => {
      await shared.options.ledger.send(action, ctx).catch(unlessDone)
      host.ledger.expect()
    })
    if (error !== undefined && round >= 3) {
      const message = error instanceof Error ? error.message : String(error)
      await job.send({ type: 'blocked', reason: `${id}: ${message}` }).catch(() => {})
    }
    const waitMs = error === undefined ? tuning.resendMs : Math.max(tuning.retryMs, 1_000)
    await pause(clock, waitMs * 2 ** Math.min(round, 6), signal)
  }
}

async function makeBatch(
  host: JobHost,
  n: number,
  signal: AbortSignal,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const error = await tryUntilDone(effort(host, job.name, `make-batch/${n}`, signal), async () => {
    const { terms } = job.state.order!
    const results = []
    for (const task of job.state.batches[n]!.leases) results.push(await leaseResult(host, task, await host.taskState(task)))
    const batch = shared.proofs.makeBatch(host.jobId(), results, terms.attestByS, terms)
    const value: BatchBlob = { batch }
    await job.send({ type: 'batch-made', n, hash: batch.batchHash, blob: await writeBlob(shared, value) }).catch(() => {})
  })
  if (error !== undefined) await refused(error)
}

async function batchOf(host: JobHost, n: number): Promise<Batch> {
  return (await readBlob<BatchBlob>(host.shared, host.job.state.batches[n]!.blob!)).batch
}

async function signBatchAction(host: JobHost, n: number, signal: AbortSignal): Promise<JobAction | undefined> {
  let action: JobAction | undefined
  await tryUntilDone(effort(host, host.job.name, `sign-batch/${n}`, signal), async () => {
    const blobs = []
    for (const task of host.job.state.batches[n]!.leases) blobs.push(...(await votesOf(host.shared, await host.taskState(task))))
    action = {
      kind: 'sign-batch',
      batch: await batchOf(host, n),
      votes: blobs.flatMap((blob) => blob.votes),
      seeds: blobs.map((blob) => blob.seed),
      reports: blobs.flatMap((blob) => blob.reports),
    }
  })
  return action
}

export function signaturesOf(signatures: ReadonlyMap<Address, `0x${string}`>): { checker: Address; signature: `0x${string}` }[] {
  return [...signatures].map(([checker, signature]) => ({ checker, signature })).sort((a, b) => (a.checker < b.checker ? -1 : 1))
}

async function attest(
  host: JobHost,
  n: number,
  id: string,
  signal: AbortSignal,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const { clock, tuning } = shared
  // The ledger wants the first Ready before any batch.
  while (!job.state.readyPosted && !signal.aborted) await pause(clock, tuning.retryMs, signal)
  const row = job.state.batches[n]!
  const { terms } = job.state.order!
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(
      effort(host, job.name, id, signal),
      async (ctx) => {
        const batch = await batchOf(host, n)
        const seqs = [...new Set(batch.results.map((result) => result.seq))].sort((a, b) => a - b)
        const sets = seqs.map((seq) => {
          const set: SetRow = job.state.sets[seq]!
          return { set: host.setMessage(set), leases: host.leases(set) }
        })
        const signatures = signaturesOf(row.signatures).slice(0, terms.quorum)
        await shared.options.ledger.send({ kind: 'attest', terms, batch, sets, signatures }, ctx).catch(unlessDone)
        host.ledger.expect()
      },
      // A refusal may be about the moment (a paused ledger, a block that is late): a few tries before the batch is broken up.
      (error, attempt) => (attempt < 5 ? 'again' : fateOf(error, attempt)),
    )
    if (error !== undefined) return refused(error)
    await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
  }
}

async function deliver(
  host: JobHost,
  task: number,
  signal: AbortSignal,
  send: (input: JobInput) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const row = host.row(task)
  const { spec, options } = job.state.order!
  const paths: string[] = []
  // Delivery fails for local reasons (a full disk): it is tried for as long as the job lives.
  await tryUntilDone(
    effort(host, job.name, `deliver/${task}`, signal),
    async () => {
      const state = await host.taskState(task)
      const hashes = new Map(state.commits.flatMap((kept) => kept.frames.map((frame, i) => [frame, kept.hashes[i]!] as const)))
      const mine = row.frames.map((_, at) => at).filter((at) => job.state.winner[row.frames[at]!] === task)
      const done = await Promise.all(
        mine.map((at) =>
          shared.deliveries.add(() =>
            shared.options.deliver({
              run: host.run,
              spec,
              outDir: options.outDir,
              frame: job.state.frames[row.frames[at]!]!,
              part: 0,
              hash: hashes.get(at)!,
              farm: row.farm,
              task,
            }),
          ),
        ),
      )
      paths.splice(0, paths.length, ...done.map((one) => one.path))
    },
    () => 'again',
  )
  if (signal.aborted) return
  const frames = row.frames.filter((i) => job.state.winner[i] === task).map((i) => job.state.frames[i]!)
  await send({ type: 'delivered', task, paths: packPaths(paths, frames) })
}

/** Paths that differ only in the frame number become one pattern, `out/frame_{4}.png` for four digits. */
export function packPaths(paths: readonly string[], frames: readonly number[]): string | readonly string[] {
  for (let width = 1; width <= 8; width++) {
    const digits = String(frames[0]).padStart(width, '0')
    const at = paths[0]?.lastIndexOf(digits) ?? -1
    if (at < 0) continue
    const pattern = `${paths[0]!.slice(0, at)}{${width}}${paths[0]!.slice(at + digits.length)}`
    if (paths.every((path, i) => unpackPath(pattern, frames[i]!) === path)) return pattern
  }
  return [...paths]
}

export function unpackPath(pattern: string, frame: number): string {
  return pattern.replace(/\{(\d)\}/, (_, width: string) => String(frame).padStart(Number(width), '0'))
}

async function replan(
  host: JobHost,
  n: number,
  signal: AbortSignal,
  send: (input: JobInput) => Promise<void>,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const error = await tryUntilDone(effort(host, job.name, `replan/${n}`, signal), async () => {
    const { state } = job
    const leases: PlannedLeaseJson[] = []
    if (state.idle.size > 0) {
      const request = replanRequest(host, [...state.idle])
      leases.push(...splitAllocations(host, await shared.options.replan(request), 0))
    }
    for (const hedged of state.replan.hedges) {
      const row = host.row(hedged)
      const open = row.frames.filter((i) => state.frameState[i] === FRAME.leased)
      if (open.length === 0) continue
      const request = replanRequest(host, open, row.farm)
      leases.push(...splitAllocations(host, await shared.options.replan(request), hedged))
    }
    await send({ type: 'replanned', n, leases })
  })
  if (error !== undefined) await refused(error)
}

function replanRequest(host: JobHost, indexes: readonly number[], without?: string): ReplanRequest {
  const { state } = host.job
  const order = state.order!
  const excluded: Record<string, string> = {}
  const busy: Record<string, number> = {}
  for (const farm of state.farms.values()) {
    if (farm.excluded !== undefined) excluded[farm.id] = farm.excluded
    busy[farm.id] = farm.leased - farm.accepted - farm.refused
  }
  if (without !== undefined) excluded[without] = 'it has these frames already'
  const left = budgetLeft(state)
  return {
    run: host.run,
    reason: without === undefined ? state.replan.reason : 'hedge',
    spec: order.spec,
    terms: order.terms,
    quotes: order.quotes,
    work: order.work,
    atMs: host.shared.clock.now(),
    frames: indexes.map((i) => state.frames[i]!).sort((a, b) => a - b),
    excluded,
    busy,
    farmBudgetLeft: left.farm,
    checkBudgetLeft: left.check,
    deadlineAtMs: state.deadlineAtMs,
  }
}

function splitAllocations(host: JobHost, allocations: readonly Allocation[], hedgeOf: number): PlannedLeaseJson[] {
  const { state } = host.job
  const order = state.order!
  const workOf = (frame: number): number => {
    const at = state.frameIndex ? state.frameIndex.get(frame) : frame - state.frames[0]!
    return order.work[at ?? -1] ?? 0
  }
  return allocations.flatMap(({ farm, offer, frames }) => {
    const party = order.parties[farm]
    const found = order.quotes.find((quote) => quote.farm === farm)?.offers.find((one) => one.id === offer)
    if (!party || !found)
      throw new PictorError('invalid-input', `replan: ${farm}/${offer} is in no quote of this job`, {
        details: { path: 'replan.farm' },
      })
    const share = { farm, offer: found, frames, work: frames.map(workOf), key: party.key, payTo: party.payTo }
    return splitRoute(share, {
      firstId: state.nextTask,
      nowMs: host.shared.clock.now(),
      deadlineAtS: order.terms.deadlineAtS,
      checkClass: order.spec.render.checkClass,
      hedgeOf,
      whole: hedgeOf !== 0,
    }).map((planned) => ({ ...planned, lease: { ...planned.lease, price: planned.lease.price.toString() } }))
  })
}

async function answer(
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
      const done = await loop.farm.set(ref, { answer: { ticket: command.ticket, fields: command.fields } }, ctx)
      result = typeof done === 'string' ? done : `${done.reason}: ${done.message}`
    })
    if (error !== undefined) result = error instanceof Error ? error.message : String(error)
  }
  if (!signal.aborted) await send({ type: 'answered', n: command.n, result })
}
