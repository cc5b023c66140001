import {
  VERDICTS,
  type Address,
  type Bytes32,
  type Commit,
  type Held,
  type LeaseSet,
  type LedgerDomain,
  type Ready,
  type Terms,
  type Vote,
} from '../contract/messages.ts'
import type { KeyRequest } from '../contract/sealing.ts'
import { hashStruct, typedDigest, word } from './eip712.ts'
import { fromHex } from './bytes.ts'
import { hashTerms } from './terms.ts'

/** What the creator signs when somebody else opens the job for it: the terms and the root of lease set 0. @throws invalid-input */
export function openDigest(domain: LedgerDomain, terms: Terms, setRoot: Bytes32): Bytes32 {
  return typedDigest(
    domain,
    hashStruct('Open(bytes32 terms,bytes32 setRoot)', fromHex(hashTerms(terms)), word.bytes32(setRoot, 'setRoot')),
  )
}

/** What the leaseKey signs for a later lease set. @throws invalid-input */
export function leaseSetDigest(domain: LedgerDomain, set: Pick<LeaseSet, 'job' | 'seq' | 'setRoot'>): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'LeaseSet(bytes32 job,uint32 seq,bytes32 setRoot)',
      word.bytes32(set.job, 'set.job'),
      word.uint(set.seq, 32, 'set.seq'),
      word.bytes32(set.setRoot, 'set.setRoot'),
    ),
  )
}

/** What a farm signs to take its lease. @throws invalid-input */
export function leaseAcceptDigest(
  domain: LedgerDomain,
  accept: { readonly job: Bytes32; readonly seq: number; readonly lease: number; readonly leaf: Bytes32 },
): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'LeaseAccept(bytes32 job,uint32 seq,uint32 lease,bytes32 leaf)',
      word.bytes32(accept.job, 'accept.job'),
      word.uint(accept.seq, 32, 'accept.seq'),
      word.uint(accept.lease, 32, 'accept.lease'),
      word.bytes32(accept.leaf, 'accept.leaf'),
    ),
  )
}

/** What a checker signs when it holds the bundle and has seen every lease set so far. @throws invalid-input */
export function readyDigest(domain: LedgerDomain, ready: Omit<Ready, 'checker' | 'signature'>): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'Ready(bytes32 job,uint32 seq,bytes32 setRoot,bytes32 bundleRoot,bytes32 seedRoot)',
      word.bytes32(ready.job, 'ready.job'),
      word.uint(ready.seq, 32, 'ready.seq'),
      word.bytes32(ready.setRoot, 'ready.setRoot'),
      word.bytes32(ready.bundleRoot, 'ready.bundleRoot'),
      word.bytes32(ready.seedRoot, 'ready.seedRoot'),
    ),
  )
}

/** What a farm signs to commit to outputs. @throws invalid-input */
export function commitDigest(domain: LedgerDomain, commit: Pick<Commit, 'job' | 'lease' | 'index' | 'outputRoot'>): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'Commit(bytes32 job,uint32 lease,uint32 index,bytes32 outputRoot)',
      word.bytes32(commit.job, 'commit.job'),
      word.uint(commit.lease, 32, 'commit.lease'),
      word.uint(commit.index, 32, 'commit.index'),
      word.bytes32(commit.outputRoot, 'commit.outputRoot'),
    ),
  )
}

/** What a checker signs when it holds the bytes of a commitment. @throws invalid-input */
export function heldDigest(domain: LedgerDomain, held: Pick<Held, 'job' | 'lease' | 'outputRoot'>): Bytes32 {
  return leaseOutputDigest('Held', domain, held)
}

/** What a farm signs when it ends a canceled lease; `outputRoot` is over the outputs it still commits to (32 zero bytes for none). @throws invalid-input */
export function canceledDigest(
  domain: LedgerDomain,
  canceled: { readonly job: Bytes32; readonly lease: number; readonly outputRoot: Bytes32 },
): Bytes32 {
  return leaseOutputDigest('Canceled', domain, canceled)
}

function leaseOutputDigest(
  name: 'Held' | 'Canceled',
  domain: LedgerDomain,
  message: { readonly job: Bytes32; readonly lease: number; readonly outputRoot: Bytes32 },
): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      `${name}(bytes32 job,uint32 lease,bytes32 outputRoot)`,
      word.bytes32(message.job, 'job'),
      word.uint(message.lease, 32, 'lease'),
      word.bytes32(message.outputRoot, 'outputRoot'),
    ),
  )
}

/** What a checker signs about one frame. @throws invalid-input */
export function voteDigest(domain: LedgerDomain, vote: Omit<Vote, 'checker' | 'signature'>): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'Vote(bytes32 job,uint32 lease,int32 frame,uint32 part,bytes32 outputHash,bool checked,uint8 verdict,uint16 score,bytes32 cropsHash)',
      word.bytes32(vote.job, 'vote.job'),
      word.uint(vote.lease, 32, 'vote.lease'),
      word.int32(vote.frame, 'vote.frame'),
      word.uint(vote.part, 32, 'vote.part'),
      word.bytes32(vote.outputHash, 'vote.outputHash'),
      word.bool(vote.checked),
      word.uint(VERDICTS.indexOf(vote.verdict), 8, 'vote.verdict'),
      word.uint(vote.score, 16, 'vote.score'),
      word.bytes32(vote.cropsHash, 'vote.cropsHash'),
    ),
  )
}

