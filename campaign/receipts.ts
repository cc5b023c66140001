// Changes every single leaf of two receipts (a local ledger's and an escrow's), at a random digit, and demands that verifyReceipt finds and names it.
// pnpm campaign receipts [rounds]
import { ledgerScenario, namedSigner, receiptOfJob, type MakeLedger } from '../packages/core/src/conformance/index.ts'
import { localLedger } from '../packages/core/src/ledger/index.ts'
import { ZERO_ADDRESS, encodeReceipt, verifyReceipt } from '../packages/core/src/proof/index.ts'
import { bookChain } from '../packages/core/test/proof/book-chain.ts'
import { changed, leavesOf, otherLeaf } from '../packages/core/test/proof/tamper.ts'
import type { Campaign } from '../scripts/campaign.ts'

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

export const campaign: Campaign = async ([rounds = '1']) => {
  let missed = 0
  for (const [name, make] of [
    ['local', local],
    ['escrow', bookChain],
  ] as const) {
    const json: unknown = JSON.parse(encodeReceipt(await receiptOfJob(await ledgerScenario(make))))
    if (verifyReceipt(json).broken) throw new Error(`the ${name} receipt does not verify unchanged`)
    const leaves = [...leavesOf(json)]
    const found = new Map<string, number>()
    for (let round = 0; round < Number(rounds); round++)
      for (const [i, { path, leaf }] of leaves.entries()) {
        const { broken } = verifyReceipt(
          changed(json, path, otherLeaf(leaf, round === 0 ? i * 31 : Math.floor(Math.random() * 1e6))),
        )
        if (broken?.message) found.set(broken.name, (found.get(broken.name) ?? 0) + 1)
        else {
          missed++
          console.error(`${name}: not found: ${path.join('.')}`)
        }
      }
    console.log(
      `${name}: ${leaves.length} leaves x ${rounds}; named by ${[...found].map(([check, count]) => `${check} ${count}`).join(', ')}`,
    )
  }
  console.log(`missed: ${missed}`)
  return missed === 0
}
