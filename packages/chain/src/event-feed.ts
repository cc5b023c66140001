import type { Bytes32, LedgerEvent } from '@pictor/core/contract'
import { decodeJournal, encodeJournal, invalid } from '@pictor/core/contract'
import { applied, type ChainReader } from './chain-reader.ts'
import { emptyView } from './job-view.ts'

/** What a cursor remembers: the last final block that was told about, and the tentative events above it (without records), to take back when a fork drops them. */
interface Cursor {
  readonly final: number
  readonly tentative: readonly LedgerEvent[]
}

interface Page {
  readonly events: readonly LedgerEvent[]
  readonly cursor: string
  readonly waitMs: number
}

function parse(cursor: string | undefined): Cursor {
  if (cursor === undefined) return { final: -1, tentative: [] }
  const read = decodeJournal<Partial<Cursor> | null>(cursor)
  if (typeof read?.final !== 'number' || !Array.isArray(read.tentative))
    throw invalid('cursor', 'a cursor of this ledger', cursor)
  return { final: read.final, tentative: read.tentative }
}

function bare(event: LedgerEvent): LedgerEvent {
  if (event.type !== 'attested') return event
  const { records: _records, ...rest } = event
  return rest
}

/** Each event is told as tentative when it is seen, and as final (same id) or reverted later; with 0 confirmations it is final at once. */
export function createEventFeed(
  reader: ChainReader,
  waitMs: number,
): (query: { readonly job: Bytes32; readonly cursor?: string }, signal?: AbortSignal) => Promise<Page> {
  return async ({ job, cursor }, signal) => {
    const before = parse(cursor)
    const latest = await reader.latestBlock(signal)
    const final = Math.max(before.final, latest - reader.confirmations)
    const view = emptyView(job)
    const told = new Set(before.tentative.map(({ id }) => id))
    const found = new Set<string>()
    const events: LedgerEvent[] = []
    const tentative: LedgerEvent[] = []
    const paidFor = new Set<Bytes32>()
    for (const log of await reader.logs(job, latest, signal)) {
      const made = applied(view, log)
      if (log.blockNumber <= before.final) continue
      for (const [i, event] of made.entries()) {
        found.add(event.id)
        const first = i === 0 && !paidFor.has(log.transactionHash)
        paidFor.add(log.transactionHash)
        const gas = first ? { gas: await reader.gasOf(log.transactionHash, signal) } : {}
        if (log.blockNumber <= final) events.push({ ...event, ...gas })
        else {
          const early = { ...event, ...gas, status: 'tentative' as const }
          tentative.push(bare(early))
          if (!told.has(event.id)) events.push(early)
        }
      }
    }
    const reverted = before.tentative
      .filter(({ id }) => !found.has(id))
      .map((event) => ({ ...event, status: 'reverted' as const }))
    return { events: [...reverted, ...events], cursor: encodeJournal({ final, tentative }), waitMs }
  }
}
