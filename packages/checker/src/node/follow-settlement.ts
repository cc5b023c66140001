import type { Bytes32, Ledger } from '@pictor/core/contract'

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
  cursor?: string
  open: boolean
  ready: boolean
  readonly attested: Set<number>
  readonly unreleased: Map<number, number>
}

/** Reads the final events of jobs, each once. */
export function followSettlement(ledger: Pick<Ledger, 'poll'>): (job: Bytes32, signal: AbortSignal) => Promise<Settlement> {
  const jobs = new Map<Bytes32, Followed>()
  return async (job, signal) => {
    const known: Followed = jobs.get(job) ?? { open: false, ready: false, attested: new Set(), unreleased: new Map() }
    jobs.set(job, known)
    for (;;) {
      const page = await ledger.poll(
        { job, ...(known.cursor === undefined ? {} : { cursor: known.cursor }) },
        { key: `settlement ${job}`, signal },
      )
      known.cursor = page.cursor
      for (const event of page.events) {
        if (event.status !== 'final') continue
        if (event.type === 'opened') known.open = true
        if (event.type === 'ready') known.ready = true
        if (event.type === 'refunded') known.open = false
        if (event.type === 'released') known.unreleased.delete(event.batch)
        if (event.type !== 'attested') continue
        for (const lease of event.leases) known.attested.add(lease)
        known.unreleased.set(event.batch, event.releaseAtS)
      }
      if (page.events.length === 0 || page.waitMs > 0) break
    }
    const unreleased = [...known.unreleased].map(([number, releaseAtS]) => ({ number, releaseAtS }))
    return { open: known.open, ready: known.ready, attested: known.attested, unreleased }
  }
}
