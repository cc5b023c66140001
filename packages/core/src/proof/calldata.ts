import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, CheckerSignature, Signature } from '../contract/messages.ts'
import { bytes32, concat, fromHex, uint } from './bytes.ts'
import { multiProof } from './merkle.ts'

/** One lease set of a batch: which of its leases are in the batch, and what proves that the set is the leaseKey's. */
export interface ProvenSet {
  readonly seq: number
  readonly setRoot: Bytes32
  /** By the leaseKey; set 0 needs none. */
  readonly signature?: Signature
  /** Leaves of the whole set, in order of lease id. */
  readonly leaves: readonly Bytes32[]
  /** Positions in `leaves` of the leases in the batch. */
  readonly indices: readonly number[]
}

function packFlags(flags: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8))
  for (const [i, flag] of flags.entries()) if (flag) bytes[i >> 3]! |= 0x80 >> (i & 7)
  return bytes
}

/** Multiproof calldata of `attest` (docs/encodings.md), sets ascending by seq. @throws invalid-input */
export function encodeSetProofs(sets: readonly ProvenSet[]): Uint8Array {
  return concat(
    ...[...sets]
      .sort((a, b) => a.seq - b.seq)
      .flatMap((set) => {
        const { proof, proofFlags } = multiProof(set.leaves, set.indices)
        const signature = fromHex(set.signature ?? '0x', 'set.signature')
        if (set.seq > 0 && signature.length === 0)
          throw invalid('set.signature', 'the leaseKey signature of every set but set 0', '0x')
        return [
          ...(set.seq > 0 ? [bytes32(set.setRoot, 'set.setRoot'), uint(signature.length, 2, 'set.signature'), signature] : []),
          uint(proof.length, 2, 'proof.length'),
          ...proof.map((node) => bytes32(node, 'proof')),
          uint(proofFlags.length, 2, 'proofFlags.length'),
          packFlags(proofFlags),
        ]
      }),
  )
}

/** Quorum signatures as calldata: committee index, length, signature, ascending by index. @throws invalid-input for a signer outside the committee, or twice */
export function encodeSignatures(signatures: readonly CheckerSignature[], committee: readonly Address[]): Uint8Array {
  const rows = signatures
    .map(({ checker, signature }) => ({ index: committee.indexOf(checker), signature }))
    .sort((a, b) => a.index - b.index)
  for (const [i, row] of rows.entries()) {
    if (row.index < 0)
      throw invalid('signatures.checker', 'a checker of the job', signatures.map(({ checker }) => checker).join(', '))
    if (row.index === rows[i - 1]?.index) throw invalid('signatures.checker', 'each checker once', committee[row.index])
  }
  return concat(
    ...rows.flatMap(({ index, signature }) => {
      const bytes = fromHex(signature, 'signature')
      return [uint(index, 1, 'checker index'), uint(bytes.length, 2, 'signature.length'), bytes]
    }),
  )
}
