// Runs vitest and forge, then prints `N passed, N failed` from their own reports. A test file that cannot be loaded counts as failed.
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

console.log('# contract tests (forge)')
const forge = spawnSync('pnpm', ['exec', 'forge', 'test', '--json'], {
  cwd: 'packages/chain',
  encoding: 'utf8',
  maxBuffer: 1 << 28,
})
const line = forge.stdout.split('\n').find((text) => text.startsWith('{'))
if (line) {
  for (const [suite, { test_results: tests }] of Object.entries(
    JSON.parse(line) as Record<string, { test_results: Record<string, { status: string; reason?: string }> }>,
  ))
    for (const [name, test] of Object.entries(tests)) {
      if (test.status === 'Success') passed++
      else failed++
      if (test.status !== 'Success') console.log(`FAIL ${suite} ${name}: ${test.reason ?? ''}`)
    }
} else {
  console.log(forge.stdout, forge.stderr)
  failed++
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
