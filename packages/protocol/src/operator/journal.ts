import { appendFile, mkdir, readFile, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { decodeJournal, encodeJournal, type FarmEvent, type Task, type TaskRef } from '@pictor/core/contract'

/** One line of an operator's journal. */
export type Entry =
  | {
      readonly kind: 'task'
      readonly key: string
      readonly digest: string
      readonly ref: TaskRef
      readonly task: Task
      readonly atMs: number
    }
  | { readonly kind: 'event'; readonly event: FarmEvent }

/** What an operator's farm must not forget, one JSON line an entry, in a file that outlives the process. */
export interface OperatorJournal {
  readonly entries: readonly Entry[]
  append(...entries: readonly Entry[]): Promise<void>
}

/** Opens the journal at `path`. A last line that a crash cut off is dropped: its effect was never reported. */
export async function openJournal(path: string): Promise<OperatorJournal> {
  await mkdir(dirname(path), { recursive: true })
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) await truncate(path, Buffer.byteLength(whole))
  const entries = whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => decodeJournal<Entry>(line))
  return {
    entries,
    async append(...added) {
      if (added.length === 0) return
      await appendFile(path, added.map((entry) => `${encodeJournal(entry)}\n`).join(''), { flush: true })
      entries.push(...added)
    },
  }
}
