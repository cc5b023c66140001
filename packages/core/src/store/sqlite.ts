import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { PictorError } from '../contract/error.ts'
import { sequenceConflict, staleFence } from './memory.ts'
import { groupOf, type LoadedStream, type PostedInput, type Store, type StoredFact } from './types.ts'

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
CREATE TABLE IF NOT EXISTS seen(grp INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY(grp, key)) WITHOUT ROWID;
`

/** Version of the tables; another one is refused. */
const VERSION = 2
const PAGE = 2_000

interface Write {
  readonly act: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface SqliteStoreOptions {
  /** NORMAL may lose the last moments on a power cut, never the order; FULL when left out. */
  readonly synchronous?: 'FULL' | 'NORMAL'
  /** The most pages of 8 KiB that the file may have; appends beyond are refused as on a full disk. */
  readonly maxPages?: number
}

/**
 * The embedded store: one SQLite file (node:sqlite, no native dependency), WAL, synchronous=FULL. All writes of one turn of the event loop are one transaction and
 * one fsync. One machine and a local disk only. Instances in several processes may open the same file.
 * @throws store-failed when the file cannot be opened or was written by a newer version
 */
export function sqliteStore(path: string, options: SqliteStoreOptions = {}): Store {
  const db = openDatabase(path, options.synchronous ?? 'FULL')
  if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count=${Math.max(1, Math.floor(options.maxPages))}`)
  const prepared = new Map<string, StatementSync>()
  const sql = (text: string): StatementSync => {
    let statement = prepared.get(text)
    if (!statement) prepared.set(text, (statement = db.prepare(text)))
    return statement
  }
  const guard = <T>(act: () => T): T => {
    try {
      return act()
    } catch (cause) {
      throw cause instanceof PictorError ? cause : storeFailed(path, cause)
    }
  }

  let queue: Write[] = []
  let closed = false
  const write = (act: () => void): Promise<void> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(storeFailed(path, new Error('the store is closed')))
      queue.push({ act, resolve, reject })
      if (queue.length === 1) setImmediate(flush)
    })
  /** One transaction for everything that waits. An act that refuses (stale fence) has written nothing yet and fails alone; an error of the database fails all. */
  function flush(): void {
    const writes = queue
    queue = []
    if (writes.length === 0) return
    const refused = new Map<Write, unknown>()
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const one of writes) {
        try {
          one.act()
        } catch (error) {
          if (!(error instanceof PictorError)) throw error
          refused.set(one, error)
        }
      }
      db.exec('COMMIT')
    } catch (cause) {
      try {
        db.exec('ROLLBACK')
      } catch {
        // There was no transaction left to roll back.
      }
      // Ids that were made inside the transaction are gone: ask the file again.
      streamIds.clear()
      groupIds.clear()
      const error = storeFailed(path, cause)
      for (const one of writes) one.reject(error)
      return
    }
    for (const one of writes) {
      const error = refused.get(one)
      if (error === undefined) one.resolve()
      else one.reject(error)
    }
  }

  const groupIds = new Map<string, number>()
  const streamIds = new Map<string, number>()
  const groupId = (name: string, create: boolean): number | undefined => {
    const known = groupIds.get(name)
    if (known !== undefined) return known
    if (create) sql('INSERT OR IGNORE INTO grp(name) VALUES(?)').run(name)
    const row = sql('SELECT id FROM grp WHERE name=?').get(name) as { id: number } | undefined
    if (row) groupIds.set(name, row.id)
    return row?.id
  }
  const streamId = (name: string, create: boolean): number | undefined => {
    const known = streamIds.get(name)
    if (known !== undefined) return known
    if (create) sql('INSERT OR IGNORE INTO stream(name, grp) VALUES(?, ?)').run(name, groupId(groupOf(name), true)!)
    const row = sql('SELECT id FROM stream WHERE name=?').get(name) as { id: number } | undefined
    if (row) streamIds.set(name, row.id)
    // Closed tasks are not asked for again; the map must not grow with the job.
    if (streamIds.size > 10_000) streamIds.clear()
    return row?.id
  }

  return {
    async load(name, loadOptions = {}): Promise<LoadedStream> {
      return guard(() => {
        const id = streamId(name, false)
        if (id === undefined) return { seq: 0, facts: (async function* () {})() }
        const { seq } = sql('SELECT seq FROM stream WHERE id=?').get(id) as { seq: number }
        const snapshot =
          loadOptions.snapshot === false
            ? undefined
            : (sql('SELECT seq, body FROM snapshot WHERE stream=?').get(id) as { seq: number; body: string } | undefined)
        const select = sql('SELECT seq, id, body FROM fact WHERE stream=? AND seq>? AND seq<=? ORDER BY seq LIMIT ?')
        return {
          ...(snapshot ? { snapshot: { ...snapshot } } : {}),
          seq,
          facts: (async function* () {
            for (let from = snapshot?.seq ?? 0; from < seq;) {
              const page = guard(() => select.all(id, from, seq, PAGE)) as { seq: number; id: number; body: string }[]
              if (page.length === 0) throw storeFailed(path, new Error(`${name}: facts after ${from} are missing`))
              for (const row of page) yield { id: row.id, stream: name, seq: row.seq, body: row.body }
              from = page.at(-1)!.seq
            }
          })(),
        }
      })
    },
    async claim(name, owner, nowMs, claimMs, from) {
      let fence: number | undefined
      await write(() => {
        const id = groupId(name, true)!
        const row = sql(
          `UPDATE grp SET fence = fence + (owner IS NULL OR owner<>? OR until_ms<=?), owner=?, until_ms=?
           WHERE id=? AND (owner IS NULL OR owner=? OR owner=? OR until_ms<=?) RETURNING fence`,
        ).get(owner, nowMs, owner, nowMs + claimMs, id, owner, from ?? owner, nowMs) as { fence: number } | undefined
        fence = row?.fence
      })
      return fence
    },
    async holder(name) {
      const id = groupId(name, false)
      const row =
        id === undefined ? undefined : (sql('SELECT owner FROM grp WHERE id=?').get(id) as { owner: string | null } | undefined)
      return row?.owner ?? undefined
    },
    renew: (owner, nowMs, claimMs) =>
      write(() => void sql('UPDATE grp SET until_ms=? WHERE owner=? AND until_ms>?').run(nowMs + claimMs, owner, nowMs)),
    release: (name, fence) =>
      write(() => void sql('UPDATE grp SET owner=NULL WHERE id=? AND fence=?').run(groupId(name, true)!, fence)),
    append: (name, fence, expectedSeq, facts, appendOptions = {}) =>
      write(() => {
        const group = groupId(groupOf(name), true)!
        const held = sql('SELECT owner, fence FROM grp WHERE id=?').get(group) as { owner: string | null; fence: number }
        if (held.owner === null || held.fence !== fence) throw staleFence(name, fence, held.fence)
        const stream = streamId(name, true)!
        const { seq } = sql('SELECT seq FROM stream WHERE id=?').get(stream) as { seq: number }
        if (seq !== expectedSeq) throw sequenceConflict(name, expectedSeq, seq)
        // Facts lie in the file in the order of writing: full pages, and ids that grow for all groups.
        const insert = sql('INSERT INTO fact(grp, stream, seq, body) VALUES(?, ?, ?, ?)')
        facts.forEach((body, i) => insert.run(group, stream, seq + 1 + i, body))
        sql('UPDATE stream SET seq=? WHERE id=?').run(seq + facts.length, stream)
        if (appendOptions.snapshot !== undefined)
          sql('INSERT OR REPLACE INTO snapshot(stream, seq, body) VALUES(?, ?, ?)').run(
            stream,
            seq + facts.length,
            appendOptions.snapshot,
          )
        if (appendOptions.open !== undefined) sql('UPDATE grp SET open=? WHERE id=?').run(appendOptions.open ? 1 : 0, group)
        for (const id of appendOptions.answered ?? []) sql('DELETE FROM inbox WHERE id=?').run(id)
      }),
    due: async (nowMs, limit) =>
      guard(() =>
        sql(
          'SELECT name FROM grp WHERE open=1 AND (owner IS NULL OR until_ms<=?) AND EXISTS(SELECT 1 FROM stream WHERE grp=grp.id) LIMIT ?',
        )
          .all(nowMs, limit)
          .map((row) => (row as { name: string }).name),
      ),
    post: (name, body, dedupeKey) =>
      write(() => {
        const group = groupId(name, true)!
        const { changes } = sql('INSERT OR IGNORE INTO seen(grp, key) VALUES(?, ?)').run(group, dedupeKey)
        if (changes > 0) sql('INSERT INTO inbox(grp, body) VALUES(?, ?)').run(group, body)
      }),
    posted: async (owner) =>
      guard(
        () =>
          sql(
            'SELECT inbox.id AS id, grp.name AS "group", body FROM inbox JOIN grp ON grp.id=inbox.grp WHERE grp.owner=? ORDER BY inbox.id',
          ).all(owner) as unknown as PostedInput[],
      ),
    list: async (kind, { cursor, limit }) =>
      guard(() => {
        const rows = sql('SELECT name FROM stream WHERE name>? AND name>=? AND name<? ORDER BY name LIMIT ?').all(
          cursor ?? '',
          `${kind}:`,
          `${kind};`,
          limit + 1,
        ) as { name: string }[]
        const streams = rows.slice(0, limit).map((row) => row.name)
        return { streams, ...(rows.length > limit ? { cursor: streams.at(-1)! } : {}) }
      }),
    read: async (name, after, limit) =>
      guard(() => {
        const group = groupId(name, false)
        if (group === undefined) return []
        return sql(
          `SELECT fact.id AS id, stream.name AS stream, fact.seq AS seq, fact.body AS body FROM fact JOIN stream ON stream.id=fact.stream
           WHERE fact.grp=? AND fact.id>? ORDER BY fact.id LIMIT ?`,
        ).all(group, after, limit) as unknown as StoredFact[]
      }),
    async close() {
      if (closed) return
      flush()
      closed = true
      db.close()
    },
  }
}

function openDatabase(path: string, synchronous: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path)
    // Facts of a lease's end are larger than a quarter of a small page: larger pages are fuller. A file keeps the size that it was made with.
    db.exec(
      `PRAGMA busy_timeout=5000; PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=${synchronous}; ${SCHEMA}`,
    )
    db.exec(`INSERT INTO meta(version) SELECT ${VERSION} WHERE NOT EXISTS(SELECT 1 FROM meta)`)
    const { version } = db.prepare('SELECT version FROM meta').get() as { version: number }
    if (version !== VERSION) throw new Error(`it was written by version ${version} of the store, this one reads ${VERSION}`)
    return db
  } catch (cause) {
    throw storeFailed(path, cause)
  }
}

function storeFailed(path: string, cause: unknown): PictorError {
  return new PictorError('store-failed', `${path}: ${(cause as Error).message}`, { details: { store: path }, cause })
}
