import { DatabaseSync } from 'node:sqlite'
import {
  decodeJournal,
  encodeJournal,
  PictorError,
  type LeaseTicket,
  type Output,
  type Seal,
  type SealKey,
} from '@pictor/core/contract'

/** What has to be known of a lease to seal its outputs. */
export type KeptTicket = Pick<LeaseTicket, 'job'> & { readonly lease: number; readonly keys: readonly SealKey[] }

/** What the farm remembers of a task; `ticket` is left out for tasks without a lease on a ledger, whose outputs lie open. */
export interface KeptTask {
  readonly ticket?: KeptTicket
}

/** What tells the outputs of a farm apart. */
export const outputName = ({ task, frame, part, layer, name }: Output): string =>
  JSON.stringify([task.ref, frame, part, layer, name])

/** A sealing farm's memory: tasks and what their outputs were sealed as. It holds no keys and no pictures. */
export interface SealBook {
  task(ref: string): KeptTask | undefined
  keepTask(ref: string, task: KeptTask): void
  seal(output: Output): { readonly output: Output; readonly seal: Seal } | undefined
  keepSeal(output: Output, seal: Seal): void
  forget(ref: string): void
  close(): void
}

const SCHEMA = `
create table if not exists task (ref text primary key, task text not null) strict;
create table if not exists sealed (key text primary key, ref text not null, sealed text not null) strict;
create index if not exists sealed_of on sealed (ref);
`

/** @throws store-failed */
export function openSealBook(path: string): SealBook {
  let db: DatabaseSync
  try {
    db = new DatabaseSync(path)
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    db.exec(SCHEMA)
  } catch (cause) {
    throw new PictorError('store-failed', `the book of sealed outputs ${path} cannot be opened: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
  const findTask = db.prepare('select task as value from task where ref = ?')
  const saveTask = db.prepare('insert into task values (?, ?) on conflict (ref) do update set task = excluded.task')
  const findSeal = db.prepare('select sealed as value from sealed where key = ?')
  const saveSeal = db.prepare('insert or replace into sealed values (?, ?, ?)')
  const read = <T>(row: unknown): T | undefined => (row ? decodeJournal<T>((row as { value: string }).value) : undefined)
  return {
    task: (ref) => read<KeptTask>(findTask.get(ref)),
    keepTask: (ref, task) => void saveTask.run(ref, encodeJournal(task)),
    seal: (output) => read(findSeal.get(outputName(output))),
    keepSeal: (output, seal) => void saveSeal.run(outputName(output), output.task.ref, encodeJournal({ output, seal })),
    forget(ref) {
      db.prepare('delete from sealed where ref = ?').run(ref)
      db.prepare('delete from task where ref = ?').run(ref)
    },
    close: () => db.close(),
  }
}
