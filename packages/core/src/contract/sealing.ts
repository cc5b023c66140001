import type { CallContext } from './context.ts'
import type { Output } from './farm.ts'
import type { Address, Bytes32, LedgerDomain, Signature } from './messages.ts'

/** A checker's X25519 key, signed by its signing key over SealKey(publicKey): who seals outputs seals them to this one. */
export interface SealKey {
  readonly checker: Address
  readonly publicKey: Bytes32
  readonly signature: Signature
}

/** How an output lies at its farm until its frame is accepted: encrypted, with a small marked picture beside it. */
export interface Seal {
  /** sha256 and size of the encrypted file, which `Farm.open` gives in place of the output. */
  readonly hash: Bytes32
  readonly bytes: number
  /** A PNG that anybody may see, opened as an output of its own; left out where the farm can make none. */
  readonly preview?: { readonly name: string; readonly hash: Bytes32; readonly bytes: number }
}

/** Which encrypted file holds an output. */
export interface SealedOutput {
  readonly outputHash: Bytes32
  readonly sealedHash: Bytes32
}

/** The creator, or the leaseKey in force, asks for the keys of a lease's accepted files, signed over KeyRequest(job, lease, recipient, validUntil). */
export interface KeyRequest {
  readonly job: Bytes32
  readonly lease: number
  /** X25519 key that the answer is encrypted to: whoever reads or repeats the request learns nothing. */
  readonly recipient: Bytes32
  readonly validUntilS: number
  readonly signature: Signature
}

/** The keys, encrypted to the request's recipient: JSON of 32-byte hex keys by output hash. */
export interface KeyAnswer {
  readonly checker: Address
  readonly envelope: `0x${string}`
}

/** What a checker does about sealed outputs. One without it can hold outputs only that lie open. */
export interface CheckerSealing {
  /** The key to seal to; the same for as long as the checker keeps its store. */
  key(domain: LedgerDomain, ctx: CallContext): Promise<SealKey>
  /**
   * Serves the keys of a lease once a batch with it, signed here, is final on the ledger.
   * @throws checker-refused with `details.reason`: `not-attested` (ask again later), `not-signed` (ask another checker), `no-ledger`, `not-creator`, `expired`, `unknown-job`
   */
  keys(request: KeyRequest, ctx: CallContext): Promise<KeyAnswer>
}

/** What `Farm.open` gives of an output, each as an output of its own: the file; or, of a sealed one, the encrypted file in its place and the preview beside it. */
export function downloadsOf({ sealed, ...file }: Output): readonly Output[] {
  if (!sealed) return [file]
  const { hash, bytes, preview } = sealed
  return [{ ...file, hash, bytes }, ...(preview ? [{ ...file, ...preview }] : [])]
}
