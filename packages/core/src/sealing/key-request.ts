import { invalid } from '../contract/error.ts'
import type { Bytes32, DigestSigner, LedgerDomain } from '../contract/messages.ts'
import type { KeyAnswer, KeyRequest } from '../contract/sealing.ts'
import { fromHex, toHex } from '../proof/bytes.ts'
import { keyRequestDigest } from '../proof/digests.ts'
import { openEnvelope, sealPublicKey, sealTo } from './envelope.ts'

/** What binds an answer to its request. */
export const keysContext = ({ job, lease }: Pick<KeyRequest, 'job' | 'lease'>): string => `pictor keys ${job} ${lease}`

/** Signs a request for the keys of a lease; `secret` opens the answer. */
export async function requestKeys(
  signer: DigestSigner,
  domain: LedgerDomain,
  about: Pick<KeyRequest, 'job' | 'lease' | 'validUntilS'>,
  secret: Uint8Array,
): Promise<KeyRequest> {
  const unsigned = { ...about, recipient: sealPublicKey(secret) }
  return { ...unsigned, signature: await signer.signDigest(keyRequestDigest(domain, unsigned)) }
}

/** The keys, for the request's recipient and nobody else. */
export function sealKeys(request: KeyRequest, keys: ReadonlyMap<Bytes32, Uint8Array>): `0x${string}` {
  const json = JSON.stringify(Object.fromEntries([...keys].map(([hash, key]) => [hash, toHex(key)])))
  return toHex(sealTo(request.recipient, Buffer.from(json), keysContext(request)))
}

/** Reads the answer to a request. @throws signature-invalid, invalid-input when it is for somebody else or malformed */
export function readKeys(request: KeyRequest, { envelope }: KeyAnswer, secret: Uint8Array): ReadonlyMap<Bytes32, Uint8Array> {
  const json = openEnvelope(secret, fromHex(envelope, 'answer.envelope'), keysContext(request)).toString()
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch {
    throw invalid('answer', 'JSON', 'other bytes')
  }
  if (typeof parsed !== 'object' || parsed === null) throw invalid('answer', 'keys by output hash', parsed)
  return new Map(
    Object.entries(parsed).map(([hash, key]) => {
      if (typeof key !== 'string' || !/^0x[0-9a-f]{64}$/.test(key)) throw invalid(`answer.${hash}`, '32 bytes as 0x hex', key)
      return [hash as Bytes32, fromHex(key as `0x${string}`, hash)]
    }),
  )
}
