import { readFileSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { PictorError } from '../contract/error.ts'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta(version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS grp(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT, until_ms INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0, open INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS stream(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, grp INTEGER NOT NULL, seq INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS fact(id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS fact_stream ON fact(stream, seq);
CREATE INDEX IF NOT EXISTS fact_grp ON fact(grp);
CREATE TABLE IF NOT EXISTS snapshot(stream INTEGER PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS inbox(id INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen(grp INTEGER NOT NULL, key TEXT NOT NULL, nth INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(grp, key)) WITHOUT ROWID;
`

/** Version of the tables; another one is refused. */
const VERSION = 2

/** Making a file waits this long for another process that makes it, in milliseconds. */
const MAKE_MS = 5_000

/** Later calls of SQLite wait this long for a lock, with the event loop standing still: a little for another process's commit. */
const LOCK_MS = 20

/** Primary code of SQLite: another process holds the lock (the low byte of extended codes). */
const SQLITE_BUSY = 5

/** @throws store-failed when the file cannot be opened, is of another version, or is locked while it has to be made */
export function openDatabase(path: string, synchronous: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path)
    // Facts of a lease's end are larger than a quarter of a small page: larger pages are fuller. A file keeps the size that it was made with.
    db.exec(`PRAGMA busy_timeout=${MAKE_MS}; PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=${synchronous}`)
    const version = versionOf(db) ?? makeTables(db)
    if (version === VERSION) numberKeys(db)
    else throw new Error(`it was written by version ${version} of the store, this one reads ${VERSION}`)
    db.exec(`PRAGMA busy_timeout=${LOCK_MS}`)
    return db
  } catch (cause) {
    throw isBusy(cause) ? storeLocked(path, MAKE_MS) : storeFailed(path, cause)
  }
}

/** Read only: a file that is complete opens while another process writes. */
function versionOf(db: DatabaseSync): number | undefined {
  if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name='seen'").get()) return undefined
  return (db.prepare('SELECT version FROM meta').get() as { version: number } | undefined)?.version
}

function makeTables(db: DatabaseSync): number {
  db.exec(`BEGIN IMMEDIATE; ${SCHEMA}; INSERT INTO meta(version) SELECT ${VERSION} WHERE NOT EXISTS(SELECT 1 FROM meta); COMMIT`)
  return versionOf(db)!
}

/** Files of earlier releases keep dedupe keys without their order: theirs are the oldest. Whoever reads such a file without the number is not disturbed by it. */
function numberKeys(db: DatabaseSync): void {
  const known = db.prepare("SELECT 1 FROM pragma_table_info('seen') WHERE name='nth'").get()
  if (!known) db.exec('ALTER TABLE seen ADD COLUMN nth INTEGER NOT NULL DEFAULT 0')
}

export function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY
}

export function storeFailed(path: string, cause: unknown): PictorError {
  return new PictorError('store-failed', `${path}: ${(cause as Error).message}`, { details: { store: path }, cause })
}

/** The refusal of a write after a long wait for another process's lock; says who holds it where the system tells. */
export function storeLocked(path: string, waitedMs: number): PictorError {
  const holder = lockHolder(path)
  const who = holder === undefined ? 'another process' : `process ${holder.pid}`
  const hint =
    holder === undefined
      ? 'find the process that has the file open, and let it go on or end it'
      : holder.stopped
        ? `it stands still: let it go on (kill -CONT ${holder.pid}) or end it (kill -9 ${holder.pid}); neither loses anything`
        : `it is inside one transaction all this time: see what it does, or end it (kill -9 ${holder.pid}), which loses nothing`
  return new PictorError('store-failed', `${path}: ${who} has held the lock for more than ${waitedMs} ms; ${hint}`, {
    details: { store: path, waitedMs, hint, ...(holder === undefined ? {} : { holder }) },
  })
}

/** Byte of the -shm file that a writer locks (WAL_WRITE_LOCK, https://sqlite.org/walformat.html#locks). */
const WRITE_LOCK_BYTE = 120

/** The process that holds the file's write lock, from /proc/locks (proc(5)); undefined where the system does not tell. */
function lockHolder(path: string): { readonly pid: number; readonly stopped: boolean } | undefined {
  try {
    const { ino } = statSync(`${path}-shm`)
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, , , kind, pid, file, first, last] = line.trim().split(/\s+/)
      if (kind !== 'WRITE' || file?.split(':')[2] !== String(ino)) continue
      if (Number(first) > WRITE_LOCK_BYTE || Number(last) < WRITE_LOCK_BYTE) continue
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0]
      return { pid: Number(pid), stopped: state === 'T' || state === 't' }
    }
  } catch {
    // No /proc, or the process is gone.
  }
  return undefined
}
