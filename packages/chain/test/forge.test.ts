import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { forgeBinary } from '../scripts/forge-binary.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const forge = forgeBinary()
const missing = forge === undefined
if (missing)
  console.warn('skipped: forge is not installed (npm package @foundry-rs/forge), contracts are not compiled and not tested')

/** Compiling what ships (via-IR) takes most of the time: half a minute of CPU when nothing is cached. */
const TIMEOUT_MS = 600_000

describe('contracts', () => {
  it.skipIf(missing)(
    'pass their own tests: the way of a job, silent parties, attacks, invariants 64 x 64',
    { timeout: TIMEOUT_MS },
    () => {
      const { stdout: report } = spawnSync(forge!, ['test', '--json'], {
        cwd: root,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const suites = JSON.parse(report.slice(report.indexOf('{'))) as Record<
        string,
        { test_results: Record<string, { status: string; reason: string | null }> }
      >
      const results = Object.values(suites).flatMap((suite) => Object.entries(suite.test_results))
      const failed = results.filter(([, { status }]) => status !== 'Success').map(([name, { reason }]) => `${name}: ${reason}`)
      expect(failed).toEqual([])
      expect(results.length).toBeGreaterThan(60)
    },
  )

  it.skipIf(missing)('are the ones whose ABI and code are committed', { timeout: TIMEOUT_MS }, () => {
    const report = execFileSync(process.execPath, [`${root}scripts/build-abi.ts`, '--check'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    expect(report).toContain('abi is fresh')
  })
})
