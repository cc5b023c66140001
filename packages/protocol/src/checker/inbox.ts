import { DatabaseSync } from 'node:sqlite'
import { PictorError, type Bytes32, type CheckerEvent } from '@pictor/core/contract'
import type { WireAction, WireJob } from './wire.ts'

/** An action that was taken and has had no effect yet. */
export interface InboxEntry {
  readonly key: string
  readonly action: WireAction
}

/** Actions that a checker took, on disk until their effect is seen: what a killed checker has to do again by itself. */
export interface CheckerInbox {
  /** Durable when it returns. Repeating a key changes nothing. */
  add(key: string, action: WireAction): void
  /** In the order in which they were taken. */
  open(): readonly InboxEntry[]
  /** Drops what these events answer; after a Final everything of the job. */
  settle(job: Bytes32, events: readonly CheckerEvent[]): void
  /** Which tenant a job belongs to: the first who asked. */
  owner(job: Bytes32): string | undefined
  claim(job: Bytes32, tenant: string): void
  /** What the newest action said about a job. */
  context(job: Bytes32): WireJob | undefined
  close(): void
}

const SCHEMA = `
create table if not exists job (id text primary key, tenant text not null, context text) strict;
create table if not exists action (n integer primary key, key text not null unique, job text not null, wants text not null, action text not null) strict;
create index if not exists action_of on action (job, wants);
`

/**
 * Opens the inbox in a small SQLite file, or in memory with `:memory:`. What all actions of a job say alike is kept once a job.
 * @throws store-failed when the file cannot be opened
 */
export function checkerInbox(path: string): CheckerInbox {
  const db = open(path)
  const save = db.prepare('update job set context = ? where id = ?')
  const insert = db.prepare('insert or ignore into action (key, job, wants, action) values (?, ?, ?, ?)')
  const all = db.prepare('select key, action, context from action join job on job.id = action.job order by n')
  const drop = db.prepare('delete from action where job = ? and wants = ?')
  const dropAll = db.prepare('delete from action where job = ?')
  const find = db.prepare('select tenant from job where id = ?')
  const findContext = db.prepare('select context from job where id = ?')
  const claim = db.prepare('insert or ignore into job (id, tenant) values (?, ?)')
  return {
    add(key, action) {
      const { job, ...rest } = action
      db.exec('begin immediate')
      try {
        // The newest context counts: a runner that restarted serves its files under a new token.
        save.run(JSON.stringify(job, plain), job.job)
        insert.run(key, job.job, wantOf(action), JSON.stringify(rest, plain))
        db.exec('commit')
      } catch (cause) {
        db.exec('rollback')
        throw new PictorError('store-failed', `the inbox cannot be written: ${(cause as Error).message}`, { cause })
      }
    },
    open: () =>
      (all.all() as unknown as { key: string; action: string; context: string }[]).map(({ key, action, context }) => ({
        key,
        action: { ...(JSON.parse(action) as object), job: JSON.parse(context) as WireJob } as WireAction,
      })),
    settle(job, events) {
      for (const event of events) {
        if (event.type === 'final-signature') dropAll.run(job)
        else if (event.type !== 'alarm') drop.run(job, answerOf(event))
      }
    },
    owner: (job) => (find.get(job) as { tenant: string } | undefined)?.tenant,
    context(job) {
      const { context } = (findContext.get(job) as { context: string | null } | undefined) ?? {}
      return context ? (JSON.parse(context) as WireJob) : undefined
    },
    claim: (job, tenant) => void claim.run(job, tenant),
    close: () => db.close(),
  }
}

/** On disk as on the wire: bigints as decimal strings, so that the schema of the wire reads it back. */
const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

/** What an action is for, in a word that its answering event gives too. */
function wantOf(action: WireAction): string {
  switch (action.kind) {
    case 'ready':
      return `ready ${action.set.seq}`
    case 'hold':
      return `held ${action.commit.outputRoot}`
    case 'check':
      return `checked ${action.lease.id}`
    case 'reveal':
      return `votes ${action.lease}`
    case 'sign-batch':
      return `batch ${action.batch.batchHash}`
    case 'sign-final':
      return 'final'
  }
}

function answerOf(event: CheckerEvent): string {
  switch (event.type) {
    case 'ready':
      return `ready ${event.ready.seq}`
    case 'held':
      return `held ${event.held.outputRoot}`
    case 'checked':
      return `checked ${event.lease}`
    case 'votes':
      return `votes ${event.lease}`
    case 'batch-signature':
      return `batch ${event.batchHash}`
    default:
      return event.type
  }
}

function open(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path)
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    db.exec(SCHEMA)
    return db
  } catch (cause) {
    throw new PictorError('store-failed', `the inbox ${path} cannot be opened: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
}
