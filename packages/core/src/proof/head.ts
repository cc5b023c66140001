import type { Address, Bytes32 } from '../contract/messages.ts'
import { concat, toHex } from './bytes.ts'
import { word } from './eip712.ts'
import { keccakBytes } from './hash.ts'

/** What a job's head folds, with its wire code. */
export const HEAD_KINDS = { attest: 1, resolve: 2, release: 3, final: 4, refund: 5, claim: 6 } as const
export type HeadKind = keyof typeof HEAD_KINDS

/** The next head: keccak256(abi.encode(head, uint8 kind, itemHash)). A job's first head is its id. @throws invalid-input */
export function foldHead(head: Bytes32, kind: HeadKind, itemHash: Bytes32): Bytes32 {
  return toHex(
    keccakBytes(concat(word.bytes32(head, 'head'), word.uint(HEAD_KINDS[kind], 8, 'kind'), word.bytes32(itemHash, 'itemHash'))),
  )
}

/** Item of an attestation: keccak256(abi.encode(uint32 batch, bytes32 batchHash)); batches of a job count from 1. */
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
