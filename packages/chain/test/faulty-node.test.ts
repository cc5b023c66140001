// The rules of every ledger once more, through a provider that fails in every tenth answer: nothing is paid twice, nothing is lost, everything ends. Some of the rules here; all of
// them, with other faults, by PICTOR_FAULTS=SEED (`pnpm campaign contracts faults`).
import { ledgerConformance, type MakeLedger } from '@pictor/core/conformance'
import type { Address } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { devAccounts, evmLedger, type EvmSigner } from '../src/index.ts'
import { devWorld, type DevWorld } from './dev-world.ts'
import { faultyNode, persistent, type FaultyNode } from './faulty-node.ts'

const ALL = process.env['PICTOR_FAULTS']
const SEED = ALL === undefined ? 20_261_126 : Number(ALL)
const EVERY = 10
const SOME = [
  'opening the same terms twice is the same job, deposited once',
  'a repeated key has one effect',
  'a withdrawal empties the credit, and nothing is paid twice',
  'a dispute holds back one farm; the arbiter decides its share, the others are paid',
  'takes sets of a replaced leaseKey no more, and its receipt still verifies',
]

let world: DevWorld
const nodes: FaultyNode[] = []
beforeAll(async () => {
  world = await devWorld()
})
afterAll(async () => {
  for (const node of nodes) await node.close()
  await world.stop()
})

const [creator, arbiter] = [devAccounts[0]!, devAccounts[1]!]
let cases = 0

const make: MakeLedger = async (keys) => {
  await world.reset()
  await world.fund(creator.address, keys.farms[0]!.address)
  const node = await faultyNode(world.rpcUrl, SEED + cases++, EVERY)
  nodes.push(node)
  const on = (signer: EvmSigner) => {
    const { escrow } = world.deployment
    return persistent(evmLedger({ rpcUrl: node.url, escrow, signer, replaceAfterMs: 100, timeoutMs: 2_000, rpcTimeoutMs: 1_000 }))
  }
  return {
    ledger: on(new Wallet(creator.privateKey)),
    creator: privateKeySigner(creator.privateKey),
    token: world.deployment.token as Address,
    terms: { arbiter: arbiter.address },
    arbiter: on(new Wallet(arbiter.privateKey)),
    farm: on(world.signerOf(keys.farms[0]!)),
    nowS: () => world.nowS(),
    advance: (seconds) => world.advance(seconds),
  }
}

describe('evmLedger keeps the rules of every ledger behind a provider that fails', () => {
  const supports = evmLedger({ escrow: `0x${'0'.repeat(40)}` }).supports
  const cases = ledgerConformance({ make, supports }).filter(({ name }) => ALL !== undefined || SOME.includes(name))
  for (const { name, skip, run } of cases) it.skipIf(skip !== undefined)(name, run)

  it('and the faults struck', () => {
    const struck = new Map<string, number>()
    for (const { faults } of nodes) for (const [name, count] of faults) struck.set(name, (struck.get(name) ?? 0) + count)
    if (ALL !== undefined) console.log(Object.fromEntries(struck))
    expect(cases.length).toBeGreaterThanOrEqual(SOME.length)
    for (const name of ['no connection', 'rate limit', 'lost answer', 'old block'])
      expect(struck.get(name), name).toBeGreaterThan(0)
  })
})
