import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { PictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { fromHex, toHex } from '../proof/bytes.ts'

/** DER heads of raw X25519 keys (RFC 8410). */
const PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex')
/** Every key below encrypts one message, so the nonce may be constant. */
const NONCE = Buffer.alloc(12)
const TAG_BYTES = 16

/** HKDF-SHA256 (RFC 5869), 32 bytes. `use` keeps keys of different uses apart. */
export function derive(secret: Uint8Array, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, new Uint8Array(), use, 32))
}

const privateOf = (secret: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PRIVATE, secret]), format: 'der', type: 'pkcs8' })
const publicOf = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([PUBLIC, raw]), format: 'der', type: 'spki' })
const rawOf = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(PUBLIC.length)

/** The X25519 public key of 32 secret bytes. */
export function sealPublicKey(secret: Uint8Array): Bytes32 {
  return toHex(rawOf(privateOf(secret))) as Bytes32
}

/**
 * Encrypts a short message to an X25519 key: a one-time key pair, HKDF over the shared secret and both public keys, AES-256-GCM bound to `context`.
 * The one-time secret may be derived, so that the same message is the same envelope: it must then differ for every message, recipient and context.
 * @throws invalid-input when the recipient is no key
 */
export function sealTo(recipient: Bytes32, message: Uint8Array, context: string, once: Uint8Array = randomBytes(32)): Buffer {
  const own = privateOf(once)
  const key = envelopeKey(own, fromHex(recipient, 'recipient'), rawOf(own), fromHex(recipient, 'recipient'))
  return Buffer.concat([rawOf(own), encryptOnce(key, message, context)])
}

/** @throws signature-invalid when the envelope was made for another key or context, or is damaged */
export function openEnvelope(secret: Uint8Array, envelope: Uint8Array, context: string): Buffer {
  const own = privateOf(secret)
  const once = envelope.subarray(0, 32)
  return decryptOnce(envelopeKey(own, once, once, rawOf(own)), envelope.subarray(32), context)
}

function envelopeKey(own: KeyObject, other: Uint8Array, once: Uint8Array, recipient: Uint8Array): Buffer {
  let shared: Buffer
  try {
    shared = diffieHellman({ privateKey: own, publicKey: publicOf(other) })
  } catch (cause) {
    throw new PictorError('invalid-input', 'no X25519 key', { details: { path: 'recipient' }, cause })
  }
  return derive(Buffer.concat([shared, once, recipient]), 'pictor envelope 1')
}

/** AES-256-GCM under a key that is used for this message alone; the tag lies behind it. */
export function encryptOnce(key: Uint8Array, message: Uint8Array, context: string | Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, NONCE)
  cipher.setAAD(Buffer.from(context))
  return Buffer.concat([cipher.update(message), cipher.final(), cipher.getAuthTag()])
}

/** @throws signature-invalid when the key is another one or a byte was changed */
export function decryptOnce(key: Uint8Array, sealed: Uint8Array, context: string | Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, NONCE)
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final()])
  } catch (cause) {
    throw new PictorError('signature-invalid', 'it does not open: another key, or damaged bytes', {
      details: { path: 'sealed' },
      cause,
    })
  }
}
