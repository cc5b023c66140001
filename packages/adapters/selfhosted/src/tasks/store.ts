import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PictorError, decodeJournal, encodeJournal } from '@pictor/core/contract'
import type { Commit, Failure, FarmEvent, Output, Signature, Task, TaskRef, TaskState } from '@pictor/core/contract'
import type { ProcessIdentity } from '../blender/process.ts'
import { News } from './news.ts'
import type { SignedEnd } from './signing.ts'

/** What is known of one task. */
export interface TaskRow {
  readonly ref: TaskRef
  readonly task: Task
  readonly state: TaskState
  readonly priority: number
  /** How often work on it began. */
  readonly attempt: number
  readonly createdAtMs: number
  readonly failure?: Failure
}

/** States after which nothing more happens to a task. */
export const ENDED: ReadonlySet<TaskState> = new Set<TaskState>(['succeeded', 'failed', 'canceled', 'incompatible', 'lost'])

const SCHEMA = `
CREATE TABLE IF NOT EXISTS task (ref TEXT PRIMARY KEY, key TEXT UNIQUE NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL,
  priority INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, signature TEXT, failure TEXT);
CREATE INDEX IF NOT EXISTS task_state ON task (state);
CREATE TABLE IF NOT EXISTS output (ref TEXT NOT NULL, frame INTEGER NOT NULL, part INTEGER NOT NULL, layer TEXT NOT NULL, body TEXT NOT NULL,
  committed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (ref, frame, part, layer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frame_failure (ref TEXT NOT NULL, frame INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (ref, frame)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_ref ON event (ref);
CREATE TABLE IF NOT EXISTS worker (pid INTEGER PRIMARY KEY, start TEXT NOT NULL, boot TEXT NOT NULL);
`

/** The farm's own books in `workDir/farm.db`: tasks, outputs, an event log and the processes it started. One process at a time owns them. */
export class TaskStore {
  private readonly db: DatabaseSync
  private readonly farm: string
  private newest = 0
  /** Told after every durable event. */
  readonly news: News = new News()
  private readonly statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()

