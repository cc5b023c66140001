// pnpm campaign contracts [smt|invariants|coverage|mutants|faults] [--only NAME] [--from NAME]: the escrow's arithmetic proven by z3, its invariants 256 x 128, the branches that the
// tests reach, one-line mutants that some test must catch, and the rules of every ledger through providers that fail (three seeds, or --seed SEED).
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { forgeBinary } from '../packages/chain/scripts/forge-binary.ts'
import { hasZ3, proveAll } from '../packages/chain/scripts/smt.ts'
import type { Campaign } from '../scripts/campaign.ts'
import { CONTRACT_MUTANTS } from './mutants/contracts.ts'
import { hunt, inCopy } from './mutants/hunt.ts'

const chain = fileURLToPath(new URL('../packages/chain/', import.meta.url))

function forge(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ ok: boolean; output: string }> {
  const binary = forgeBinary()
  if (!binary) throw new Error('forge is not installed (npm package @foundry-rs/forge)')
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 1 << 28 }
    execFile(binary, [...args], options, (error, stdout, stderr) =>
      resolve({ ok: error === null, output: `${stdout}\n${stderr}` }),
    )
  })
}

/** The invariants with more runs than `npm test` has. */
async function invariants(): Promise<boolean> {
  const { ok, output } = await forge(chain, ['test', '--match-contract', 'Invariant'], {
    FOUNDRY_INVARIANT_RUNS: '256',
    FOUNDRY_INVARIANT_DEPTH: '128',
  })
  for (const line of output.split('\n').filter((one) => /PASS|FAIL|Suite result/.test(one))) console.log(line)
  return ok
}

/** Branches of contracts/ that the tests reach, and those that they do not. Compiled apart from the build, since coverage needs other settings. */
async function coverage(): Promise<boolean> {
  const dir = await mkdtemp(`${tmpdir()}/pictor-coverage-`)
  try {
    // Few fuzz runs: a branch needs to be reached once.
    const { ok, output } = await forge(
      chain,
      [
        'coverage',
        '--no-match-contract',
        'HandlerReach',
        '--no-match-coverage',
        'test/',
        '--report',
        'summary',
        '--report',
        'lcov',
        '--report-file',
        `${dir}/lcov`,
      ],
      {
        PICTOR_TEST_BUILD: 'true',
        FOUNDRY_OUT: `${dir}/out`,
        FOUNDRY_CACHE_PATH: `${dir}/cache`,
        FOUNDRY_FUZZ_RUNS: '16',
        FOUNDRY_INVARIANT_RUNS: '4',
        FOUNDRY_INVARIANT_DEPTH: '32',
      },
    )
    for (const line of output.split('\n').filter((one) => one.startsWith('|'))) console.log(line)
    const { found, hit, unseen, missed } = branchesOf(await readFile(`${dir}/lcov`, 'utf8'))
    console.log(
      `branches: ${hit} of ${found}, ${((100 * hit) / found).toFixed(1)} %; ${unseen} more in assembly are not counted by the tool`,
    )
    for (const place of missed) console.log(`not reached: ${place}`)
    return ok && hit / found >= 0.98
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Reads the BRDA lines (line, block, branch, times taken) of an lcov file. */
function branchesOf(lcov: string): {
  readonly found: number
  readonly hit: number
  readonly unseen: number
  readonly missed: readonly string[]
} {
  let file = ''
  const missed: string[] = []
  let [found, unseen] = [0, 0]
  for (const line of lcov.split('\n')) {
    if (line.startsWith('SF:')) file = line.slice(3)
    const branch = /^BRDA:(\d+),\d+,(\d+),(-|\d+)/.exec(line)
    if (!branch) continue
    // In assembly nothing is counted.
    if (branch[3] === '-') unseen++
    else found++
    if (branch[3] === '0') missed.push(`${file}:${branch[1]}, way ${branch[2]}`)
  }
  return { found, hit: found - missed.length, unseen, missed }
}

/** Proves the arithmetic, and shows that the proof fails for planted bugs; needs z3. */
function smt(): boolean {
  if (!hasZ3()) {
    console.log('skipped: z3 is not installed (Debian package z3), the arithmetic of the escrow is not proven in this run')
    return true
  }
  return proveAll((line) => console.log(line))
}

/** Which test fails with the contracts as they stand in a copy of packages/chain; undefined when all pass. */
async function failing(dir: string): Promise<string | undefined> {
  // Most fall to a plain test; the invariants are slower and asked only about the others.
  // A sequence that breaks a rule is enough, it need not be the shortest. Compiled as tests are, without via-IR: seconds each, and the same meaning.
  const built = { PICTOR_TEST_BUILD: 'true', FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT: '0' }
  let { ok, output } = await forge(dir, ['test', '--fail-fast', '--no-match-contract', 'Invariant|HandlerReach'], built)
  if (ok) ({ ok, output } = await forge(dir, ['test', '--match-contract', 'Invariant|HandlerReach'], built))
  if (/\[FAIL/.test(output))
    return /\[FAIL[^\]]*\][\s\S]*?((?:test|testFuzz|invariant)_\w+|afterInvariant)/.exec(output)?.[1] ?? 'a test'
  if (!(ok && /Suite result: ok/.test(output))) throw new Error(`it does not compile:\n${output.slice(-2000)}`)
  return undefined
}

function mutants(only = '', from = ''): Promise<boolean> {
  const first = CONTRACT_MUTANTS.findIndex(({ name }) => name.includes(from))
  if (first < 0) throw new Error(`no mutant is called "${from}"`)
  const chosen = CONTRACT_MUTANTS.slice(first).filter(({ name }) => name.includes(only))
  const parts = ['contracts', 'test/forge', 'foundry.toml', 'solc-wrap.mjs', 'package.json']
  return inCopy(chain, parts, (dir) => hunt(chosen, `${dir}/contracts`, () => failing(dir)))
}

/** All rules of a ledger on anvil behind a provider that fails, once for each seed; a seed replays its faults. */
function faults(seed?: string): boolean {
  const file = `${chain}test/faulty-node.test.ts`
  const seeds = seed === undefined ? ['1', '2', '3'] : [seed]
  return seeds
    .map((one) => {
      console.log(`faults, seed ${one}`)
      const env = { ...process.env, PICTOR_FAULTS: one }
      return spawnSync('pnpm', ['exec', 'vitest', 'run', '--project', 'chain', '--maxWorkers=1', file], { stdio: 'inherit', env })
        .status
    })
    .every((status) => status === 0)
}

export const campaign: Campaign = async (args) => {
  const after = (flag: string): string | undefined => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined)
  const parts: readonly string[] = args.filter((arg) => ['smt', 'invariants', 'coverage', 'mutants', 'faults'].includes(arg))
  const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part)
  let fine = true
  if (wanted('smt')) fine = smt() && fine
  if (wanted('invariants')) fine = (await invariants()) && fine
  if (wanted('coverage')) fine = (await coverage()) && fine
  if (wanted('mutants')) fine = (await mutants(after('--only'), after('--from'))) && fine
  if (wanted('faults')) fine = faults(after('--seed')) && fine
  return fine
}
