import type { JobEvent } from '../contract/event.ts'
import { formatFrames } from '../contract/frames.ts'
import type { Bytes32, LeaseResult } from '../contract/messages.ts'
import { unpackHashes } from '../job/hashes.ts'
import type { JobFact } from '../job/job-facts.ts'
import type { JobStreamState } from '../job/job-state.ts'
import type { TaskFact } from '../job/task-facts.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { frameOf, missingFrames, partOf } from '../job/units.ts'
import type { StoredFact } from '../store/types.ts'
import type { VotesBlob } from './evidence.ts'
import { unpackPath } from './deliver-effects.ts'
import { readFact } from './fact-text.ts'

/** Most events that one fact can become; a cursor is `position x this + number`. */
export const EVENTS_A_FACT = 4_096

/** What a projection needs beside the fact. */
export interface Projection {
  readonly run: Bytes32
  /** The job's state now; only what never changes (frames, leases of rows, currency) is read. */
  readonly job: () => JobStreamState
  readonly task: (task: number) => Promise<TaskStreamState>
  readonly votes: (state: TaskStreamState) => Promise<readonly VotesBlob[]>
  readonly result: (task: number, state: TaskStreamState) => Promise<LeaseResult>
}

type Draft = JobEvent extends infer E ? (E extends JobEvent ? Omit<E, 'cursor' | 'atMs'> : never) : never

/** Public events of one journaled fact, in order. Most facts are private and give none. */
export async function projectFact(stored: StoredFact, projection: Projection): Promise<JobEvent[]> {
  const [kind, , part] = stored.stream.split(':')
  const fact = readFact<JobFact | TaskFact>(stored.body, stored.stream)
  const drafts =
    kind === 'task' ? await taskEvents(Number(part), fact as TaskFact, projection) : jobEvents(fact as JobFact, projection)
  return drafts.map((draft, i) => ({ ...draft, cursor: stored.id * EVENTS_A_FACT + i, atMs: fact.at }) as JobEvent)
}

async function taskEvents(task: number, fact: TaskFact, projection: Projection): Promise<Draft[]> {
  const row = projection.job().rows.get(task)
  const farm = row?.farm ?? ''
  const job = projection.job()
  const numberOf = (i: number): number => frameOf(job, row?.frames[i] ?? 0)
  const tile = row ? partOf(job, row.frames[0]!) : 0
  const part = tile === 0 ? {} : { part: tile }
  switch (fact.t) {
    case 'opened': {
      const { lease, reason } = fact.order
      const frames = formatFrames(lease.frames)
      return [{ type: 'task-start', task, farm, frames, ...part, price: BigInt(lease.price), reason }]
    }
    case 'fetched': {
      const fetched = fact.hashes === undefined ? (await projection.task(task)).fetched : undefined
      const hashes = fetched ? fact.frames.map((frame) => fetched[frame]) : unpackHashes(fact.hashes!)
      return fact.frames.map((frame, i): Draft => {
        const completedAtMs = fact.at - (fact.ago[i] ?? 0)
        const draft = {
          type: 'frame-rendered' as const,
          task,
          farm,
          frame: numberOf(frame),
          ...part,
          hash: hashes[i]!,
          completedAtMs,
          ...previewOf(fact, hashes[i]!),
        }
        const ms = fact.ms[i]
        return ms === undefined || ms === 0 ? draft : { ...draft, renderMs: ms }
      })
    }
    case 'rendered':
      return [{ type: 'task-end', task, farm, outcome: 'committed' }]
    case 'voided': {
      const outcome =
        fact.reason === 'canceled' || fact.reason === 'contested'
          ? 'canceled'
          : fact.reason === 'failed' || fact.reason === 'refused'
            ? 'failed'
            : 'lapsed'
      const message = fact.failure?.message ?? fact.reason
      return [{ type: 'task-end', task, farm, outcome, message }]
    }
    case 'judged': {
      const state = await projection.task(task)
      const reports = (await projection.votes(state)).flatMap((blob) => blob.reports)
      const { records } = await projection.result(task, state)
      return records.map((record) => ({
        type: 'frame-verdict',
        task,
        farm,
        frame: record.frame,
        ...part,
        hash: record.outputHash,
        verdict: record.verdict,
        reports: reports.filter((report) => report.frame === record.frame && report.part === record.part),
      }))
    }
    case 'ticket':
      return fact.ticket.closed ? [] : [{ type: 'ticket-open', farm, ticket: fact.ticket.id, title: fact.ticket.title }]
    default:
      return []
  }
}

