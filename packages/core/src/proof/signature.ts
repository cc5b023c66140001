import { secp256k1 } from '@noble/curves/secp256k1.js'
import { PictorError, invalid } from '../contract/error.ts'
import type { Address, Bytes32, DigestSigner, LedgerDomain, Signature } from '../contract/messages.ts'
import { bytes32, concat, fromHex, toHex } from './bytes.ts'
import { keccakBytes } from './hash.ts'

/** A `signature-invalid` error that names the message at fault. */
export function badSignature(path: string, message: string, details: Readonly<Record<string, unknown>> = {}): PictorError {
  return new PictorError('signature-invalid', `${path}: ${message}`, { details: { path, ...details } })
}

/** Address of a secp256k1 public key, compressed (33 bytes) or not (65): the last 20 bytes of keccak256 of its 64 coordinate bytes. @throws invalid-input */
export function addressOfPublicKey(publicKey: Uint8Array | `0x${string}`): Address {
  const bytes = typeof publicKey === 'string' ? fromHex(publicKey, 'publicKey') : publicKey
  try {
    const point = secp256k1.Point.fromBytes(bytes).toBytes(false)
    return toHex(keccakBytes(point.subarray(1)).subarray(12))
  } catch {
    throw invalid('publicKey', 'a point of secp256k1 in 33 or 65 bytes', toHex(bytes))
  }
}

/** EIP-712 domain of a local ledger: chain id 0 and the address of the app's public key (or that address itself). */
export function localDomain(publicKey: Uint8Array | `0x${string}`): LedgerDomain {
  const isAddress = typeof publicKey === 'string' && /^0x[0-9a-f]{40}$/.test(publicKey)
  return { name: 'Pictor', version: '1', chainId: 0, verifyingContract: isAddress ? publicKey : addressOfPublicKey(publicKey) }
}

/**
 * Address whose key signed `digest`. Takes the one canonical form only: 65 bytes r, s, v with v 27 or 28 and s in the lower half of the order (as OpenZeppelin's
 * ECDSA does), so that no second valid signature of a message exists.
 * @throws signature-invalid naming `path`
 */
export function recoverAddress(digest: Bytes32, signature: Signature, path = 'signature'): Address {
  if (typeof signature !== 'string' || !/^0x[0-9a-f]{130}$/.test(signature))
    throw badSignature(path, 'expected 65 bytes in lower-case hex')
  const bytes = fromHex(signature, path)
  const v = bytes[64]!
  if (v !== 27 && v !== 28) throw badSignature(path, `expected v 27 or 28, found ${v}`)
  try {
    const parsed = secp256k1.Signature.fromBytes(bytes.subarray(0, 64), 'compact')
    if (parsed.hasHighS()) throw badSignature(path, 's lies in the upper half of the order: a malleable signature')
    return addressOfPublicKey(
      parsed
        .addRecoveryBit(v - 27)
        .recoverPublicKey(bytes32(digest, 'digest'))
        .toBytes(false),
    )
  } catch (cause) {
    throw (cause as { '~pictor'?: string })['~pictor'] ? cause : badSignature(path, 'no point of the curve fits this signature')
  }
}

/** Whether `address` signed `digest`; never throws for a bad signature. */
export function isSignedBy(digest: Bytes32, signature: Signature, address: Address): boolean {
  try {
    return recoverAddress(digest, signature) === address
  } catch {
    return false
  }
}

/** A fresh private key from the platform's random source. */
export function randomPrivateKey(): Bytes32 {
  return toHex(secp256k1.utils.randomSecretKey())
}

/** Signs with a key that this process holds, deterministically (RFC 6979). For development and for signer processes. @throws invalid-input when it is no key */
export function privateKeySigner(privateKey: Bytes32): DigestSigner {
  const key = bytes32(privateKey, 'privateKey')
  if (!secp256k1.utils.isValidSecretKey(key)) throw invalid('privateKey', 'a number within the order of secp256k1', '(hidden)')
  return {
    address: addressOfPublicKey(secp256k1.getPublicKey(key, false)),
    signDigest(digest) {
      const [recovery, ...rs] = secp256k1.sign(bytes32(digest, 'digest'), key, {
        prehash: false,
        lowS: true,
        format: 'recovered',
      })
      return Promise.resolve(toHex(concat(Uint8Array.from(rs), Uint8Array.of(27 + recovery!))))
    },
  }
}
