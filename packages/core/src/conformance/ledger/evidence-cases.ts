import assert from 'node:assert/strict'
import type { Batch, CheckerSignature } from '../../contract/messages.ts'
import {
  type Receipt,
  buildReceipt,
  encodeReceipt,
  leaseKeyDigest,
  seedProof,
  seedsOf,
  sha256Hex,
  signCommit,
  signLeaseAccept,
  signLeaseSet,
  signVote,
  verifyReceipt,
} from '../../proof/index.ts'
import { type LedgerCase, refuses } from './case.ts'
import { type LedgerScenario, ledgerScenario, namedSigner } from './scenario.ts'

/** Drives a job to its end (two batches, one later set, one refused frame, a replaced leaseKey, releases, Final) and builds its receipt, with every optional part. */
export async function receiptOfJob(s: LedgerScenario): Promise<Receipt> {
  const { ledger } = s.subject
  await s.open()
  const ready = await s.ready()
  await s.send({ kind: 'ready', ready })
  const later = await s.laterSet(2, [s.lease(7), s.lease(8)])
  const [first, second] = s.set0.leases
  const firstResults = [s.result(first!), s.result(second!, (_, i) => (i === 0 ? 'missing' : i === 3 ? 'refuse' : 'accept'))]
  const secondResults = [s.result(later.leases[0]!, (_, i) => (i === 1 ? 'unsure' : 'accept'), 2)]
  const batches: { batch: Batch; signatures: readonly CheckerSignature[] }[] = []
  for (const results of [firstResults, secondResults]) {
    const batch = await s.batch(results)
    const signatures = await s.sign(batch)
    await s.send({
      kind: 'attest',
      batch,
      sets: [s.set0, later].filter(({ set }) => results.some(({ seq }) => seq === set.seq)),
      signatures,
    })
    batches.push({ batch, signatures })
  }
  const leaseKey = namedSigner('next lease key').address
  const digest = leaseKeyDigest(ledger.domain, s.job, leaseKey)
  await s.send({ kind: 'lease-key', leaseKey, signature: await s.subject.creator.signDigest(digest) })
  await s.final(500_000n)
  await s.subject.advance(80 * 3600)
  await s.send({ kind: 'release', batch: 1 })
  await s.send({ kind: 'release', batch: 2 })
  const events = await s.events()
  const evidence = await ledger.evidence(s.job, s.ctx())
  const money = await ledger.money(s.job, s.ctx())
  const sets = [s.set0, later]
  return buildReceipt({
    domain: ledger.domain,
    terms: s.terms,
    sets,
    ready,
    batches,
    events,
    evidence,
    money,
    ...(await messagesOf(s, firstResults[0]!)),
  })
}

/** Countersignature, commitment, votes and seeds of one lease. */
async function messagesOf(
  s: LedgerScenario,
  { lease, records }: Batch['results'][number],
): Promise<Pick<Receipt, 'accepts' | 'commits' | 'votes' | 'seeds'>> {
  const { domain } = s.subject.ledger
  const { job } = s
  const farm = s.farms.find(({ address }) => address === lease.farm)!
  const outputs = records.map(({ frame, part, outputHash, completedAtMs }) => ({ frame, part, outputHash, completedAtMs }))
  const votes = s.checkers.slice(0, s.terms.quorum).flatMap((checker) =>
    records.map(({ frame, part, outputHash, verdict, checked, score }) =>
      signVote(checker, domain, {
        job,
        lease: lease.id,
        frame,
        part,
        outputHash,
        verdict,
        checked,
        score,
        cropsHash: sha256Hex('crops'),
      }),
    ),
  )
  const ids = s.set0.leases.map(({ id }) => id)
  const seeds = s.checkers.slice(0, s.terms.quorum).map((checker, i) => {
    const all = seedsOf(sha256Hex(`secret ${i}`), job, ids)
    return {
      lease: lease.id,
      seed: all.find((one) => one.lease === lease.id)!.seed,
      proof: seedProof(all, lease.id),
      checker: checker.address,
    }
  })
  return {
    accepts: [{ seq: 0, lease: lease.id, signature: await signLeaseAccept(farm, domain, job, 0, lease) }],
    commits: [await signCommit(farm, domain, { job, lease: lease.id, index: 0, outputs })],
    votes: await Promise.all(votes),
    seeds,
  }
}