/** What q checkers sign to settle whole leases. @throws invalid-input */
export function batchDigest(
  domain: LedgerDomain,
  batch: { readonly job: Bytes32; readonly batchHash: Bytes32; readonly validUntilS: number },
): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'Batch(bytes32 job,bytes32 batchHash,uint40 validUntil)',
      word.bytes32(batch.job, 'batch.job'),
      word.bytes32(batch.batchHash, 'batch.batchHash'),
      word.uint(batch.validUntilS, 40, 'batch.validUntilS'),
    ),
  )
}

/** What q checkers sign when no further lease will be attested beyond `keep` (all attested or still to be, gross, with check fees). @throws invalid-input */
export function finalDigest(domain: LedgerDomain, job: Bytes32, keep: bigint): Bytes32 {
  return typedDigest(domain, hashStruct('Final(bytes32 job,uint96 keep)', word.bytes32(job, 'job'), word.uint(keep, 96, 'keep')))
}

/** What the creator signs to end a batch's dispute window early. @throws invalid-input */
export function approveDigest(domain: LedgerDomain, job: Bytes32, batch: number): Bytes32 {
  return typedDigest(
    domain,
    hashStruct('Approve(bytes32 job,uint32 batch)', word.bytes32(job, 'job'), word.uint(batch, 32, 'batch')),
  )
}

/** What a checker signs about the key that outputs are sealed to. @throws invalid-input */
export function sealKeyDigest(domain: LedgerDomain, publicKey: Bytes32): Bytes32 {
  return typedDigest(domain, hashStruct('SealKey(bytes32 publicKey)', word.bytes32(publicKey, 'publicKey')))
}

/** What the creator or its leaseKey signs to be given the keys of a lease's files. @throws invalid-input */
export function keyRequestDigest(domain: LedgerDomain, request: Omit<KeyRequest, 'signature'>): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'KeyRequest(bytes32 job,uint32 lease,bytes32 recipient,uint40 validUntil)',
      word.bytes32(request.job, 'request.job'),
      word.uint(request.lease, 32, 'request.lease'),
      word.bytes32(request.recipient, 'request.recipient'),
      word.uint(request.validUntilS, 40, 'request.validUntilS'),
    ),
  )
}

/** What the creator signs to replace the job's leaseKey. @throws invalid-input */
export function leaseKeyDigest(domain: LedgerDomain, job: Bytes32, leaseKey: Address): Bytes32 {
  return typedDigest(
    domain,
    hashStruct('LeaseKey(bytes32 job,address leaseKey)', word.bytes32(job, 'job'), word.address(leaseKey, 'leaseKey')),
  )
}

/** What a local ledger signs for one job at one entry of its book: the evidence in a receipt, and a checkpoint for counterparties. */
export interface LocalHead {
  readonly job: Bytes32
  /** hash(terms). */
  readonly terms: Bytes32
  readonly setRoot: Bytes32
  readonly head: Bytes32
  readonly deposited: bigint
  readonly locked: bigint
  readonly pending: bigint
  readonly released: bigint
  readonly refunded: bigint
  /** Number and chained hash of the newest entry of the whole book. Two signed heads with one number and different hashes prove a fork. */
  readonly entry: number
  readonly entryHash: Bytes32
}

/** Digest of a {@link LocalHead}. @throws invalid-input */
export function localHeadDigest(domain: LedgerDomain, head: LocalHead): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'LocalHead(bytes32 job,bytes32 terms,bytes32 setRoot,bytes32 head,uint96 deposited,uint96 locked,uint96 pending,uint96 released,uint96 refunded,uint64 entry,bytes32 entryHash)',
      ...(['job', 'terms', 'setRoot', 'head'] as const).map((name) => word.bytes32(head[name], `head.${name}`)),
      ...(['deposited', 'locked', 'pending', 'released', 'refunded'] as const).map((name) =>
        word.uint(head[name], 96, `head.${name}`),
      ),
      word.uint(head.entry, 64, 'head.entry'),
      word.bytes32(head.entryHash, 'head.entryHash'),
    ),
  )
}

/** What a local ledger signs for each entry of its book; the hash covers all entries before it. @throws invalid-input */
export function entryDigest(domain: LedgerDomain, entry: number, entryHash: Bytes32): Bytes32 {
  return typedDigest(
    domain,
    hashStruct(
      'LedgerEntry(uint64 entry,bytes32 entryHash)',
      word.uint(entry, 64, 'entry'),
      word.bytes32(entryHash, 'entryHash'),
    ),
  )
}
