import type { StatementSync } from 'node:sqlite'
import { PictorError } from '../contract/error.ts'
import { inboxFull, sequenceConflict, staleFence } from './memory.ts'
import { openDatabase, storeFailed } from './sqlite-file.ts'
import { writeQueue } from './sqlite-writes.ts'
import { groupOf, KEPT_KEYS, type LoadedStream, MOST_WAITING, type PostedInput, type Store, type StoredFact } from './types.ts'

const PAGE = 2_000

export interface SqliteStoreOptions {
  /** NORMAL may lose the last moments on a power cut, never the order; FULL when left out. */
  readonly synchronous?: 'FULL' | 'NORMAL'
  /** The most pages of 8 KiB that the file may have; appends beyond are refused as on a full disk. */
  readonly maxPages?: number
  /** How long a write waits for another process that holds the file's lock, in milliseconds (30,000); then it is refused as retryable, and the holder is named. */
  readonly busyMs?: number
}

/**
 * The embedded store: one SQLite file (node:sqlite, no native dependency), WAL, synchronous=FULL. All writes of one turn of the event loop are one transaction and
 * one fsync. One machine and a local disk only. Instances in several processes may open the same file; a write waits, without blocking the event loop, while another
 * process is inside a transaction.
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

  const groupIds = new Map<string, number>()
  const streamIds = new Map<string, number>()
  const { write, close } = writeQueue(db, {
    path,
    busyMs: options.busyMs ?? 30_000,
    // Ids that were made inside the transaction are gone: ask the file again.
    onRollback() {
      streamIds.clear()
      groupIds.clear()
    },
  })
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
        const { after } = loadOptions
        const snapshot =
          loadOptions.snapshot === false || after !== undefined
            ? undefined
            : (sql('SELECT seq, body FROM snapshot WHERE stream=?').get(id) as { seq: number; body: string } | undefined)
        const select = sql('SELECT seq, id, body FROM fact WHERE stream=? AND seq>? AND seq<=? ORDER BY seq LIMIT ?')
        return {
          ...(snapshot ? { snapshot: { ...snapshot } } : {}),
          seq,
          facts: (async function* () {
            for (let from = after ?? snapshot?.seq ?? 0; from < seq;) {
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
          `SELECT name, id IN (SELECT grp FROM inbox) AS posted FROM grp
           WHERE (owner IS NULL OR until_ms<=?) AND (posted OR (open=1 AND EXISTS(SELECT 1 FROM stream WHERE stream.grp=grp.id)))
           ORDER BY posted DESC LIMIT ?`,
        )
          .all(nowMs, limit)
          .map((row) => (row as { name: string }).name),
      ),
    post: (name, body, dedupeKey) =>
      write(() => {
        const group = groupId(name, true)!
        if (sql('SELECT 1 FROM seen WHERE grp=? AND key=?').get(group, dedupeKey)) return
        const { waiting } = sql('SELECT COUNT(*) AS waiting FROM inbox WHERE grp=?').get(group) as { waiting: number }
        if (waiting >= MOST_WAITING) throw inboxFull(name)
        const { last } = sql('SELECT COALESCE(MAX(nth), 0) AS last FROM seen WHERE grp=?').get(group) as { last: number }
        sql('INSERT INTO seen(grp, key, nth) VALUES(?, ?, ?)').run(group, dedupeKey, last + 1)
        sql('DELETE FROM seen WHERE grp=? AND nth<=?').run(group, last + 1 - KEPT_KEYS)
        sql('INSERT INTO inbox(grp, body) VALUES(?, ?)').run(group, body)
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
    close,
  }
}
