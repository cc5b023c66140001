import type { CallContext } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Ledger, LedgerEvent } from '../contract/ledger.ts'
import type { Address, Bytes32, LedgerDomain, Terms } from '../contract/messages.ts'
import { followJobs } from './follow.ts'
import { hashTerms } from './terms.ts'

/** A job as whoever asks for work on it shows it. */
export interface ShownJob {
  readonly domain: LedgerDomain
  readonly job: Bytes32
  readonly terms: Terms
}

/** What farms and checkers ask of the ledger before they work: they work for money that is locked, not for money that a runner speaks of. */
export interface Openings {
  /**
   * Passes when the ledger holds the job, open, by these very terms and, where it is given, with this root of lease set 0.
   * @throws ledger-unreachable while the ledger does not know the job (it may be behind); the refusal when it knows another or a closed one, `details.reason` says which
   */
  require(job: ShownJob, setRoot?: Bytes32, ctx?: Partial<CallContext>): Promise<void>
  /** The leaseKey in force: the terms' key, or the one that the creator put in its place last. Leases of a key that was stolen and replaced are not to be taken. */
  leaseKey(job: Pick<ShownJob, 'job'> & { readonly terms: Pick<Terms, 'leaseKey'> }, ctx?: Partial<CallContext>): Promise<Address>
  /**
   * The checkers whose signatures count, ascending: those that the terms name, or those that the registry drew.
   * @throws ledger-unreachable while the draw is still to come (`details.reason` is `not-drawn`)
   */
  committee(
    job: Pick<ShownJob, 'job'> & { readonly terms: Pick<Terms, 'checkers' | 'registryDraw'> },
    ctx?: Partial<CallContext>,
  ): Promise<readonly Address[]>
  /** Hashes of the job's batches that are final on the ledger. */
  attested(job: Bytes32, ctx?: Partial<CallContext>): Promise<ReadonlySet<Bytes32>>
}

interface Followed {
  opened?: Extract<LedgerEvent, { type: 'opened' }>
  closed?: LedgerEvent['type']
  leaseKey?: Address
  committee?: readonly Address[]
  readonly attested: Set<Bytes32>
}

function note(known: Followed, event: LedgerEvent): void {
  if (event.type === 'opened') known.opened = event
  if (event.type === 'lease-key-replaced') known.leaseKey = event.leaseKey
  if (event.type === 'attested') known.attested.add(event.batchHash)
  if (event.type === 'drawn') known.committee = event.committee
  if (event.type === 'canceled' || event.type === 'finalized' || event.type === 'refunded') known.closed = event.type
}

/** Follows each job from where it was, so that asking for every lease costs one poll. `refusal` is the code of what it throws: who asks refuses in its own name. */
export function followOpenings(ledger: Pick<Ledger, 'domain' | 'poll'>, refusal: 'farm-refused' | 'checker-refused'): Openings {
  const refuse = (reason: string, message: string): PictorError => new PictorError(refusal, message, { details: { reason } })
  const follow = followJobs(ledger, 'openings', (): Followed => ({ attested: new Set() }), note)

  return {
    leaseKey: async ({ job, terms }, ctx = {}) => (await follow(job, ctx)).leaseKey ?? terms.leaseKey,
    async committee({ job, terms }, ctx = {}) {
      if (terms.registryDraw === 0) return terms.checkers
      const { committee } = await follow(job, ctx)
      if (committee) return committee
      throw new PictorError('ledger-unreachable', `the registry has drawn no checkers for job ${job} yet`, {
        details: { reason: 'not-drawn', class: 'transfer' },
      })
    },
    attested: async (job, ctx = {}) => (await follow(job, ctx)).attested,
    async require({ job, domain, terms }, setRoot, ctx = {}) {
      const { chainId, verifyingContract } = ledger.domain
      if (domain.chainId !== chainId || domain.verifyingContract !== verifyingContract)
        throw refuse(
          'other-ledger',
          `the job lies at ${domain.verifyingContract} on chain ${domain.chainId}, which is not followed here`,
        )
      const { opened, closed } = await follow(job, ctx)
      if (!opened)
        throw new PictorError('ledger-unreachable', `the ledger does not know job ${job} yet: no money is locked for it`, {
          details: { reason: 'not-open', class: 'transfer' },
        })
      if (closed) throw refuse('closed', `job ${job} is ${closed}: no lease of it will be paid`)
      if (opened.termsHash !== undefined && opened.termsHash !== hashTerms(terms))
        throw refuse('terms', `the terms shown here are not those that the job was opened with (${opened.termsHash})`)
      if (setRoot !== undefined && opened.setRoot !== setRoot)
        throw refuse('set-root', `the job was opened with lease set 0 ${opened.setRoot}, shown was ${setRoot}`)
    },
  }
}
