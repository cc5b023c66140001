import { ledgerScenario, namedSigner, receiptOfJob } from '@pictor/core/conformance'
import { localLedger } from '@pictor/core'
import { ZERO_ADDRESS } from '@pictor/core/proof'
import { expect, it } from 'vitest'
import { entryLine } from '../src/terminal/ledger-view.ts'
import { styleFor } from '../src/terminal/style.ts'

it('prints every entry of a job with its amounts, for a person', async () => {
  let nowMs = 1_800_000_000_000
  const creator = namedSigner('app')
  const ledger = localLedger({ signer: creator, path: ':memory:', clock: { now: () => nowMs } })
  const s = await ledgerScenario(async () => ({
    ledger,
    creator,
    token: ZERO_ADDRESS,
    nowS: async () => nowMs / 1000,
    advance: async (seconds) => void (nowMs += seconds * 1000),
  }))
  await receiptOfJob(s)
  const lines = (await s.events()).map((event) => entryLine(event, 'USD', styleFor({}, {})))
  const about = (word: string): string => lines.find((line) => line.includes(` ${word} `))!
  expect(about('opened')).toMatch(
    /^ {2}2027-01-15 08:00:00 {2}opened {11}by 0x\w{6}…: 1\.00 USD for farms, 0\.10 USD for checks$/,
  )
  expect(about('attested')).toMatch(
    /batch 1: leases 1, 2, 20 frames \(2 refused\), 0\.\d+ USD reserved until 2027-01-15 10:00:00/,
  )
  expect(about('lease-key-replaced')).toMatch(/leases are signed by 0x\w{6}… from now on$/)
  expect(about('released')).toMatch(/batch 1: 0\.\d+ USD to farm 0x\w{6}…, .*to checker 0x\w{6}…, .* back$/)
  expect(about('finalized')).toMatch(/0\.50 USD kept for what is attested, 0\.60 USD back$/)
  await ledger.close?.()
})
