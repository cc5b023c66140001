import type { Address, Bytes32, DigestSigner, LeaseKeyChange, LeaseSet, LedgerDomain, Terms } from '../contract/messages.ts'
import { leaseKeyDigest, leaseSetDigest } from './digests.ts'
import { requireSigner } from './sign.ts'

/** The creator's word that `leaseKey` signs the job's lease sets from now on. It counts once the ledger has it (`lease-key` action). */
export async function signLeaseKeyChange(
  creator: DigestSigner,
  domain: LedgerDomain,
  job: Bytes32,
  leaseKey: Address,
): Promise<LeaseKeyChange> {
  return { leaseKey, signature: await creator.signDigest(leaseKeyDigest(domain, job, leaseKey)) }
}

/**
 * Makes sure that a lease set was signed by the job's leaseKey: by `inForce` where the ledger was asked for it. Who cannot ask the ledger trusts the creator's signature
 * in `set.keyChange`, else the terms; such a one cannot see that a key was replaced again.
 * @throws signature-invalid naming the field beneath `path`
 */
export function requireLeaseKey(
  domain: LedgerDomain,
  terms: Pick<Terms, 'creator' | 'leaseKey'>,
  set: LeaseSet,
  inForce: Address | undefined,
  path: string,
): void {
  const { keyChange } = set
  if (inForce === undefined && keyChange)
    requireSigner(leaseKeyDigest(domain, set.job, keyChange.leaseKey), keyChange.signature, terms.creator, `${path}.keyChange`)
  const key = inForce ?? keyChange?.leaseKey ?? terms.leaseKey
  requireSigner(leaseSetDigest(domain, set), set.signature ?? '0x', key, `${path}.signature`)
}
