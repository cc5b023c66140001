// pnpm bench chain: gas of a job on the rules of today and of those to come, beside iExec PoCo.
import { amsterdam, osaka } from '../packages/chain/test/gas-chains.ts'
import { gasWorld, stakeCheckers, type GasJob, type GasUsed } from '../packages/chain/test/gas-jobs.ts'
import type { Bench, BenchRow } from '../scripts/bench.ts'

/**
 * Gas of iExec PoCo 6.1.0, measured in an earlier run and quoted here: artifacts of the npm package @iexec/poco on anvil (Osaka), plain ERC-20, no dataset
 * order, no callback, three workers at trust 8 where it says so. A run beside ours needs that package, which is no dependency of this repository.
 */
const POCO = { oneTaskOneWorker: 1_643_283, oneTaskThreeWorkers: 2_423_218, bagOfTen: 1_030_451, bagOfTenBest: 774_800 }
const DIFFERENCE =
  'PoCo figure quoted from an earlier measurement, not run here; PoCo also checks order signatures of three parties on chain and keeps worker scores and stake locks'

function rowsOf(chain: string, name: string, job: GasJob, gas: GasUsed): BenchRow[] {
  const parts = `open ${gas.open}, ${gas.draw ? `draw ${gas.draw}, ` : `ready ${gas.ready}, `}attest ${gas.attest}, release ${gas.release}`
  const peer =
    chain === 'osaka' && job.recordMode === 'root' && job.tasks === 1
      ? { peer: 'iExec PoCo 6.1.0, 3 workers', peerValue: POCO.oneTaskThreeWorkers }
      : chain === 'osaka' && job.tasks === 10
        ? { peer: 'iExec PoCo 6.1.0, bag of 10, best mode', peerValue: POCO.bagOfTenBest }
        : {}
  const row: BenchRow = { name: `${chain}: ${name}`, value: gas.total / job.tasks, unit: 'gas/task', note: parts, ...peer }
  if (job.recordMode === 'root') return [row]
  return [
    row,
    {
      name: `${chain}: ${name}, attest`,
      value: gas.attest / (job.tasks * job.frames),
      unit: 'gas/frame',
      note: 'all that the batch costs inside',
    },
  ]
}

/** Gas of jobs with quorum 3 of 5, three farms, a platform fee and payees that hold credit already; `everything` adds a registry committee with stake look-ups and a lease set signed by the leaseKey. */
export const bench: Bench = async (report) => {
  const jobs: readonly (readonly [string, GasJob])[] = [
    ['1 task, root', { tasks: 1, frames: 100, recordMode: 'root' }],
    ['10 tasks, root', { tasks: 10, frames: 100, recordMode: 'root' }],
    ['50 tasks, root', { tasks: 50, frames: 20, recordMode: 'root' }],
    ['1 task of 1000 frames, full', { tasks: 1, frames: 1000, recordMode: 'full' }],
  ]
  for (const [name, make] of [
    ['osaka', osaka],
    ['amsterdam', amsterdam],
  ] as const) {
    const chain = await make()
    const world = await gasWorld(chain)
    const measured = new Map<string, GasUsed>()
    if (chain.sendAs) await stakeCheckers(world)
    for (const everything of chain.sendAs ? [false, true] : [false])
      for (const [title, job] of jobs) {
        const gas = await world.measure(everything ? { ...job, everything } : job)
        measured.set(title, gas)
        for (const row of rowsOf(name, `${title}${everything ? ', everything' : ''}`, job, gas)) report(row)
      }
    const [one, fifty] = [measured.get('1 task, root')!, measured.get('50 tasks, root')!]
    report({ name: `${name}: one more task in a batch, root`, value: (fifty.attest - one.attest) / 49, unit: 'gas/task' })
    await chain.stop()
  }
  console.log(`# ${DIFFERENCE}`)
  console.log(`# PoCo quoted: one task, 1 worker ${POCO.oneTaskOneWorker}; bag of 10, 1 worker ${POCO.bagOfTen} a task`)
}
