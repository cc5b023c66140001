import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { amsterdam, osaka, type GasChain } from './gas-chains.ts'
import { gasWorld, stakeCheckers, type GasJob, type GasUsed } from './gas-jobs.ts'

const snapshotFile = new URL('gas-snapshot.json', import.meta.url)

/** The measured jobs: quorum 3 of 5, three farms, a platform fee, all payees holding credit already. `everything`: registry committee and a leaseKey set. */
const JOBS: Readonly<Record<string, GasJob>> = {
  'one task, root': { tasks: 1, frames: 100, recordMode: 'root' },
  '10 tasks, root': { tasks: 10, frames: 100, recordMode: 'root' },
  '50 tasks, root': { tasks: 50, frames: 20, recordMode: 'root' },
  'one task of 1000 frames, full': { tasks: 1, frames: 1000, recordMode: 'full' },
}
const EVERYTHING: Readonly<Record<string, GasJob>> = Object.fromEntries(
  Object.entries(JOBS).map(([name, job]) => [`${name}, everything`, { ...job, everything: true }]),
)

type Measured = Record<string, GasUsed>
const chains: GasChain[] = []
afterAll(() => Promise.all(chains.map((chain) => chain.stop())))

async function measureAll(
  make: () => Promise<GasChain>,
  jobs: Readonly<Record<string, GasJob>>,
  stake: boolean,
): Promise<Measured> {
  const chain = await make()
  chains.push(chain)
  const world = await gasWorld(chain)
  if (stake) await stakeCheckers(world)
  const measured: Measured = {}
  for (const [name, job] of Object.entries(jobs)) measured[name] = await world.measure(job)
  return measured
}

/** Compares with the committed figures; PICTOR_GAS=write writes them anew. */
function compare(chain: string, measured: Measured): void {
  const text = readFileSync(snapshotFile, 'utf8')
  const snapshot = JSON.parse(text) as Record<string, Measured>
  if (process.env['PICTOR_GAS'] === 'write') {
    writeFileSync(snapshotFile, `${JSON.stringify({ ...snapshot, [chain]: measured }, null, 1)}\n`)
    return
  }
  for (const [name, gas] of Object.entries(measured))
    // A draw depends on a block hash, so its gas is only reported.
    for (const key of ['open', 'ready', 'attest', 'release'] as const) {
      const before = snapshot[chain]?.[name]?.[key] ?? NaN
      // Zero bytes in times and signatures move the figures by a few hundred gas.
      expect(Math.abs(gas[key] - before), `${chain}, ${name}, ${key}: ${before} -> ${gas[key]}`).toBeLessThanOrEqual(
        before * 0.005,
      )
    }
}

describe('gas', () => {
  it('keeps its ceilings under the rules of today, everything included', async () => {
    const gas = await measureAll(osaka, { ...JOBS, ...EVERYTHING }, true)
    for (const suffix of ['', ', everything']) {
      const [one, ten, fifty, frames] = Object.keys(JOBS).map((name) => gas[name + suffix]!) as [
        GasUsed,
        GasUsed,
        GasUsed,
        GasUsed,
      ]
      expect(one.total).toBeLessThanOrEqual(400_000)
      expect(ten.total / 10).toBeLessThanOrEqual(45_000)
      expect(fifty.total / 50).toBeLessThanOrEqual(12_000)
      expect((fifty.attest - one.attest) / 49, 'one more task in root mode').toBeLessThanOrEqual(34_000)
      expect(frames.attest / 1000, 'a full record, with all that the batch costs').toBeLessThanOrEqual(1600)
    }
    compare('osaka', gas)
  })

  it('keeps its ceilings under the rules to come', async () => {
    const gas = await measureAll(amsterdam, JOBS, false)
    const [one, , fifty, frames] = Object.values(gas) as [GasUsed, GasUsed, GasUsed, GasUsed]
    expect((fifty.attest - one.attest) / 49, 'one more task in root mode').toBeLessThanOrEqual(35_000)
    expect(frames.attest / 1000, 'a full record, with all that the batch costs').toBeLessThanOrEqual(2700)
    compare('amsterdam', gas)
  })
})
