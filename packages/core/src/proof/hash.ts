import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import type { Bytes32 } from '../contract/messages.ts'
import { fromHex, toHex, utf8 } from './bytes.ts'

/** 32 zero bytes: the root of an empty tree, the hash of a missing frame. */
export const ZERO_HASH: Bytes32 = `0x${'0'.repeat(64)}`

/** keccak256 of bytes, or of the bytes that a `0x` hex text names. @throws invalid-input when the text is no hex */
export function keccak256(data: Uint8Array | `0x${string}`): Bytes32 {
  return toHex(keccak_256(typeof data === 'string' ? fromHex(data) : data))
}

/** keccak256 as bytes, for the inside of trees. */
export function keccakBytes(data: Uint8Array): Uint8Array {
  return keccak_256(data)
}

/** sha256 of bytes, or of a text's UTF-8 bytes, as `0x` hex. */
export function sha256Hex(data: Uint8Array | string): Bytes32 {
  return toHex(sha256(typeof data === 'string' ? utf8(data) : data))
}
