import { createHash, randomBytes } from 'node:crypto'
import { x25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Bytes32, LedgerDomain } from '../../src/contract/index.ts'
import { privateKeySigner, randomPrivateKey, sealKeyDigest } from '../../src/proof/index.ts'
import {
  fileKeyOf,
  leaseSecretOf,
  openEnvelope,
  readKeys,
  readLeaseSecret,
  requestKeys,
  sealedFile,
  sealHead,
  sealKeys,
  sealOverhead,
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
async function checkerOf() {
  const signer = privateKeySigner(randomPrivateKey())
  const secret = randomBytes(32)
  const publicKey = sealPublicKey(secret)
  const key = { checker: signer.address, publicKey, signature: await signer.signDigest(sealKeyDigest(DOMAIN, publicKey)) }
  return { key, secret, about: { job: JOB, lease: 3, checker: signer.address } }
}

describe('keys', () => {
  it('are those of another implementation of X25519', () => {
    for (let i = 0; i < 20; i++) {
      const secret = randomBytes(32)
      expect(sealPublicKey(secret)).toBe(`0x${Buffer.from(x25519.getPublicKey(secret)).toString('hex')}`)
    }
  })
})

describe('sealed files', () => {
  it('open to what was sealed for every checker, whatever the sizes and pieces, and are the same bytes every time', async () => {
    const farm = randomBytes(32)
    const checkers = await Promise.all([checkerOf(), checkerOf(), checkerOf()])
    const head = sealHead(
      farm,
      JOB,
      3,
      checkers.map(({ key }) => key),
    )
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), fc.integer({ min: 1, max: 700 }), async (bytes, size) => {
        const hash = hashOf(bytes)
        const key = fileKeyOf(leaseSecretOf(farm, JOB, 3), hash)
        const sealed = await collect(sealedFile(head, key, pieces(bytes, size)))
        expect(sealed.length).toBe(bytes.length + sealOverhead(head))
        const again = sealHead(
          farm,
          JOB,
          3,
          checkers.map((one) => one.key),
        )
        expect((await collect(sealedFile(again, key, pieces(bytes, 64)))).equals(sealed)).toBe(true)
        for (const { about, secret } of checkers) {
          const found = readLeaseSecret(sealed, about, secret)
          expect(unseal(sealed, fileKeyOf(found, hash), hash).equals(Buffer.from(bytes))).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('open to nobody else, and to nothing else: another checker, lease, frame, commitment, or one changed byte', async () => {
    const farm = randomBytes(32)
    const [ours, other] = [await checkerOf(), await checkerOf()]
    const bytes = randomBytes(400)
    const hash = hashOf(bytes)
    const key = fileKeyOf(leaseSecretOf(farm, JOB, 3), hash)
    const head = sealHead(farm, JOB, 3, [ours.key])
    const sealed = await collect(sealedFile(head, key, pieces(bytes, 100)))
    expect(() => readLeaseSecret(sealed, other.about, other.secret)).toThrow(/did not seal to this checker/)
    expect(() => readLeaseSecret(sealed, { ...other.about, checker: ours.about.checker }, other.secret)).toThrow(invalid)
    expect(() => readLeaseSecret(sealed, { ...ours.about, lease: 4 }, ours.secret)).toThrow(invalid)
    expect(() => unseal(sealed, fileKeyOf(leaseSecretOf(farm, JOB, 3), hashOf(randomBytes(4))), hash)).toThrow(invalid)
    expect(() => unseal(sealed, key, hashOf(randomBytes(4)))).toThrow(invalid)
    for (let at = 0; at < sealed.length; at += 3) {
      const bad = Buffer.from(sealed)
      bad[at]! ^= 1
      expect(() => unseal(bad, key, hash)).toThrow()
    }
    for (const cut of [0, 5, 12, head.length, sealed.length - 1])
      expect(() => unseal(sealed.subarray(0, cut), key, hash)).toThrow()
  })
})

describe('answers to key requests', () => {
  it('are read by who asked and by nobody else, for the lease that was asked about', async () => {
    const signer = privateKeySigner(randomPrivateKey())
    const secret = randomBytes(32)
    const request = await requestKeys(signer, DOMAIN, { job: JOB, lease: 3, validUntilS: 1_000 }, secret)
    const keys = new Map<Bytes32, Uint8Array>([[JOB, randomBytes(32)]])
    const answer = { checker: signer.address, envelope: sealKeys(request, keys) }
    expect([...readKeys(request, answer, secret)].map(([hash, key]) => [hash, Buffer.from(key).toString('hex')])).toEqual(
      [...keys].map(([hash, key]) => [hash, Buffer.from(key).toString('hex')]),
    )
    expect(() => readKeys(request, answer, randomBytes(32))).toThrow(invalid)
    expect(() => readKeys({ ...request, lease: 4 }, answer, secret)).toThrow(invalid)
    const odd = sealTo(request.recipient, Buffer.from('{"0x1":"short"}'), `pictor keys ${JOB} 3`)
    expect(() => readKeys(request, { ...answer, envelope: `0x${odd.toString('hex')}` }, secret)).toThrow(/32 bytes/)
  })

  it('refuse points of small order instead of a known shared secret', () => {
    expect(() => sealTo(`0x${'00'.repeat(32)}`, Buffer.from('x'), 'c')).toThrow(
      expect.objectContaining({ code: 'invalid-input' }) as Error,
    )
    expect(() => openEnvelope(randomBytes(32), new Uint8Array(64), 'c')).toThrow()
  })
})
