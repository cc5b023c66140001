import { beforeAll, describe, expect, it } from 'vitest'
import {
  type LedgerScenario,
  type MakeLedger,
  ledgerConformance,
  ledgerScenario,
  namedSigner,
  receiptOfJob,
} from '../../src/conformance/index.ts'
import { localLedger } from '../../src/ledger/index.ts'
import {
  type Receipt,
  ZERO_ADDRESS,
  encodeReceipt,
  parseReceipt,
  quoteHashOf,
  sha256Hex,
  signVote,
  specHashOf,
  verifyReceipt,
} from '../../src/proof/index.ts'
import { bookChain } from './book-chain.ts'
import { type Path, changed, leavesOf, otherLeaf } from './tamper.ts'

const local: MakeLedger = async () => {
  let nowMs = 1_800_000_000_000
  const creator = namedSigner('app')
  return {
    ledger: localLedger({ signer: creator, path: ':memory:', clock: { now: () => nowMs } }),
    creator,
    token: ZERO_ADDRESS,
    nowS: async () => nowMs / 1000,
    advance: async (seconds) => void (nowMs += seconds * 1000),
  }
}

const quote = { perFrame: '12', currency: 'USD', rate: { per: 3, at: [1, 2] } }
const spec = { software: 'blender', samples: 64, output: { format: 'PNG', width: 1920 } }

