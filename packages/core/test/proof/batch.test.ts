import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FrameRecord, LeaseResult, Terms } from '../../src/contract/index.ts'
import { isPictorError } from '../../src/contract/index.ts'
import {
  ZERO_HASH,
  batchHash,
  decodeBatch,
  encodeBatch,
  encodeSetProofs,
  encodeSignatures,
  keccak256,
  leaseRestHash,
  merkleRoot,
  privateKeySigner,
  recordLeaves,
  settleBatch,
  settlePacked,
  sha256Hex,
} from '../../src/proof/index.ts'

const job = sha256Hex('job')
const people = (name: string) => Array.from({ length: 4 }, (_, i) => privateKeySigner(sha256Hex(`${name} ${i}`)).address)
const farms = people('farm')
const checkers = people('checker').sort()
const terms = (recordMode: 'full' | 'root', change: Partial<Terms> = {}) => ({
  recordMode,
  checkers,
  checkFee: 101n,
  platformFeeBps: 250,
  ...change,
})

const record = (frame: number): fc.Arbitrary<FrameRecord> =>
  fc
    .record({
      delivered: fc.boolean(),
      verdict: fc.constantFrom('accept' as const, 'refuse' as const, 'unsure' as const),
      at: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      checked: fc.boolean(),
      score: fc.nat(100),
    })
    .map(({ delivered, verdict, at, checked, score }) => ({
      frame,
      part: 0,
      outputHash: delivered ? sha256Hex(`output ${frame}`) : ZERO_HASH,
      completedAtMs: delivered ? 1_900_000_000_000 + at : 0,
      verdict: delivered ? verdict : 'refuse',
      checked,
      score: score * 10,
    }))

const result = (id: number): fc.Arbitrary<LeaseResult> =>
  fc
    .record({
      farm: fc.nat(3),
      price: fc.bigInt({ min: 0n, max: 2n ** 90n }),
      first: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 70_000 }),
      steps: fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 20 }),
      seq: fc.nat(2),
      weight: fc.integer({ min: 1, max: 5000 }),
      counts: fc.array(fc.nat(50), { maxLength: 4 }),
      accepted: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    .chain((given) => {
      let frame = given.first
      const frames = given.steps.map((step) => (frame += step))
      const weightSum = given.weight * frames.length
      return fc.tuple(...frames.map(record)).map((records): LeaseResult => ({
        seq: given.seq,
        records,
        acceptedWeight: Math.floor(given.accepted * weightSum),
        votes: given.counts.map((count, i) => ({ checker: checkers[i]!, count })),
        lease: {
          id,
          farm: farms[given.farm]!,
          payTo: farms[given.farm]!,
          price: given.price,
          frames,
          weights: frames.map(() => given.weight),
          part: 0,
          checkClass: 'crop',
          commitByS: 1_900_000_000,
          hedgeOf: 0,
        },
      }))
    })

const results = fc
  .integer({ min: 1, max: 6 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => result(i + 1))))
const mode = fc.constantFrom('full' as const, 'root' as const)