function previewOf({ sealed }: Extract<TaskFact, { t: 'fetched' }>, hash: Bytes32): { readonly preview?: Bytes32 } {
  const preview = sealed?.find(({ outputHash }) => outputHash === hash)?.preview
  return preview ? { preview } : {}
}

function jobEvents(fact: JobFact, projection: Projection): Draft[] {
  const state = projection.job()
  switch (fact.t) {
    case 'ordered':
      return [{ type: 'job-start', run: projection.run, frames: state.frames.length }]
    case 'set-ready':
      return [{ type: 'job-ready', seq: fact.seq }]
    case 'farm-excluded':
      return [{ type: 'farm-quarantined', farm: fact.farm, reason: fact.reason }]
    case 'delivered': {
      const row = state.rows.get(fact.task)
      const units = (row?.frames ?? []).filter((i) => state.winner[i] === fact.task)
      const frames = units.map((i) => frameOf(state, i))
      const part = partOf(state, units[0] ?? 0)
      return frames.map((frame, i) => ({
        type: 'frame-delivered',
        frame,
        ...(part === 0 ? {} : { part }),
        farm: row?.farm ?? '',
        path: typeof fact.paths === 'string' ? unpackPath(fact.paths, frame) : (fact.paths[i] ?? ''),
      }))
    }
    case 'ledger':
      return ledgerEvents(fact.event, state)
    case 'wanted':
      return fact.wanted === 'hold' ? [{ type: 'job-hold' }] : fact.wanted === 'run' ? [{ type: 'job-resume' }] : []
    case 'blocked':
      return fact.reason === null ? [] : [{ type: 'job-blocked', reason: fact.reason }]
    case 'ended': {
      const missing = missingFrames(state)
      return [
        {
          type: 'job-end',
          outcome: fact.outcome,
          framesDelivered: state.frames.length - missing.length,
          framesMissing: missing,
          ...(fact.message === undefined ? {} : { message: fact.message }),
        },
      ]
    }
    default:
      return []
  }
}

function ledgerEvents(event: Extract<JobFact, { t: 'ledger' }>['event'], state: JobStreamState): Draft[] {
  const amount = (value: unknown): bigint => BigInt(value as string)
  switch (event.type) {
    case 'opened':
      return [
        {
          type: 'money-locked',
          amount: amount(event['farmBudget']) + amount(event['checkBudget']),
          currency: state.order?.spec.budget.currency ?? '',
          job: event['job'] as Bytes32,
        },
      ]
    case 'attested':
      return [
        {
          type: 'batch-attested',
          batch: event['batch'] as number,
          leases: event['leases'] as number[],
          ...(event['gas'] === undefined ? {} : { gas: amount(event['gas']) }),
        },
      ]
    case 'released': {
      const paid = event['paid'] as readonly { account: string; role: string; amount: unknown }[]
      return [
        {
          type: 'payment-end',
          batch: event['batch'] as number,
          paid: paid.map((one) => ({ ...one, amount: amount(one.amount) })),
          refunded: amount(event['refunded']),
        },
      ]
    }
    case 'finalized':
    case 'refunded':
      return [{ type: 'refund-end', amount: amount(event.type === 'finalized' ? event['refunded'] : event['amount']) }]
    default:
      return []
  }
}
