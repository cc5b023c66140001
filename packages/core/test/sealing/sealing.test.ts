import { createHash } from 'node:crypto'
import { x25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Bytes32, LedgerDomain } from '../../src/contract/index.ts'
import { privateKeySigner, sealKeyDigest } from '../../src/proof/index.ts'
import {
  fileKeyOf,
  leaseSecretOf,
  openEnvelope,
  readKeys,
  readLeaseSecret,
  requestKeys,
  sealedBytes,
  sealedFile,
  sealedPart,
  sealHead,
  sealKeys,
  sealPublicKey,
  sealTo,
  unseal,
} from '../../src/sealing/index.ts'

const JOB: Bytes32 = `0x${'11'.repeat(32)}`
const DOMAIN: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'22'.repeat(20)}` }
const invalid = expect.objectContaining({ code: 'signature-invalid' }) as Error

const hashOf = (bytes: Uint8Array): Bytes32 => `0x${createHash('sha256').update(bytes).digest('hex')}`
async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
/** Bytes that follow from a number. */
function drawn(seed: number, length = 32): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash('sha256').update(`${seed} ${i}`).digest())
  return Buffer.concat(blocks).subarray(0, length)
}
const signerOf = (seed: number) => privateKeySigner(`0x${drawn(seed).toString('hex')}`)
/** The head of a sealed file. */
const headIn = (sealed: Buffer): Buffer => sealed.subarray(0, 12 + sealed.readUInt32BE(8))
const opened = (sealed: Uint8Array, key: Parameters<typeof unseal>[1], hash: Bytes32): Promise<Buffer> =>
  collect(unseal(pieces(sealed, 1_000), key, hash))
async function checkerOf(seed: number) {
  const signer = signerOf(1_000 + seed)
  const secret = drawn(seed)
  const publicKey = sealPublicKey(secret)
  const key = { checker: signer.address, publicKey, signature: await signer.signDigest(sealKeyDigest(DOMAIN, publicKey)) }
  return { key, secret, about: { job: JOB, lease: 3, checker: signer.address } }
}

describe('keys', () => {
  it('are those of another implementation of X25519', () => {
    for (let i = 0; i < 20; i++) {
      const secret = drawn(i)
      expect(sealPublicKey(secret)).toBe(`0x${Buffer.from(x25519.getPublicKey(secret)).toString('hex')}`)
    }
  })
})

/** A sealed file read as docs/encodings.md says, by other means: WebCrypto, and nothing of ours. */
async function readByTheBook(sealed: Buffer, fileKey: Uint8Array): Promise<Buffer> {
  const { subtle } = globalThis.crypto
  const headEnd = 12 + sealed.readUInt32BE(8)
  expect(sealed.toString('latin1', 0, 8)).toBe('PICTSEA2')
  const info = `pictor chunks ${createHash('sha256').update(sealed.subarray(0, headEnd)).digest('hex')}`
  const secret = await subtle.importKey('raw', Uint8Array.from(fileKey), 'HKDF', false, ['deriveKey'])
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new TextEncoder().encode(info) }
  const key = await subtle.deriveKey(hkdf, secret, { name: 'AES-GCM', length: 256 }, false, ['decrypt'])
  const out: Buffer[] = []
  for (let at = headEnd, n = 0; at < sealed.length; at += 65_552, n++) {
    const iv = new Uint8Array(12)
    new DataView(iv.buffer).setUint32(7, n)
    iv[11] = at + 65_552 >= sealed.length ? 1 : 0
    const chunk = Uint8Array.from(sealed.subarray(at, at + 65_552))
    out.push(Buffer.from(await subtle.decrypt({ name: 'AES-GCM', iv }, key, chunk)))
  }
  return Buffer.concat(out)
}

describe('sealed files', () => {
  it('open to what was sealed for every checker, whatever the sizes and pieces, and are the same bytes every time', async () => {
    const farm = drawn(1)
    const checkers = await Promise.all([checkerOf(2), checkerOf(3), checkerOf(4)])
    const keys = checkers.map(({ key }) => key)
    const head = sealHead(farm, JOB, 3, keys)
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 5_000 }),
      fc.tuple(fc.nat(9), fc.constantFrom(65_535, 65_536, 65_537, 131_072, 200_000)).map(([seed, n]) => drawn(seed, n)),
    )
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 100, max: 70_000 }), fc.nat(), async (plain, size, from) => {
        const hash = hashOf(plain)
        const key = fileKeyOf(leaseSecretOf(farm, JOB, 3), hash)
        const sealed = await collect(sealedFile(head, key, pieces(plain, size)))
        expect(sealed.length).toBe(sealedBytes(head, plain.length))
        expect((await collect(sealedFile(sealHead(farm, JOB, 3, keys), key, pieces(plain, 997)))).equals(sealed)).toBe(true)
        expect((await readByTheBook(sealed, key)).equals(plain)).toBe(true)
        for (const { about, secret } of checkers) {
          const keyOf = (found: Buffer) => fileKeyOf(readLeaseSecret(found, about, secret), hash)
          expect((await opened(sealed, keyOf, hash)).equals(plain)).toBe(true)
        }
        // A download that broke off goes on anywhere.
        const offset = from % (sealed.length + 1)
        const { first, plainOffset, skip } = sealedPart(head, plain.length, offset)
        const rest = await collect(sealedFile(head, key, pieces(plain.subarray(plainOffset), size), first))
        expect(rest.subarray(skip).equals(sealed.subarray(offset))).toBe(true)
        expect(skip).toBeLessThanOrEqual(head.length + 65_552)
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  it('are these bytes, in all versions that read them', async () => {
    const { key } = await checkerOf(2)
    const head = sealHead(drawn(1), JOB, 3, [key])
    const found = []
    for (const length of [0, 1, 65_535, 65_536, 65_537, 131_072]) {
      const plain = drawn(5, length)
      const sealed = sealedFile(head, fileKeyOf(leaseSecretOf(drawn(1), JOB, 3), hashOf(plain)), pieces(plain, 4_096))
      found.push([length, hashOf(await collect(sealed))])
    }
    expect(found).toMatchInlineSnapshot(`
      [
        [
          0,
          "0x213530197dee556f0449166b80012aa5e5186da99a7112830d0e282c3f44ecab",
        ],
        [
          1,
          "0x7ad96967186d98862a841a2ff92abfdb288421bc38307ea961dc57d5c80c0868",
        ],
        [
          65535,
          "0x0f22edb0ab63d531d71d4b014fcf7ff3bd3271414c44852d799e58d22a051b74",
        ],
        [
          65536,
          "0xf8b0bd8f928d040d2f47976266f539f89fca6cd3172978dae22c4ac6f4267982",
        ],
        [
          65537,
          "0x1d3fb6b84410485214cbe71bdb8bc9bd1eedc6a1b3d4712e80ff3e01d8f8a29e",
        ],
        [
          131072,
          "0xf0f8a0d5f6e18bfcff613359a2f1a7c80ac37718415e368c334f310922fe6e4a",
        ],
      ]
    `)
  })

  it('open to nobody else, and to nothing else: another checker, lease, frame, commitment, or one changed byte', async () => {
    const farm = drawn(1)
    const [ours, other] = [await checkerOf(2), await checkerOf(3)]
    const bytes = drawn(6, 400)
    const hash = hashOf(bytes)
    const key = fileKeyOf(leaseSecretOf(farm, JOB, 3), hash)
    const head = sealHead(farm, JOB, 3, [ours.key])
    const sealed = await collect(sealedFile(head, key, pieces(bytes, 100)))
    expect(headIn(sealed).equals(head)).toBe(true)
    expect(() => readLeaseSecret(head, other.about, other.secret)).toThrow(/did not seal to this checker/)
    expect(() => readLeaseSecret(head, { ...other.about, checker: ours.about.checker }, other.secret)).toThrow(invalid)
    expect(() => readLeaseSecret(head, { ...ours.about, lease: 4 }, ours.secret)).toThrow(invalid)
    const otherKey = fileKeyOf(leaseSecretOf(farm, JOB, 3), hashOf(drawn(7, 4)))
    await expect(opened(sealed, otherKey, hash)).rejects.toThrow(invalid)
    await expect(opened(sealed, key, hashOf(drawn(7, 4)))).rejects.toThrow(invalid)
    for (let at = 0; at < sealed.length; at++) {
      const bad = Buffer.from(sealed)
      bad[at]! ^= 1
      await expect(opened(bad, key, hash), `byte ${at}`).rejects.toThrow()
    }
    for (let cut = 0; cut < sealed.length; cut++)
      await expect(opened(sealed.subarray(0, cut), key, hash), `cut at ${cut}`).rejects.toThrow()
    // Another head of the same lease, over the same chunks.
    const swapped = Buffer.concat([sealHead(farm, JOB, 3, [ours.key, other.key]), sealed.subarray(head.length)])
    await expect(opened(swapped, key, hash)).rejects.toThrow(invalid)
  })

  it('leave their source when they are given up, or when it fails', async () => {
    const head = sealHead(drawn(1), JOB, 3, [(await checkerOf(2)).key])
    const plain = drawn(6, 300_000)
    const key = fileKeyOf(leaseSecretOf(drawn(1), JOB, 3), hashOf(plain))
    const sealed = await collect(sealedFile(head, key, pieces(plain, 4_096)))
    let left = 0
    async function* source(fails: boolean): AsyncGenerator<Uint8Array> {
      try {
        yield* pieces(sealed.subarray(0, 150_000), 4_096)
        if (fails) throw new Error('the disk went away')
      } finally {
        left++
      }
    }
    for await (const chunk of unseal(source(false), key, hashOf(plain))) if (chunk) break
    await expect(collect(unseal(source(false), otherThan(key), hashOf(plain)))).rejects.toThrow(invalid)
    await expect(collect(unseal(source(true), key, hashOf(plain)))).rejects.toThrow('the disk went away')
    expect(left).toBe(3)
  })
})

const otherThan = (key: Uint8Array): Buffer => Buffer.from(key).reverse()

describe('answers to key requests', () => {
  it('are read by who asked and by nobody else, for the lease that was asked about', async () => {
    const signer = signerOf(9)
    const secret = drawn(8)
    const request = await requestKeys(signer, DOMAIN, { job: JOB, lease: 3, validUntilS: 1_000 }, secret)
    const keys = new Map<Bytes32, Uint8Array>([[JOB, drawn(10)]])
    const answer = { checker: signer.address, envelope: sealKeys(request, keys) }
    expect([...readKeys(request, answer, secret)].map(([hash, key]) => [hash, Buffer.from(key).toString('hex')])).toEqual(
      [...keys].map(([hash, key]) => [hash, Buffer.from(key).toString('hex')]),
    )
    expect(() => readKeys(request, answer, drawn(11))).toThrow(invalid)
    expect(() => readKeys({ ...request, lease: 4 }, answer, secret)).toThrow(invalid)
    const odd = sealTo(request.recipient, Buffer.from('{"0x1":"short"}'), `pictor keys ${JOB} 3`)
    expect(() => readKeys(request, { ...answer, envelope: `0x${odd.toString('hex')}` }, secret)).toThrow(/32 bytes/)
  })

  it('refuse points of small order instead of a known shared secret', () => {
    expect(() => sealTo(`0x${'00'.repeat(32)}`, Buffer.from('x'), 'c')).toThrow(
      expect.objectContaining({ code: 'invalid-input' }) as Error,
    )
    expect(() => openEnvelope(drawn(12), new Uint8Array(64), 'c')).toThrow()
  })
})
