import assert from 'node:assert/strict'
import type { Terms } from '../../contract/messages.ts'
import { ZERO_ADDRESS, sha256Hex, signReady } from '../../proof/index.ts'
import { type LedgerCase, conserves, creditOf, refuses } from './case.ts'
import { ledgerScenario, namedSigner, scenarioOn } from './scenario.ts'

/** Opening, readiness, budgets, cancel, Final and refund. */
export const jobCases: readonly LedgerCase[] = [
  {
    name: 'opens a job, locks its budgets and gives it the id that proof computes',
    async run(make) {
      const s = await ledgerScenario(make)
      assert.equal(await s.open(), s.job)
      const money = await s.subject.ledger.money(s.job, s.ctx())
      assert.deepEqual(
        { ...money, head: undefined },
        { deposited: 1_100_000n, locked: 1_100_000n, pending: 0n, released: 0n, refunded: 0n, head: undefined, status: 'open' },
      )
      const [opened] = await s.events()
      assert.ok(opened?.type === 'opened')
      assert.equal(opened.creator, s.terms.creator)
      assert.equal(opened.setRoot, s.set0.set.setRoot)
    },
  },
  {
    name: 'opening the same terms twice is the same job, deposited once',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      assert.equal(await s.open(), s.job)
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).deposited, 1_100_000n)
    },
  },
  {
    name: 'refuses other terms, or another set 0, for a run that is open',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const { ledger } = s.subject
      await refuses(s, 'terms-mismatch', () => ledger.open({ ...s.terms, frameCap: 1n }, s.set0.set.setRoot, s.ctx()))
      await refuses(s, 'terms-mismatch', () => ledger.open(s.terms, sha256Hex('another set'), s.ctx()))
      await refuses(s, ['terms-mismatch', 'unknown-job'], () =>
        ledger.send({ kind: 'cancel', terms: { ...s.terms, quorum: 3 } }, s.ctx()),
      )
    },
  },
  {
    name: 'refuses terms under which money could be stuck or the committee be no majority',
    async run(make) {
      const s = await ledgerScenario(make)
      const { terms } = s
      const broken: readonly Partial<Terms>[] = [
        { farmBudget: 0n, checkBudget: 0n },
        { quorum: 1 },
        { quorum: 4 },
        { checkers: [...terms.checkers].reverse() },
        { checkers: [terms.checkers[0]!, terms.checkers[0]!, terms.checkers[1]!] },
        { leaseKey: ZERO_ADDRESS },
        { platform: ZERO_ADDRESS },
        { platformFeeBps: 3001 },
        { attestByS: terms.deadlineAtS },
        { refundAfterS: terms.attestByS },
        { deadlineAtS: 1 },
      ]
      for (const change of broken)
        await refuses(s, 'terms', () => s.subject.ledger.open({ ...terms, ...change }, s.set0.set.setRoot, s.ctx()))
      assert.equal(await s.open(), s.job)
    },
  },
  {
    name: 'refuses actions on a job that was never opened',
    async run(make) {
      const s = await ledgerScenario(make)
      await refuses(s, ['unknown-job', 'terms-mismatch'], () => s.send({ kind: 'cancel' }))
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).status, 'none')
    },
  },
  {
    name: 'records the first Ready of a quorum, once, and refuses strangers and too few',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const { set } = s.set0
      const stranger = await signReady(namedSigner('stranger'), s.subject.ledger.domain, {
        ...set,
        bundleRoot: s.terms.bundleRoot,
        seedRoot: set.setRoot,
      })
      const [first, second] = await s.ready()
      await refuses(s, ['quorum', 'signature'], async () => s.send({ kind: 'ready', ready: [first!] }))
      await refuses(s, ['signature', 'not-allowed'], () => s.send({ kind: 'ready', ready: [first!, { ...stranger, seq: 0 }] }))
      await refuses(s, 'signature', () => s.send({ kind: 'ready', ready: [first!, { ...second!, signature: first!.signature }] }))
      const elsewhere = await signReady(s.checkers[1]!, s.subject.ledger.domain, {
        ...first!,
        bundleRoot: sha256Hex('another bundle'),
      })
      await refuses(s, ['signature', 'lease-set'], () => s.send({ kind: 'ready', ready: [first!, elsewhere] }))
      await s.send({ kind: 'ready', ready: [first!, second!] })
      const events = (await s.events()).filter(({ type }) => type === 'ready')
      assert.ok(events.length >= 1, 'a ready event')
      await refuses(s, 'done', () => s.send({ kind: 'ready', ready: [first!, second!] }))
    },
  },
  {
    name: 'a top-up widens both budgets',
    async run(make) {
      const s = await ledgerScenario(make, { terms: { farmBudget: 100_000n } })
      await s.open()
      const [lease] = s.set0.leases
      await refuses(s, ['farm-budget', 'check-budget'], () => s.attest([s.result(lease!)]))
      await s.send({ kind: 'top-up', farmBudget: 50_000n, checkBudget: 1n })
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).deposited, 250_001n)
      await s.attest([s.result(lease!)])
      await conserves(s)
      await s.subject.advance(s.terms.deadlineAtS - (await s.subject.nowS()) + 1)
      await refuses(s, 'too-late', () => s.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }))
    },
  },
  {
    name: 'a canceled job takes no top-up, but accepted leases are still attested',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      await s.send({ kind: 'cancel' })
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).status, 'canceled')
      await refuses(s, 'closed', () => s.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }))
      await refuses(s, 'done', () => s.send({ kind: 'cancel' }))
      await s.attest([s.result(s.set0.leases[0]!)])
      await conserves(s)
    },
  },
  {
    name: 'Final frees what the quorum does not keep, and later leases fit into what is kept',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [first, second] = s.set0.leases
      await s.attest([s.result(first!)])
      const reserve = first!.price + 10n * s.terms.checkFee
      const keep = reserve + second!.price + 10n * s.terms.checkFee
      await refuses(s, 'keep', () => s.final(reserve - 1n))
      await refuses(s, 'keep', () => s.final(1_100_001n))
      await refuses(s, ['quorum', 'signature'], () => s.final(keep, 1))
      await s.final(keep)
      assert.equal(await creditOf(s, s.terms.creator), 1_100_000n - keep)
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).status, 'finalized')
      await refuses(s, 'done', () => s.final(keep))
      const later = await s.laterSet(1, [s.lease(3)])
      await refuses(s, ['farm-budget', 'check-budget'], () =>
        s.attest([s.result(second!), s.result(s.lease(3), 'accept', 1)], [later]),
      )
      await s.attest([s.result(second!)])
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).locked, 0n)
      await conserves(s)
    },
  },
  {
    name: 'after refundAfter the creator gets back what no batch reserved; what was attested is still paid',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const [lease] = s.set0.leases
      await s.attest([s.result(lease!)])
      await refuses(s, 'too-early', () => s.send({ kind: 'refund' }))
      await s.subject.advance(s.terms.refundAfterS - (await s.subject.nowS()) + 1)
      await s.send({ kind: 'refund' })
      const reserve = lease!.price + 10n * s.terms.checkFee
      assert.equal(await creditOf(s, s.terms.creator), 1_100_000n - reserve)
      await refuses(s, 'done', () => s.send({ kind: 'refund' }))
      await s.send({ kind: 'release', batch: 1 })
      const { status, locked, pending, released } = await s.subject.ledger.money(s.job, s.ctx())
      assert.deepEqual({ status, locked, pending, released }, { status: 'closed', locked: 0n, pending: 0n, released: reserve })
      await conserves(s)
    },
  },
  {
    name: 'a repeated key has one effect',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      for (let i = 0; i < 2; i++) await s.send({ kind: 'top-up', farmBudget: 5n, checkBudget: 0n }, s.ctx('top up'))
      assert.equal((await s.subject.ledger.money(s.job, s.ctx())).deposited, 1_100_005n)
      const batch = await s.batch([s.result(s.set0.leases[0]!)])
      const signatures = await s.sign(batch)
      for (let i = 0; i < 2; i++) await s.send({ kind: 'attest', batch, sets: [s.set0], signatures }, s.ctx('attest'))
      assert.equal((await s.events()).filter(({ type }) => type === 'attested').length, 1)
    },
  },
  {
    name: 'keeps the jobs of one ledger apart',
    async run(make) {
      const a = await ledgerScenario(make, { run: 'a' })
      const b = await scenarioOn(a.subject, { run: 'b' })
      await a.open()
      await b.open()
      const batch = await a.batch([a.result(a.set0.leases[0]!)])
      const signatures = await a.sign(batch)
      await refuses(b, ['batch-hash', 'signature', 'lease-set', 'lease'], () =>
        b.send({ kind: 'attest', batch, sets: [a.set0], signatures }),
      )
      await a.send({ kind: 'attest', batch, sets: [a.set0], signatures })
      assert.equal((await b.subject.ledger.money(b.job, b.ctx())).locked, 1_100_000n)
      assert.ok((await b.events()).every(({ job }) => job === b.job))
    },
  },
]
