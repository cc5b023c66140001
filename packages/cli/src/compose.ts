import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { createChecker } from '@pictor/checker'
import {
  createPictor,
  folderArtifacts,
  PictorError,
  usd,
  type Address,
  type Checker,
  type DigestSigner,
  type Farm,
  type Ledger,
  type Money,
  type Pictor,
  type PlanProgress,
  type RateSource,
} from '@pictor/core'
import { evmLedger } from '@pictor/chain'
import { privateKeySigner, verifyRate } from '@pictor/core/proof'
import { Wallet } from 'ethers'
import { loadConfig } from './config.ts'
import { keyFile, type KeyFile } from './keys.ts'
import { probeCache } from './probe-cache.ts'
import { ratesFrom } from './rates.ts'

/** Options that every command which opens jobs takes. */
export interface StateOptions {
  readonly stateDir?: string
  readonly rpc?: string
  readonly escrow?: string
  readonly token?: string
  readonly keystore?: string
  readonly config?: string
  /** Hours that a batch waits for disputes. */
  readonly disputeHours?: string
  /** Price of this machine's own hosts, USD an hour. */
  readonly hourPrice?: string
  /** URL or file of signed rates, and the address whose rates are trusted: for budgets in other currencies than USD. */
  readonly rate?: string
  readonly quoter?: string
  /** How many checkers the escrow's registry draws for each job. */
  readonly draw?: string
  /** Makes a new lease key first, once everything else could be opened. */
  readonly rotateLeaseKey?: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A Pictor with what it was made of. */
export interface Composition {
  readonly pictor: Pictor
  readonly farms: readonly Farm[]
  readonly keys: KeyFile
  readonly stateDir: string
  /** Who is behind the accounts of farms and checkers, by lower-case address, as far as they answer. */
  names(): Promise<ReadonlyMap<string, string>>
  /** Makes sure, before anything is rendered, that there is a rate for a budget, and that it holds now. @throws invalid-input, signature-invalid */
  requireRate(budget: Money): Promise<void>
  close(): Promise<void>
}

/** Price of one's own machine when nobody says otherwise: a figure for electricity and wear, so that budgets mean something. Set it with --hour-price. */
const OWN_HOUR_PRICE = '0.25'

/** A farm that does not say who it is by then is shown by its address. */
const NAMES_MS = 5_000

/** Where jobs, keys and files of this folder live. */
export function stateDirOf(options: StateOptions): string {
  return resolve(options.stateDir ?? '.pictor')
}

/** Puts the SDK together: farms of the config, or one self-hosted farm on this machine; the local ledger in USD, or a chain. */
export async function compose(options: StateOptions, onPlanProgress?: (progress: PlanProgress) => void): Promise<Composition> {
  const stateDir = stateDirOf(options)
  mkdirSync(stateDir, { recursive: true })
  const keys = keyFile(join(stateDir, 'keys.json'), 'Private keys of Pictor on this machine. Whoever has them can spend.')
  const blender = options.env.PICTOR_BLENDER
  const own = (id: string) => ({ id, workDir: join(stateDir, 'farms', id), ...(blender ? { blender } : {}) })
  const ledger = await chainLedger(options)
  // Farms and checkers of this folder work for money that is locked, and learn from the chain whom a registry drew.
  const followed = ledger ? { ledger: ledger.ledger } : {}
  const config = await loadConfig(options.config, { stateDir, signer: (name) => keys.signer(name), ...followed }, options.env)
  const farms =
    config?.farms ??
    ([
      selfHosted({
        ...own('this-machine'),
        signer: keys.signer('farm:this-machine'),
        ...followed,
        price: {
          perHostHour: usd(options.hourPrice ?? OWN_HOUR_PRICE).amount,
          currency: 'USD',
          source: options.hourPrice ? '--hour-price' : 'default of this command',
        },
      }),
    ] satisfies Farm[])
  const renderer = selfHosted({
    ...own('checker'),
    signer: keys.signer('farm:checker'),
    slots: 1,
    price: { perHostHour: 0n, currency: 'USD' },
  })
  const checkers: readonly Checker[] = config?.checkers ?? [
    createChecker({
      id: 'own-checker',
      signer: keys.signer('checker:own'),
      renderer,
      store: join(stateDir, 'checker.db'),
      ...followed,
    }),
  ]
  const rates = ratesOf(options) ?? config?.rates
  const registryDraw = drawOf(options)
  if (options.rotateLeaseKey) keys.rotate('lease')
  const pictor = createPictor({
    inspector: blendInspector(blender ? { blender } : {}),
    farms,
    checkers,
    leaseSigner: keys.followed('lease'),
    dataDir: stateDir,
    artifacts: folderArtifacts(join(stateDir, 'artifacts')),
    cache: probeCache(join(stateDir, 'probes')),
    ...(options.disputeHours === undefined ? {} : { disputeWindowS: disputeWindowOf(options.disputeHours) }),
    ...(ledger ?? { signer: keys.signer('creator') }),
    ...(rates ? { rates } : {}),
    ...(registryDraw === undefined ? {} : { registryDraw }),
    ...(onPlanProgress ? { onPlanProgress } : {}),
  })
  return {
    pictor,
    farms,
    keys,
    stateDir,
    async names() {
      const infos = await Promise.all(
        farms.map((farm) => farm.describe({ key: 'names', signal: AbortSignal.timeout(NAMES_MS) }).catch(() => undefined)),
      )
      const known = infos.flatMap((info, i): [string, string][] => (info?.key ? [[info.key.toLowerCase(), farms[i]!.id]] : []))
      return new Map([...known, ...checkers.map(({ address, id }): [string, string] => [address.toLowerCase(), id])])
    },
    async requireRate({ currency }) {
      if (currency === 'USD') return
      if (!rates)
        throw new PictorError('invalid-input', `--budget: farms quote in USD, and there is no rate to ${currency}`, {
          details: { path: 'rate', hint: 'add --rate FILE_OR_URL and --quoter ADDRESS, or `rates` to the config' },
        })
      const pair = { from: 'USD', to: currency }
      verifyRate(await rates.quote(pair, { key: 'rate' }), { ...pair, quoter: rates.quoter, nowMs: Date.now() })
    },
    async close() {
      await pictor.close()
      await Promise.all([...farms, renderer].map((farm) => farm.close?.()))
      await Promise.all(checkers.map((checker) => checker.close?.()))
      await ledger?.ledger.close?.()
    },
  }
}

function ratesOf({ rate, quoter }: StateOptions): RateSource | undefined {
  if (rate === undefined && quoter === undefined) return undefined
  if (rate === undefined || quoter === undefined)
    throw new PictorError(
      'invalid-input',
      '--rate FILE_OR_URL and --quoter ADDRESS go together: a rate counts by who signed it',
      {
        details: { path: rate === undefined ? 'rate' : 'quoter' },
      },
    )
  return ratesFrom({ from: rate, quoter })
}

function drawOf({ draw, escrow }: StateOptions): number | undefined {
  if (draw === undefined) return undefined
  const count = Number(draw)
  if (!/^\d{1,2}$/.test(draw) || count < 1 || count > 32)
    throw new PictorError('invalid-input', `--draw: expected 1 to 32 checkers, found ${draw}`, { details: { path: 'draw' } })
  if (escrow === undefined)
    throw new PictorError('invalid-input', '--draw needs --rpc, --escrow, --token and --keystore: an escrow has the registry', {
      details: { path: 'draw', hint: 'without it the checkers of the config are named, or one of your own' },
    })
  return count
}

/** The local ledger keeps USD; on a chain the token decides. @throws invalid-input */
export function requireChainFor({ rpc }: StateOptions, { currency }: Money): void {
  if (rpc !== undefined || currency === 'USD') return
  throw new PictorError('invalid-input', `--budget: the local ledger keeps USD; ${currency} needs a chain`, {
    details: { path: 'budget', hint: 'add --rpc, --escrow, --token and --keystore' },
  })
}

function disputeWindowOf(hours: string): number {
  const windowS = Math.round(Number(hours) * 3600)
  if (hours.trim() !== '' && windowS >= 0 && windowS <= 30 * 86_400) return windowS
  throw new PictorError('invalid-input', `--dispute-hours: expected 0 to 720, found ${hours}`, {
    details: { path: 'dispute-hours' },
  })
}

interface ChainChoice {
  readonly ledger: Ledger
  readonly token: Address
  readonly signer: DigestSigner
}

/** The chain of --rpc and --escrow, with the creator's key out of its keystore. Nothing is sent here. @throws invalid-input */
async function chainLedger(options: StateOptions): Promise<ChainChoice | undefined> {
  if (options.rpc === undefined && options.escrow === undefined) return undefined
  const { rpc, escrow, token, keystore } = options
  for (const [name, value] of Object.entries({ rpc, escrow, token, keystore }))
    if (value === undefined)
      throw new PictorError('invalid-input', `--${name} is missing: a chain needs --rpc, --escrow, --token and --keystore`, {
        details: { path: name },
      })
  for (const [name, value] of Object.entries({ escrow, token }))
    if (!/^0x[0-9a-fA-F]{40}$/.test(value!))
      throw new PictorError('invalid-input', `--${name}: expected an address, found ${value}`, { details: { path: name } })
  const wallet = await openKeystore(keystore!, options.env.PICTOR_KEYSTORE_PASSWORD)
  const chainId = await chainIdOf(rpc!)
  const ledger = evmLedger({ rpcUrl: rpc!, escrow: escrow!.toLowerCase() as Address, chainId, signer: wallet })
  return { ledger, token: token!.toLowerCase() as Address, signer: privateKeySigner(wallet.privateKey as `0x${string}`) }
}

/** Opens an encrypted key (Web3 secret storage, version 3). @throws invalid-input */
export async function openKeystore(path: string, password: string | undefined): Promise<Wallet> {
  if (password === undefined)
    throw new PictorError('invalid-input', 'the password of the keystore is missing', {
      details: { path: 'keystore', hint: 'set PICTOR_KEYSTORE_PASSWORD' },
    })
  try {
    const wallet = await Wallet.fromEncryptedJson(readFileSync(path, 'utf8'), password)
    return new Wallet(wallet.privateKey)
  } catch (cause) {
    // The cause may quote the file: only its kind is passed on.
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'it does not exist' : 'wrong password, or no keystore file'
    throw new PictorError('invalid-input', `--keystore ${path} cannot be opened: ${reason}`, { details: { path: 'keystore' } })
  }
}

/** The chain id that a node serves. @throws ledger-unreachable */
export async function chainIdOf(rpc: string): Promise<number> {
  try {
    const response = await fetch(rpc, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
      signal: AbortSignal.timeout(15_000),
    })
    return Number(((await response.json()) as { result: string }).result)
  } catch (cause) {
    throw new PictorError('ledger-unreachable', `no answer from the chain at ${rpc}`, { details: { path: 'rpc' }, cause })
  }
}
