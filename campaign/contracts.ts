// pnpm campaign contracts [smt|invariants|coverage|mutants] [--only NAME] [--from NAME]: the escrow's arithmetic proven by z3, its invariants 256 x 128, the branches that the
// tests reach, and one-line mutants that some test must catch.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { forgeBinary } from '../packages/chain/scripts/forge-binary.ts'
import { hasZ3, proveAll } from '../packages/chain/scripts/smt.ts'
import type { Campaign } from '../scripts/campaign.ts'

const chain = fileURLToPath(new URL('../packages/chain/', import.meta.url))

interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

/** Each breaks one rule that somebody's money depends on. */
const MUTANTS: readonly Mutant[] = [
  {
    name: 'no frame cap',
    file: 'lib/BatchReader.sol',
    from: 'if (price > tally.frameCap * frames) revert OverFrameCap(uint32(id));',
    to: '',
  },
  { name: 'more weight accepted than there is', file: 'lib/BatchReader.sol', from: 'accepted > weightSum || ', to: '' },
  {
    name: 'rounding dust of the check fee is lost',
    file: 'lib/BatchReader.sol',
    from: 'if (checkers.length != 0) checkers[0].amount += uint96(rest);',
    to: '',
  },
  {
    name: 'bytes behind the batch',
    file: 'lib/BatchReader.sol',
    from: 'if (pos != blob.length) revert MalformedBatch(pos);',
    to: '',
  },
  { name: 'multiproof uses nodes before they exist', file: 'lib/FrameProofs.sol', from: 'if (!ok) revert BadProof();', to: '' },
  { name: 'a signer counts twice', file: 'lib/SignedRows.sol', from: 'if (index < least) revert SignerOrder();', to: '' },
  {
    name: 'signatures are not checked',
    file: 'lib/SignedRows.sol',
    from: 'if (!valid(signer, digest, signature)) revert BadSignature(signer);',
    to: '',
  },
  { name: 'small leases settle again', file: 'EscrowBatches.sol', from: 'tally.settled |= 1 << lease;', to: '' },
  { name: 'large leases settle again', file: 'EscrowBatches.sol', from: 'bits |= 1 << (lease & 255);', to: '' },
  {
    name: 'attested after its time',
    file: 'EscrowBatches.sol',
    from: 'if (block.timestamp > ref.terms.attestBy || block.timestamp > validUntil) revert TooLate();',
    to: '',
  },
  { name: 'leases need no set', file: 'EscrowBatches.sol', from: 'if (root != setRoot) revert NotALeaseSet(tally.seq);', to: '' },
  {
    name: 'released before the window is over',
    file: 'EscrowBatches.sol',
    from: 'bool due = block.timestamp >= pinned.releaseAt;',
    to: 'bool due = true;',
  },
  {
    name: 'an approval pays farms that were refused',
    file: 'EscrowBatches.sol',
    from: 'pinned.approved && share.gross == share.price',
    to: 'pinned.approved',
  },
  { name: 'a batch is released again and again', file: 'EscrowBatches.sol', from: 'delete batchOf[id][batch];', to: '' },
  {
    name: 'checkers are paid at every part release',
    file: 'EscrowBatches.sol',
    from: 'pinned.checkers = new CheckerShare[](0);',
    to: '',
  },
  {
    name: 'the platform fee is paid on top',
    file: 'EscrowBatches.sol',
    from: 'Payment(share.payTo, 0, uint96(share.gross - fee))',
    to: 'Payment(share.payTo, 0, share.gross)',
  },
  {
    name: 'the check reserve stays in the lock',
    file: 'lib/Amounts.sol',
    from: 'return (farmLocked - farm, checkLocked - check);',
    to: 'return (farmLocked - farm, checkLocked);',
  },
  {
    name: 'batch numbers wrap around',
    file: 'EscrowBooks.sol',
    from: 'if (batch > type(uint16).max) revert TooManyBatches();',
    to: '',
  },
  { name: 'terms are opened unread', file: 'EscrowFunding.sol', from: '        _readRest(t);\n', to: '' },
  {
    name: 'a replaced leaseKey leaves no trace in the head',
    file: 'EscrowCourt.sol',
    from: '_fold(id, job, KIND_LEASE_KEY, keccak256(abi.encode(leaseKey)));',
    to: '',
  },
  {
    name: 'a new arbiter of the registry slashes at once',
    file: 'CheckerRegistry.sol',
    from: ' + unstakeDelay + ARBITER_NOTICE',
    to: '',
  },
  {
    name: 'the head forgets releases',
    file: 'EscrowBooks.sol',
    from: '_fold(id, jobs[id], KIND_RELEASE, keccak256(abi.encode(batch, sum, refunded)));',
    to: '',
  },
  { name: 'a withdrawal leaves the credit', file: 'EscrowFunding.sol', from: 'creditOf[token][msg.sender] = 0;', to: '' },
  { name: 'a withdrawal is not booked', file: 'EscrowFunding.sol', from: 'assets[token].owed -= uint128(amount);', to: '' },
  {
    name: 'opened with a stranger’s allowance',
    file: 'EscrowFunding.sol',
    from: 'SignedRows.mustBeValid(terms.creator, digestOf(openHash), signature);',
    to: '',
  },
  { name: 'a top-up key works twice', file: 'EscrowFunding.sol', from: 'toppedUp[once] = true;', to: '' },
  { name: 'windows may end after the refund', file: 'EscrowFunding.sol', from: '|| t.refundAfter < lastWindow ', to: '' },
  {
    name: 'slow batches do not wait',
    file: 'EscrowFunding.sol',
    from: 'return slow && t.disputeWindow != 0 && t.disputeWindow < SLOW_WINDOW ? SLOW_WINDOW : t.disputeWindow;',
    to: 'return t.disputeWindow;',
  },
  {
    name: 'tokens that keep a fee',
    file: 'EscrowBase.sol',
    from: 'if (received != amount) revert TransferShort(amount, received);',
    to: '',
  },
  {
    name: 'checkers without stake sign',
    file: 'EscrowBase.sol',
    from: 'if (staked && !registry.isActive(committee[index])) revert NotAllowed();',
    to: '',
  },
  {
    name: 'disputed after the window',
    file: 'EscrowDisputes.sol',
    from: 'if (block.timestamp >= pinned.releaseAt) revert TooLate();',
    to: '',
  },
  {
    name: 'strangers dispute',
    file: 'EscrowDisputes.sol',
    from: 'if (by != ref.terms.creator && by != share.farm && by != share.payTo && !_isChecker(ref, by)) revert NotAllowed();',
    to: '',
  },
  {
    name: 'claimed before commitBy',
    file: 'EscrowDisputes.sol',
    from: 'if (block.timestamp <= lease.commitBy) revert TooEarly();',
    to: '',
  },
  {
    name: 'rivals claim',
    file: 'EscrowDisputes.sol',
    from: 'if (msg.sender != lease.farm && msg.sender != lease.payTo) revert NotAllowed();',
    to: '',
  },
  {
    name: 'a claim does not settle its lease',
    file: 'EscrowDisputes.sol',
    from: 'if (lease.id < 40) settled |= 1 << lease.id;',
    to: 'if (lease.id < 40) settled |= 0;',
  },
  {
    name: 'the arbiter decides too late',
    file: 'EscrowDisputes.sol',
    from: 'if (block.timestamp > objection.until) revert TooLate();',
    to: '',
  },
  {
    name: 'anybody ends a dispute at once',
    file: 'EscrowDisputes.sol',
    from: 'if (block.timestamp <= objection.until) revert TooEarly();',
    to: '',
  },
  {
    name: 'an objection is concluded twice',
    file: 'EscrowDisputes.sol',
    from: 'delete objectionOf[id][batch][share.farm];',
    to: '',
  },
  {
    name: 'the loser keeps the bond',
    file: 'EscrowDisputes.sol',
    from: 'bondTo = byFarm ? ref.terms.creator : objection.share.payTo;',
    to: '',
  },
  { name: 'a refund leaves the lock', file: 'EscrowCourt.sol', from: 'job.farmLocked = 0;', to: '' },
  {
    name: 'refunded too early',
    file: 'EscrowCourt.sol',
    from: 'if (block.timestamp < ref.terms.refundAfter) revert TooEarly();',
    to: '',
  },
  {
    name: 'Final leaves the lock',
    file: 'EscrowCourt.sol',
    from: 'job.farmLocked = uint96(locked - refunded);',
    to: 'job.farmLocked = uint96(locked);',
  },
  {
    name: 'a leaver signs until it is gone',
    file: 'CheckerRegistry.sol',
    from: 'block.timestamp + AT_RISK <=',
    to: 'block.timestamp <=',
  },
  {
    name: 'a stake that is gone before its disputes end',
    file: 'CheckerRegistry.sol',
    from: 'if (unstakeDelay_ <= AT_RISK) revert DelayTooShort(AT_RISK + 1);',
    to: '',
  },
  { name: 'one verdict is equivocation', file: 'CheckerRegistry.sol', from: ' || a.verdict == b.verdict', to: '' },
  {
    name: 'a slashed stake is withdrawn',
    file: 'CheckerRegistry.sol',
    from: 'uint96 amount = member.stake;\n        if (amount == 0) revert NotStaked();\n        member.stake = 0;',
    to: 'uint96 amount = member.stake;\n        if (amount == 0) revert NotStaked();',
  },
]

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

