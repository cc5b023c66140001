import { createHash } from 'node:crypto'
import type { Address, DigestSigner, Lease, LeaseTicket, LedgerDomain, SealKey, Task, Terms } from '@pictor/core/contract'
import { sealPublicKey } from '@pictor/core/sealing'
import {
  jobIdOf,
  leaseProof,
  leaseSetRoot,
  localDomain,
  privateKeySigner,
  sealKeyDigest,
  seedRootOf,
  seedsOf,
  signLeaseSet,
  signReady,
  specHashOf,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'

/** A lease as a real job would hand it to a farm: terms, one set of one lease, two of three checkers ready. */
export async function ticketFor(
  farm: DigestSigner,
  frames: readonly number[],
  { bundle, spec }: Pick<Task, 'bundle' | 'spec'>,
  domain: LedgerDomain = localDomain(KEY),
  changed: { readonly lease?: Partial<Lease>; readonly terms?: Partial<Terms>; readonly seq?: number } = {},
): Promise<LeaseTicket> {
  const creator = privateKeySigner(drawnKey())
  const leaseKey = privateKeySigner(drawnKey())
  const checkers = [1, 2, 3].map(() => privateKeySigner(drawnKey())).sort((a, b) => (a.address < b.address ? -1 : 1))
  const nowS = Math.floor(Date.now() / 1000)
  const terms: Terms = {
    creator: creator.address,
    runId: `0x${'11'.repeat(32)}`,
    token: ZERO_ADDRESS,
    farmBudget: 10_000_000n,
    checkBudget: 1_000_000n,
    frameCap: 1_000_000n,
    checkFee: 1_000n,
    specHash: specHashOf(spec),
    bundleRoot: bundle.root,
    quoteHash: ZERO_HASH,
    checkers: checkers.map(({ address }) => address),
    registryDraw: 0,
    quorum: 2,
    arbiter: creator.address,
    leaseKey: leaseKey.address,
    platform: ZERO_ADDRESS,
    platformFeeBps: 0,
    recordMode: 'full',
    deadlineAtS: nowS + 3_600,
    attestByS: nowS + 7_200,
    claimTimeS: 600,
    refundAfterS: nowS + 10_800,
    disputeWindowS: 0,
    resolveByS: 600,
    ...changed.terms,
  }
  const job = jobIdOf(domain, terms.creator, terms.runId)
  const lease: Lease = {
    id: 1,
    farm: farm.address,
    payTo: farm.address,
    price: 600_000n,
    frames,
    weights: frames.map(() => 1),
    part: 0,
    checkClass: 'crop',
    commitByS: nowS + 1_800,
    hedgeOf: 0,
    ...changed.lease,
  }
  const leases = [lease]
  const { seq = 1 } = changed
  const set = await signLeaseSet(leaseKey, domain, { job, seq, leases })
  const seedRoot = seedRootOf(seedsOf(`0x${'22'.repeat(32)}`, job, [1]))
  const ready = await Promise.all(
    checkers
      .slice(0, 2)
      .map((checker) =>
        signReady(checker, domain, { job, seq, setRoot: leaseSetRoot(leases), bundleRoot: bundle.root, seedRoot }),
      ),
  )
  const sealKeys = await Promise.all(checkers.map((checker) => sealKeyOf(checker, domain)))
  return { domain, terms, job, lease, set, proof: leaseProof(leases, 1), ready, ...(domain.chainId > 0 ? { sealKeys } : {}) }
}

/** The secret behind the key that a checker of these tickets is sealed to. */
export const sealSecretOf = (checker: Address): Buffer => createHash('sha256').update(checker).digest()

export async function sealKeyOf(checker: DigestSigner, domain: LedgerDomain): Promise<SealKey> {
  const publicKey = sealPublicKey(sealSecretOf(checker.address))
  return { checker: checker.address, publicKey, signature: await checker.signDigest(sealKeyDigest(domain, publicKey)) }
}

/** Public key of the private key 1, uncompressed: the generator point of secp256k1. */
const KEY =
  '0x0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8' as const

export async function dressed(
  farm: DigestSigner,
  task: Task,
  domain?: LedgerDomain,
  changed?: Parameters<typeof ticketFor>[4],
): Promise<Task> {
  const frames = task.work.kind === 'frames' ? task.work.frames : [1]
  return { ...task, purpose: 'render', lease: await ticketFor(farm, frames, task, domain, changed) }
}
