import { ledgerConformance, type MakeLedger } from '@pictor/core/conformance'
import type { Address } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { devAccounts, evmLedger } from '../src/index.ts'
import { devWorld, type DevWorld } from './dev-world.ts'

let world: DevWorld
beforeAll(async () => {
  world = await devWorld()
})
afterAll(() => world.stop())

const [creator, arbiter] = [devAccounts[0]!, devAccounts[1]!]

const make: MakeLedger = async (keys) => {
  await world.reset()
  const farmKey = keys.farms[0]!.address
  await world.fund(creator.address, farmKey)
  const on = (key: string) =>
    evmLedger({
      rpcUrl: world.rpcUrl,
      escrow: world.deployment.escrow,
      signer: new Wallet(key),
      replaceAfterMs: 60_000,
      timeoutMs: 120_000,
    })
  return {
    ledger: on(creator.privateKey),
    creator: privateKeySigner(creator.privateKey),
    token: world.deployment.token as Address,
    terms: { arbiter: arbiter.address },
    arbiter: on(arbiter.privateKey),
    farm: evmLedger({ rpcUrl: world.rpcUrl, escrow: world.deployment.escrow, signer: world.signerOf(keys.farms[0]!) }),
    nowS: () => world.nowS(),
    advance: (seconds) => world.advance(seconds),
  }
}

describe('evmLedger keeps the rules of every ledger', () => {
  const supports = evmLedger({ escrow: `0x${'0'.repeat(40)}` }).supports
  for (const { name, skip, run } of ledgerConformance({ make, supports })) it.skipIf(skip !== undefined)(name, run)
})
