import { batchHash } from '../proof/batch.ts'
import { batchDigest, finalDigest, leaseAcceptDigest, leaseSetDigest } from '../proof/digests.ts'
import { leaseLeaf, leasesInOrder } from '../proof/lease.ts'
import { merkleTree } from '../proof/merkle.ts'
import { outputRoot } from '../proof/output.ts'
import { verifySeed } from '../proof/seed.ts'
import { holds, verifyCommit, verifyHeld, verifyReady, verifyVote } from '../proof/sign.ts'
import { isSignedBy } from '../proof/signature.ts'
import { jobIdOf } from '../proof/terms.ts'
import { leaseResultOf } from '../proof/votes.ts'
import type { JobProofs } from './proofs.ts'

/** The signed-message functions of `proof`: EIP-712 digests, Merkle trees, secp256k1. */
export function realProofs(): JobProofs {
  return {
    jobId: (domain, terms) => jobIdOf(domain, terms.creator, terms.runId),
    setTree: (leases) => merkleTree(leasesInOrder(leases).map(leaseLeaf)),
    outputRoot,
    signLeaseSet: (domain, signer, set) => signer.signDigest(leaseSetDigest(domain, set)),
    verifyAccept: ({ domain, job, set, lease }, signature) =>
      isSignedBy(
        leaseAcceptDigest(domain, { job, seq: set.seq, lease: lease.id, leaf: leaseLeaf(lease) }),
        signature,
        lease.farm,
      ),
    verifyReady: (domain, ready) => holds(() => verifyReady(domain, ready)),
    verifyCommit: (domain, commit, farm) => holds(() => verifyCommit(domain, commit, farm)),
    verifyHeld: (domain, held) => holds(() => verifyHeld(domain, held)),
    verifyVote: (domain, vote) => holds(() => verifyVote(domain, vote)),
    verifySeed: (seed, seedRoot) => verifySeed(seedRoot, seed),
    verifyBatchSignature: (domain, batch, { checker, signature }) => isSignedBy(batchDigest(domain, batch), signature, checker),
    verifyFinalSignature: (domain, job, keep, { checker, signature }) =>
      isSignedBy(finalDigest(domain, job, keep), signature, checker),
    mergeVotes: ({ lease, seq, commits, votes, terms }) => leaseResultOf({ lease, seq, commits, votes, quorum: terms.quorum }),
    makeBatch: (job, results, validUntilS, terms, committee) => ({
      job,
      results,
      batchHash: batchHash({ job, results }, terms, committee),
      validUntilS,
    }),
  }
}
