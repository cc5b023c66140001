import type { Bytes32, LedgerDomain } from '../contract/messages.ts'
import { address20, bytes32, concat, int32, toHex, uint, utf8 } from './bytes.ts'
import { keccakBytes } from './hash.ts'

/** One ABI word (32 bytes). EIP-712 `encodeData` and `abi.encode` of static types are both a row of words. */
export const word = {
  uint: (value: bigint | number, bits: number, path: string): Uint8Array =>
    concat(new Uint8Array(32 - bits / 8), uint(value, bits / 8, path)),
  int32: (value: number, path: string): Uint8Array => int32(value, 32, path),
  bool: (value: boolean): Uint8Array => word.uint(value ? 1 : 0, 8, 'bool'),
  address: (value: string, path: string): Uint8Array => concat(new Uint8Array(12), address20(value, path)),
  bytes32: (value: string, path: string): Uint8Array => bytes32(value, path),
  /** EIP-712 encodes a list as the hash of its items' words. */
  addresses: (values: readonly string[], path: string): Uint8Array =>
    keccakBytes(concat(...values.map((value, i) => word.address(value, `${path}[${i}]`)))),
} as const

const typeHashes = new Map<string, Uint8Array>()

/** EIP-712 `hashStruct`: keccak256(typeHash, words). `type` is the full encodeType text. */
export function hashStruct(type: string, ...words: readonly Uint8Array[]): Uint8Array {
  let typeHash = typeHashes.get(type)
  if (!typeHash) typeHashes.set(type, (typeHash = keccakBytes(utf8(type))))
  return keccakBytes(concat(typeHash, ...words))
}

/** EIP-712 domain separator of a ledger. */
export function domainSeparator(domain: LedgerDomain): Uint8Array {
  return hashStruct(
    'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)',
    keccakBytes(utf8(domain.name)),
    keccakBytes(utf8(domain.version)),
    word.uint(domain.chainId, 256, 'domain.chainId'),
    word.address(domain.verifyingContract, 'domain.verifyingContract'),
  )
}

/** The digest that is signed: keccak256(0x1901, domain separator, struct hash) (EIP-712). */
export function typedDigest(domain: LedgerDomain, structHash: Uint8Array): Bytes32 {
  return toHex(keccakBytes(concat(Uint8Array.of(0x19, 0x01), domainSeparator(domain), structHash)))
}
