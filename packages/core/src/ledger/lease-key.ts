import type { CallContext } from '../contract/context.ts'
import type { Ledger } from '../contract/ledger.ts'
import type { Address, Bytes32, Terms } from '../contract/messages.ts'

/** A ledger that never comes to an end must not hold up who asks. */
const MAX_PAGES = 100

/**
 * Asks a ledger for the leaseKey of a job that is in force: the terms' key, or the one that the creator put in its place last. Follows each job from where it was, so
 * that asking for every lease costs one poll. For farms and checkers, which must not take leases of a key that was stolen and replaced.
 */
export function leaseKeyByLedger(
  ledger: Pick<Ledger, 'poll'>,
): (about: { readonly job: Bytes32; readonly terms: Pick<Terms, 'leaseKey'> }, ctx?: Partial<CallContext>) => Promise<Address> {
  const followed = new Map<Bytes32, { cursor?: string; key?: Address }>()
  return async ({ job, terms }, ctx = {}) => {
    const known = followed.get(job) ?? {}
    followed.set(job, known)
    for (let more = true, pages = 0; more && pages < MAX_PAGES; pages++) {
      const query = { job, ...(known.cursor === undefined ? {} : { cursor: known.cursor }) }
      const page = await ledger.poll(query, { key: `lease key ${job}`, ...ctx })
      for (const event of page.events)
        if (event.status === 'final' && event.type === 'lease-key-replaced') known.key = event.leaseKey
      more = page.cursor !== known.cursor && (page.events.length > 0 || page.waitMs === 0)
      known.cursor = page.cursor
    }
    return known.key ?? terms.leaseKey
  }
}
