import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { PictorError } from '../contract/error.ts'
import type { Bytes32, Signature } from '../contract/messages.ts'

/** One line of the book: the facts of one action, bound to all lines before it. */
export interface JournalEntry {
  readonly seq: number
  readonly job: Bytes32
  /** Idempotency key of the action. */
  readonly key: string
  /** Hash of the action: the same key with another action is a conflict. */
  readonly content: Bytes32
  /** The facts, as journal JSON. */
  readonly body: string
  /** Over the previous hash and all fields above. */
  readonly hash: Bytes32
  readonly signature: Signature
}

/** A file (or memory) of entries. `append` is atomic and durable when it returns. */
export interface Journal {
  /** Entries after `seq`, in order. */
  after(seq: number): Iterable<JournalEntry>
  ofJob(job: Bytes32, after: number, limit: number): JournalEntry[]
  byKey(key: string): JournalEntry | undefined
  /** False when another process took this number or key first; nothing is kept then. */
  append(entry: JournalEntry): boolean
  close(): void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, job TEXT NOT NULL, key TEXT NOT NULL UNIQUE, content TEXT NOT NULL,
    body TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS entries_of_job ON entries (job, seq);
`

/** Constraint errors of SQLite (primary code 19, the low byte of the extended codes). */
const SQLITE_CONSTRAINT = 19

/** Opens or makes the file. WAL with synchronous=FULL: an entry survives a power cut once `append` returned. @throws store-failed */
export function openJournal(path: string): Journal {
  const db = attempt(path, () => {
    const db = new DatabaseSync(path)
    db.exec('PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    db.exec(SCHEMA)
    return db
  })
  const statement = (sql: string): StatementSync => db.prepare(sql)
  const after = statement('SELECT * FROM entries WHERE seq > ? ORDER BY seq')
  const ofJob = statement('SELECT * FROM entries WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?')
  const byKey = statement('SELECT * FROM entries WHERE key = ?')
  const insert = statement('INSERT INTO entries (seq, job, key, content, body, hash, signature) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const rows = (found: unknown): JournalEntry[] => found as JournalEntry[]
  return {
    after: (seq) => attempt(path, () => rows(after.all(seq))),
    ofJob: (job, seq, limit) => attempt(path, () => rows(ofJob.all(job, seq, limit))),
    byKey: (key) => attempt(path, () => byKey.get(key) as JournalEntry | undefined),
    append({ seq, job, key, content, body, hash, signature }) {
      return attempt(path, () => {
        try {
          insert.run(seq, job, key, content, body, hash, signature)
          return true
        } catch (error) {
          if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_CONSTRAINT) return false
          throw error
        }
      })
    },
    close: () => db.close(),
  }
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw new PictorError('store-failed', `the book ${path} cannot be used: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
}
