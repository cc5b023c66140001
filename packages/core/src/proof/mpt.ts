import { invalid } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { bytes32, compareBytes, fromHex } from './bytes.ts'
import { keccakBytes } from './hash.ts'
import { type Rlp, decodeRlp } from './rlp.ts'

/**
 * Walks a Merkle-Patricia proof (Ethereum yellow paper, appendix D) from `root` along the nibbles of keccak256(`key`), as `eth_getProof` gives it.
 * Returns the value's bytes, or undefined when the proof shows that there is none. Every node of the proof must be used.
 * @throws invalid-input naming the node that does not hold
 */
export function verifyMptProof(
  root: Bytes32,
  key: Uint8Array,
  proof: readonly `0x${string}`[],
  path = 'proof',
): Uint8Array | undefined {
  const nibbles = toNibbles(keccakBytes(key))
  let expected: Rlp = bytes32(root, `${path}.root`)
  let at = 0
  let used = 0
  for (;;) {
    const step = `${path}[${used}]`
    const node = nodeOf(
      expected,
      () => {
        if (used >= proof.length) throw invalid(step, 'another node', 'the end of the proof')
        return fromHex(proof[used++]!, step)
      },
      step,
    )
    const finish = (value: Uint8Array | undefined): Uint8Array | undefined => {
      if (used !== proof.length) throw invalid(`${path}[${used}]`, 'no further node', 'one that proves nothing')
      return value
    }
    if (node.length === 17) {
      const child: Rlp = at === nibbles.length ? node[16]! : node[nibbles[at]!]!
      if (at === nibbles.length) return finish(bytesOf(child, step).length > 0 ? bytesOf(child, step) : undefined)
      if (child instanceof Uint8Array && child.length === 0) return finish(undefined)
      at++
      expected = child
      continue
    }
    const { isLeaf, tail } = readPath(bytesOf(node[0]!, step), step)
    const matches = tail.every((nibble, i) => nibbles[at + i] === nibble) && at + tail.length <= nibbles.length
    if (isLeaf) return finish(matches && at + tail.length === nibbles.length ? bytesOf(node[1]!, step) : undefined)
    if (!matches) return finish(undefined)
    at += tail.length
    expected = node[1]!
  }
}

/** A node is named by its hash, or stands in its parent when it is shorter than 32 bytes. */
function nodeOf(reference: Rlp, next: () => Uint8Array, path: string): readonly Rlp[] {
  let node = reference
  if (reference instanceof Uint8Array) {
    if (reference.length !== 32) throw invalid(path, 'a reference of 32 bytes', reference.length)
    const bytes = next()
    if (compareBytes(keccakBytes(bytes), reference) !== 0)
      throw invalid(path, 'a node with the hash that its parent names', 'another')
    node = decodeRlp(bytes, path)
  }
  if (node instanceof Uint8Array || (node.length !== 17 && node.length !== 2))
    throw invalid(path, 'a node of 2 or 17 items', node.length)
  return node
}

function bytesOf(item: Rlp, path: string): Uint8Array {
  if (!(item instanceof Uint8Array)) throw invalid(path, 'bytes', 'a list')
  return item
}

function toNibbles(bytes: Uint8Array): number[] {
  return [...bytes].flatMap((byte) => [byte >> 4, byte & 15])
}

/** Hex-prefix encoding (yellow paper, appendix C): flag nibble 0/1 extension, 2/3 leaf, odd ones carry a nibble. */
function readPath(encoded: Uint8Array, path: string): { isLeaf: boolean; tail: number[] } {
  const [flag, ...rest] = toNibbles(encoded)
  if (flag === undefined || flag > 3 || (flag % 2 === 0 && rest[0] !== 0)) throw invalid(path, 'a hex-prefix path', encoded[0])
  return { isLeaf: flag >= 2, tail: flag % 2 === 1 ? rest : rest.slice(1) }
}
