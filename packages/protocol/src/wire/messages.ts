import type { Lease, LeaseKeyChange, LeaseSet, LedgerDomain, Ready, SealKey, Terms } from '@pictor/core/contract'
import { bigint, count, list, named, object, optional, word, type Schema } from '../schema.ts'
import { address, frame, hash, signature } from './basics.ts'
import { checkClass } from './job.ts'

export const domain: Schema<LedgerDomain> = object<LedgerDomain>({
  name: word('Pictor'),
  version: word('1'),
  chainId: count(),
  verifyingContract: address,
})
export const terms: Schema<Terms> = named(
  'Terms',
  object<Terms>({
    creator: address,
    runId: hash,
    token: address,
    farmBudget: bigint,
    checkBudget: bigint,
    frameCap: bigint,
    checkFee: bigint,
    specHash: hash,
    bundleRoot: hash,
    quoteHash: hash,
    checkers: list(address, 1_000),
    registryDraw: count(),
    quorum: count(),
    arbiter: address,
    leaseKey: address,
    platform: address,
    platformFeeBps: count(),
    recordMode: word('full', 'root'),
    deadlineAtS: count(),
    attestByS: count(),
    claimTimeS: count(),
    refundAfterS: count(),
    disputeWindowS: count(),
    resolveByS: count(),
  }),
)
export const lease: Schema<Lease> = object<Lease>({
  id: count(),
  farm: address,
  payTo: address,
  price: bigint,
  frames: list(frame, 1_000, 1),
  weights: list(count(1), 1_000, 1),
  part: count(),
  checkClass,
  commitByS: count(),
  hedgeOf: count(),
})
export const leaseSet: Schema<LeaseSet> = object<LeaseSet>({
  job: hash,
  seq: count(),
  setRoot: hash,
  signature: optional(signature),
  keyChange: optional(object<LeaseKeyChange>({ leaseKey: address, signature })),
})
export const sealKey: Schema<SealKey> = object<SealKey>({ checker: address, publicKey: hash, signature })
export const ready: Schema<Ready> = object<Ready>({
  job: hash,
  seq: count(),
  setRoot: hash,
  bundleRoot: hash,
  seedRoot: hash,
  checker: address,
  signature,
})
