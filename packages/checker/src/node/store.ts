import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { decodeJournal, encodeJournal, PictorError, type Bytes32, type CheckerEvent } from '@pictor/core/contract'
import type { CheckerStore, JobState } from './state.ts'

/** Schema of the file; another number in it means another program wrote it. */
const VERSION = 1

const SCHEMA = `
create table if not exists meta (key text primary key, value blob not null) strict;
create table if not exists job (id text primary key, state text not null) strict;
create table if not exists event (job text not null, n integer not null, event text not null, primary key (job, n)) strict, without rowid;
create table if not exists done (key text primary key) strict, without rowid;
create table if not exists standing (farm text primary key, consecutive integer not null, evidence real not null) strict;
`

/**
 * Opens the checker's memory in a small SQLite file, or in memory with `:memory:`. The secret that all seeds derive from is made at first use and lies in
 * the file, unless the caller brings one: whoever reads the file can predict the draws.
 * @throws store-failed when the file cannot be opened or has another version
 */
export function openStore(path: string, secret?: Uint8Array): CheckerStore {
  const db = open(path)
  const statements = {
    job: db.prepare('select state from job where id = ?'),
    jobs: db.prepare('select id from job'),
    saveJob: db.prepare('insert into job values (?, ?) on conflict (id) do update set state = excluded.state'),
    last: db.prepare('select coalesce(max(n), -1) as n from event where job = ?'),
    append: db.prepare('insert into event values (?, ?, ?)'),
    events: db.prepare('select event from event where job = ? and n >= ? order by n limit ?'),
    done: db.prepare('select 1 from done where key = ?'),
    markDone: db.prepare('insert or ignore into done values (?)'),
    standing: db.prepare('select consecutive, evidence from standing where farm = ?'),
    setStanding: db.prepare(
      'insert into standing values (?, ?, ?) on conflict (farm) do update set consecutive = excluded.consecutive, evidence = excluded.evidence',
    ),
  }
  const own = secret ?? readSecret(db)
  return {
    secret: () => own,
    job(id) {
      const row = statements.job.get(id) as { state: string } | undefined
      return row ? decodeJournal<JobState>(row.state) : undefined
    },
    jobs: () => (statements.jobs.all() as { id: Bytes32 }[]).map(({ id }) => id),
    commit(state, key, events) {
      db.exec('begin immediate')
      try {
        statements.saveJob.run(state.job, encodeJournal(state))
        let n = (statements.last.get(state.job) as { n: number }).n
        for (const event of events) statements.append.run(state.job, ++n, encodeJournal(event))
        if (key !== undefined) statements.markDone.run(key)
        db.exec('commit')
      } catch (cause) {
        db.exec('rollback')
        throw new PictorError('store-failed', `the checker's store cannot be written: ${(cause as Error).message}`, { cause })
      }
    },
    done: (key) => statements.done.get(key) !== undefined,
    events: (id, from, limit) =>
      statements.events.all(id, from, limit).map((row) => decodeJournal<CheckerEvent>((row as { event: string }).event)),
    standing(farm) {
      const row = statements.standing.get(farm) as { consecutive: number; evidence: number } | undefined
      return row ? { consecutive: row.consecutive, evidence: row.evidence } : { consecutive: 0, evidence: 0 }
    },
    setStanding: (farm, { consecutive, evidence }) => void statements.setStanding.run(farm, consecutive, evidence),
    close: () => db.close(),
  }
}

function open(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path)
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number }
    if (version !== 0 && version !== VERSION) throw new Error(`it has version ${version}, this program writes version ${VERSION}`)
    db.exec(`${SCHEMA} pragma user_version = ${VERSION}`)
    return db
  } catch (cause) {
    throw new PictorError('store-failed', `the checker's store ${path} cannot be opened: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
}

function readSecret(db: DatabaseSync): Uint8Array {
  const find = db.prepare("select value from meta where key = 'secret'")
  const known = find.get() as { value: Uint8Array } | undefined
  if (known) return known.value
  db.prepare("insert or ignore into meta values ('secret', ?)").run(randomBytes(32))
  return (find.get() as { value: Uint8Array }).value
}
