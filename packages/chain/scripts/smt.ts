// node scripts/smt.ts: proves the escrow's arithmetic (test/smt) with solc's SMT checker and z3, and shows that the proof fails for planted bugs.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = new URL('../', import.meta.url)
const PROOF = 'test/smt/AmountsProof.sol'

/** What solc said about one version of the sources. */
export interface SmtResult {
  /** Assertions that hold for all inputs and all sequences of calls. */
  readonly proven: number
  /** Assertions that fail, or could not be decided. */
  readonly open: readonly string[]
}

/** Whether z3 is on the PATH: Debian's package `z3`. */
export function hasZ3(): boolean {
  return spawnSync('z3', ['--version'], { stdio: 'ignore' }).status === 0
}

/** Which engine decides which contract: state machines need horn clauses, single products and quotients plain arithmetic. */
const ENGINES = { JobProof: 'chc', ShareProof: 'bmc' } as const
export type ProofName = keyof typeof ENGINES

interface PlantedBug {
  readonly name: string
  readonly proof: ProofName
  readonly from: string
  readonly to: string
}

/** One line of the arithmetic changed; the proof must notice. */
export const SMT_BUGS: readonly PlantedBug[] = [
  {
    name: 'a batch takes nothing from the lock',
    proof: 'JobProof',
    from: 'farmLocked - farm, checkLocked',
    to: 'farmLocked, checkLocked',
  },
  { name: 'after Final check fees come from nowhere', proof: 'JobProof', from: '(farm + check, 0)', to: '(farm, 0)' },
  { name: 'Final returns a unit more', proof: 'JobProof', from: 'return deposited - keep;', to: 'return deposited - keep + 1;' },
  { name: 'a fee above what was earned', proof: 'ShareProof', from: 'gross * bps / 10_000', to: 'gross * bps / 1_000' },
  {
    name: 'a unit more is earned',
    proof: 'ShareProof',
    from: 'price * accepted / weightSum',
    to: 'price * accepted / weightSum + 1',
  },
  {
    name: 'checkers share more than the fee',
    proof: 'ShareProof',
    from: 'fee * votes / allVotes',
    to: '(fee * votes + allVotes - 1) / allVotes',
  },
]

/** One question to z3, with the parameters that solc's own driver uses. */
function ask(query: string, timeoutMs: number): string {
  const parameters = [
    'rewriter.pull_cheap_ite=true',
    'fp.spacer.q3.use_qgen=true',
    'fp.spacer.mbqi=false',
    'fp.spacer.ground_pobs=false',
  ]
  const { stdout } = spawnSync('z3', ['-smt2', '-in', `-T:${Math.ceil(timeoutMs / 1000)}`, ...parameters], {
    input: query,
    encoding: 'utf8',
  })
  return stdout.startsWith('timeout') ? 'unknown' : stdout
}

/** Runs the checker on the sources, or on sources with a planted bug. `timeoutMs` is for one question to z3. @throws Error when solc refuses the sources */
export function prove(proof: ProofName, bug?: PlantedBug, timeoutMs = 120_000): SmtResult {
  const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, root)), 'utf8')
  const amounts = read('contracts/lib/Amounts.sol')
  if (bug && !amounts.includes(bug.from)) throw new Error(`planted bug "${bug.name}" no longer fits Amounts.sol`)
  const modelChecker = {
    engine: ENGINES[proof],
    // Without `smtlib2` the WebAssembly build of solc dies.
    solvers: ['smtlib2'],
    contracts: { [PROOF]: [proof] },
    targets: ['assert'],
    showUnproved: true,
    showProvedSafe: true,
  }
  const sources = {
    [PROOF]: { content: read(PROOF) },
    'contracts/lib/Amounts.sol': { content: bug ? amounts.replace(bug.from, bug.to) : amounts },
  }
  const input = { language: 'Solidity', sources, settings: { modelChecker, outputSelection: { '*': { '*': [] } } } }
  const solc = require('solc') as { compile(input: string, callbacks: object): string }
  const { smtCallback } = require('solc/smtchecker') as { smtCallback(solver: (query: string) => string): unknown }
  const callbacks = { smtSolver: smtCallback((query) => ask(query, timeoutMs)) }
  const { errors = [] } = JSON.parse(solc.compile(JSON.stringify(input), callbacks)) as { errors?: readonly SolcMessage[] }
  const broken = errors.find(({ severity }) => severity === 'error')
  if (broken) throw new Error(broken.formattedMessage)
  const about = errors.filter(({ message }) => /Assertion violation/.test(message))
  const proven = about.filter(({ message }) => /check is safe/.test(message)).length
  return {
    proven,
    open: about.filter(({ message }) => !/check is safe/.test(message)).map(({ formattedMessage }) => formattedMessage),
  }
}

interface SolcMessage {
  readonly severity: string
  readonly message: string
  readonly formattedMessage: string
}

/** All proofs, then all planted bugs; whether everything is as it should be. */
export function proveAll(tell: (line: string) => void): boolean {
  let fine = true
  for (const proof of ['JobProof', 'ShareProof'] as const) {
    const { proven, open } = prove(proof)
    tell(`${proof}: ${proven} assertions proven${open.length > 0 ? `, open:\n${open.join('\n')}` : ''}`)
    fine &&= open.length === 0 && proven > 0
  }
  for (const bug of SMT_BUGS) {
    const { open } = prove(bug.proof, bug)
    tell(`${open.length > 0 ? 'caught  ' : 'SURVIVED'}  ${bug.name}`)
    fine &&= open.length > 0
  }
  return fine
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!hasZ3()) throw new Error('z3 is not installed (Debian package z3)')
  process.exitCode = proveAll((line) => console.log(line)) ? 0 : 1
}
