import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PictorError } from '@pictor/core/contract'

/** A file that a tenant sent, or began to send. */
export interface UploadRow {
  readonly tenant: string
  readonly hash: `0x${string}`
  /** Announced size: it counts from the first byte on, so that parts of files that are never finished count too. */
  readonly bytes: number
  readonly complete: boolean
  /** When it was last sent, staged or submitted with, milliseconds since 1970. */
  readonly usedAtMs: number
}

/** Which tenant sent which file: kept over restarts, so that a tenant's quota is not forgotten and what nobody uses any more can be told. */
export interface UploadBook {
  find(tenant: string, hash: string): UploadRow | undefined
  /** Announced bytes of all files of a tenant. */
  usedBytes(tenant: string): number
  /** Enters a file, or enters it anew with another size or state. */
  enter(row: UploadRow): void
  touch(tenant: string, hash: string, atMs: number): void
  drop(tenant: string, hash: string): void
  /** Whether any tenant has the file or is sending it. */
  holds(hash: string): boolean
  /** What nobody used since. */
  unusedSince(beforeMs: number): UploadRow[]
  close(): void
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS upload (tenant TEXT NOT NULL, hash TEXT NOT NULL, bytes INTEGER NOT NULL, complete INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY (tenant, hash)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS upload_hash ON upload (hash);
`

/** Opens `book.db` in the folder of uploads. @throws store-failed */
export function uploadBook(folder: string): UploadBook {
  const db = open(folder)
  const sql = (text: string) => db.prepare(text)
  const find = sql('SELECT * FROM upload WHERE tenant = ? AND hash = ?')
  const used = sql('SELECT coalesce(sum(bytes), 0) AS bytes FROM upload WHERE tenant = ?')
  const enter = sql('INSERT OR REPLACE INTO upload (tenant, hash, bytes, complete, used) VALUES (?, ?, ?, ?, ?)')
  const touch = sql('UPDATE upload SET used = ? WHERE tenant = ? AND hash = ?')
  const drop = sql('DELETE FROM upload WHERE tenant = ? AND hash = ?')
  const holds = sql('SELECT 1 FROM upload WHERE hash = ? LIMIT 1')
  const unused = sql('SELECT * FROM upload WHERE used < ? ORDER BY used')
  return {
    find: (tenant, hash) => rowOf(find.get(tenant, hash)),
    usedBytes: (tenant) => Number(used.get(tenant)!['bytes']),
    enter: ({ tenant, hash, bytes, complete, usedAtMs }) => void enter.run(tenant, hash, bytes, complete ? 1 : 0, usedAtMs),
    touch: (tenant, hash, atMs) => void touch.run(atMs, tenant, hash),
    drop: (tenant, hash) => void drop.run(tenant, hash),
    holds: (hash) => holds.get(hash) !== undefined,
    unusedSince: (beforeMs) => unused.all(beforeMs).map((row) => rowOf(row)!),
    close: () => db.close(),
  }
}

function open(folder: string): DatabaseSync {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const db = new DatabaseSync(join(folder, 'book.db'), { timeout: 5_000 })
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    db.exec(SCHEMA)
    return db
  } catch (cause) {
    throw new PictorError('store-failed', `the folder of uploads ${folder} cannot be used: ${(cause as Error).message}`, {
      details: { path: 'uploads' },
      cause,
    })
  }
}

function rowOf(row: Record<string, unknown> | undefined): UploadRow | undefined {
  return (
    row && {
      tenant: String(row['tenant']),
      hash: String(row['hash']) as `0x${string}`,
      bytes: Number(row['bytes']),
      complete: row['complete'] === 1,
      usedAtMs: Number(row['used']),
    }
  )
}
