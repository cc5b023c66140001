import type { Bytes32, Ledger, LedgerEvent } from '@pictor/core/contract'
import { followJobs } from '@pictor/core/proof'

/** What the ledger says about a job. */
export interface Settlement {
  /** Money is locked, and a batch may still be posted. */
  readonly open: boolean
  /** The first Ready is posted. */
  readonly ready: boolean
  /** Leases that some batch settled. */
  readonly attested: ReadonlySet<number>
  readonly unreleased: readonly { readonly number: number; readonly releaseAtS: number }[]
}

interface Followed {
  open: boolean
  ready: boolean
  readonly attested: Set<number>
  readonly unreleased: Map<number, number>
}

function note(known: Followed, event: LedgerEvent): void {
  if (event.type === 'opened') known.open = true
  if (event.type === 'ready') known.ready = true
  if (event.type === 'refunded') known.open = false
  if (event.type === 'released') known.unreleased.delete(event.batch)
  if (event.type !== 'attested') return
  for (const lease of event.leases) known.attested.add(lease)
  known.unreleased.set(event.batch, event.releaseAtS)
}

/** Follows how far jobs are settled. */
export function followSettlement(ledger: Pick<Ledger, 'poll'>): (job: Bytes32, signal: AbortSignal) => Promise<Settlement> {
  const start = (): Followed => ({ open: false, ready: false, attested: new Set(), unreleased: new Map() })
  const follow = followJobs(ledger, 'settlement', start, note)
  return async (job, signal) => {
    const { unreleased, ...known } = await follow(job, { signal })
    return { ...known, unreleased: [...unreleased].map(([number, releaseAtS]) => ({ number, releaseAtS })) }
  }
}
