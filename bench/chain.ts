// pnpm bench chain: gas of a job on the rules of today and of those to come, beside iExec PoCo.
import { amsterdam, osaka } from '../packages/chain/test/gas-chains.ts'
import { gasWorld, stakeCheckers, type GasJob, type GasUsed } from '../packages/chain/test/gas-jobs.ts'
import { contracts } from '../packages/chain/src/abi.ts'
import { measurePoco, type PocoGas } from '../packages/chain/test/poco.ts'
import type { Bench, BenchRow } from '../scripts/bench.ts'

/** Gas a task of iExec PoCo: run beside ours where the npm package can be had, else as it was on 2026-11-26. */
interface Poco {
  readonly one: number
  readonly three: number
  readonly bag: number
  readonly bagFast: number
  readonly note: string
}

const POCO_2026: Poco = { one: 1_566_103, three: 2_328_903, bag: 989_322, bagFast: 721_346, note: 'quoted: 2026-11-26' }
const DIFFERENCE =
  'PoCo also checks order signatures of three parties on chain and keeps worker scores and stake locks; payees of both hold credit already'

async function poco(): Promise<Poco> {
  try {
    const { one, three, bag, bagFast } = await measurePoco(contracts.DevUsd.bytecode)
    const each = ({ total, tasks }: PocoGas): number => total / tasks
    return { one: each(one), three: each(three), bag: each(bag), bagFast: each(bagFast), note: 'run beside' }
  } catch (error) {
    console.warn(`# iExec PoCo is quoted, not run: ${(error as Error).message.split('\n')[0]}`)
    return POCO_2026
  }
}

function rowsOf(chain: string, name: string, job: GasJob, gas: GasUsed, peers: Poco): BenchRow[] {
  const parts = `open ${gas.open}, ${gas.draw ? `draw ${gas.draw}, ` : `ready ${gas.ready}, `}attest ${gas.attest}, release ${gas.release}`
  const peer =
    chain === 'osaka' && job.recordMode === 'root' && job.tasks === 1
      ? { peer: `iExec PoCo 6.1.0, 3 workers, ${peers.note}`, peerValue: peers.three }
      : chain === 'osaka' && job.tasks === 10
        ? { peer: `iExec PoCo 6.1.0, bag of 10, best mode, ${peers.note}`, peerValue: peers.bagFast }
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
  const peers = await poco()
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
        for (const row of rowsOf(name, `${title}${everything ? ', everything' : ''}`, job, gas, peers)) report(row)
      }
    const [one, fifty] = [measured.get('1 task, root')!, measured.get('50 tasks, root')!]
    report({ name: `${name}: one more task in a batch, root`, value: (fifty.attest - one.attest) / 49, unit: 'gas/task' })
    await chain.stop()
  }
  for (const [name, value] of [
    ['1 task, 1 worker', peers.one],
    ['1 task, 3 workers', peers.three],
    ['bag of 10, 1 worker', peers.bag],
    ['bag of 10, 1 worker, best mode', peers.bagFast],
  ] as const)
    report({ name: `iExec PoCo 6.1.0: ${name}`, value, unit: 'gas/task', note: peers.note })
  console.log(`# ${DIFFERENCE}`)
}
