import assert from 'node:assert/strict'
import { leaseProof, settleBatch, sha256Hex, signHeld } from '../../proof/index.ts'
import { type LedgerCase, conserves, creditOf, refuses } from './case.ts'
import { receiptHolds } from './evidence-cases.ts'
import { ledgerScenario } from './scenario.ts'

const HOUR = 3600

/** Objections and claims, where an arbiter stands behind the ledger. */
export const disputeCases: readonly LedgerCase[] = [
  {
    name: 'a dispute holds back one farm; the arbiter decides its share, the others are paid',
    needs: 'disputes',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const results = s.set0.leases.map((lease) => s.result(lease))
      const batch = await s.attest(results)
      const [a, b] = s.farms
      await s.send({ kind: 'dispute', batch: 1, farm: a!.address, reasonHash: sha256Hex('reason') })
      await s.subject.advance(2 * HOUR + 1)
      await s.send({ kind: 'release', batch: 1 })
      const settled = settleBatch(results, s.terms)
      assert.equal(await creditOf(s, b!.address), settled.farms.find(({ farm }) => farm === b!.address)!.net)
      assert.equal(await creditOf(s, a!.address), 0n)
      const { arbiter } = s.subject
      assert.ok(arbiter, 'a subject that supports disputes brings the arbiter')
      await arbiter.send({ kind: 'resolve', terms: s.terms, batch: 1, farm: a!.address, acceptedPerMille: 500 }, s.ctx())
      const gross = s.set0.leases[0]!.price / 2n
      assert.equal(await creditOf(s, a!.address), gross - (gross * 250n) / 10_000n)
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).pending, 0n)
      await conserves(s)
      await receiptHolds(s, [{ batch, signatures: await s.sign(batch) }])
    },
  },
  {
    name: 'refuses disputes past the window',
    needs: 'disputes',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      await s.attest([s.result(s.set0.leases[0]!)])
      await s.subject.advance(2 * HOUR + 1)
      await refuses(s, 'too-late', () =>
        s.send({ kind: 'dispute', batch: 1, farm: s.farms[0]!.address, reasonHash: sha256Hex('late') }),
      )
    },
  },
  {
    name: 'a farm with a quorum of Held receipts and no attestation may claim',
    needs: 'claims',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [lease] = s.set0.leases
      const { ledger, farm } = s.subject
      assert.ok(farm, 'a subject that supports claims brings the farm')
      const outputRoot = sha256Hex('outputs')
      const held = await Promise.all(
        s.checkers
          .slice(0, s.terms.quorum)
          .map((checker) => signHeld(checker, ledger.domain, { job: s.job, lease: lease!.id, outputRoot })),
      )
      const proof = leaseProof(s.set0.leases, lease!.id)
      const claim = { kind: 'claim', terms: s.terms, lease: lease!, set: s.set0.set, proof, held, outputRoot } as const
      await refuses(s, 'too-early', () => farm.send(claim, s.ctx()))
      await s.subject.advance(lease!.commitByS - (await s.subject.nowS()) + 1)
      await farm.send(claim, s.ctx())
      assert.equal((await ledger.money(s.job, s.ctx())).pending, lease!.price)
      await refuses(s, 'settled', () => s.attest([s.result(lease!)]))
      await conserves(s)
      await receiptHolds(s, [])
      const { arbiter } = s.subject
      assert.ok(arbiter, 'a subject that supports claims brings the arbiter')
      await arbiter.send({ kind: 'resolve', terms: s.terms, batch: 1, farm: lease!.farm, acceptedPerMille: 1000 }, s.ctx())
      assert.equal((await ledger.money(s.job, s.ctx())).pending, 0n)
      await receiptHolds(s, [])
    },
  },
]
