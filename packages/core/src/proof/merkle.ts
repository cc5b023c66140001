import { invalid } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { bytes32, compareBytes, concat, toHex } from './bytes.ts'
import { ZERO_HASH, keccakBytes } from './hash.ts'

// The shape of OpenZeppelin's StandardMerkleTree with `sortLeaves: false`: a complete binary tree in an array, node i over 2i+1 and 2i+2, the leaves
// at the end in reverse order. Pairs are hashed in order of value (Hashes.commutativeKeccak256), so a proof needs no directions.

/** Proof of several leaves at once, for OpenZeppelin's `MerkleProof.multiProofVerify`. */
export interface MultiProof {
  /** The proven leaves, in the order that verification wants them: as in the tree. */
  readonly leaves: readonly Bytes32[]
  readonly proof: readonly Bytes32[]
  readonly proofFlags: readonly boolean[]
}

function hashPair(a: Uint8Array, b: Uint8Array): Uint8Array {
  return keccakBytes(compareBytes(a, b) <= 0 ? concat(a, b) : concat(b, a))
}

function buildTree(leaves: readonly Bytes32[]): Uint8Array[] {
  const tree = Array.from<Uint8Array>({ length: 2 * leaves.length - 1 })
  for (const [i, leaf] of leaves.entries()) tree[tree.length - 1 - i] = bytes32(leaf, `leaves[${i}]`)
  for (let i = leaves.length - 2; i >= 0; i--) tree[i] = hashPair(tree[2 * i + 1]!, tree[2 * i + 2]!)
  return tree
}

function treeIndex(leaves: readonly Bytes32[], index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw invalid('index', `the index of one of ${leaves.length} leaves`, index)
  return 2 * leaves.length - 2 - index
}

/** A tree that is hashed once, for many proofs. */
export interface MerkleTree {
  /** 32 zero bytes for no leaves. */
  readonly root: Bytes32
  /** Siblings from the leaf at `index` up to the root. @throws invalid-input when there is no such leaf */
  proof(index: number): Bytes32[]
}

/** The tree over `leaves` in their order. */
export function merkleTree(leaves: readonly Bytes32[]): MerkleTree {
  const tree = leaves.length === 0 ? [] : buildTree(leaves)
  return {
    root: tree[0] ? toHex(tree[0]) : ZERO_HASH,
    proof(index) {
      const proof: Bytes32[] = []
      for (let at = treeIndex(leaves, index); at > 0; at = (at - 1) >> 1) proof.push(toHex(tree[at % 2 === 1 ? at + 1 : at - 1]!))
      return proof
    },
  }
}

/** Root of the tree over `leaves` in their order; 32 zero bytes for none. */
export function merkleRoot(leaves: readonly Bytes32[]): Bytes32 {
  return merkleTree(leaves).root
}

/** Siblings from the leaf at `index` up to the root; use {@link merkleTree} for many. @throws invalid-input when there is no such leaf */
export function merkleProof(leaves: readonly Bytes32[], index: number): Bytes32[] {
  return merkleTree(leaves).proof(index)
}

/** Whether `leaf` lies under `root` by `proof`. */
export function verifyProof(root: Bytes32, leaf: Bytes32, proof: readonly Bytes32[]): boolean {
  let node = bytes32(leaf, 'leaf')
  for (const [i, sibling] of proof.entries()) node = hashPair(node, bytes32(sibling, `proof[${i}]`))
  return toHex(node) === root
}

/** One proof of the leaves at `indices` (any order, no repetition, at least one). @throws invalid-input */
export function multiProof(leaves: readonly Bytes32[], indices: readonly number[]): MultiProof {
  if (indices.length === 0) throw invalid('indices', 'at least one leaf', indices)
  const at = indices.map((index) => treeIndex(leaves, index)).sort((a, b) => b - a)
  for (let i = 1; i < at.length; i++) if (at[i] === at[i - 1]) throw invalid('indices', 'no repetition', indices)
  const tree = buildTree(leaves)
  const queue = [...at]
  const proof: Bytes32[] = []
  const proofFlags: boolean[] = []
  for (let head = 0; queue[head]! > 0;) {
    const node = queue[head++]!
    const sibling = node % 2 === 1 ? node + 1 : node - 1
    const known = sibling === queue[head]
    if (known) head++
    else proof.push(toHex(tree[sibling]!))
    proofFlags.push(known)
    queue.push((node - 1) >> 1)
  }
  return { leaves: at.map((node) => toHex(tree[node]!)), proof, proofFlags }
}

/** Whether all of `leaves` lie under `root`: OpenZeppelin's `MerkleProof.multiProofVerify`. */
export function verifyMultiProof(root: Bytes32, { leaves, proof, proofFlags }: MultiProof): boolean {
  if (leaves.length + proof.length !== proofFlags.length + 1) return false
  const queue = leaves.map((leaf, i) => bytes32(leaf, `leaves[${i}]`))
  let head = 0
  let next = 0
  for (const flag of proofFlags) {
    const a = queue[head++]
    const b = flag ? queue[head++] : next < proof.length ? bytes32(proof[next]!, `proof[${next++}]`) : undefined
    if (!a || !b) return false
    queue.push(hashPair(a, b))
  }
  // Proof items left over would prove nothing; OpenZeppelin refuses them too.
  if (proofFlags.length > 0 && next !== proof.length) return false
  const node = queue.at(-1)
  return node !== undefined && toHex(node) === root
}
