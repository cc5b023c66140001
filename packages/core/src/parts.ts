import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Keyv } from 'keyv'
import { folderArtifacts } from './artifacts/index.ts'
import { memoryCache, type Cache } from './cache/index.ts'
import type { Artifacts } from './contract/artifacts.ts'
import type { Checker } from './contract/checker.ts'
import type { Clock } from './contract/context.ts'
import { invalid, PictorError } from './contract/error.ts'
import type { Farm } from './contract/farm.ts'
import type { Inspector } from './contract/inspect.ts'
import type { Ledger } from './contract/ledger.ts'
import type { Address, DigestSigner } from './contract/messages.ts'
import type { RateSource } from './contract/rate.ts'
import { checkContract } from './contract/version.ts'
import { localLedger } from './ledger/index.ts'
import type { PlanProgress } from './plan/index.ts'
import { systemClock, type Replan } from './run/index.ts'
import { sqliteStore, type Store } from './store/index.ts'

/** Parts of a Pictor. Only `inspector`, `farms`, `checkers` and `signer` are needed; everything else has a default on this machine. */
export interface PictorOptions {
  readonly inspector: Inspector
  /** A function is asked at every plan and whenever a job needs a farm, so that farms can come and go; a job whose farm is away is blocked, never failed. */
  readonly farms: readonly Farm[] | (() => readonly Farm[])
  readonly checkers: readonly Checker[]
  /** How many checkers must agree; more than half of them (the smallest such number when left out). */
  readonly quorum?: number
  /**
   * Lets the ledger's registry draw so many of the checkers staked there for each job, 1..32, instead of naming `checkers`. These are then the ones that can be asked: a drawn
   * one that is not among them cannot be, and a job that reaches no quorum comes back unspent. Only on a ledger with such a registry.
   */
  readonly registryDraw?: number
  /** The creator's key: funds jobs. On the local ledger it also signs the book. */
  readonly signer: DigestSigner
  /** Signs lease sets and nothing else; left out: `signer`. Give a hot key of its own where the creator's key is precious. */
  readonly leaseSigner?: DigestSigner
  /** Left out: the local ledger, in the budget's currency, without custody. */
  readonly ledger?: Ledger
  /** The ERC-20 of jobs on a chain. */
  readonly token?: Address
  readonly arbiter?: Address
  readonly platform?: { readonly address: Address; readonly feeBps: number }
  /** Seconds that a batch waits for disputes; 0 when left out on the local ledger, 86,400 on others. */
  readonly disputeWindowS?: number
  /** Folder of everything that is kept; left out: `~/.local/share/pictor`. */
  readonly dataDir?: string
  readonly store?: Store
  readonly artifacts?: Artifacts
  /** Keeps quotes, probe results, stage handles and what farms say of themselves, in anything shaped like a keyv; left out: a keyv in memory. Emptying it does no harm. */
  readonly cache?: Cache
  readonly clock?: Clock
  /** Rates for budgets in other currencies than farms quote in (USD), such as PICTOR. Plans carry the signed rate, and the hash in the terms covers it. */
  readonly rates?: RateSource
  readonly replan?: Replan
  /** Called while planning. */
  readonly onPlanProgress?: (progress: PlanProgress) => void
}

/** What a Pictor works with: parts that were given and fit, defaults for the others. */
export interface Parts {
  /** The farms of now, by id. */
  readonly farms: () => ReadonlyMap<string, Farm>
  /** Checkers that a job has: those named, or as many as the registry draws. */
  readonly members: number
  readonly quorum: number
  readonly registryDraw: number
  readonly clock: Clock
  readonly files: Artifacts
  readonly ledger: Ledger
  readonly store: Store
  readonly leaseSigner: DigestSigner
  readonly cache: Cache
}

/** Checks the parts of a Pictor and opens those that were left out. @throws invalid-input, unsupported when a part speaks another contract */
export function partsOf(options: PictorOptions): Parts {
  const { checkers, registryDraw = 0 } = options
  const members = registryDraw || checkers.length
  const quorum = options.quorum ?? Math.floor(members / 2) + 1
  if (checkers.length === 0)
    throw new PictorError('invalid-input', 'checkers: at least one is needed', {
      details: { path: 'checkers', hint: 'farms are paid for validated frames only' },
    })
  if (!Number.isInteger(registryDraw) || registryDraw < 0 || registryDraw > 32)
    throw new PictorError('invalid-input', `registryDraw: expected 1 to 32 checkers, found ${registryDraw}`, {
      details: { path: 'registryDraw' },
    })
  if (quorum * 2 <= members || quorum > members)
    throw new PictorError('invalid-input', `quorum: expected more than half of ${members} checkers, found ${quorum}`, {
      details: { path: 'quorum' },
    })
  const farms = farmsOf(options.farms)
  farms()
  checkers.forEach((checker, i) => checkContract(checker, `checkers[${i}]`))
  if (options.ledger) checkContract(options.ledger, 'ledger')
  const dataDir = options.dataDir ?? join(homedir(), '.local', 'share', 'pictor')
  const clock = options.clock ?? systemClock()
  if (!options.ledger || !options.store) mkdirSync(dataDir, { recursive: true })
  return {
    farms,
    members,
    quorum,
    registryDraw,
    clock,
    files: options.artifacts ?? folderArtifacts(join(dataDir, 'artifacts')),
    ledger: options.ledger ?? localLedger({ signer: options.signer, path: join(dataDir, 'ledger.db'), clock }),
    store: options.store ?? sqliteStore(join(dataDir, 'pictor.db')),
    leaseSigner: options.leaseSigner ?? options.signer,
    cache: options.cache ?? new Keyv<string>({ store: memoryCache() }),
  }
}

/** Finds the farms of now: each of a contract that is spoken here, under an id of its own. @throws unsupported, invalid-input */
function farmsOf(source: PictorOptions['farms']): () => ReadonlyMap<string, Farm> {
  let seen: readonly Farm[] | undefined
  let byId = new Map<string, Farm>()
  return () => {
    const farms = typeof source === 'function' ? source() : source
    if (farms === seen) return byId
    const found = new Map<string, Farm>()
    farms.forEach((farm, i) => {
      checkContract(farm, `farms[${i}]`)
      if (found.has(farm.id)) throw invalid(`farms[${i}].id`, 'an id that no other farm has', farm.id)
      found.set(farm.id, farm)
    })
    seen = farms
    return (byId = found)
  }
}
