// Runs vitest (which runs forge: packages/chain/test/forge.test.ts), then prints `N passed, N failed` from their own reports. A test file that cannot be loaded counts as failed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'

const report = 'node_modules/.cache/vitest.json'
mkdirSync('node_modules/.cache', { recursive: true })
rmSync(report, { force: true })
let passed = 0
let failed = 0

console.log('# unit, contract and end-to-end tests')
const vitest = spawnSync(
  'pnpm',
  ['exec', 'vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  { stdio: 'inherit' },
)
if (existsSync(report)) {
  interface Report {
    numPassedTests: number
    numFailedTests: number
    testResults: { status: string; assertionResults: { status: string }[] }[]
  }
  const result = JSON.parse(readFileSync(report, 'utf8')) as Report
  const dead = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length
  passed += result.numPassedTests
  failed += result.numFailedTests + dead
}
if (vitest.status !== 0 && failed === 0) failed++

console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
