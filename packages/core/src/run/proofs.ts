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
  LeaseResult,
  LeaseSet,
  LeaseTicket,
  LedgerDomain,
  Ready,
  SeedReveal,
  Signature,
  Terms,
  Vote,
} from '../contract/messages.ts'

/** Everything that decides one lease. */
export interface LeaseCase {
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly lease: Lease
  readonly seq: number
  /** Only commitments that a quorum held in time. */
  readonly commits: readonly Commit[]
  readonly votes: readonly Vote[]
  readonly seeds: readonly SeedReveal[]
}

/** The signed-message functions that the runner needs, as a port: `proof` for real jobs, cheap ones for simulations of a million frames. */
export interface JobProofs {
  jobId(domain: LedgerDomain, terms: Pick<Terms, 'creator' | 'runId'>): Bytes32
  setTree(leases: readonly Lease[]): { readonly root: Bytes32; proof(index: number): readonly Bytes32[] }
  outputRoot(outputs: readonly FrameOutput[]): Bytes32
  signLeaseSet(domain: LedgerDomain, signer: DigestSigner, set: LeaseSet): Promise<Signature>
  /** The farm's countersignature of its lease. */
  verifyAccept(ticket: LeaseTicket, signature: Signature): boolean
  verifyReady(domain: LedgerDomain, ready: Ready): boolean
  /** Root and signature; `farm` is the lease's key. */
  verifyCommit(domain: LedgerDomain, commit: Commit, farm: Address): boolean
  verifyHeld(domain: LedgerDomain, held: Held): boolean
  verifyVote(domain: LedgerDomain, vote: Vote): boolean
  verifySeed(seed: SeedReveal, seedRoot: Bytes32): boolean
  verifyBatchSignature(domain: LedgerDomain, batch: Batch, signature: CheckerSignature): boolean
  verifyFinalSignature(domain: LedgerDomain, job: Bytes32, keep: bigint, signature: CheckerSignature): boolean
  /** The fixed rule that turns votes into records and accepted weight. */
  mergeVotes(input: LeaseCase): LeaseResult
  makeBatch(
    job: Bytes32,
    results: readonly LeaseResult[],
    validUntilS: number,
    terms: Terms,
    committee: readonly Address[],
  ): Batch
}
