import { createHash } from 'node:crypto'
import type { Lease } from '../contract/messages.ts'
import { leaseResultOf } from '../proof/votes.ts'
import type { JobProofs } from '../run/proofs.ts'
import { simulatedOutputRoot, simulatedSignature, textHash } from './keys.ts'

/** Stand-ins for signatures, roots and batch hashes: fast enough for a million frames, and worthless outside a simulation. Votes are merged by the real rule. */
export function simulatedProofs(): JobProofs {
  return {
    jobId: (domain, terms) => textHash(`job ${domain.chainId} ${domain.verifyingContract} ${terms.creator} ${terms.runId}`),
    setTree: (leases) => ({ root: leasesHash(leases), proof: () => [] }),
    outputRoot: simulatedOutputRoot,
    signLeaseSet: async (_domain, signer, set) => simulatedSignature(signer.address, `set ${set.job} ${set.seq} ${set.setRoot}`),
    verifyAccept: ({ job, set, lease }, signature) =>
      signature === simulatedSignature(lease.farm, `accept ${job} ${lease.id} ${set.seq}`),
    verifyReady: (_domain, r) => r.signature === simulatedSignature(r.checker, `ready ${r.job} ${r.seq} ${r.setRoot}`),
    verifyCommit: (_domain, c, farm) =>
      c.outputRoot === simulatedOutputRoot(c.outputs) &&
      c.signature === simulatedSignature(farm, `commit ${c.job} ${c.lease} ${c.index} ${c.outputRoot}`),
    verifyHeld: (_domain, h) => h.signature === simulatedSignature(h.checker, `held ${h.job} ${h.lease} ${h.outputRoot}`),
    verifyVote: (_domain, v) => v.signature === simulatedVoteSignature(v),
    verifySeed: ({ checker, lease, seed }) => seed === simulatedSeed(checker, lease),
    verifyBatchSignature: (_domain, batch, s) =>
      s.signature === simulatedSignature(s.checker, `batch ${batch.job} ${batch.batchHash} ${batch.validUntilS}`),
    verifyFinalSignature: (_domain, job, keep, s) => s.signature === simulatedSignature(s.checker, `final ${job} ${keep}`),
    mergeVotes: ({ lease, seq, commits, votes, terms }) => leaseResultOf({ lease, seq, commits, votes, quorum: terms.quorum }),
    makeBatch: (job, results, validUntilS) => {
      const digest = createHash('sha256').update(job)
      for (const { lease, seq, records, acceptedWeight } of results) {
        digest.update(`${lease.id} ${seq} ${lease.price} ${acceptedWeight};`)
        for (const record of records) digest.update(`${record.frame}${record.verdict}${record.outputHash},`)
      }
      return { job, results, batchHash: `0x${digest.digest('hex')}`, validUntilS }
    },
  }
}

/** The one seed of a checker for a lease that its Ready may have committed to. */
export function simulatedSeed(checker: `0x${string}`, lease: number): `0x${string}` {
  return textHash(`seed ${checker} ${lease}`)
}

/** One hash for a whole vote would be made a million times: frame, bytes and verdict are what a test could forge. */
export function simulatedVoteSignature(vote: {
  checker: `0x${string}`
  lease: number
  frame: number
  outputHash: string
  verdict: string
}): `0x${string}` {
  return `0x${vote.checker.slice(2, 10)}${vote.lease.toString(16).padStart(8, '0')}${vote.outputHash.slice(2, 34)}${vote.verdict[0]!.charCodeAt(0).toString(16)}`
}

function leasesHash(leases: readonly Lease[]): `0x${string}` {
  const digest = createHash('sha256')
  for (const lease of leases)
    digest.update(`${lease.id} ${lease.farm} ${lease.price} ${lease.commitByS} ${lease.hedgeOf} ${lease.frames.join()};`)
  return `0x${digest.digest('hex')}`
}
