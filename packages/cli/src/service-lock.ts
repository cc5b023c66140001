import { DatabaseSync } from 'node:sqlite'
import { PictorError } from '@pictor/core'

/** A state folder that belongs to one service. */
export interface ServiceLock {
  release(): void
}

/**
 * Takes a file for this process until it ends, however it ends: the lock is the operating system's, so kill -9 frees it and a process that stands still keeps it. Programs that only
 * look into the folder (watch, cancel, doctor) need no lock.
 * @throws conflict naming the process that has it
 */
export function lockService(path: string, nowMs: number = Date.now()): ServiceLock {
  const db = new DatabaseSync(path)
  const refuse = (cause: unknown): never => {
    const holder = holderIn(db)
    db.close()
    throw new PictorError('conflict', `another service runs in this folder: ${holder}`, {
      details: { path, holder, hint: 'stop it, or give this one a --state-dir of its own' },
      cause,
    })
  }
  try {
    // WAL, so that who is refused can still read who has it.
    db.exec('pragma journal_mode = wal; pragma busy_timeout = 0')
    db.exec('create table if not exists holder (one integer primary key check (one = 1), who text not null) strict')
    db.prepare('insert into holder values (1, ?) on conflict do update set who = excluded.who').run(
      `process ${process.pid} since ${new Date(nowMs).toISOString()}`,
    )
    // Held open to the end: who writes nothing more still is the one writer.
    db.exec('begin immediate')
  } catch (cause) {
    refuse(cause)
  }
  return {
    release() {
      db.exec('rollback')
      db.close()
    },
  }
}

function holderIn(db: DatabaseSync): string {
  try {
    return (db.prepare('select who from holder').get() as { who: string } | undefined)?.who ?? 'one that starts at this moment'
  } catch {
    return 'one that starts at this moment'
  }
}
