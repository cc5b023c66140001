import { fromHex, keccak256, toHex } from '../../src/proof/index.ts'
import { type Rlp, encodeRlp } from '../../src/proof/rlp.ts'

// Builds Merkle-Patricia tries and proofs from the definition (yellow paper, appendix D), by recursion over sorted keys: the verifier shares none of it but RLP.

export interface Trie {
  readonly root: `0x${string}`
  proof(key: Uint8Array): `0x${string}`[]
}

type Pair = readonly [path: readonly number[], value: Uint8Array]

const nibblesOf = (bytes: Uint8Array): number[] => Array.from(bytes).flatMap((byte) => [byte >> 4, byte & 15])
const hashBytes = (bytes: Uint8Array): Uint8Array => fromHex(keccak256(bytes))

function hexPrefix(nibbles: readonly number[], leaf: boolean): Uint8Array {
  const odd = nibbles.length % 2
  const all = [(leaf ? 2 : 0) + odd, ...(odd ? [] : [0]), ...nibbles]
  return Uint8Array.from({ length: all.length / 2 }, (_, i) => all[2 * i]! * 16 + all[2 * i + 1]!)
}

/** The node over `pairs`, and the encoded nodes from it down along `target`. */
function nodeOf(pairs: readonly Pair[], target: readonly number[]): { node: Rlp; below: Uint8Array[] } {
  const refer = (inner: { node: Rlp; below: Uint8Array[] }): { ref: Rlp; below: Uint8Array[] } => {
    const bytes = encodeRlp(inner.node)
    return bytes.length < 32 ? { ref: inner.node, below: inner.below } : { ref: hashBytes(bytes), below: [bytes, ...inner.below] }
  }
  if (pairs.length === 1) return { node: [hexPrefix(pairs[0]![0], true), pairs[0]![1]], below: [] }
  let shared = 0
  while (pairs.every(([path]) => path.length > shared && path[shared] === pairs[0]![0][shared])) shared++
  if (shared > 0) {
    const cut = pairs.map(([path, value]): Pair => [path.slice(shared), value])
    const { ref, below } = refer(nodeOf(cut, target.slice(shared)))
    const onPath = pairs[0]![0].slice(0, shared).every((nibble, i) => target[i] === nibble)
    return { node: [hexPrefix(pairs[0]![0].slice(0, shared), false), ref], below: onPath ? below : [] }
  }
  let below: Uint8Array[] = []
  const children = Array.from({ length: 16 }, (_, nibble): Rlp => {
    const inner = pairs.filter(([path]) => path[0] === nibble).map(([path, value]): Pair => [path.slice(1), value])
    if (inner.length === 0) return new Uint8Array()
    const child = refer(nodeOf(inner, target.slice(1)))
    if (target[0] === nibble) below = child.below
    return child.ref
  })
  return { node: [...children, new Uint8Array()], below }
}

/** A trie whose keys are hashed, as accounts and storage are. */
export function trieOf(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Trie {
  const pairs = entries.map(([key, value]): Pair => [nibblesOf(hashBytes(key)), value])
  const walk = (key: Uint8Array): Uint8Array[] => {
    const { node, below } = nodeOf(pairs, nibblesOf(hashBytes(key)))
    return [encodeRlp(node), ...below]
  }
  return { root: keccak256(walk(new Uint8Array())[0]!), proof: (key) => walk(key).map(toHex) }
}
