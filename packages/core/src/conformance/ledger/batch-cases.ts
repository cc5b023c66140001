import assert from 'node:assert/strict'
import { foldHead, attestItem, finalItem, leaseSetRoot, releaseItem, settleBatch, signBatch } from '../../proof/index.ts'
import { type LedgerCase, conserves, creditOf, refuses } from './case.ts'
import { type LedgerScenario, ledgerScenario, namedSigner } from './scenario.ts'

const HOUR = 3600

async function pastWindow(s: LedgerScenario, hours = 2): Promise<void> {
  await s.subject.advance(hours * HOUR + 1)
}

/** Attestation, release and what both refuse. */
export const batchCases: readonly LedgerCase[] = [
  {
    name: 'reserves full prices and check fees when a batch is attested',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      await s.attest(s.set0.leases.map((lease) => s.result(lease, 'refuse')))
      const reserve = s.set0.leases.reduce((sum, { price }) => sum + price, 0n) + 20n * s.terms.checkFee
      const { pending, locked } = await s.subject.ledger.money(s.job, s.ctx())
      assert.equal(pending, reserve)
      assert.equal(locked, 1_100_000n - reserve)
      const attested = (await s.events()).find(({ type }) => type === 'attested')
      assert.ok(attested?.type === 'attested')
      assert.equal(attested.batch, 1)
      assert.deepEqual(attested.leases, [1, 2])
      assert.equal(attested.reserved, reserve)
      assert.equal(attested.records?.length, 20)
    },
  },
  {
    name: 'releases after the window: the accepted share to farms, fees to platform and checkers, the rest to the creator',
    async run(make) {
      const s = await ledgerScenario(make, { leases: 4 })
      await s.open()
      const results = s.set0.leases.map((lease, i) =>
        s.result(lease, (_, at) => (at < 2 * i ? 'refuse' : at === 9 && i === 3 ? 'missing' : 'accept')),
      )
      await s.attest(results)
      await refuses(s, 'too-early', () => s.send({ kind: 'release', batch: 1 }))
      await pastWindow(s)
      await s.send({ kind: 'release', batch: 1 })
      const expected = settleBatch(results, s.terms)
      for (const { payTo, net } of expected.farms) assert.equal(await creditOf(s, payTo), net)
      for (const { checker, amount } of expected.checkers) assert.equal(await creditOf(s, checker), amount)
      assert.equal(
        await creditOf(s, s.platform),
        expected.farms.reduce((sum, { platform }) => sum + platform, 0n),
      )
      assert.equal(await creditOf(s, s.terms.creator), expected.refund)
      const released = (await s.events()).find(({ type }) => type === 'released')
      assert.ok(released?.type === 'released')
      assert.equal(released.refunded, expected.refund)
      await refuses(s, ['done', 'unknown-batch'], () => s.send({ kind: 'release', batch: 1 }))
      await conserves(s)
    },
  },
  {
    name: 'returns the check fees of frames that nobody voted on',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [lease] = s.set0.leases
      await s.attest([s.result(lease!, () => 'missing')])
      await pastWindow(s)
      await s.send({ kind: 'release', batch: 1 })
      assert.equal(await creditOf(s, s.terms.creator), lease!.price + 10n * s.terms.checkFee)
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).released, 0n)
    },
  },
  {
    name: 'a lease is settled once, whatever the second batch says',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [first, second] = s.set0.leases
      const batch = await s.attest([s.result(first!, 'refuse')])
      await refuses(s, 'settled', () => s.attest([s.result(first!)]))
      await refuses(s, 'settled', () => s.attest([s.result(first!), s.result(second!)]))
      const signatures = await s.sign(batch)
      await refuses(s, 'settled', () => s.send({ kind: 'attest', batch, sets: [s.set0], signatures }))
      await s.attest([s.result(second!)])
    },
  },
  {
    name: 'refuses leases that are not in their set, or were changed',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [first] = s.set0.leases
      const outside = ['lease', 'lease-set'] as const
      await refuses(s, outside, () => s.attest([s.result({ ...first!, price: first!.price + 1n })]))
      await refuses(s, outside, () => s.attest([s.result({ ...first!, payTo: s.farms[2]!.address })]))
      await refuses(s, outside, () => s.attest([s.result({ ...first!, commitByS: first!.commitByS + 1 })]))
      await refuses(s, outside, () => s.attest([s.result(s.lease(9))]))
    },
  },
  {
    name: 'takes later lease sets that the leaseKey signed, and no others',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const lease = s.lease(7)
      const later = await s.laterSet(3, [s.lease(6), lease, s.lease(8)])
      const forged = { ...later, set: { ...later.set, signature: await namedSigner('thief').signDigest(later.set.setRoot) } }
      const bare = { ...later, set: { job: s.job, seq: 3, setRoot: later.set.setRoot } }
      const wrong = ['lease-set', 'signature'] as const
      await refuses(s, wrong, () => s.attest([s.result(lease, 'accept', 3)], [forged]))
      await refuses(s, wrong, () => s.attest([s.result(lease, 'accept', 3)], [bare]))
      await s.attest([s.result(lease, 'accept', 3), s.result(s.set0.leases[1]!)], [later])
      await refuses(s, 'settled', () => s.attest([s.result(lease, 'accept', 3)], [later]))
    },
  },
  {
    name: 'an id that stands in two sets is settled once, also within one batch',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const twin = s.lease(1, { price: 7n })
      const later = await s.laterSet(1, [twin])
      const both = [s.result(s.set0.leases[0]!), s.result(twin, 'accept', 1)]
      await refuses(s, ['settled', 'lease'], () => s.attest(both, [later]))
      await s.attest([both[0]!])
      await refuses(s, 'settled', () => s.attest([both[1]!], [later]))
    },
  },
  {
    name: 'takes no other set 0 than the one that the job was opened with',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const leases = [s.lease(1, { price: 7n })]
      const other = { set: { job: s.job, seq: 0, setRoot: leaseSetRoot(leases) }, leases }
      const batch = await s.batch([s.result(leases[0]!)])
      const signatures = await s.sign(batch)
      await refuses(s, ['lease-set', 'lease'], () => s.send({ kind: 'attest', batch, sets: [other], signatures }))
    },
  },
  {
    name: 'asks for a quorum of different checkers over exactly this batch',
    async run(make) {
      const s = await ledgerScenario(make, { checkers: 5, quorum: 3 })
      await s.open()
      const batch = await s.batch([s.result(s.set0.leases[0]!)])
      const [a, b, c] = await s.sign(batch)
      const send = (signatures: readonly (typeof a)[]): Promise<void> =>
        s.send({ kind: 'attest', batch, sets: [s.set0], signatures: signatures.map((signature) => signature!) })
      const lacking = ['quorum', 'signature'] as const
      await refuses(s, lacking, () => send([]))
      await refuses(s, lacking, () => send([a, b]))
      await refuses(s, lacking, () => send([a, b, b]))
      await refuses(s, lacking, () => send([a, b, { ...c!, signature: a!.signature }]))
      await refuses(s, lacking, () => send([a, b, { ...c!, signature: malleable(c!.signature) }]))
      const stranger = await signBatch(namedSigner('stranger'), s.subject.ledger.domain, batch)
      await refuses(s, lacking, () => send([a, b, stranger]))
      await refuses(s, ['batch-hash', 'signature', 'quorum'], () =>
        s.send({
          kind: 'attest',
          batch: { ...batch, validUntilS: batch.validUntilS + 1 },
          sets: [s.set0],
          signatures: [a!, b!, c!],
        }),
      )
      await refuses(s, ['batch-hash', 'signature', 'quorum', 'lease'], () =>
        s.send({
          kind: 'attest',
          batch: { ...batch, results: [s.result(s.set0.leases[0]!, 'refuse')] },
          sets: [s.set0],
          signatures: [a!, b!, c!],
        }),
      )
      await send([c, a, b])
    },
  },
  {
    name: 'refuses a batch past its validity, and every batch past attestBy',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [first, second] = s.set0.leases
      const batch = await s.batch([s.result(first!)], 60)
      const signatures = await s.sign(batch)
      await s.subject.advance(120)
      await refuses(s, 'too-late', () => s.send({ kind: 'attest', batch, sets: [s.set0], signatures }))
      await s.attest([s.result(first!)])
      await s.subject.advance(s.terms.attestByS - (await s.subject.nowS()) + 1)
      await refuses(s, 'too-late', () => s.attest([s.result(second!)]))
    },
  },
  {
    name: 'keeps to frameCap and to each budget',
    async run(make) {
      const s = await ledgerScenario(make, {
        leases: 4,
        terms: { farmBudget: 310_000n, checkBudget: 3030n },
        lease: (lease) => (lease.id === 1 ? { ...lease, price: 200_001n } : lease),
      })
      await s.open()
      const [costly, second, third, fourth] = s.set0.leases.map((lease) => s.result(lease))
      await refuses(s, ['frame-cap', 'lease'], () => s.attest([costly!]))
      await s.attest([second!, third!])
      await s.attest([fourth!])
      const later = await s.laterSet(1, [s.lease(10, { price: 1n }), s.lease(11)])
      await refuses(s, ['check-budget', 'farm-budget'], () =>
        s.attest([s.result(s.lease(10, { price: 1n }), 'accept', 1)], [later]),
      )
      await refuses(s, ['check-budget', 'farm-budget'], () => s.attest([s.result(s.lease(11), 'accept', 1)], [later]))
    },
  },
  {
    name: 'waits 72 hours for frames that no comparison of renders confirmed',
    async run(make) {
      const s = await ledgerScenario(make, { lease: (lease) => (lease.id === 2 ? { ...lease, checkClass: 'file-only' } : lease) })
      await s.open()
      await s.attest([s.result(s.set0.leases[0]!, (_, i) => (i === 4 ? 'unsure' : 'accept'))])
      await s.attest([s.result(s.set0.leases[1]!)])
      await pastWindow(s, 70)
      await refuses(s, 'too-early', () => s.send({ kind: 'release', batch: 1 }))
      await refuses(s, 'too-early', () => s.send({ kind: 'release', batch: 2 }))
      await pastWindow(s, 2)
      await s.send({ kind: 'release', batch: 1 })
      await s.send({ kind: 'release', batch: 2 })
      assert.equal(await creditOf(s, s.terms.creator), 0n)
    },
  },
  {
    name: 'an early approval pays checkers and fully accepted farms at once; the others wait out the window',
    needs: 'approveEarly',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const results = [s.result(s.set0.leases[0]!), s.result(s.set0.leases[1]!, (_, i) => (i === 0 ? 'refuse' : 'accept'))]
      await s.attest(results)
      await s.send({ kind: 'approve', batch: 1 })
      await s.send({ kind: 'release', batch: 1 })
      const { farms, refund } = settleBatch(results, s.terms)
      for (const { payTo, net, gross, price } of farms) assert.equal(await creditOf(s, payTo), gross === price ? net : 0n)
      assert.equal(await creditOf(s, s.terms.creator), 0n)
      await refuses(s, 'too-early', () => s.send({ kind: 'release', batch: 1 }))
      await pastWindow(s)
      await s.send({ kind: 'release', batch: 1 })
      for (const { payTo, net } of farms) assert.equal(await creditOf(s, payTo), net)
      assert.equal(await creditOf(s, s.terms.creator), refund)
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).pending, 0n)
      await conserves(s)
    },
  },
  {
    name: 'the root record mode settles the same, without records in the event',
    async run(make) {
      const s = await ledgerScenario(make, { terms: { recordMode: 'root' } })
      await s.open()
      await s.attest([s.result(s.set0.leases[0]!)])
      const attested = (await s.events()).find(({ type }) => type === 'attested')
      assert.ok(attested?.type === 'attested')
      assert.equal(attested.records, undefined)
    },
  },
  {
    name: 'a withdrawal empties the credit, and nothing is paid twice',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      await s.final(0n)
      assert.equal(await creditOf(s, s.terms.creator), 1_100_000n)
      const withdraw = { kind: 'withdraw', token: s.terms.token, to: s.terms.creator } as const
      for (let i = 0; i < 2; i++) await s.subject.ledger.send(withdraw, s.ctx())
      assert.equal(await creditOf(s, s.terms.creator), 0n)
    },
  },
  {
    name: 'events come in order, once, and fold to the head of the job',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const batches = [await s.attest([s.result(s.set0.leases[0]!)]), await s.attest([s.result(s.set0.leases[1]!, 'refuse')])]
      await pastWindow(s)
      await s.send({ kind: 'release', batch: 2 })
      await s.final(500_000n)
      const events = await s.events()
      assert.equal(new Set(events.map(({ id }) => id)).size, events.length)
      assert.deepEqual(
        events.map(({ type }) => type),
        ['opened', 'attested', 'attested', 'released', 'finalized'],
      )
      let head = s.job
      for (const event of events) {
        if (event.type === 'attested')
          head = foldHead(head, 'attest', attestItem(event.batch, batches[event.batch - 1]!.batchHash))
        if (event.type === 'released') {
          const paid = event.paid.reduce((sum, { amount }) => sum + amount, 0n)
          head = foldHead(head, 'release', releaseItem(event.batch, paid, event.refunded))
        }
        if (event.type === 'finalized') head = foldHead(head, 'final', finalItem(event.keep, event.refunded))
        if (event.head !== undefined && event.type !== 'opened') assert.equal(event.head, head)
      }
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).head, head)
    },
  },
]

/** The other valid form of a signature: s mirrored in the order of the curve, v flipped. */
function malleable(signature: `0x${string}`): `0x${string}` {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')
  return `${signature.slice(0, 66)}${s}${signature.slice(130) === '1b' ? '1c' : '1b'}` as `0x${string}`
}
