import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/contract/index.ts'
import {
  ZERO_HASH,
  bundleRoot,
  keccak256,
  leaseLeaf,
  leaseProof,
  leaseSetRoot,
  merkleProof,
  merkleRoot,
  merkleTree,
  multiProof,
  outputProof,
  outputLeaf,
  outputRoot,
  sha256Hex,
  verifyMultiProof,
  verifyProof,
} from '../../src/proof/index.ts'

const leavesOf = (count: number): `0x${string}`[] => Array.from({ length: count }, (_, i) => sha256Hex(`leaf ${i}`))
const lease: Lease = {
  id: 3,
  farm: `0x${'11'.repeat(20)}`,
  payTo: `0x${'22'.repeat(20)}`,
  price: 500n,
  frames: [-2, 0, 7],
  weights: [1, 2, 3],
  part: 0,
  checkClass: 'replica',
  commitByS: 1_800_000_000,
  hedgeOf: 0,
}

describe('Merkle trees', () => {
  it('prove every leaf of every size, and nothing else', () => {
    for (let size = 1; size <= 33; size++) {
      const leaves = leavesOf(size)
      const { root, proof } = merkleTree(leaves)
      leaves.forEach((leaf, i) => {
        expect(verifyProof(root, leaf, proof(i))).toBe(true)
        expect(proof(i)).toEqual(merkleProof(leaves, i))
        if (size > 1) expect(verifyProof(root, leaves[(i + 1) % size]!, proof(i))).toBe(false)
      })
    }
  })
  it('have the shape of OpenZeppelin: a complete tree with the first leaf at the end', () => {
    const [a, b, c] = leavesOf(3) as [`0x${string}`, `0x${string}`, `0x${string}`]
    const pair = (x: string, y: string): `0x${string}` =>
      keccak256(
        `0x${[x, y]
          .sort()
          .map((hash) => hash.slice(2))
          .join('')}`,
      )
    // Array: [root, ab, c, b, a] in reverse of the leaves: tree[4] = a, tree[3] = b, tree[2] = c; tree[1] covers 3 and 4.
    expect(merkleRoot([a, b, c])).toBe(pair(pair(a, b), c))
    expect(merkleRoot([])).toBe(ZERO_HASH)
    expect(merkleRoot([a])).toBe(a)
  })
  it('prove any set of leaves at once; a changed leaf, node or flag breaks it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.infiniteStream(fc.nat()), fc.nat(), (size, picks, broken) => {
        const leaves = leavesOf(size)
        const indices = [...new Set([picks.next().value! % size, picks.next().value! % size, picks.next().value! % size])]
        const proof = multiProof(leaves, indices)
        const root = merkleRoot(leaves)
        expect(verifyMultiProof(root, proof)).toBe(true)
        expect(proof.leaves).toEqual([...indices].sort((a, b) => a - b).map((i) => leaves[i]))
        const change = <T>(list: readonly T[], to: T): T[] => list.map((item, i) => (i === broken % list.length ? to : item))
        expect(verifyMultiProof(root, { ...proof, leaves: change(proof.leaves, sha256Hex('x')) })).toBe(false)
        if (proof.proof.length > 0)
          expect(verifyMultiProof(root, { ...proof, proof: change(proof.proof, sha256Hex('x')) })).toBe(false)
        expect(verifyMultiProof(root, { ...proof, proof: [...proof.proof, sha256Hex('x')] })).toBe(false)
        expect(verifyMultiProof(root, { ...proof, proofFlags: [...proof.proofFlags, true] })).toBe(false)
      }),
      { numRuns: 100 },
    )
  })
  it('refuse indices that do not exist or repeat', () => {
    for (const indices of [[], [3], [-1], [0.5], [1, 1]])
      expect(() => multiProof(leavesOf(3), indices)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
    expect(() => merkleProof(leavesOf(3), 3)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
})

describe('leaves', () => {
  it('of leases change with every field', () => {
    const changes: Partial<Lease>[] = [
      { id: 4 },
      { farm: lease.payTo },
      { payTo: lease.farm },
      { price: 501n },
      { frames: [-2, 1, 7] },
      { weights: [2, 1, 3] },
      { part: 1 },
      { checkClass: 'crop' },
      { commitByS: 1 },
      { hedgeOf: 2 },
    ]
    const leaves = [lease, ...changes.map((change) => ({ ...lease, ...change }))].map(leaseLeaf)
    expect(new Set(leaves).size).toBe(leaves.length)
  })
  it.each<[string, Partial<Lease>]>([
    ['lease.id', { id: 0 }],
    ['lease.id', { id: 2 ** 32 }],
    ['lease.price', { price: -1n }],
    ['lease.price', { price: 2n ** 96n }],
    ['lease.frames', { frames: [], weights: [] }],
    ['lease.frames[1]', { frames: [1, 1, 2] }],
    ['lease.frames[0]', { frames: [-(2 ** 31) - 1, 0, 1] }],
    ['lease.weights', { weights: [1, 2] }],
    ['lease.weights[1]', { weights: [1, 0, 2] }],
    ['lease.farm', { farm: '0xABCDEF0000000000000000000000000000000000' }],
    ['lease.checkClass', { checkClass: 'none' as never }],
    ['lease.commitByS', { commitByS: -5 }],
  ])('of a lease with a bad %s are refused by name', (path, change) => {
    expect(() => leaseLeaf({ ...lease, ...change })).toThrow(
      expect.objectContaining({ code: 'invalid-input', details: { path } }),
    )
  })
  it('of a lease set stand in order of id, whatever the order given', () => {
    const leases = [5, 1, 9].map((id) => ({ ...lease, id }))
    const root = leaseSetRoot(leases)
    expect(leaseSetRoot([...leases].reverse())).toBe(root)
    for (const one of leases) expect(verifyProof(root, leaseLeaf(one), leaseProof(leases, one.id))).toBe(true)
    expect(() => leaseSetRoot([lease, lease])).toThrow(/each lease id once/)
    expect(() => leaseProof(leases, 2)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
  it('of outputs stand in order of frame and part', () => {
    const outputs = [7, -1, 3].flatMap((frame) =>
      [1, 0].map((part) => ({ frame, part, outputHash: sha256Hex(`${frame}/${part}`), completedAtMs: 5 })),
    )
    const root = outputRoot(outputs)
    for (const one of outputs) expect(verifyProof(root, outputLeaf(one), outputProof(outputs, one.frame, one.part))).toBe(true)
    expect(() => outputRoot([outputs[0]!, outputs[0]!])).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
  it('of bundles refuse paths that leave the bundle', () => {
    const file = (path: string): { path: string; hash: `0x${string}`; bytes: number } => ({ path, hash: ZERO_HASH, bytes: 1 })
    expect(bundleRoot([file('b'), file('a/c')])).toBe(bundleRoot([file('a/c'), file('b')]))
    for (const path of ['', '/a', 'a/../b', '..', 'a//b', './a', 'a\\b', 'a\0'])
      expect(() => bundleRoot([file(path)]), path).toThrow(expect.objectContaining({ code: 'invalid-input' }))
    expect(() => bundleRoot([file('a'), file('a')])).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
})
