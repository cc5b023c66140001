import { isPictorError } from '../contract/error.ts'
import type {
  Address,
  Batch,
  Bytes32,
  CheckerSignature,
  Commit,
  DigestSigner,
  FrameOutput,
  Held,
  Lease,
  LeaseSet,
  LedgerDomain,
  Ready,
  Signature,
  Vote,
} from '../contract/messages.ts'
import {
  batchDigest,
  canceledDigest,
  commitDigest,
  finalDigest,
  heldDigest,
  leaseAcceptDigest,
  leaseSetDigest,
  readyDigest,
  voteDigest,
} from './digests.ts'
import { leaseLeaf, leaseSetRoot } from './lease.ts'
import { outputRoot } from './output.ts'
import { badSignature, recoverAddress } from './signature.ts'

/** Makes and signs a lease set with the leaseKey. @throws invalid-input */
export async function signLeaseSet(
  signer: DigestSigner,
  domain: LedgerDomain,
  set: { readonly job: Bytes32; readonly seq: number; readonly leases: readonly Lease[] },
): Promise<LeaseSet> {
  const message = { job: set.job, seq: set.seq, setRoot: leaseSetRoot(set.leases) }
  return { ...message, signature: await signer.signDigest(leaseSetDigest(domain, message)) }
}

/** A farm's countersignature of its lease (`TaskRef.leaseSignature`). */
export function signLeaseAccept(
  signer: DigestSigner,
  domain: LedgerDomain,
  job: Bytes32,
  seq: number,
  lease: Lease,
): Promise<Signature> {
  return signer.signDigest(leaseAcceptDigest(domain, { job, seq, lease: lease.id, leaf: leaseLeaf(lease) }))
}

/** Signs a Ready. */
export async function signReady(
  signer: DigestSigner,
  domain: LedgerDomain,
  ready: Omit<Ready, 'checker' | 'signature'>,
): Promise<Ready> {
  const { job, seq, setRoot, bundleRoot, seedRoot } = ready
  const signature = await signer.signDigest(readyDigest(domain, ready))
  return { job, seq, setRoot, bundleRoot, seedRoot, checker: signer.address, signature }
}

/** Makes and signs a commitment to outputs. @throws invalid-input when an output appears twice */
export async function signCommit(
  signer: DigestSigner,
  domain: LedgerDomain,
  commit: { readonly job: Bytes32; readonly lease: number; readonly index: number; readonly outputs: readonly FrameOutput[] },
): Promise<Commit> {
  const { job, lease, index, outputs } = commit
  const message = { job, lease, index, outputRoot: outputRoot(outputs) }
  return { ...message, outputs, signature: await signer.signDigest(commitDigest(domain, message)) }
}

/** Signs that the bytes of a commitment are held. */
export async function signHeld(
  signer: DigestSigner,
  domain: LedgerDomain,
  held: Pick<Held, 'job' | 'lease' | 'outputRoot'>,
): Promise<Held> {
  const { job, lease, outputRoot } = held
  return { job, lease, outputRoot, checker: signer.address, signature: await signer.signDigest(heldDigest(domain, held)) }
}

/** Signs one vote. */
export async function signVote(
  signer: DigestSigner,
  domain: LedgerDomain,
  vote: Omit<Vote, 'checker' | 'signature'>,
): Promise<Vote> {
  return { ...vote, checker: signer.address, signature: await signer.signDigest(voteDigest(domain, vote)) }
}

/** A farm's signed end of a canceled lease. */
export function signCanceled(
  signer: DigestSigner,
  domain: LedgerDomain,
  canceled: { readonly job: Bytes32; readonly lease: number; readonly outputRoot: Bytes32 },
): Promise<Signature> {
  return signer.signDigest(canceledDigest(domain, canceled))
}

/** Signs a batch as it is: the signer must have checked its results and that `batchHash` covers them. */
export async function signBatch(
  signer: DigestSigner,
  domain: LedgerDomain,
  batch: Pick<Batch, 'job' | 'batchHash' | 'validUntilS'>,
): Promise<CheckerSignature> {
  return { checker: signer.address, signature: await signer.signDigest(batchDigest(domain, batch)) }
}

/** Signs that nothing beyond `keep` will be attested. */
export async function signFinal(
  signer: DigestSigner,
  domain: LedgerDomain,
  job: Bytes32,
  keep: bigint,
): Promise<CheckerSignature> {
  return { checker: signer.address, signature: await signer.signDigest(finalDigest(domain, job, keep)) }
}

/** Refuses a signature that is not `expected`'s. @throws signature-invalid naming `path` */
export function requireSigner(digest: Bytes32, signature: Signature, expected: Address, path: string): void {
  const found = recoverAddress(digest, signature, path)
  if (found !== expected)
    throw badSignature(path, `expected a signature of ${expected}, found one of ${found}`, { expected, found })
}

/** Whether a check passes; what is malformed or signed by another does not. For the `verify` functions below, where one bad message is to be passed over. */
export function holds(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (isPictorError(error, 'signature-invalid') || isPictorError(error, 'invalid-input')) return false
    throw error
  }
}

/** @throws signature-invalid when the Ready is not its checker's */
export function verifyReady(domain: LedgerDomain, ready: Ready, path = 'ready'): void {
  requireSigner(readyDigest(domain, ready), ready.signature, ready.checker, path)
}

/** @throws signature-invalid when the farm did not sign it, or when outputRoot is not the root of its outputs */
export function verifyCommit(domain: LedgerDomain, commit: Commit, farm: Address, path = 'commit'): void {
  requireSigner(commitDigest(domain, commit), commit.signature, farm, path)
  if (outputRoot(commit.outputs) !== commit.outputRoot)
    throw badSignature(`${path}.outputRoot`, 'it is not the root of the outputs')
}

/** @throws signature-invalid when the Held is not its checker's */
export function verifyHeld(domain: LedgerDomain, held: Held, path = 'held'): void {
  requireSigner(heldDigest(domain, held), held.signature, held.checker, path)
}

/** @throws signature-invalid when the vote is not its checker's */
export function verifyVote(domain: LedgerDomain, vote: Vote, path = 'vote'): void {
  requireSigner(voteDigest(domain, vote), vote.signature, vote.checker, path)
}

/**
 * Refuses unless `quorum` different members of `checkers` signed `digest`. Signatures of others and repetitions are refused, not skipped: an escrow does the same.
 * @throws signature-invalid naming the signature, or `path` when there are too few
 */
export function requireQuorum(
  digest: Bytes32,
  signatures: readonly CheckerSignature[],
  checkers: readonly Address[],
  quorum: number,
  path: string,
): void {
  const seen = new Set<Address>()
  for (const [i, { checker, signature }] of signatures.entries()) {
    if (!checkers.includes(checker)) throw badSignature(`${path}[${i}].checker`, `${checker} is no checker of this job`)
    if (seen.has(checker)) throw badSignature(`${path}[${i}].checker`, `${checker} signed twice`)
    requireSigner(digest, signature, checker, `${path}[${i}].signature`)
    seen.add(checker)
  }
  if (seen.size < quorum)
    throw badSignature(path, `expected ${quorum} checkers, found ${seen.size}`, { quorum, found: seen.size })
}
