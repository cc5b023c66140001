// pnpm campaign steady [runs] [drawn | words of file names]: the tests again and again, each run at a fresh seed (PICTOR_TEST_SEED), every second beside two busy loops. `drawn` runs the tests
// that draw something; without words, every test. A row for each file, with the seed of its first failure; partial results as they come.
import { spawn, spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { randomInt } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

interface Tally {
  runs: number
  failed: number
  first?: string
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly title: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

export async function campaign([count = '10', ...words]: readonly string[]): Promise<boolean> {
  const files =
    words[0] === 'drawn'
      ? tests().filter(draws)
      : tests().filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  const tallies = new Map<string, Tally>()
  const folder = mkdtempSync(join(tmpdir(), 'pictor-steady-'))
  for (let run = 1; run <= Number(count); run++) {
    const seed = randomInt(2 ** 31)
    const beside = run % 2 === 0
    const startedAt = performance.now()
    const report = runTests(files, seed, beside, join(folder, 'report.json'))
    let failures = 0
    for (const { name, status, message, assertionResults } of report.testResults) {
      const tally = tallies.get(name) ?? { runs: 0, failed: 0 }
      tallies.set(name, tally)
      tally.runs++
      if (status === 'passed') continue
      failures++
      tally.failed++
      const test = assertionResults.find((one) => one.status === 'failed')
      const said = `${test?.title ?? 'not loaded'}: ${test?.failureMessages[0] ?? message}`.split('\n    at ')[0]!
      tally.first ??= `PICTOR_TEST_SEED=${seed}${beside ? ', beside busy loops' : ''}: ${said.replace(/\s+/g, ' ').slice(0, 600)}`
      console.log(`${relative('.', name)} failed: ${tally.first}`)
    }
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    console.log(
      `run ${run} of ${count}${beside ? ', beside busy loops' : ''}: ${report.testResults.length - failures} files passed, ${failures} failed, ${seconds} s`,
    )
  }
  rmSync(folder, { recursive: true })
  console.log('| file | runs | failed | first failure |\n|---|---|---|---|')
  for (const [name, { runs, failed, first = '' }] of [...tallies].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`| ${relative('.', name)} | ${runs} | ${failed} | ${first.replaceAll('|', '\\|')} |`)
  const failed = [...tallies.values()].reduce((sum, tally) => sum + tally.failed, 0)
  const runs = [...tallies.values()].reduce((sum, tally) => sum + tally.runs, 0)
  console.log(`${runs - failed} passed, ${failed} failed`)
  return runs > 0 && failed === 0
}

const PARENTS = ['packages/*', 'packages/adapters/*', 'examples/*', 'release']

const tests = (): string[] =>
  PARENTS.flatMap((parent) => globSync(`${parent}/test/**/*.test.ts`)).filter((path) => !path.includes('node_modules'))

/** Whether its values are drawn: properties, and what takes keys, secrets or bytes from scripts/draws.ts. */
const draws = (path: string): boolean =>
  /'fast-check'|scripts\/draws\.ts'|'\.\/(property|job|lease)\.ts'/.test(readFileSync(path, 'utf8'))

function runTests(files: readonly string[], seed: number, beside: boolean, path: string): Report {
  const busy = Array.from({ length: beside ? 2 : 0 }, () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
  try {
    const args = ['exec', 'vitest', 'run', '--maxWorkers=1', '--reporter=json', `--outputFile=${path}`, ...files]
    spawnSync('pnpm', args, { stdio: 'ignore', env: { ...process.env, PICTOR_TEST_SEED: String(seed) } })
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } finally {
    for (const one of busy) one.kill()
  }
}
