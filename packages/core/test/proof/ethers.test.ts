import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { drawnKey } from '../../../../scripts/draws.ts'
import type { Address, Bytes32, LedgerDomain, Terms } from '../../src/contract/index.ts'
import * as proof from '../../src/proof/index.ts'

// Made by ethers 6.17.0 (TypedDataEncoder, AbiCoder, SigningKey): an implementation that shares no code with ours.
const gold = JSON.parse(readFileSync(new URL('./fixtures/ethers.json', import.meta.url), 'utf8')) as {
  domain: LedgerDomain
  terms: Record<string, string> & { checkers: Address[]; quorum: number }
  heads: Record<string, Bytes32>
  signature: { privateKey: Bytes32; address: Address; digest: Bytes32; signature: `0x${string}` }
} & Record<string, Bytes32>
const h = (n: number): Bytes32 => `0x${n.toString(16).padStart(64, '0').replace(/^0/, 'a')}`
const a = (n: number): Address => `0x${n.toString(16).padStart(40, 'b')}`
const { domain } = gold
const { deadline, attestBy, claimTime, refundAfter, disputeWindow, resolveBy, ...rest } = gold.terms as unknown as Record<
  string,
  never
>
const terms = {
  ...(rest as object),
  farmBudget: 123456789012345678901n,
  checkBudget: 17n,
  frameCap: 1000000000000000000n,
  checkFee: 3n,
  recordMode: 'root',
  deadlineAtS: deadline,
  attestByS: attestBy,
  claimTimeS: claimTime,
  refundAfterS: refundAfter,
  disputeWindowS: disputeWindow,
  resolveByS: resolveBy,
} as unknown as Terms

describe('digests agree with ethers', () => {
  const vote = {
    job: h(6),
    lease: 7,
    frame: -12,
    part: 2,
    outputHash: h(8),
    checked: true,
    verdict: 'unsure',
    score: 987,
    cropsHash: h(9),
  } as const
  const ready = { job: h(6), seq: 7, setRoot: h(8), bundleRoot: h(9), seedRoot: h(10) }
  it.each([
    ['jobId', proof.jobIdOf(domain, a(2), h(1))],
    ['termsHash', proof.hashTerms(terms)],
    ['open', proof.openDigest(domain, terms, h(5))],
    ['leaseSet', proof.leaseSetDigest(domain, { job: h(6), seq: 7, setRoot: h(8) })],
    ['leaseAccept', proof.leaseAcceptDigest(domain, { job: h(6), seq: 7, lease: 9, leaf: h(8) })],
    ['ready', proof.readyDigest(domain, ready)],
    ['commit', proof.commitDigest(domain, { job: h(6), lease: 7, index: 1, outputRoot: h(8) })],
    ['held', proof.heldDigest(domain, { job: h(6), lease: 7, outputRoot: h(8) })],
    ['vote', proof.voteDigest(domain, vote)],
    ['canceled', proof.canceledDigest(domain, { job: h(6), lease: 7, outputRoot: h(8) })],
    ['batch', proof.batchDigest(domain, { job: h(6), batchHash: h(8), validUntilS: 1800000001 })],
    ['final', proof.finalDigest(domain, h(6), 98765432109876543210n)],
    ['approve', proof.approveDigest(domain, h(6), 3)],
  ])('%s', (name, digest) => expect(digest).toBe(gold[name]))
})

describe('heads agree with ethers', () => {
  it.each([
    ['fold', proof.foldHead(h(1), 'release', h(2))],
    ['attest', proof.attestItem(5, h(3))],
    ['resolve', proof.resolveItem(5, a(4), proof.SILENT_ARBITER)],
    ['release', proof.releaseItem(5, 12345678901234567890n, 7n)],
    ['final', proof.finalItem(9n, 8n)],
    ['refund', proof.refundItem(9n)],
    ['claim', proof.claimItem({ batch: 5, lease: 6, farm: a(4), price: 7n, outputRoot: h(8) })],
  ])('%s', (name, item) => expect(item).toBe(gold.heads[name]))
})

describe('signatures', () => {
  const { privateKey, address, digest, signature } = gold.signature
  it('agree with ethers in address and bytes', async () => {
    const signer = proof.privateKeySigner(privateKey)
    expect(signer.address).toBe(address)
    expect(await signer.signDigest(digest)).toBe(signature)
    expect(proof.recoverAddress(digest, signature)).toBe(address)
  })
  it('are taken in one form only', () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')
    const flipped = signature.slice(130) === '1b' ? '1c' : '1b'
    const refused: readonly [string, string][] = [
      ['malleable', `${signature.slice(0, 66)}${s}${flipped}`],
      ['64 bytes', signature.slice(0, 130)],
      ['66 bytes', `${signature}00`],
      ['v 0', `${signature.slice(0, 130)}00`],
      ['r 0', `0x${'0'.repeat(64)}${signature.slice(66)}`],
      ['r above the order', `0x${'f'.repeat(64)}${signature.slice(66)}`],
      ['upper case', signature.toUpperCase().replace('0X', '0x')],
      ['empty', '0x'],
    ]
    for (const [name, text] of refused) {
      expect(() => proof.recoverAddress(digest, text as `0x${string}`), name).toThrow(
        expect.objectContaining({ code: 'signature-invalid' }),
      )
      expect(proof.isSignedBy(digest, text as `0x${string}`, address), name).toBe(false)
    }
  })
  it('never name a private key in an error', () => {
    const bad = `0x${'f'.repeat(64)}` as const
    expect(() => proof.privateKeySigner(bad)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: expect.not.stringContaining('ffff') }),
    )
  })
  it('make fresh keys that work', async () => {
    const signer = proof.privateKeySigner(drawnKey())
    expect(proof.isSignedBy(digest, await signer.signDigest(digest), signer.address)).toBe(true)
  })
})