describe.each([
  ['a local ledger', local, { trustedLedger: namedSigner('app').address }],
  ['an escrow', bookChain, {}],
] as const)('the receipt of %s', (_name, make, trust) => {
  let receipt: Receipt
  let checkers: LedgerScenario['checkers']
  let json: Record<string, unknown>
  beforeAll(async () => {
    const s = await ledgerScenario(make, {
      terms: { quoteHash: quoteHashOf(quote), specHash: specHashOf(spec as never) },
      // Few frames, and so few signatures, in the lease whose votes are shown.
      lease: (lease) => (lease.id === 1 ? { ...lease, price: 30_001n, frames: [5, 6, 9], weights: [1, 2, 3] } : lease),
    })
    checkers = s.checkers
    receipt = { ...(await receiptOfJob(s)), quote, spec: spec as never }
    json = JSON.parse(encodeReceipt(receipt)) as Record<string, unknown>
  })

  it('verifies as an object, as text and as JSON, and reads back what was written', () => {
    for (const form of [receipt, encodeReceipt(receipt), json]) {
      const verdict = verifyReceipt(form)
      expect(verdict.broken).toBeUndefined()
      expect(verdict.answer).toBe('consistent, not anchored')
    }
    expect(parseReceipt(encodeReceipt(receipt))).toEqual(receipt)
  })

  it('is anchored by what the verifier trusts, and broken by what it does not', () => {
    const block = receipt.anchor.kind === 'evm' ? receipt.anchor.blockHash : undefined
    const trusted = block ? { trustedBlockHash: block, trustedEscrow: receipt.domain.verifyingContract } : trust
    expect(verifyReceipt(json, trusted).answer).toBe('anchored')
    expect(verifyReceipt(json, { trustedBlockHash: sha256Hex('another block') }).broken?.name).toBe('trust')
    const stranger = namedSigner('stranger').address
    expect(verifyReceipt(json, block ? { trustedEscrow: stranger } : { trustedLedger: stranger }).broken).toMatchObject({
      name: 'trust',
      path: 'domain.verifyingContract',
    })
  })

  it('says what was vouched for and what was not: a block without its escrow anchors nothing', () => {
    const { anchor, domain } = receipt
    if (anchor.kind !== 'evm') {
      const { answer, anchors } = verifyReceipt(json)
      expect([answer, anchors]).toEqual([
        'consistent, not anchored',
        [{ name: 'ledger', value: domain.verifyingContract, trusted: false }],
      ])
      expect(verifyReceipt(json, { ...trust, trustedChainId: 1 }).broken).toMatchObject({ name: 'trust', path: 'anchor.kind' })
      return
    }
    const trustedBlockHash = anchor.blockHash
    const { answer, anchors } = verifyReceipt(json, { trustedBlockHash })
    expect(answer).toBe('consistent, not anchored')
    expect(anchors!.map(({ name, trusted }) => `${name} ${trusted}`)).toEqual([
      'block true',
      'chain false',
      'escrow false',
      'code false',
    ])
    expect(verifyReceipt(json, { trustedEscrow: domain.verifyingContract }).answer).toBe('consistent, not anchored')
    const trustedCodeHash = anchors!.find(({ name }) => name === 'code')!.value as `0x${string}`
    expect(verifyReceipt(json, { trustedBlockHash, trustedCodeHash }).answer).toBe('anchored')
    const other = sha256Hex('other code')
    expect(verifyReceipt(json, { trustedBlockHash, trustedCodeHash: other }).broken).toMatchObject({
      path: 'anchor.accountProof',
    })
    expect(verifyReceipt(json, { trustedBlockHash, trustedChainId: 1 }).broken).toMatchObject({ path: 'domain.chainId' })
  })

  it('names what is wrong whichever leaf is changed', () => {
    const leaves = [...leavesOf(json)]
    expect(leaves.length).toBeGreaterThan(500)
    // Items of one list behave alike: one leaf of each kind is changed here, every leaf by `pnpm campaign receipts`.
    const kinds = new Map<string, { path: Path; leaf: unknown }[]>()
    for (const one of leaves) {
      const kind = one.path.map((key) => (typeof key === 'number' ? '*' : key)).join('.')
      kinds.set(kind, [...(kinds.get(kind) ?? []), one])
    }
    const missed: string[] = []
    for (const [i, [, alike]] of [...kinds].entries()) {
      const { path, leaf } = alike[(i * 7) % alike.length]!
      const verdict = verifyReceipt(changed(json, path, otherLeaf(leaf, i)))
      if (verdict.answer !== 'broken' || !verdict.broken?.message) missed.push(path.join('.'))
    }
    expect(kinds.size).toBeGreaterThan(100)
    expect(missed).toEqual([])
  })

  it('names what is wrong when a part is taken out, repeated or made up', () => {
    const lists = ['committee', 'sets', 'ready', 'commits', 'votes', 'seeds', 'accepts', 'steps'] as const
    for (const name of lists) {
      const list = json[name] as unknown[]
      // Optional evidence may be left out; what decides money may not.
      if (name === 'committee' || name === 'sets' || name === 'steps')
        for (let i = 0; i < list.length; i++)
          expect(verifyReceipt({ ...json, [name]: list.filter((_, at) => at !== i) }).answer, `${name} without ${i}`).toBe(
            'broken',
          )
      if (name !== 'accepts' && name !== 'seeds')
        expect(verifyReceipt({ ...json, [name]: [...list, list[0]] }).answer, `${name} repeated`).toBe('broken')
    }
    expect(verifyReceipt({ ...json, note: 'hello' }).broken).toMatchObject({ name: 'format', path: 'receipt.note' })
    expect(verifyReceipt({ ...json, steps: [...(json['steps'] as unknown[])].reverse() }).answer).toBe('broken')
    const { quote: _gone, ...without } = json
    expect(verifyReceipt(without).broken).toBeUndefined()
  })

  it('is broken by well-signed votes that say something else than the batch', async () => {
    const turn = async (vote: Receipt['votes'][number]): Promise<Receipt['votes'][number]> => {
      const checker = checkers.find(({ address }) => address === vote.checker)!
      return signVote(checker, receipt.domain, { ...vote, verdict: 'refuse' })
    }
    const votes = await Promise.all(receipt.votes.map((vote) => (vote.frame === 6 ? turn(vote) : vote)))
    expect(verifyReceipt({ ...receipt, votes }).broken).toMatchObject({
      name: 'votes',
      path: 'steps[0].results[0].records[1].verdict',
    })
  })

  it('is broken by a deposit that the ledger does not know, even when the sums agree', () => {
    const { money } = receipt
    const more = { ...money, deposited: money.deposited + 1n, locked: money.locked + 1n }
    expect(verifyReceipt({ ...receipt, money: more }).broken).toMatchObject({ name: 'anchor' })
  })

  it('takes no proof of another slot', () => {
    const { anchor } = receipt
    if (anchor.kind !== 'evm') return
    for (const [i, { slot }] of anchor.storageProof.entries()) {
      const storageProof = anchor.storageProof.map((one, at) => (at === i ? { ...one, slot: sha256Hex(slot) } : one))
      const { broken } = verifyReceipt({ ...receipt, anchor: { ...anchor, storageProof } })
      expect(broken?.path).toBe(`anchor.storageProof[${i}].slot`)
    }
  })

  it('is refused by name when it is no receipt', () => {
    for (const value of ['', '{', 'null', null, 7, [], {}, { kind: 'receipt' }])
      expect(verifyReceipt(value).broken?.name).toBe('format')
    expect(verifyReceipt({ ...json, terms: { ...(json['terms'] as object), farmBudget: '-1' } }).broken).toMatchObject({
      path: 'receipt.terms.farmBudget',
    })
    expect(verifyReceipt({ ...json, terms: { ...(json['terms'] as object), farmBudget: '01000000' } }).broken).toMatchObject({
      path: 'receipt.terms.farmBudget',
    })
  })
})

describe('the book behind an escrow face', () => {
  // The same rules with an EVM domain: the receipt's chain part is tested on a ledger that keeps them.
  const supports = { custody: true, disputes: false, claims: false, bonds: false, slashing: false, approveEarly: true }
  for (const { name, skip, run } of ledgerConformance({ make: bookChain, supports }).filter(({ name }) =>
    name.includes('evidence'),
  ))
    it.skipIf(skip !== undefined)(name, run)
})
