import type { Cache } from '../cache/index.ts'
import { memoryArtifacts } from '../artifacts/memory.ts'
import type { Artifacts } from '../contract/artifacts.ts'
import { createRunner } from '../run/runner.ts'
import type { JobOrder } from '../run/job-order.ts'
import type { RunnerTuning } from '../run/tuning.ts'
import type { Runner, RunnerOptions } from '../run/types.ts'
import { memoryStore } from '../store/memory.ts'
import type { Store } from '../store/types.ts'
import { simulatedChecker, type SimulatedChecker, type SimulatedCheckerOptions } from './checker.ts'
import { virtualClock, type VirtualClock } from './clock.ts'
import { simulatedFarm } from './farm.ts'
import type { SimulatedFarm, SimulatedFarmOptions } from './farm-options.ts'
import { simulatedSigner } from './keys.ts'
import { simulatedLedger, type SimulatedLedger, type SimulatedLedgerOptions } from './ledger.ts'
import { simulatedOrder, simulatedReplan, type SimulatedOrderOptions } from './order.ts'
import { simulatedProofs } from './proofs.ts'
import { simulatedQuote } from './farm-info.ts'

export interface WorldOptions {
  readonly name: string
  readonly frames: number
  readonly farms: readonly SimulatedFarmOptions[]
  readonly checkers: readonly SimulatedCheckerOptions[]
  readonly quorum: number
  readonly ledger?: SimulatedLedgerOptions
  readonly store?: Store
  readonly artifacts?: Artifacts
  readonly cache?: Cache
  readonly deadlineMs?: number
  readonly order?: Partial<SimulatedOrderOptions>
  readonly tuning?: Partial<RunnerTuning>
  readonly clock?: VirtualClock
  readonly replan?: RunnerOptions['replan']
  readonly work?: (frame: number) => number
}

/** A whole network in one process and one virtual clock. */
export interface World {
  readonly clock: VirtualClock
  readonly farms: ReadonlyMap<string, SimulatedFarm>
  readonly checkers: readonly SimulatedChecker[]
  readonly ledger: SimulatedLedger
  readonly store: Store
  readonly artifacts: Artifacts
  readonly order: JobOrder
  /** How often each frame was delivered, and what; by `unitName`. */
  readonly delivered: Map<string, { count: number; hash: string }>
  /** What a runner of this world is made of, for a process boundary around it. */
  ports(owner: string): RunnerOptions & { readonly clock: VirtualClock }
  /** A new runner over the same store, as after a restart or in another process. */
  runner(owner: string, options?: Partial<RunnerOptions>): Runner
}

/** A frame, `7`, or a tile of it, `7/2`. */
export function unitName(frame: number, part: number | undefined): string {
  return part === undefined || part === 0 ? String(frame) : `${frame}/${part}`
}

export function simulatedWorld(options: WorldOptions): World {
  const clock = options.clock ?? virtualClock()
  const work = options.work ?? (() => 1)
  const farms = new Map(options.farms.map((one) => [one.id, simulatedFarm({ clock, work, ...one })]))
  const checkers = options.checkers.map((one) => simulatedChecker({ clock, ...one }))
  const ledger = simulatedLedger({ clock, ...options.ledger })
  const store = options.store ?? memoryStore()
  const artifacts = options.artifacts ?? memoryArtifacts()
  const delivered = new Map<string, { count: number; hash: string }>()
  const leaseSigner = simulatedSigner('lease key')
  const frames = Array.from({ length: options.frames }, (_, i) => i + 1)
  const infos = options.farms.map((one) => ({ id: one.id, key: farms.get(one.id)!.address }))
  const order = simulatedOrder({
    name: options.name,
    nowMs: clock.now(),
    frames,
    work: frames.map(work),
    quotes: options.farms.map((one) => simulatedQuote(one, 1, clock.now())),
    parties: Object.fromEntries(infos.map(({ id, key }) => [id, { key, payTo: key }])),
    checkers: checkers.map((checker) => checker.address),
    quorum: options.quorum,
    deadlineMs: options.deadlineMs ?? 6 * 3_600_000,
    leaseKey: leaseSigner.address,
    ...options.order,
  })
  const ports = (owner: string): RunnerOptions & { readonly clock: VirtualClock } => ({
    store,
    farms: (id) => farms.get(id),
    checkers,
    ledger,
    artifacts,
    clock,
    leaseSigner,
    replan: options.replan ?? simulatedReplan,
    deliver: async ({ frame, part, hash, outDir }) => {
      const unit = unitName(frame, part)
      const known = delivered.get(unit)
      delivered.set(unit, { count: (known?.count ?? 0) + 1, hash })
      return { path: `${outDir}/frame_${String(frame).padStart(4, '0')}.png` }
    },
    owner,
    proofs: simulatedProofs(),
    ...(options.tuning ? { tuning: options.tuning } : {}),
    ...(options.cache ? { cache: options.cache } : {}),
  })
  return {
    clock,
    farms,
    checkers,
    ledger,
    store,
    artifacts,
    order,
    delivered,
    ports,
    runner: (owner, more) => createRunner({ ...ports(owner), ...more }),
  }
}
