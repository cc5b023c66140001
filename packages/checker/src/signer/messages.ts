import {
  PictorError,
  type Address,
  type Batch,
  type Bytes32,
  type DigestSigner,
  type Held,
  type LedgerDomain,
  type Ready,
  type Signature,
  type Vote,
} from '@pictor/core/contract'
import { batchDigest, finalDigest, heldDigest, readyDigest, sealKeyDigest, voteDigest } from '@pictor/core/proof'

/** A message before its checker has signed it. */
export type Unsigned<T> = Omit<T, 'checker' | 'signature'>

/** Everything a checker ever signs (PROTOCOL.md). A signer knows these kinds and refuses any other. */
export type CheckerMessage =
  | { readonly kind: 'ready'; readonly message: Unsigned<Ready> }
  | { readonly kind: 'held'; readonly message: Unsigned<Held> }
  | { readonly kind: 'vote'; readonly message: Unsigned<Vote> }
  | { readonly kind: 'batch'; readonly message: Pick<Batch, 'job' | 'batchHash' | 'validUntilS'> }
  | { readonly kind: 'seal-key'; readonly message: { readonly publicKey: Bytes32 } }
  | { readonly kind: 'final'; readonly message: { readonly job: Bytes32; readonly keep: bigint } }

/** Signs a checker's messages by their content, never a bare digest: what is asked for can be judged. May live in another process. */
export interface MessageSigner {
  readonly address: Address
  /** One signature a message, in their order; all or none. @throws checker-refused when one of them must not be signed */
  sign(domain: LedgerDomain, messages: readonly CheckerMessage[]): Promise<readonly Signature[]>
}

/** EIP-712 digest of a message. @throws invalid-input naming the field that breaks a rule */
export function digestOf(domain: LedgerDomain, { kind, message }: CheckerMessage): Bytes32 {
  switch (kind) {
    case 'ready':
      return readyDigest(domain, message)
    case 'held':
      return heldDigest(domain, message)
    case 'vote':
      return voteDigest(domain, message)
    case 'batch':
      return batchDigest(domain, message)
    case 'final':
      return finalDigest(domain, message.job, message.keep)
    case 'seal-key':
      return sealKeyDigest(domain, message.publicKey)
    default:
      throw new PictorError('checker-refused', `a checker signs no ${String(kind)}`, { details: { reason: 'kind' } })
  }
}

/** A key that this process holds, as a message signer. It signs whatever it is asked: see `guardedSigner` for one that does not. */
export function messageSigner(signer: DigestSigner | MessageSigner): MessageSigner {
  if ('sign' in signer) return signer
  return {
    address: signer.address,
    sign: (domain, messages) => Promise.all(messages.map((one) => signer.signDigest(digestOf(domain, one)))),
  }
}
