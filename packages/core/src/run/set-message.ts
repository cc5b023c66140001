import type { Bytes32, LeaseSet, Signature } from '../contract/messages.ts'
import type { JobStreamState, SetRow } from '../job/job-state.ts'
import { signLeaseKeyChange } from '../proof/lease-key.ts'
import type { Shared } from './job-host.ts'

// Lease sets as farms, checkers, ledger and receipt see them. The ledger takes a set by the signature of the leaseKey that is in force when the set is used, so a
// set that was signed before the creator replaced the key is signed again by the new one.

const messageOf = (job: Bytes32, set: SetRow, signature: Signature | undefined): LeaseSet => ({
  job,
  seq: set.seq,
  setRoot: set.root!,
  ...(signature ? { signature } : {}),
})

function signAgain({ options, proofs }: Shared, message: LeaseSet): Promise<Signature> {
  return proofs.signLeaseSet(options.ledger.domain, options.leaseSigner, message)
}

/** The set for whoever has to act by it; after a replaced leaseKey with the creator's word for the key that signed it, where this app has the creator's key. */
export async function setMessage(shared: Shared, state: JobStreamState, job: Bytes32, set: SetRow): Promise<LeaseSet> {
  const { leaseSigner, creator, ledger } = shared.options
  const message = messageOf(job, set, set.signature)
  const replaced = leaseSigner.address !== state.order!.terms.leaseKey || state.ledgerEvents.some(isReplacement)
  if (set.seq === 0 || !replaced) return message
  const keyChange = creator && (await signLeaseKeyChange(creator, ledger.domain, job, leaseSigner.address))
  return { ...message, signature: await signAgain(shared, message), ...(keyChange ? { keyChange } : {}) }
}

/** The set as a receipt shows it: with the signature by which the ledger last took it. `kept` is the one that was kept with its last batch, where it was signed again. */
export async function setInReceipt(
  shared: Shared,
  state: JobStreamState,
  job: Bytes32,
  set: SetRow,
  kept: Signature | undefined,
): Promise<LeaseSet> {
  const message = messageOf(job, set, set.signature)
  if (set.seq === 0) return message
  const lastUse = state.ledgerEvents.findLastIndex(
    (event) => event.type === 'attested' && (event['leases'] as number[]).some((id) => state.rows.get(id)?.seq === set.seq),
  )
  const replaced = state.ledgerEvents.slice(0, lastUse + 1).findLast(isReplacement)
  if (replaced?.['leaseKey'] !== shared.options.leaseSigner.address) return kept ? { ...message, signature: kept } : message
  return { ...message, signature: await signAgain(shared, message) }
}

function isReplacement(event: JobStreamState['ledgerEvents'][number]): boolean {
  return event.type === 'lease-key-replaced'
}
