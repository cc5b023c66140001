import { PictorError } from '../contract/error.ts'
import type { Bytes32, Signature } from '../contract/messages.ts'
import { jobMachine } from '../job/job.ts'
import type { JobFact } from '../job/job-facts.ts'
import type { FarmRow, JobStreamState } from '../job/job-state.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { type BatchBlob, commitOf, heldOf, leaseOf, loadTask, readBlob, type VotesBlob, votesOf } from './evidence.ts'
import type { Shared } from './job-host.ts'
import { leaseOfRow, mayLease } from '../job/job-rows.ts'
import { frameOf, missingFrames, partOf, partsOf } from '../job/units.ts'
import { unpackPath } from './deliver-effects.ts'
import { setInReceipt } from './set-message.ts'
import { signaturesOf } from './settle-effects.ts'
import { framesPerHour, lastFrame, shareDone, timeLeft, underWork, type RunningTasks } from './progress.ts'
import type { Projection } from './project.ts'
import { estimatedTimeLeft } from './time-left.ts'
import { workWatch, type WorkWatch } from './work-watch.ts'
import { streamReader } from './fold.ts'
import type {
  DeliveredFrame,
  JobMoneyState,
  JobResult,
  JobState,
  JobSummary,
  LeaseEvidence,
  ReceiptMaterial,
} from './job-view.ts'

/** Folds a job's journal without owning it. @throws not-found */
export function loadJob(shared: Shared, run: Bytes32): Promise<JobStreamState> {
  return jobReader(shared, run)()
}

/** Reads the state of a job that another process may own; each call folds only what is new. @throws not-found */
export function jobReader(shared: Shared, run: Bytes32): () => Promise<JobStreamState> {
  const reader = streamReader<JobStreamState, JobFact>(jobMachine, shared.options.store, `job:${run}`)
  return async () => {
    const { state, seq } = await reader.catchUp()
    if (seq === 0)
      throw new PictorError('not-found', `there is no run ${run} in this store`, {
        details: { run, hint: 'a run is kept in the data folder in which it was submitted' },
      })
    return state
  }
}

export function moneyOf(state: JobStreamState): JobMoneyState {
  const { money } = state
  return {
    currency: state.order?.spec.budget.currency ?? '',
    locked: money.locked,
    pending: state.phase === 'ended' ? money.pending : money.live + money.liveCheck + money.pending,
    spent: money.paid + money.pending,
    paid: money.paid,
    refunded: money.refunded,
  }
}

export function jobState(
  run: Bytes32,
  state: JobStreamState,
  tasks: Iterable<TaskStreamState>,
  nowMs: number,
  running: RunningTasks = new Map(),
  watch?: WorkWatch,
): JobState {
  const order = state.order
  const tickets = [...tasks].flatMap((task) =>
    [...task.tickets.values()]
      .filter((ticket) => !ticket.closed && task.phase === 'rendering')
      .map((ticket) => ({ farm: task.order?.farm ?? '', ticket })),
  )
  const left =
    (watch && estimatedTimeLeft(state, watch, running)) ??
    timeLeft(state.accepted, state.frameState.length - state.accepted - state.missing, state, nowMs)
  const last = lastFrame(state, state.lastDelivered)
  const rate = framesPerHour(state.accepted, state, nowMs)
  const work = underWork(state, running)
  return {
    run,
    name: order?.spec.name ?? '',
    phase: state.phase === 'new' ? 'opening' : state.phase,
    wanted: state.wanted,
    ...(state.blocked === undefined ? {} : { blocked: state.blocked }),
    ...(state.outcome === undefined ? {} : { outcome: state.outcome }),
    percent: 100 * shareDone(state, running),
    ...(rate === undefined ? {} : { framesPerHour: rate }),
    ...(partsOf(state) === 1 ? {} : { partsPerFrame: partsOf(state) }),
    framesTotal: state.frameState.length,
    framesRendered: Math.min(state.frameState.length, state.rendered),
    framesAccepted: state.accepted,
    framesDelivered: state.delivered,
    framesMissing: state.missing,
    money: moneyOf(state),
    farms: Object.fromEntries(
      [...state.farms.values()].map((farm) => [farm.id, farmState(farm, state, nowMs, work.get(farm.id))]),
    ),
    tickets,
    startedAtMs: state.startedAtMs,
    deadlineAtMs: state.deadlineAtMs,
    ...(left ? { leftMs: left } : {}),
    ...(last ? { lastFrame: last } : {}),
  }
}

