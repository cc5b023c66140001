// A process that tops up one job again and again, printing each key once the ledger has it. Arguments: file, prefix of keys, how many.
import { namedSigner, scenarioOn } from '../../src/conformance/index.ts'
import { localLedger } from '../../src/ledger/index.ts'
import { ZERO_ADDRESS } from '../../src/proof/index.ts'

const [path = '', prefix = '', count = '0'] = process.argv.slice(2)
const creator = namedSigner('app')
const ledger = localLedger({ signer: creator, path, clock: { now: () => 1_800_000_000_000 } })
const scenario = await scenarioOn({
  ledger,
  creator,
  token: ZERO_ADDRESS,
  nowS: async () => 1_800_000_000,
  advance: async () => undefined,
})
await scenario.open()
for (let i = 0; i < Number(count); i++) {
  const key = `${prefix}${i}`
  await scenario.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }, { key })
  process.stdout.write(`${key}\n`)
}
await ledger.close?.()
