import {
  PictorError,
  type Address,
  type FarmEvent,
  type FarmInfo,
  type LeaseTicket,
  type Task,
  type TaskRef,
} from '@pictor/core/contract'
import { canceledDigest, leaseAcceptDigest, leaseLeaf, requireSigner, verifyCommit } from '@pictor/core/proof'

/** Checks everything that a farm signs against the key that its client expects. */
export interface PinnedKey {
  /** @throws signature-invalid when the farm shows another key */
  check(info: FarmInfo): void
  /** @throws signature-invalid when the farm took a lease without signing, or with another key */
  accepted(task: Task, ref: TaskRef): void
  remember(ref: string, ticket: LeaseTicket): void
  /** Whether an event may be passed on: commitments and cancels of known leases must be signed by the key. */
  holds(event: FarmEvent): boolean
}

/** Without a key nothing is checked here: the job machine verifies signatures anyway. */
export function pinnedKey(key: Address | undefined): PinnedKey {
  const tickets = new Map<string, LeaseTicket>()
  const refuse = (message: string) => new PictorError('signature-invalid', message, { details: { path: 'key', expected: key } })
  return {
    check(info) {
      if (key !== undefined && info.key !== key) throw refuse(`the farm shows the key ${info.key ?? '(none)'}, expected ${key}`)
    },
    accepted({ lease: ticket }, ref) {
      if (key === undefined || !ticket) return
      if (!ref.leaseSignature) throw refuse('the farm took the lease without signing it')
      const { domain, job, lease, set } = ticket
      const digest = leaseAcceptDigest(domain, { job, seq: set.seq, lease: lease.id, leaf: leaseLeaf(lease) })
      requireSigner(digest, ref.leaseSignature, key, 'leaseSignature')
    },
    remember(ref, ticket) {
      if (tickets.size >= 100_000) tickets.delete(tickets.keys().next().value!)
      tickets.set(ref, ticket)
    },
    holds(event) {
      if (key === undefined || (event.type !== 'commit' && event.type !== 'canceled')) return true
      const ticket = tickets.get(event.task.ref)
      if (!ticket) return true
      try {
        if (event.type === 'commit') verifyCommit(ticket.domain, event.commit, key)
        else if (event.signature && event.outputRoot)
          requireSigner(
            canceledDigest(ticket.domain, { job: ticket.job, lease: ticket.lease.id, outputRoot: event.outputRoot }),
            event.signature,
            key,
            'canceled.signature',
          )
        return true
      } catch {
        return false
      }
    },
  }
}
