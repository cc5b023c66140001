import type { DatabaseSync } from 'node:sqlite'
import { PictorError } from '../contract/error.ts'
import { isBusy, storeFailed, storeLocked } from './sqlite-file.ts'

interface Write {
  readonly act: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface WriteQueueOptions {
  readonly path: string
  /** How long writes wait for another process's lock, in milliseconds. */
  readonly busyMs: number
  readonly onRollback: () => void
}

/** Longest pause between looks at a lock that another process holds, in milliseconds. */
const LOOK_MS = 250

/** Group commit: everything that was written in one turn of the event loop is one transaction and one fsync. */
export function writeQueue(
  db: DatabaseSync,
  { path, busyMs, onRollback }: WriteQueueOptions,
): { write(act: () => void): Promise<void>; close(): Promise<void> } {
  let queue: Write[] = []
  let closed = false
  /** When the lock was found taken; undefined while it is not. */
  let busySinceMs: number | undefined
  let looks = 0

  /** Whether this process may write now. While another one holds the lock, writes wait and the event loop goes on. */
  function begin(): boolean {
    try {
      db.exec('BEGIN IMMEDIATE')
      busySinceMs = undefined
      looks = 0
      return true
    } catch (error) {
      if (!isBusy(error)) throw error
      const waitedMs = performance.now() - (busySinceMs ??= performance.now())
      if (closed || waitedMs >= busyMs) {
        busySinceMs = undefined
        throw storeLocked(path, Math.round(waitedMs))
      }
      setTimeout(flush, Math.min(LOOK_MS, 10 * 2 ** Math.min(looks++, 10)))
      return false
    }
  }

  /** One transaction for everything that waits. An act that refuses (stale fence) has written nothing yet and fails alone; an error of the database fails all. */
  function flush(): void {
    if (queue.length === 0) return
    const refused = new Map<Write, unknown>()
    let writes: Write[] = []
    try {
      if (!begin()) return
      writes = queue
      queue = []
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
      onRollback()
      const failed = writes.length > 0 ? writes : queue.splice(0)
      const error = cause instanceof PictorError ? cause : storeFailed(path, cause)
      for (const one of failed) one.reject(error)
      return
    }
    for (const one of writes) {
      const error = refused.get(one)
      if (error === undefined) one.resolve()
      else one.reject(error)
    }
  }

  return {
    write: (act) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(storeFailed(path, new Error('the store is closed')))
        queue.push({ act, resolve, reject })
        if (queue.length === 1) setImmediate(flush)
      }),
    async close() {
      if (closed) return
      closed = true
      flush()
      db.close()
    },
  }
}
