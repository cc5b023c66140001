import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { createChecker } from '@pictor/checker'
import type { Checker, DigestSigner, Farm, Inspector } from '@pictor/core'
import type { KeyFile } from '../keys.ts'

/** The farms of the demo, all real Blender on this machine. Prices in micro-dollars a host-hour. */
const FARMS = [
  { id: 'studio', slots: 1, perHostHour: 1_800_000n },
  { id: 'cloudish', slots: 2, perHostHour: 3_600_000n },
  // The cheapest one cheats: it renders a quarter of the ordered samples of leased frames, and its files claim all of them.
  { id: 'cutcorner', slots: 1, perHostHour: 900_000n, simulateCheat: { samplesFactor: 0.25, forgeTags: true } },
] as const

const CHECKERS = ['ada', 'bo', 'cyd'] as const

/** Everybody who takes part in the demo. */
export interface Cast {
  readonly farms: readonly Farm[]
  readonly checkers: readonly Checker[]
  readonly inspector: Inspector
  readonly creator: DigestSigner
  readonly lease: DigestSigner
  readonly platform: DigestSigner
  /** Who is behind an address, for people. */
  readonly names: ReadonlyMap<string, string>
  close(): Promise<void>
}

/** Makes farms, checkers and keys below `dir`. Every slot is one Blender with one thread, so that slots share the cores fairly. */
export function castOf(dir: string, keys: KeyFile, blender: string | undefined): Cast {
  for (const id of CHECKERS) mkdirSync(join(dir, 'checkers', id), { recursive: true })
  const program = blender ? { blender } : {}
  const names = new Map<string, string>()
  const named = (name: string, key: string): DigestSigner => {
    const signer = keys.signer(key)
    names.set(signer.address.toLowerCase(), name)
    return signer
  }
  const farms = FARMS.map(({ id, slots, perHostHour, ...rest }) =>
    selfHosted({
      id,
      slots,
      threadsPerSlot: 1,
      workDir: join(dir, 'farms', id),
      signer: named(id, `farm:${id}`),
      price: { perHostHour, currency: 'USD', source: 'the demo', asOf: new Date().toISOString().slice(0, 10) },
      ...rest,
      ...program,
    }),
  )
  const renderers = CHECKERS.map((id) =>
    selfHosted({ id: `renderer-of-${id}`, slots: 1, threadsPerSlot: 1, workDir: join(dir, 'checkers', id, 'farm'), ...program }),
  )
  const checkers = CHECKERS.map((id, i) =>
    createChecker({
      id,
      signer: named(`checker ${id}`, `checker:${id}`),
      renderer: renderers[i]!,
      store: join(dir, 'checkers', id, 'checker.db'),
    }),
  )
  return {
    farms,
    checkers,
    inspector: blendInspector(program),
    creator: named('creator', 'creator'),
    lease: keys.signer('lease'),
    platform: named('platform', 'platform'),
    names,
    async close() {
      await Promise.all(checkers.map((checker) => checker.close?.()))
      await Promise.all([...farms, ...renderers].map((farm) => farm.close?.()))
    },
  }
}
