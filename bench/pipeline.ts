// pnpm bench pipeline [jobs...]: jobs of one key opened and canceled at once, on a chain that mines each transaction and on one that mines by the clock.
import { pipeline } from '../packages/chain/test/pipeline.ts'
import type { Bench } from '../scripts/bench.ts'

export const bench: Bench = async (report, args) => {
  for (const jobs of args.length > 0 ? args.map(Number) : [1000])
    for (const [name, blockTimeS] of [
      ['a block a transaction', undefined],
      ['a block a second', 1],
    ] as const) {
      const { transactions, wallS, cpuMs, calls } = await pipeline(jobs, blockTimeS)
      report({ name: `${name}: ${jobs} jobs, ${transactions} transactions, none stuck`, value: wallS, unit: 's wall' })
      report({ name: `${name}: CPU of the client`, value: cpuMs / jobs, unit: 'ms/job' })
      report({ name: `${name}: questions to the node`, value: calls / jobs, unit: 'calls/job' })
    }
}