  /** @throws conflict when another process works in this folder, store-failed when it cannot be written */
  constructor(farm: string, workDir: string) {
    this.farm = farm
    let db: DatabaseSync | undefined
    try {
      mkdirSync(workDir, { recursive: true })
      this.db = db = new DatabaseSync(join(workDir, 'farm.db'))
      // The lock is held until the process ends, however it ends: two farms in one folder would render everything twice.
      this.db.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT',
      )
      this.db.exec(SCHEMA)
      this.newest = this.readNewest()
    } catch (cause) {
      db?.close()
      const busy = /locked|busy/i.test((cause as Error).message)
      throw new PictorError(
        busy ? 'conflict' : 'store-failed',
        busy
          ? `another process already runs a farm in ${workDir}`
          : `the farm's folder ${workDir} cannot be used: ${(cause as Error).message}`,
        { details: { path: 'workDir', hint: 'give every farm a folder of its own' }, cause },
      )
    }
  }

  close(): void {
    this.news.tell()
    this.db.close()
  }

  /** Runs `change` as one durable step. */
  atomically<T>(change: () => T): T {
    const before = this.newest
    this.db.exec('BEGIN IMMEDIATE')
    try {
      const result = change()
      this.db.exec('COMMIT')
      if (this.newest !== before) this.news.tell()
      return result
    } catch (error) {
      this.db.exec('ROLLBACK')
      this.newest = this.readNewest() // the numbers taken back are given out again
      throw error
    }
  }

  private sql(text: string) {
    let statement = this.statements.get(text)
    if (!statement) this.statements.set(text, (statement = this.db.prepare(text)))
    return statement
  }

  find(key: string): { readonly ref: TaskRef; readonly digest: string } | undefined {
    const row = this.sql('SELECT ref, digest, signature FROM task WHERE key = ?').get(key)
    return row && { ref: this.refOf(row), digest: String(row['digest']) }
  }

  create(key: string, digest: string, ref: TaskRef, task: Task, atMs: number): void {
    this.sql(
      'INSERT INTO task (ref, key, digest, body, state, priority, created, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ).run(ref.ref, key, digest, encodeJournal(task), 'queued', task.priority ?? 0, atMs, ref.leaseSignature ?? null)
    this.emit(ref, { type: 'state', task: ref, state: 'queued', raw: 'queued', atMs })
  }

  task(ref: string): TaskRow | undefined {
    const row = this.sql('SELECT * FROM task WHERE ref = ?').get(ref)
    return row && this.rowOf(row)
  }

  tasks(): TaskRow[] {
    return this.sql('SELECT * FROM task ORDER BY created, rowid')
      .all()
      .map((row) => this.rowOf(row))
  }

  /** Tasks that are not at an end, oldest first. */
  open(): TaskRow[] {
    return this.tasks().filter((row) => !ENDED.has(row.state))
  }

  setState(ref: TaskRef, state: TaskState, raw: string, atMs: number, failure?: Failure): void {
    this.sql('UPDATE task SET state = ?, failure = ? WHERE ref = ?').run(state, failure ? encodeJournal(failure) : null, ref.ref)
    this.emit(ref, { type: 'state', task: ref, state, raw, atMs, ...(failure ? { failure } : {}) })
  }

  setPriority(ref: string, priority: number): void {
    this.sql('UPDATE task SET priority = ? WHERE ref = ?').run(priority, ref)
  }

  nextAttempt(ref: string): number {
    return Number(this.sql('UPDATE task SET attempt = attempt + 1 WHERE ref = ? RETURNING attempt').get(ref)!['attempt'])
  }

  addOutput(output: Output, atMs: number): void {
    this.sql('INSERT OR REPLACE INTO output (ref, frame, part, layer, body) VALUES (?, ?, ?, ?, ?)').run(
      output.task.ref,
      output.frame,
      output.part,
      output.layer,
      encodeJournal(output),
    )
    this.emit(output.task, { type: 'output', output, atMs })
  }

  /** Files of a task: all of them (a frame's layers before its picture), or pictures only, or those that no commitment holds yet. */
  outputs(ref: string, only: 'all' | 'pictures' | 'uncommitted' = 'all'): Output[] {
    const filter = { all: '', pictures: " AND layer = ''", uncommitted: " AND layer = '' AND committed = 0" }[only]
    return this.sql(`SELECT body FROM output WHERE ref = ?${filter} ORDER BY frame, part, layer DESC`)
      .all(ref)
      .map((row) => decodeJournal<Output>(String(row['body'])))
  }

  addFrameFailure(ref: TaskRef, frame: number, failure: Failure, atMs: number): void {
    this.sql('INSERT OR REPLACE INTO frame_failure (ref, frame, body) VALUES (?, ?, ?)').run(
      ref.ref,
      frame,
      encodeJournal(failure),
    )
    this.emit(ref, { type: 'frame-failed', task: ref, frame, failure, atMs })
  }

  frameFailures(ref: string): { readonly frame: number; readonly failure: Failure }[] {
    return this.sql('SELECT frame, body FROM frame_failure WHERE ref = ? ORDER BY frame')
      .all(ref)
      .map((row) => ({ frame: Number(row['frame']), failure: decodeJournal<Failure>(String(row['body'])) }))
  }

  /** How many commitments the task has; the next one's index. */
  commitCount(ref: string): number {
    return this.eventsOf(ref, 'commit').length
  }

  addCommit(ref: TaskRef, commit: Commit, atMs: number): void {
    const mark = this.sql('UPDATE output SET committed = 1 WHERE ref = ? AND frame = ? AND part = ?')
    for (const { frame, part } of commit.outputs) mark.run(ref.ref, frame, part)
    this.emit(ref, { type: 'commit', task: ref, commit, atMs })
  }

  addCanceled(ref: TaskRef, framesDone: readonly number[], signed: SignedEnd | undefined, atMs: number): void {
    this.emit(ref, { type: 'canceled', task: ref, framesDone, ...signed, atMs })
  }

  /** Events of one type of a task. */
  eventsOf(ref: string, type: FarmEvent['type']): FarmEvent[] {
    return this.sql('SELECT body FROM event WHERE ref = ? ORDER BY seq')
      .all(ref)
      .map((row) => decodeJournal<FarmEvent>(String(row['body'])))
      .filter((event) => event.type === type)
  }

  /** When something was last heard of a task, milliseconds since 1970; 0 when nothing was. */
  lastEventAtMs(ref: string): number {
    const row = this.sql('SELECT body FROM event WHERE ref = ? ORDER BY seq DESC LIMIT 1').get(ref)
    const event = row && decodeJournal<FarmEvent>(String(row['body']))
    return event && 'atMs' in event ? event.atMs : 0
  }

  /** Position of the newest event; kept in memory, since most polls ask for nothing else. */
  lastSeq(): number {
    return this.newest
  }

  eventsAfter(seq: number, limit: number): { readonly seq: number; readonly ref: string; readonly event: FarmEvent }[] {
    return this.sql('SELECT seq, ref, body FROM event WHERE seq > ? ORDER BY seq LIMIT ?')
      .all(seq, limit)
      .map((row) => ({ seq: Number(row['seq']), ref: String(row['ref']), event: decodeJournal<FarmEvent>(String(row['body'])) }))
  }

  erase(ref: string): void {
    for (const table of ['task', 'output', 'frame_failure', 'event']) this.sql(`DELETE FROM ${table} WHERE ref = ?`).run(ref)
  }

  addWorker({ pid, start, boot }: ProcessIdentity): void {
    this.sql('INSERT OR REPLACE INTO worker (pid, start, boot) VALUES (?, ?, ?)').run(pid, start, boot)
  }

  removeWorker(pid: number): void {
    this.sql('DELETE FROM worker WHERE pid = ?').run(pid)
  }

  workers(): ProcessIdentity[] {
    return this.sql('SELECT pid, start, boot FROM worker')
      .all()
      .map((row) => ({ pid: Number(row['pid']), start: String(row['start']), boot: String(row['boot']) }))
  }

  /** Of all events there ever were: cursors stay good when the newest ones are erased. */
  private readNewest(): number {
    return Number(this.sql("SELECT coalesce(max(seq), 0) AS seq FROM sqlite_sequence WHERE name = 'event'").get()!['seq'])
  }

  private emit(ref: TaskRef, event: FarmEvent): void {
    this.newest = Number(
      this.sql('INSERT INTO event (ref, body) VALUES (?, ?)').run(ref.ref, encodeJournal(event)).lastInsertRowid,
    )
  }

  private refOf(row: Record<string, unknown>): TaskRef {
    const signature = row['signature'] as Signature | null
    return { farm: this.farm, ref: String(row['ref']), ...(signature ? { leaseSignature: signature } : {}) }
  }

  private rowOf(row: Record<string, unknown>): TaskRow {
    const failure = row['failure']
    return {
      ref: this.refOf(row),
      task: decodeJournal<Task>(String(row['body'])),
      state: row['state'] as TaskState,
      priority: Number(row['priority']),
      attempt: Number(row['attempt']),
      createdAtMs: Number(row['created']),
      ...(failure ? { failure: decodeJournal<Failure>(String(failure)) } : {}),
    }
  }
}
