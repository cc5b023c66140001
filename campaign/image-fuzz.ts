// Damages valid PNG and EXR files and holds the decoders' promises against each: a typed error or consistent pixels, within
// a second, in bounded memory. `pnpm campaign image-fuzz [FILES] [FIRST]`; default 100,000 files from number 0.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fuzzSeeds } from '../packages/image/test/fuzz-seeds.ts'
import { fuzz, FUZZ_LIMITS, mergeReports } from '../packages/image/test/fuzz.ts'
import type { Campaign } from '../scripts/campaign.ts'

/** Files between two collections of garbage: the peak measured is then that of the readers, not of waste not yet freed. */
const BATCH = 50

/** Growth of the process allowed: decodeImage's floats (4x) of the largest picture within the limits, and V8's own heap. */
const HEAP_SLACK = 32 * 2 ** 20

export const campaign: Campaign = async (args) => {
  const files = Number(args[0] ?? 100_000)
  const first = Number(args[1] ?? 0)
  // Warm tables and compiled code first, so that the growth measured is that of pictures.
  const seeds = fuzzSeeds()
  let report = fuzz(500, first, seeds)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const maxRss = (): number => process.resourceUsage().maxRSS * 1024
  const before = maxRss()
  const started = performance.now()
  let last = started
  for (let number = first + 500; number < first + files; number += BATCH) {
    report = mergeReports(report, fuzz(Math.min(BATCH, first + files - number), number, seeds))
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    if (performance.now() - last < 10_000) continue
    last = performance.now()
    console.log(`${report.files} files · peak memory +${Math.round((maxRss() - before) / 2 ** 20)} MiB`)
  }
  const grown = maxRss() - before
  const allowed = 4 * FUZZ_LIMITS.maxBytes! + HEAP_SLACK
  console.log(`files           ${report.files} (${Math.round((report.files / (performance.now() - started)) * 1000)} a second)`)
  console.log(`still decoded   ${report.decoded}`)
  for (const [code, count] of Object.entries(report.codes).toSorted((a, b) => b[1] - a[1]))
    console.log(`  ${code.padEnd(14)}${count}`)
  console.log(`slowest         ${report.slowestMs.toFixed(1)} ms of CPU (all three readers; limit 1000)`)
  console.log(
    `peak memory     +${(grown / 2 ** 20).toFixed(1)} MiB (allowed ${allowed / 2 ** 20}: 4x the ${FUZZ_LIMITS.maxBytes! / 2 ** 20} MiB decode limit, and heap)`,
  )
  for (const failure of report.failures.slice(0, 20)) console.log(`FAILURE ${failure}`)
  console.log(`failures        ${report.failures.length}`)
  return report.failures.length === 0 && grown <= allowed
}
