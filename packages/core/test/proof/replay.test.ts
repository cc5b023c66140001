import { beforeAll, describe, expect, it } from 'vitest'
import { type LedgerScenario, ledgerScenario } from '../../src/conformance/index.ts'
import {
  type Payment,
  type Receipt,
  type ReceiptStep,
  SILENT_ARBITER,
  attestItem,
  batchHash,
  claimItem,
  foldHead,
  paymentsOf,
  releaseItem,
  resolveItem,
  settleBatch,
  sha256Hex,
  splitGross,
} from '../../src/proof/index.ts'
import { replaySteps } from '../../src/proof/receipt-replay.ts'
import { bookChain } from './book-chain.ts'

// A disputed farm, a silent arbiter and a claim: steps that only an escrow makes, written here by hand from docs/encodings.md.
let s: LedgerScenario
let receipt: Receipt
let steps: ReceiptStep[]
const sum = (paid: readonly Payment[]): bigint => paid.reduce((total, { amount }) => total + amount, 0n)

beforeAll(async () => {
  s = await ledgerScenario(bookChain, { leases: 4 })
  const [a, b, c, d] = s.set0.leases
  const results = [s.result(a!), s.result(b!, (_, i) => (i < 4 ? 'refuse' : 'accept')), s.result(c!)]
  const batch = await s.batch(results)
  const settled = settleBatch(results, s.terms)
  const share = (farm: string): (typeof settled.farms)[number] => settled.farms.find((one) => one.farm === farm)!
  const others = settled.farms.filter(({ farm }) => farm !== a!.farm && farm !== b!.farm)
  const gross = (a!.price * 700n) / 1000n
  const resolved = { ...share(a!.farm), gross, ...splitGross(gross, s.terms.platformFeeBps) }
  const { platform } = s.terms
  const release = (number: number, paid: readonly Payment[], refunded: bigint): ReceiptStep => ({
    kind: 'release',
    batch: number,
    paid,
    refunded,
  })
  steps = [
    {
      kind: 'attest',
      batch: 1,
      results: results.map(({ lease, seq, acceptedWeight, records }) => ({ lease: lease.id, seq, acceptedWeight, records })),
      votes: s.checkers.map(({ address }) => ({ checker: address, count: 30 })),
      validUntilS: batch.validUntilS,
      signatures: await s.sign(batch),
    },
    { kind: 'claim', batch: 2, lease: d!.id, farm: d!.farm, price: d!.price, outputRoot: sha256Hex('outputs') },
    release(1, paymentsOf({ farms: others, checkers: settled.checkers }, platform), 0n),
    { kind: 'resolve', batch: 1, farm: a!.farm, acceptedPerMille: 700 },
    release(1, paymentsOf({ farms: [resolved], checkers: [] }, platform), a!.price - gross),
    { kind: 'resolve', batch: 1, farm: b!.farm, acceptedPerMille: SILENT_ARBITER },
    release(1, paymentsOf({ farms: [share(b!.farm)], checkers: [] }, platform), b!.price - share(b!.farm).gross),
    { kind: 'resolve', batch: 2, farm: d!.farm, acceptedPerMille: SILENT_ARBITER },
    release(2, [{ account: d!.payTo, role: 'farm', amount: 0n }], d!.price),
  ]
  const { ledger } = s.subject
  receipt = {
    domain: ledger.domain,
    terms: s.terms,
    job: s.job,
    committee: s.terms.checkers,
    sets: [s.set0],
    steps,
  } as unknown as Receipt
})

describe('the steps of an escrow', () => {
  it('fold to the head, and add up', () => {
    const replay = replaySteps(receipt)
    let head = s.job
    for (const step of steps) {
      if (step.kind === 'attest') {
        const results = step.results.map((one, i) => s.result(s.set0.leases[i]!, (_, at) => one.records[at]!.verdict))
        head = foldHead(head, 'attest', attestItem(1, batchHash({ job: s.job, results }, s.terms)))
      }
      if (step.kind === 'claim') head = foldHead(head, 'claim', claimItem(step))
      if (step.kind === 'resolve') head = foldHead(head, 'resolve', resolveItem(step.batch, step.farm, step.acceptedPerMille))
      if (step.kind === 'release') head = foldHead(head, 'release', releaseItem(step.batch, sum(step.paid), step.refunded))
    }
    expect(replay.head).toBe(head)
    const prices = s.set0.leases.reduce((total, { price }) => total + price, 0n)
    expect(replay.reserved).toBe(prices + 30n * s.terms.checkFee)
    expect(replay.released + replay.refundedOfBatches).toBe(replay.reserved)
  })

  it.each<[string, string, (steps: ReceiptStep[]) => ReceiptStep[]]>([
    [
      'a farm paid more than was resolved',
      'steps[4].paid[0]',
      (all) =>
        all.with(4, {
          ...(all[4] as ReceiptStep & { kind: 'release' }),
          paid: [{ ...(all[4] as ReceiptStep & { kind: 'release' }).paid[0]!, amount: 99_999n }],
        }),
    ],
    ['a resolution without its release', 'steps[4]', (all) => all.toSpliced(4, 1)],
    ['a release without its resolution', 'steps[3].paid[0]', (all) => all.toSpliced(3, 1)],
    ['a farm resolved twice', 'steps[5]', (all) => all.with(5, all[3]!)],
    [
      'a lease claimed and attested',
      'steps[1].lease',
      (all) =>
        all.with(1, {
          ...(all[1] as ReceiptStep & { kind: 'claim' }),
          lease: 1,
          farm: s.set0.leases[0]!.farm,
          price: s.set0.leases[0]!.price,
        }),
    ],
    ['a claim at another price', 'steps[1]', (all) => all.with(1, { ...(all[1] as ReceiptStep & { kind: 'claim' }), price: 1n })],
    [
      'a batch out of number',
      'steps[0].batch',
      (all) => all.toSpliced(0, 1, { ...(all[0] as ReceiptStep & { kind: 'attest' }), batch: 2 }),
    ],
    [
      'a release of no batch',
      'steps[2].batch',
      (all) => all.with(2, { ...(all[2] as ReceiptStep & { kind: 'release' }), batch: 7 }),
    ],
    [
      'more than a thousand of a thousand',
      'acceptedPerMille',
      (all) => all.with(3, { ...(all[3] as ReceiptStep & { kind: 'resolve' }), acceptedPerMille: 1001 }),
    ],
    [
      'a refund too large',
      'steps[6].refunded',
      (all) => all.with(6, { ...(all[6] as ReceiptStep & { kind: 'release' }), refunded: 1n }),
    ],
  ])('with %s are refused at %s', (_name, path, change) => {
    expect(() => replaySteps({ ...receipt, steps: change(steps) })).toThrow(
      expect.objectContaining({ code: 'invalid-input', details: expect.objectContaining({ path }) }),
    )
  })
})
