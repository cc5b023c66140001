import { PictorError, type Address, type Bytes32, type CheckerJob, type Ledger, type LedgerEvent } from '@pictor/core/contract'
import { hashTerms } from '@pictor/core/proof'
import { refuse } from './refusal.ts'

/** Follows the ledger of jobs: a checker works for money that is locked, not for money that a runner speaks of. */
export interface Openings {
  /**
   * Passes when the ledger holds the job, open, by these very terms and with this root of lease set 0.
   * @throws ledger-unreachable while the ledger does not know the job (it may be behind), checker-refused when it knows another or a closed one
   */
  require(job: CheckerJob, setRoot: Bytes32 | undefined, signal: AbortSignal): Promise<void>
  /** The leaseKey in force: the terms' or the one that the creator put in its place. */
  leaseKey(job: Pick<CheckerJob, 'job' | 'terms'>, signal: AbortSignal): Promise<Address>
}

interface Followed {
  cursor?: string
  opened?: Extract<LedgerEvent, { type: 'opened' }>
  closed?: LedgerEvent['type']
  leaseKey?: Address
}

/** A ledger that never comes to an end must not hold up a checker. */
const MAX_PAGES = 100

function note(known: Followed, event: LedgerEvent): void {
  if (event.type === 'opened') known.opened = event
  if (event.type === 'lease-key-replaced') known.leaseKey = event.leaseKey
  if (event.type === 'canceled' || event.type === 'finalized' || event.type === 'refunded') known.closed = event.type
}

export function followOpenings(ledger: Pick<Ledger, 'domain' | 'poll'>): Openings {
  const followed = new Map<Bytes32, Followed>()

  async function follow(job: Bytes32, signal: AbortSignal): Promise<Followed> {
    const known = followed.get(job) ?? {}
    followed.set(job, known)
    for (let more = true, pages = 0; more && pages < MAX_PAGES; pages++) {
      const query = { job, ...(known.cursor === undefined ? {} : { cursor: known.cursor }) }
      const page = await ledger.poll(query, { key: `openings ${job}`, signal })
      for (const event of page.events) if (event.status === 'final') note(known, event)
      // To the end: what closed the job or replaced its leaseKey may lie on a later page than its opening.
      more = page.cursor !== known.cursor && (page.events.length > 0 || page.waitMs === 0)
      known.cursor = page.cursor
    }
    return known
  }

  return {
    leaseKey: async ({ job, terms }, signal) => (await follow(job, signal)).leaseKey ?? terms.leaseKey,
    async require({ job, domain, terms }, setRoot, signal) {
      const { chainId, verifyingContract } = ledger.domain
      if (domain.chainId !== chainId || domain.verifyingContract !== verifyingContract)
        throw refuse(
          'other-ledger',
          `the job lies at ${domain.verifyingContract} on chain ${domain.chainId}, which is not followed here`,
        )
      const { opened, closed } = await follow(job, signal)
      if (!opened)
        throw new PictorError('ledger-unreachable', `the ledger does not know job ${job} yet: no money is locked for it`, {
          details: { reason: 'not-open' },
        })
      if (closed) throw refuse('closed', `job ${job} is ${closed}: no lease of it will be paid`)
      if (opened.termsHash !== undefined && opened.termsHash !== hashTerms(terms))
        throw refuse('terms', `the terms shown here are not those that the job was opened with (${opened.termsHash})`)
      if (setRoot !== undefined && opened.setRoot !== setRoot)
        throw refuse('set-root', `the job was opened with lease set 0 ${opened.setRoot}, shown was ${setRoot}`)
    },
  }
}
