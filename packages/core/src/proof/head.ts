import type { Address, Bytes32 } from '../contract/messages.ts'
import { concat, toHex } from './bytes.ts'
import { word } from './eip712.ts'
import { keccakBytes } from './hash.ts'

/** What a job's head folds, with its wire code. */
export const HEAD_KINDS = { attest: 1, resolve: 2, release: 3, final: 4, refund: 5, claim: 6, 'lease-key': 7 } as const
export type HeadKind = keyof typeof HEAD_KINDS

/** Per mille that stands for an arbiter who was silent: the quorum's verdict holds. */
export const SILENT_ARBITER = 65_535

/**
 * The next head of a job: keccak256(abi.encode(head, uint8 kind, itemHash)). The first fold starts from the job's id.
 * @throws invalid-input
 */
export function foldHead(head: Bytes32, kind: HeadKind, itemHash: Bytes32): Bytes32 {
  return toHex(
    keccakBytes(concat(word.bytes32(head, 'head'), word.uint(HEAD_KINDS[kind], 8, 'kind'), word.bytes32(itemHash, 'itemHash'))),
  )
}

/** Item of an attestation: keccak256(abi.encode(uint32 batch, bytes32 batchHash)); batches and claims of a job share one number sequence from 1. */
export function attestItem(batch: number, batchHash: Bytes32): Bytes32 {
  return toHex(keccakBytes(concat(word.uint(batch, 32, 'batch'), word.bytes32(batchHash, 'batchHash'))))
}

/** Item of a resolution: keccak256(abi.encode(uint32 batch, address farm, uint16 acceptedPerMille)). */
export function resolveItem(batch: number, farm: Address, acceptedPerMille: number): Bytes32 {
  return toHex(
    keccakBytes(
      concat(word.uint(batch, 32, 'batch'), word.address(farm, 'farm'), word.uint(acceptedPerMille, 16, 'acceptedPerMille')),
    ),
  )
}

/** Item of a release: keccak256(abi.encode(uint32 batch, uint96 paid, uint96 refunded)); `paid` to farms, platform and checkers together. */
export function releaseItem(batch: number, paid: bigint, refunded: bigint): Bytes32 {
  return toHex(
    keccakBytes(concat(word.uint(batch, 32, 'batch'), word.uint(paid, 96, 'paid'), word.uint(refunded, 96, 'refunded'))),
  )
}

/** Item of a Final: keccak256(abi.encode(uint96 keep, uint96 refunded)). */
export function finalItem(keep: bigint, refunded: bigint): Bytes32 {
  return toHex(keccakBytes(concat(word.uint(keep, 96, 'keep'), word.uint(refunded, 96, 'refunded'))))
}

/** Item of a refund after `refundAfter`: keccak256(abi.encode(uint96 amount)). */
export function refundItem(amount: bigint): Bytes32 {
  return toHex(keccakBytes(word.uint(amount, 96, 'amount')))
}

/** Item of a replaced leaseKey: keccak256(abi.encode(address leaseKey)). */
export function leaseKeyItem(leaseKey: Address): Bytes32 {
  return toHex(keccakBytes(word.address(leaseKey, 'leaseKey')))
}

/** Item of a claim: keccak256(abi.encode(uint32 batch, uint32 lease, address farm, uint96 price, bytes32 outputRoot)). */
export function claimItem(claim: {
  readonly batch: number
  readonly lease: number
  readonly farm: Address
  readonly price: bigint
  readonly outputRoot: Bytes32
}): Bytes32 {
  return toHex(
    keccakBytes(
      concat(
        word.uint(claim.batch, 32, 'claim.batch'),
        word.uint(claim.lease, 32, 'claim.lease'),
        word.address(claim.farm, 'claim.farm'),
        word.uint(claim.price, 96, 'claim.price'),
        word.bytes32(claim.outputRoot, 'claim.outputRoot'),
      ),
    ),
  )
}