function farmState(
  farm: FarmRow,
  state: JobStreamState,
  nowMs: number,
  working: JobState['farms'][string]['working'],
): JobState['farms'][string] {
  const rate = framesPerHour(farm.accepted, state, nowMs)
  const left = timeLeft(farm.accepted, farm.leased - farm.accepted - farm.refused, state, nowMs)
  const last = lastFrame(state, farm.lastDelivered)
  return {
    ...(rate === undefined ? {} : { framesPerHour: rate }),
    ...(working ? { working } : {}),
    leased: farm.leased,
    accepted: farm.accepted,
    refused: farm.refused,
    spent: farm.spent,
    ...(left ? { leftMs: left } : {}),
    ...(last ? { lastFrame: last } : {}),
    ...(mayLease(farm) ? {} : { quarantined: farm.excluded ?? farm.standingReason ?? farm.standing }),
  }
}

export function jobSummary(run: Bytes32, state: JobStreamState): JobSummary {
  return {
    run,
    name: state.order?.spec.name ?? '',
    phase: state.phase === 'new' ? 'opening' : state.phase,
    ...(state.outcome === undefined ? {} : { outcome: state.outcome }),
    framesTotal: state.frameState.length,
    framesDelivered: state.delivered,
    createdAtMs: state.startedAtMs,
  }
}

/** The result of an ended job. Reads the hashes of delivered frames task by task. */
export async function jobResult(shared: Shared, run: Bytes32, state: JobStreamState): Promise<JobResult> {
  const frames: DeliveredFrame[] = []
  for (const [task, paths] of state.paths) {
    const row = state.rows.get(task)!
    const kept = await loadTask(shared, run, task)
    const hashes = new Map(kept.commits.flatMap((one) => one.frames.map((frame, i) => [frame, one.hashes[i]!] as const)))
    let nth = 0
    row.frames.forEach((i, at) => {
      if (state.winner[i] !== task) return
      const frame = frameOf(state, i)
      const part = partOf(state, i)
      const path = typeof paths === 'string' ? unpackPath(paths, frame) : paths[nth]!
      nth++
      frames.push({ frame, ...(part === 0 ? {} : { part }), path, hash: hashes.get(at)!, farm: row.farm, task })
    })
  }
  frames.sort((a, b) => a.frame - b.frame || (a.part ?? 0) - (b.part ?? 0))
  return {
    run,
    job: state.job,
    outcome: state.outcome ?? 'failed',
    ...(state.message === undefined ? {} : { message: state.message }),
    frames,
    missing: missingFrames(state),
    money: moneyOf(state),
    material: () => receiptMaterial(shared, run, state),
  }
}

/** Where a run stands by its journal alone, without owning it; passing progress of the process that drives it is not in it. @throws not-found */
export async function readState(shared: Shared, run: Bytes32, nowMs: number): Promise<JobState> {
  const read = jobReader(shared, run)
  let state = await read()
  const work = workWatch(() => state)
  // Only a running job says what it has left.
  if (state.phase === 'running')
    await work.catchUp(shared.options.store, run, new AbortController().signal, async () => void (state = await read()))
  const live = [...state.rows.values()].filter((row) => row.phase === 'live')
  const tasks = await Promise.all(live.map((row) => loadTask(shared, run, row.id)))
  return jobState(run, state, tasks, nowMs, undefined, work)
}