/** A copy to break things in. Mutants are compiled as tests are, without via-IR: seconds each, and the same meaning. */
async function workshop(): Promise<string> {
  const dir = await mkdtemp(`${tmpdir()}/pictor-mutants-`)
  for (const name of ['contracts', 'test/forge', 'foundry.toml', 'solc-wrap.mjs', 'package.json'])
    await cp(`${chain}${name}`, `${dir}/${name}`, { recursive: true })
  await symlink(`${chain}node_modules`, `${dir}/node_modules`)
  return dir
}

async function isCaught(dir: string, mutant: Mutant): Promise<boolean> {
  const file = `${dir}/contracts/${mutant.file}`
  const source = await readFile(file, 'utf8')
  if (source.split(mutant.from).length !== 2) throw new Error(`mutant "${mutant.name}" no longer fits ${mutant.file}`)
  await writeFile(file, source.replace(mutant.from, mutant.to))
  try {
    // Most fall to a plain test; the invariants are slower and asked only about the others.
    // A sequence that breaks a rule is enough, it need not be the shortest.
    const built = { PICTOR_TEST_BUILD: 'true', FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT: '0' }
    let { ok, output } = await forge(dir, ['test', '--fail-fast', '--no-match-contract', 'Invariant|HandlerReach'], built)
    if (ok) ({ ok, output } = await forge(dir, ['test', '--match-contract', 'Invariant|HandlerReach'], built))
    const caught = /\[FAIL/.test(output)
    if (!caught && !(ok && /Suite result: ok/.test(output)))
      throw new Error(`mutant "${mutant.name}" does not compile:\n${output.slice(-2000)}`)
    const by = /\[FAIL[^\]]*\][\s\S]*?((?:test|testFuzz|invariant)_\w+|afterInvariant)/.exec(output)?.[1]
    console.log(`${caught ? 'caught  ' : 'SURVIVED'}  ${mutant.name.padEnd(48)} ${by ?? ''}`)
    return caught
  } finally {
    await writeFile(file, source)
  }
}

async function mutants(only: string | undefined, from: string | undefined): Promise<boolean> {
  const dir = await workshop()
  let survivors = 0
  const first = from === undefined ? 0 : MUTANTS.findIndex(({ name }) => name.includes(from))
  if (first < 0) throw new Error(`no mutant is called "${from}"`)
  const chosen = MUTANTS.slice(first).filter(({ name }) => only === undefined || name.includes(only))
  try {
    for (const mutant of chosen) if (!(await isCaught(dir, mutant))) survivors++
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  console.log(`${chosen.length - survivors} of ${chosen.length} mutants caught`)
  return survivors === 0
}

export const campaign: Campaign = async (args) => {
  const after = (flag: string): string | undefined => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined)
  const parts: readonly string[] = args.filter((arg) => ['smt', 'invariants', 'coverage', 'mutants'].includes(arg))
  const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part)
  let fine = true
  if (wanted('smt')) fine = smt() && fine
  if (wanted('invariants')) fine = (await invariants()) && fine
  if (wanted('coverage')) fine = (await coverage()) && fine
  if (wanted('mutants')) fine = (await mutants(after('--only'), after('--from'))) && fine
  return fine
}
