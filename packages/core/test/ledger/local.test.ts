import { describe, it } from 'vitest'
import { type MakeLedger, ledgerConformance, namedSigner } from '../../src/conformance/index.ts'
import { localLedger } from '../../src/ledger/index.ts'
import { ZERO_ADDRESS } from '../../src/proof/index.ts'

const make: MakeLedger = async () => {
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

describe('local ledger: conformance', () => {
  const supports = localLedger({ signer: namedSigner('app'), path: ':memory:' }).supports
  for (const { name, skip, run } of ledgerConformance({ make, supports })) it.skipIf(skip !== undefined)(name, run)
})
