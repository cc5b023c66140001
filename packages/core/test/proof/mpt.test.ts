import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, headerRlp, readHeader, toHex, verifyMptProof } from '../../src/proof/index.ts'
import { type Rlp, decodeRlp, encodeRlp } from '../../src/proof/rlp.ts'
import { trieOf } from './trie.ts'

// Taken from anvil 1.7.1 (osaka): eth_getBlockByNumber and eth_getProof of an account with 43 slots.
const anvil = JSON.parse(readFileSync(new URL('./fixtures/anvil.json', import.meta.url), 'utf8')) as {
  escrow: `0x${string}`
  block: Record<string, string> & { hash: `0x${string}` }
  proof: {
    accountProof: `0x${string}`[]
    storageHash: `0x${string}`
    codeHash: `0x${string}`
    storageProof: { key: `0x${string}`; value: `0x${string}`; proof: `0x${string}`[] }[]
  }
}
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a chain as anvil tells it', () => {
  it('has a header whose 21 fields hash to the block', () => {
    const rlp = headerRlp(anvil.block)
    const header = readHeader(rlp)
    expect(header.hash).toBe(anvil.block.hash)
    expect(header.stateRoot).toBe(anvil.block['stateRoot'])
    expect(header.number).toBe(1n)
    expect((decodeRlp(fromHex(rlp)) as readonly Rlp[]).length).toBe(21)
  })
  it('carries fields of later forks in the header', () => {
    const later = { ...anvil.block, blockAccessListHash: `0x${'ab'.repeat(32)}`, slotNumber: '0x1234' }
    const fields = decodeRlp(fromHex(headerRlp(later))) as readonly Rlp[]
    expect(fields.length).toBe(23)
    expect(readHeader(headerRlp(later)).stateRoot).toBe(anvil.block['stateRoot'])
  })
  it('names a header field that is missing', () => {
    const { stateRoot: _gone, ...block } = anvil.block
    expect(() => headerRlp(block)).toThrow(
      expect.objectContaining({ code: 'invalid-input', details: { path: 'block.stateRoot' } }),
    )
  })
  it('proves account and slots from the state root', () => {
    const account = verifyMptProof(readHeader(headerRlp(anvil.block)).stateRoot, fromHex(anvil.escrow), anvil.proof.accountProof)
    const fields = decodeRlp(account!) as readonly Uint8Array[]
    expect(toHex(fields[2]!)).toBe(anvil.proof.storageHash)
    expect(toHex(fields[3]!)).toBe(anvil.proof.codeHash)
    for (const { key, value, proof } of anvil.proof.storageProof) {
      // The third slot was set to 0 by hand, which anvil stores as a zero.
      const found = decodeRlp(verifyMptProof(anvil.proof.storageHash, fromHex(key), proof)!) as Uint8Array
      expect(BigInt(found.length === 0 ? 0 : toHex(found))).toBe(BigInt(value))
    }
  })
})

describe('trie proofs', () => {
  const tries = fc.integer({ min: 1, max: 60 }).map((size) => {
    const entries = Array.from({ length: size }, (_, i) => [bytesOf(`key ${i}`), bytesOf(`${'v'.repeat(i % 45)}${i}`)] as const)
    return { entries, trie: trieOf(entries) }
  })
  it('hold for every key, and show that other keys are absent', () => {
    fc.assert(
      fc.property(tries, ({ entries, trie }) => {
        for (const [key, value] of entries) expect(verifyMptProof(trie.root, key, trie.proof(key))).toEqual(value)
        for (const name of ['key -1', 'other', ''])
          expect(verifyMptProof(trie.root, bytesOf(name), trie.proof(bytesOf(name)))).toBeUndefined()
      }),
      { numRuns: 10 },
    )
  })
  it('break with any changed, missing or added node', () => {
    fc.assert(
      fc.property(tries, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), ({ entries, trie }, pick, at, flip) => {
        const [key] = entries[pick % entries.length]!
        const proof = trie.proof(key)
        const node = at % proof.length
        const bytes = fromHex(proof[node]!)
        bytes[at % bytes.length]! ^= flip
        const refused = (nodes: `0x${string}`[]): void => {
          expect(() => verifyMptProof(trie.root, key, nodes)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
        }
        refused(proof.map((one, i) => (i === node ? toHex(bytes) : one)))
        refused(proof.slice(0, -1))
        refused([...proof, proof[0]!])
      }),
      { numRuns: 100 },
    )
  })
})

describe('RLP', () => {
  const items = fc.letrec<{ item: Rlp }>((tie) => ({
    item: fc.oneof({ maxDepth: 3 }, fc.uint8Array({ maxLength: 70 }), fc.array(tie('item'), { maxLength: 20 })),
  })).item
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(items, (item) => {
        const plain = (one: Rlp): unknown => (one instanceof Uint8Array ? toHex(one) : one.map(plain))
        expect(plain(decodeRlp(encodeRlp(item)))).toEqual(plain(item))
      }),
      { numRuns: 100 },
    )
  })
  it('takes one encoding of a value only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
        let item: Rlp
        try {
          item = decodeRlp(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-input' })
          return
        }
        expect(toHex(encodeRlp(item))).toBe(toHex(bytes))
      }),
      { numRuns: 500 },
    )
    for (const bad of ['', '8100', '8180ff', 'b80100', 'b90038', 'c1', 'f80100', '83ab'])
      expect(() => decodeRlp(fromHex(`0x${bad}`)), bad).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
})