describe('batch blob', () => {
  it('reads back as it was packed', () => {
    fc.assert(
      fc.property(results, mode, (list, recordMode) => {
        const blob = encodeBatch({ job, results: list }, terms(recordMode))
        const read = decodeBatch(blob)
        const ordered = [...list].sort((a, b) => a.seq - b.seq || a.lease.id - b.lease.id)
        expect(
          read.leases.map(({ id, seq, acceptedWeight, price, restHash }) => ({ id, seq, acceptedWeight, price, restHash })),
        ).toEqual(
          ordered.map(({ lease, seq, acceptedWeight }) => ({
            id: lease.id,
            seq,
            acceptedWeight,
            price: lease.price,
            restHash: leaseRestHash(lease),
          })),
        )
        expect(read.recordsRoot).toBe(merkleRoot(recordLeaves(job, list)))
        expect(read.records).toEqual(recordMode === 'full' ? ordered.flatMap(({ records }) => records) : undefined)
        expect(batchHash({ job, results: list }, terms(recordMode))).toBe(keccak256(blob))
      }),
    )
  })

  it('does not depend on the order of results, and depends on every byte', () => {
    fc.assert(
      fc.property(results, mode, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, recordMode, where, xor) => {
        const blob = encodeBatch({ job, results: list }, terms(recordMode))
        expect(encodeBatch({ job, results: [...list].reverse() }, terms(recordMode))).toEqual(blob)
        const changed = Uint8Array.from(blob)
        changed[where % blob.length]! ^= xor
        try {
          expect(decodeBatch(changed)).not.toEqual(decodeBatch(blob))
        } catch (error) {
          if (!isPictorError(error, 'invalid-input')) throw error
        }
      }),
    )
  })

  it('refuses text that is cut or longer, naming where', () => {
    fc.assert(
      fc.property(results, mode, fc.nat(), (list, recordMode, where) => {
        const blob = encodeBatch({ job, results: list }, terms(recordMode))
        expect(() => decodeBatch(blob.subarray(0, where % blob.length))).toThrow(/blob/)
        expect(() => decodeBatch(Uint8Array.from([...blob, 0]))).toThrow(/blob/)
      }),
    )
  })

  it('reads the money of a batch whose records nobody can read', () => {
    const [one] = fc.sample(result(1), { numRuns: 1, seed: 1 })
    const blob = encodeBatch({ job, results: [one!] }, terms('full'))
    blob[blob.length - 2] = 9
    expect(() => decodeBatch(blob)).toThrow(/verdict/)
    const read = decodeBatch(blob, { records: 'skip' })
    expect(read.records).toBeUndefined()
    expect(settlePacked(read, terms('full'))).toEqual(settleBatch([one!], terms('full')))
  })

  it('names the field that cannot be packed', () => {
    const [one] = fc.sample(result(1), { numRuns: 1, seed: 1 })
    const refuses = (change: Partial<LeaseResult>, path: RegExp) =>
      expect(() => encodeBatch({ job, results: [{ ...one!, ...change }] }, terms('full'))).toThrow(path)
    refuses({ records: one!.records.slice(1) }, /records/)
    refuses({ acceptedWeight: 10 ** 9 }, /acceptedWeight/)
    refuses({ votes: [{ checker: farms[0]!, count: 1 }] }, /checker/)
    refuses({ records: one!.records.map((each) => ({ ...each, outputHash: ZERO_HASH, verdict: 'accept' })) }, /records/)
    expect(() => encodeBatch({ job, results: [] }, terms('full'))).toThrow(/results/)
    expect(() => encodeBatch({ job, results: [one!, one!] }, terms('full'))).toThrow(/results/)
    const elsewhere = { ...one!, lease: { ...one!.lease, id: 2, payTo: farms[3]!, farm: one!.lease.farm } }
    if (one!.lease.payTo !== farms[3])
      expect(() => encodeBatch({ job, results: [one!, elsewhere] }, terms('full'))).toThrow(/payTo/)
  })
})

describe('settlement', () => {
  it('splits exactly what it reserves, and reads the same from the blob', () => {
    fc.assert(
      fc.property(results, fc.bigInt({ min: 0n, max: 2n ** 60n }), fc.nat(3000), (list, checkFee, platformFeeBps) => {
        const with_ = terms('root', { checkFee, platformFeeBps })
        const settled = settleBatch(list, with_)
        const paid = settled.farms.reduce((sum, farm) => sum + farm.net + farm.platform, 0n)
        const checked = settled.checkers.reduce((sum, { amount }) => sum + amount, 0n)
        expect(paid + checked + settled.refund).toBe(settled.farmReserve + settled.checkReserve)
        expect(settled.checkers.every(({ amount }, i) => i === 0 || amount >= 0n)).toBe(true)
        expect(settlePacked(decodeBatch(encodeBatch({ job, results: list }, with_)), with_)).toEqual(settled)
      }),
    )
  })
})

describe('calldata', () => {
  it('refuses a set without its signature, strangers and repeated signers', () => {
    const leaves = [sha256Hex('leaf')]
    expect(() => encodeSetProofs([{ seq: 1, setRoot: leaves[0]!, leaves, indices: [0] }])).toThrow(/signature/)
    const row = { checker: checkers[1]!, signature: '0x1234' as const }
    expect(() => encodeSignatures([row, row], checkers)).toThrow(/each checker once/)
    expect(() => encodeSignatures([{ ...row, checker: farms[0]! }], checkers)).toThrow(/a checker of the job/)
    expect([...encodeSignatures([row], checkers)]).toEqual([1, 0, 2, 0x12, 0x34])
  })
})
