import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { createChecker } from '@pictor/checker'
import {
  createPictor,
  folderArtifacts,
  PictorError,
  usd,
  type Checker,
  type Farm,
  type Ledger,
  type Pictor,
  type PlanProgress,
} from '@pictor/core'
import { ethersSigner, evmLedger } from '@pictor/chain'
import { Wallet } from 'ethers'
import { loadConfig } from './config.ts'
import { keyFile, type KeyFile } from './keys.ts'

/** Options that every command which opens jobs takes. */
export interface StateOptions {
  readonly stateDir?: string
  readonly rpc?: string
  readonly escrow?: string
  readonly token?: string
  readonly keystore?: string
  readonly config?: string
  /** Price of this machine's own hosts, USD an hour. */
  readonly hourPrice?: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A Pictor with what it was made of. */
export interface Composition {
  readonly pictor: Pictor
  readonly farms: readonly Farm[]
  readonly keys: KeyFile
  readonly stateDir: string
  close(): Promise<void>
}

/** Price of one's own machine when nobody says otherwise: a figure for electricity and wear, so that budgets mean something. Set it with --hour-price. */
const OWN_HOUR_PRICE = '0.25'

/** Where jobs, keys and files of this folder live. */
export function stateDirOf(options: StateOptions): string {
  return resolve(options.stateDir ?? '.pictor')
}

/** Puts the SDK together: farms of the config, or one self-hosted farm on this machine; the local ledger in USD, or a chain. */
export async function compose(options: StateOptions, onPlanProgress?: (progress: PlanProgress) => void): Promise<Composition> {
  const stateDir = stateDirOf(options)
  const keys = keyFile(join(stateDir, 'keys.json'), 'Private keys of Pictor on this machine. Whoever has them can spend.')
  const blender = options.env.PICTOR_BLENDER
  const own = (id: string) => ({ id, workDir: join(stateDir, 'farms', id), ...(blender ? { blender } : {}) })
  const config = await loadConfig(options.config, { stateDir })
  const farms =
    config?.farms ??
    ([
      selfHosted({
        ...own('this-machine'),
        signer: keys.signer('farm:this-machine'),
        price: { perHostHour: usd(options.hourPrice ?? OWN_HOUR_PRICE).amount, currency: 'USD', source: options.hourPrice ? '--hour-price' : 'default of this command' },
      }),
    ] satisfies Farm[])
  const renderer = selfHosted({ ...own('checker'), signer: keys.signer('farm:checker'), slots: 1, price: { perHostHour: 0n, currency: 'USD' } })
  const checkers: readonly Checker[] = config?.checkers ?? [
    createChecker({ id: 'own-checker', signer: keys.signer('checker:own'), renderer, store: join(stateDir, 'checker.db') }),
  ]
  const ledger = await chainLedger(options)
  const pictor = createPictor({
    inspector: blendInspector({ ...(blender ? { blender } : {}) }),
    farms,
    checkers,
    signer: keys.signer('creator'),
    leaseSigner: keys.signer('lease'),
    dataDir: stateDir,
    artifacts: folderArtifacts(join(stateDir, 'artifacts')),
    ...(ledger ? { ledger: ledger.ledger, token: ledger.token, signer: ledger.signer } : {}),
    ...(onPlanProgress ? { onPlanProgress } : {}),
  })
  return {
    pictor,
    farms,
    keys,
    stateDir,
    async close() {
      await pictor.close()
      await Promise.all([...farms, renderer].map((farm) => farm.close?.()))
      await Promise.all(checkers.map((checker) => checker.close?.()))
      await ledger?.ledger.close?.()
    },
  }
}