/** Collects every signed message of a run from journal and artifacts. */
export async function receiptMaterial(shared: Shared, run: Bytes32, state: JobStreamState): Promise<ReceiptMaterial> {
  const order = state.order!
  const { domain } = shared.options.ledger
  const job = state.job ?? shared.proofs.jobId(domain, order.terms)
  const leases: LeaseEvidence[] = []
  for (const row of state.rows.values()) {
    if (row.phase === 'planned' || row.startedAtMs === 0) continue
    const kept = await loadTask(shared, run, row.id)
    const blobs = await votesOf(shared, kept)
    leases.push({
      lease: leaseOf(leaseOfRow(state, row)),
      farm: row.farm,
      offer: row.offer,
      seq: row.seq,
      ...(kept.leaseSignature ? { leaseSignature: kept.leaseSignature } : {}),
      commits: kept.commits.map((commit) => commitOf(kept, job, commit)),
      held: heldOf(kept, job),
      votes: blobs.flatMap((blob) => blob.votes),
      seeds: blobs.map((blob) => blob.seed),
      reports: blobs.flatMap((blob) => blob.reports),
    })
  }
  const batches = []
  const signedAgain = new Map<number, Signature>()
  for (const batch of state.batches) {
    if (batch.number === undefined || !batch.blob) continue
    const { batch: message, signedAgain: signed = [] } = await readBlob<BatchBlob>(shared, batch.blob)
    for (const { seq, signature } of signed) signedAgain.set(seq, signature)
    batches.push({ number: batch.number, batch: message, signatures: signaturesOf(batch.signatures) })
  }
  return {
    spec: order.spec,
    domain,
    job,
    terms: order.terms,
    quotes: order.quotes,
    work: order.work,
    sets: await Promise.all(
      state.sets
        .filter((set) => set.root !== undefined)
        .map(async (set) => ({
          set: await setInReceipt(shared, state, job, set, signedAgain.get(set.seq)),
          leases: Array.from({ length: set.last - set.first + 1 }, (_, i) =>
            leaseOf(leaseOfRow(state, state.rows.get(set.first + i)!)),
          ),
          ready: [...set.ready.values()],
        })),
    ),
    leases,
    batches,
    ...(state.final.keep === undefined || state.final.signatures.size === 0
      ? {}
      : { final: { keep: state.final.keep, signatures: signaturesOf(state.final.signatures) } }),
    ledgerEvents: state.ledgerEvents.toSorted(inLedgerOrder).map(ledgerEventOf),
    evidence: state.evidence ? await readBlob<unknown>(shared, state.evidence) : undefined,
  }
}

const AMOUNTS = new Set(['farmBudget', 'checkBudget', 'reserved', 'refunded', 'keep', 'amount', 'gas'])

/** A kept ledger event with its amounts as bigint again. */
/** By `id`, the position in the ledger's order: what its checkers settled without a runner may reach the job later than what came after it. */
function inLedgerOrder(a: { readonly id: string }, b: { readonly id: string }): number {
  const [p, q] = [a.id.split('.'), b.id.split('.')]
  for (let i = 0; i < 2; i++) {
    const difference = Number(p[i]) - Number(q[i])
    if (difference > 0 || difference < 0) return difference
  }
  return 0
}

function ledgerEventOf(event: JobStreamState['ledgerEvents'][number]): ReceiptMaterial['ledgerEvents'][number] {
  const revive = (key: string, value: unknown): unknown =>
    AMOUNTS.has(key) && (typeof value === 'string' || typeof value === 'number') ? BigInt(value) : value
  const fields = Object.fromEntries(Object.entries(event).map(([key, value]) => [key, revive(key, value)]))
  const paid = fields['paid'] as readonly { amount: string }[] | undefined
  return { ...fields, ...(paid ? { paid: paid.map((one) => ({ ...one, amount: BigInt(one.amount) })) } : {}) } as never
}

/** How events of a run are made from its facts. */
export function projectionOf(shared: Shared, run: Bytes32, job: () => JobStreamState): Projection {
  const votes = (state: TaskStreamState): Promise<VotesBlob[]> => votesOf(shared, state)
  return {
    run,
    job,
    task: (task) => loadTask(shared, run, task),
    votes,
    async result(task, kept) {
      const state = job()
      const row = state.rows.get(task)!
      const blobs = await votes(kept)
      const id = state.job ?? shared.proofs.jobId(shared.options.ledger.domain, state.order!.terms)
      return shared.proofs.mergeVotes({
        domain: shared.options.ledger.domain,
        terms: state.order!.terms,
        lease: leaseOf(leaseOfRow(state, row)),
        seq: row.seq,
        commits: kept.commits.map((commit) => commitOf(kept, id, commit)),
        votes: blobs.flatMap((blob) => blob.votes),
        seeds: blobs.map((blob) => blob.seed),
      })
    },
  }
}
