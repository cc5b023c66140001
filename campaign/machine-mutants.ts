// pnpm campaign machine-mutants [seeds] [part of a name]: plants one-line bugs into copies of the machine and the runner and shows that the simulator, or the store's conformance cases, catch each.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hunt, inCopy, type Mutant } from './mutants/hunt.ts'

/** Files under packages/core/src. */
const MUTANTS: readonly Mutant[] = [
  {
    name: 'forget the idempotency key',
    file: 'run/effort.ts',
    find: "hash('sha256', `${run}\\n${stream}\\n${command}`)",
    put: "hash('sha256', `${run}${stream}${command}${Math.random()}`)",
  },
  {
    name: 'settle before a quorum voted',
    file: 'job/task.ts',
    find: 'if (state.votes.size < quorum) return undefined\n      const allIn =',
    put: "if (state.votes.size > 0) return { v: 1, at, t: 'judging' }\n      const allIn =",
  },
  {
    name: 'drop the fence',
    file: 'store/memory.ts',
    find: 'held.owner === undefined || held.fence !== fence',
    put: 'held.owner === undefined',
  },
  {
    name: 'let a claim be taken while it holds',
    file: 'store/memory.ts',
    find: 'held.owner !== owner && held.owner !== from && held.untilMs > nowMs',
    put: 'held.untilMs < 0',
  },
  {
    name: 'append without looking at the sequence',
    file: 'store/memory.ts',
    find: '(stream?.facts.length ?? 0) !== expectedSeq',
    put: 'expectedSeq < 0',
  },
  { name: 'lease beyond the budget', file: 'job/job-replan.ts', find: 'price <= farm &&', put: '' },
  { name: 'lease beyond the check budget', file: 'job/job-replan.ts', find: 'fee <= check &&', put: '' },
  { name: 'give a refused farm more work', file: 'job/job-replan.ts', find: 'mayLease(row) &&', put: '' },
  {
    name: 'let both copies of a hedge win',
    file: 'job/job-reports.ts',
    find: 'won: winner === undefined || winner === task',
    put: 'won: true',
  },
  {
    name: 'believe any commitment',
    file: 'run/collect.ts',
    find: 'return proofs.verifyCommit(domain, commit, key)',
    put: 'return domain.chainId >= 0 && commit.index >= 0 && key.length > 0',
  },
  {
    name: 'believe any download',
    file: 'run/incoming.ts',
    find: "if (`0x${createHash('sha256').update(data).digest('hex')}` !== hash) return false",
    put: "if (`0x${createHash('sha256').update(data).digest('hex')}` !== hash && hash === '0x') return false",
  },
  { name: 'forget open commands of a job after a restart', file: 'run/held-runs.ts', find: 'host.job.resume()', put: '' },
  { name: 'forget open commands of a task after a restart', file: 'run/job-host.ts', find: 'stream.resume()', put: '' },
  {
    name: 'submit again to a farm that cannot find tasks',
    file: 'run/submit-effects.ts',
    find: 'let unsure = resumed',
    put: 'let unsure = false',
  },
  {
    name: 'keep too little at the end',
    file: 'job/job-settle.ts',
    find: 'return money.attested + money.attestedCheck + money.live + money.liveCheck',
    put: 'return money.attested + money.live',
  },
  {
    name: 'forget the check fee when a batch is released',
    file: 'job/job-ledger.ts',
    find: 'money.pending -= row.price + row.checkFee',
    put: 'money.pending -= row.price',
  },
  {
    name: 'count an event of the ledger twice',
    file: 'job/job-accept.ts',
    find: "case 'finalized':\n        return !state.final.done",
    put: "case 'finalized':\n        return true",
  },
  {
    name: 'start leases before a quorum is ready',
    file: 'job/job-sets.ts',
    find: 'set.ready.size + 1 === state.order!.terms.quorum',
    put: 'set.ready.size + 1 === 1',
  },
  {
    name: 'keep the money of leases that never started',
    file: 'job/job-rows.ts',
    find: "if (row.phase !== 'queued') continue\n    freeRow(state, row)",
    put: "if (row.phase !== 'queued') continue",
  },
  {
    name: 'forget what a farm did',
    file: 'job/job-reports.ts',
    find: "if (fact.verdicts.includes('r')) tellFarm",
    put: "if (fact.verdicts.includes('never')) tellFarm",
  },
  {
    name: 'fold facts on top of the snapshot that holds them',
    file: 'run/fold.ts',
    find: 'if (loaded.snapshot && kept === undefined) loaded',
    put: 'if (loaded.snapshot) loaded',
  },
  {
    name: 'take one tile of a frame for another',
    file: 'job/units.ts',
    find: 'return parts === 1 ? 0 : (unit % parts) + 1',
    put: 'return parts === 1 ? 0 : 1',
  },
  {
    name: 'forget to free a lease at commitBy',
    file: 'job/task.ts',
    find: "return state.late ? { v: 1, at, t: 'freed' } : undefined",
    put: 'return undefined',
  },
]

const CHILD = `
Error.stackTraceLimit = 0
import { chaosJob } from './src/simulate/chaos.ts'
import { storeConformance } from './src/conformance/store.ts'
import { memoryStore } from './src/store/memory.ts'
for (const { name, run } of storeConformance({ make: async () => { const store = memoryStore(); return { store, reopen: async () => store, close: async () => {} } } }))
  await run().catch((error) => { console.log('caught by conformance: ' + name + ': ' + error.message); process.exit(1) })
for (let seed = 10_000; seed < 10_000 + Number(process.argv[2]); seed++) {
  const { broken } = await chaosJob(seed)
  if (broken.length > 0) { console.log('caught by seed ' + seed + ': ' + broken[0].slice(0, 100)); process.exit(1) }
}
process.exit(0)
`

export function campaign(args: readonly string[]): Promise<boolean> {
  const [seeds = '700', only = ''] = args
  const core = new URL('../packages/core/', import.meta.url).pathname
  return inCopy(core, ['src', 'package.json'], async (dir) => {
    await writeFile(join(dir, 'child.ts'), CHILD)
    const unchanged = await failing(dir, seeds)
    if (unchanged !== undefined) {
      console.log(`the unchanged machine fails: ${unchanged}`)
      return false
    }
    const chosen = MUTANTS.filter(({ name }) => name.includes(only))
    return hunt(chosen, join(dir, 'src'), () => failing(dir, seeds))
  })
}

/** What fails with the core as it stands in the folder, or undefined when everything passes. */
function failing(dir: string, seeds: string): Promise<string | undefined> {
  // A mutant may wait for ever; on a busy machine a healthy trial takes its time.
  const timeout = Math.max(120_000, Number(seeds) * 2_000)
  return new Promise((resolve) => {
    execFile(process.execPath, ['--conditions=source', 'child.ts', seeds], { cwd: dir, timeout }, (error, stdout, stderr) => {
      if (!error) return resolve(undefined)
      resolve(
        stdout.trim().split('\n').at(-1) ||
          (error.killed ? 'it never ends' : (stderr.split('\n').find((line) => line.includes('Error')) ?? error.message)),
      )
    })
  })
}
