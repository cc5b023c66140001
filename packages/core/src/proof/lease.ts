import { invalid } from '../contract/error.ts'
import { CHECK_CLASSES, type Bytes32, type Lease } from '../contract/messages.ts'
import { address20, concat, int32, toHex, uint } from './bytes.ts'
import { word } from './eip712.ts'
import { keccakBytes } from './hash.ts'
import { merkleTree } from './merkle.ts'

/** The most frames a lease may name. */
export const MAX_LEASE_FRAMES = 1000

/** Sum of a lease's weights: the divisor of its price. */
export function weightSumOf(lease: Lease): number {
  return lease.weights.reduce((sum, weight) => sum + weight, 0)
}

/** Refuses a lease that no ledger could hold. @throws invalid-input naming the field under `path` */
export function checkLease(lease: Lease, path = 'lease'): void {
  const { frames, weights } = lease
  if (!Number.isInteger(lease.id) || lease.id < 1) throw invalid(`${path}.id`, 'a whole number from 1', lease.id)
  if (!Array.isArray(frames) || frames.length < 1 || frames.length > MAX_LEASE_FRAMES)
    throw invalid(`${path}.frames`, `1 to ${MAX_LEASE_FRAMES} frames`, frames)
  if (!Array.isArray(weights) || weights.length !== frames.length)
    throw invalid(`${path}.weights`, `${frames.length} weights, one a frame`, weights)
  for (let i = 0; i < frames.length; i++) {
    if (i > 0 && !(frames[i]! > frames[i - 1]!))
      throw invalid(`${path}.frames[${i}]`, 'ascending frames without repetition', frames[i])
    if (!Number.isInteger(weights[i]) || weights[i]! < 1)
      throw invalid(`${path}.weights[${i}]`, 'a whole number from 1', weights[i])
  }
  if (!CHECK_CLASSES.includes(lease.checkClass)) throw invalid(`${path}.checkClass`, CHECK_CLASSES.join(', '), lease.checkClass)
}

/** Hash of the parts of a lease that a ledger never reads: frames, weights, part, check class, commitBy, hedgeOf. @throws invalid-input */
export function leaseRestHash(lease: Lease): Bytes32 {
  checkLease(lease)
  const chunkHash = keccakBytes(concat(...lease.frames.map((frame, i) => int32(frame, 4, `lease.frames[${i}]`))))
  const weightsHash = keccakBytes(concat(...lease.weights.map((weight, i) => uint(weight, 4, `lease.weights[${i}]`))))
  return toHex(
    keccakBytes(
      concat(
        chunkHash,
        weightsHash,
        word.uint(lease.part, 32, 'lease.part'),
        word.uint(CHECK_CLASSES.indexOf(lease.checkClass), 8, 'lease.checkClass'),
        word.uint(lease.commitByS, 40, 'lease.commitByS'),
        word.uint(lease.hedgeOf, 32, 'lease.hedgeOf'),
      ),
    ),
  )
}

/** Leaf of a lease in its set. The 97 bytes before hashing can never be mistaken for the 64 of an inner node. @throws invalid-input */
export function leaseLeaf(lease: Lease): Bytes32 {
  const rest = leaseRestHash(lease)
  return toHex(
    keccakBytes(
      concat(
        Uint8Array.of(0),
        uint(lease.id, 4, 'lease.id'),
        address20(lease.farm, 'lease.farm'),
        address20(lease.payTo, 'lease.payTo'),
        uint(lease.price, 12, 'lease.price'),
        uint(weightSumOf(lease), 4, 'lease.weights'),
        uint(lease.frames.length, 4, 'lease.frames'),
        word.bytes32(rest, 'restHash'),
      ),
    ),
  )
}

/** The set's leases in order of id. @throws invalid-input when an id appears twice */
export function leasesInOrder(leases: readonly Lease[]): Lease[] {
  const ordered = [...leases].sort((a, b) => a.id - b.id)
  for (let i = 1; i < ordered.length; i++)
    if (ordered[i]!.id === ordered[i - 1]!.id) throw invalid('leases', 'each lease id once', ordered[i]!.id)
  return ordered
}

/** The tree of a lease set, hashed once: its root and the path of each lease by id. @throws invalid-input */
export function leaseTree(leases: readonly Lease[]): { readonly root: Bytes32; proof(id: number): Bytes32[] } {
  const ordered = leasesInOrder(leases)
  const tree = merkleTree(ordered.map(leaseLeaf))
  return {
    root: tree.root,
    proof(id) {
      const index = ordered.findIndex((lease) => lease.id === id)
      if (index < 0) throw invalid('id', `one of the set's ${leases.length} leases`, id)
      return tree.proof(index)
    },
  }
}

/** Root of a lease set: the tree over its leases' leaves in order of id. @throws invalid-input */
export function leaseSetRoot(leases: readonly Lease[]): Bytes32 {
  return leaseTree(leases).root
}

/** Path of lease `id` to the set's root; use {@link leaseTree} for many. @throws invalid-input when the set has no such lease */
export function leaseProof(leases: readonly Lease[], id: number): Bytes32[] {
  return leaseTree(leases).proof(id)
}
