import type { CallContext } from '../contract/context.ts'
import type { Ledger, LedgerEvent } from '../contract/ledger.ts'
import type { Bytes32 } from '../contract/messages.ts'

/** A ledger that never comes to an end must not hold up who asks. */
const MAX_PAGES = 100

/**
 * Keeps what the final events of each job say, each event read once: a call goes on from where the one before it was, so that asking again costs one poll. `start` makes
 * what is known of a job before its first event, `note` adds one event to it; `name` tells the calls apart in a ledger's log.
 */
export function followJobs<Known>(
  ledger: Pick<Ledger, 'poll'>,
  name: string,
  start: () => Known,
  note: (known: Known, event: LedgerEvent) => void,
): (job: Bytes32, ctx?: Partial<CallContext>) => Promise<Known> {
  const followed = new Map<Bytes32, { cursor?: string; readonly known: Known }>()
  return async (job, ctx = {}) => {
    const at: { cursor?: string; readonly known: Known } = followed.get(job) ?? { known: start() }
    followed.set(job, at)
    for (let more = true, pages = 0; more && pages < MAX_PAGES; pages++) {
      const query = { job, ...(at.cursor === undefined ? {} : { cursor: at.cursor }) }
      const page = await ledger.poll(query, { key: `${name} ${job}`, ...ctx })
      for (const event of page.events) if (event.status === 'final') note(at.known, event)
      // To the end: what closed the job or replaced its leaseKey may lie on a later page than its opening.
      more = page.cursor !== at.cursor && (page.events.length > 0 || page.waitMs === 0)
      at.cursor = page.cursor
    }
    return at.known
  }
}