/** Builds the receipt of a job with set 0 and `later` ones as it stands now, and demands that it verifies. */
export async function receiptHolds(
  s: LedgerScenario,
  batches: Parameters<typeof buildReceipt>[0]['batches'],
  later: Receipt['sets'] = [],
): Promise<Receipt> {
  const { ledger } = s.subject
  const events = await s.events()
  const evidence = await ledger.evidence(s.job, s.ctx())
  const money = await ledger.money(s.job, s.ctx())
  const receipt = buildReceipt({
    domain: ledger.domain,
    terms: s.terms,
    sets: [s.set0, ...later],
    ready: [],
    batches,
    events,
    evidence,
    money,
  })
  assert.equal(verifyReceipt(receipt).broken, undefined)
  return receipt
}

/** Receipts from what the ledger gives. */
export const evidenceCases: readonly LedgerCase[] = [
  {
    name: 'its evidence makes a receipt that verifies, anchored where the anchor is trusted and only there',
    async run(make) {
      const s = await ledgerScenario(make, { terms: { disputeWindowS: 3600 } })
      const receipt = await receiptOfJob(s)
      const text = encodeReceipt(receipt)
      const plain = verifyReceipt(text)
      assert.equal(plain.broken, undefined)
      assert.equal(plain.answer, 'consistent, not anchored')
      const { anchor, domain } = receipt
      const trust =
        anchor.kind === 'evm'
          ? { trustedBlockHash: anchor.blockHash, trustedEscrow: domain.verifyingContract }
          : { trustedLedger: domain.verifyingContract }
      assert.equal(verifyReceipt(text, trust).answer, 'anchored')
      const other = sha256Hex('another')
      const wrong = anchor.kind === 'evm' ? { trustedBlockHash: other } : { trustedLedger: other.slice(0, 42) as `0x${string}` }
      assert.equal(verifyReceipt(text, wrong).broken?.name, 'trust')
    },
  },
  {
    name: 'its evidence proves a job that is still running, and one that was released in two parts',
    needs: 'approveEarly',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const batch = await s.batch([
        s.result(s.set0.leases[0]!),
        s.result(s.set0.leases[1]!, (_, i) => (i < 5 ? 'refuse' : 'accept')),
      ])
      const signatures = await s.sign(batch)
      const check = async (released: boolean): Promise<void> => {
        const { money } = await receiptHolds(s, [{ batch, signatures }])
        assert.equal(money.pending === 0n, released)
      }
      await check(true)
      await s.send({ kind: 'attest', batch, sets: [s.set0], signatures })
      await check(false)
      await s.send({ kind: 'approve', batch: 1 })
      await s.send({ kind: 'release', batch: 1 })
      await check(false)
      await s.subject.advance(3 * 3600)
      await s.send({ kind: 'release', batch: 1 })
      await check(true)
    },
  },
  {
    name: 'its evidence does not fit a receipt that leaves out a refund',
    async run(make) {
      const s = await ledgerScenario(make)
      const receipt = await receiptOfJob(s)
      const without = receipt.steps.filter(({ kind }) => kind !== 'final')
      assert.ok(verifyReceipt({ ...receipt, steps: without }).broken)
    },
  },
  {
    name: 'takes sets of a replaced leaseKey no more, and its receipt still verifies',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const next = namedSigner('next lease key')
      const before = await s.laterSet(1, [s.lease(5)])
      const lost = await s.laterSet(2, [s.lease(6)])
      const batches: { batch: Batch; signatures: readonly CheckerSignature[] }[] = []
      const attest = async (id: number, seq: number, set: typeof before): Promise<void> => {
        const batch = await s.attest([s.result(s.lease(id), 'accept', seq)], [set])
        batches.push({ batch, signatures: await s.sign(batch) })
      }
      await attest(5, 1, before)
      await s.send({ kind: 'lease-key', leaseKey: next.address })
      await refuses(s, ['lease-set', 'signature'], () => attest(6, 2, lost))
      const later = [s.lease(6), s.lease(7)]
      const after = {
        set: await signLeaseSet(next, s.subject.ledger.domain, { job: s.job, seq: 2, leases: later }),
        leases: later,
      }
      await attest(6, 2, after)
      const receipt = await receiptHolds(s, batches, [before, after])
      const without = receipt.steps.filter(({ kind }) => kind !== 'lease-key')
      assert.equal(verifyReceipt({ ...receipt, steps: without }).broken?.name, 'sets')
      const early = [receipt.steps[1]!, receipt.steps[0]!, ...receipt.steps.slice(2)]
      assert.equal(verifyReceipt({ ...receipt, steps: early }).broken?.name, 'sets')
    },
  },
]
