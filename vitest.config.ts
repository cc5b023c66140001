import { readdirSync, existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests run from source: the `source` condition of each package's exports points at src/.
const conditions = ['source', 'module', 'node', 'development|production']
const dirs = ['packages', 'packages/adapters', 'examples']
  .flatMap((parent) => readdirSync(parent).map((name) => `${parent}/${name}`))
  .concat('release')
  .filter((dir) => existsSync(`${dir}/test`))

const STATELESS = new Set(['packages/core', 'packages/image'])

export default defineConfig({
  ssr: { resolve: { conditions } },
  resolve: { conditions },
  test: {
    // A limit for what hangs, not for what is slow: a passing test never waits for it, and a busy machine is no fault.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    // One more than cores: many tests wait for a process, a chain or a timer.
    maxWorkers: availableParallelism() + 1,
    projects: dirs.map((dir) => ({
      extends: true as const,
      test: {
        // What holds no state of its own shares a worker: loading it anew for each file costs more than half of the files take.
        isolate: !STATELESS.has(dir),
        name: dir.replace('packages/', ''),
        root: dir,
        include: ['test/**/*.test.ts'],
        setupFiles: [`${import.meta.dirname}/scripts/draws.ts`],
        // Children that tests start (the CLI, stdio tools) run from source too.
        execArgv: ['--conditions=source'],
      },
    })),
  },
})
