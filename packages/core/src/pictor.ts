import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Keyv } from 'keyv'
import { deliverToFolder, folderArtifacts } from './artifacts/index.ts'
import { memoOver, type Cache } from './cache/index.ts'
import type { Artifacts } from './contract/artifacts.ts'
import type { Checker } from './contract/checker.ts'
import type { CallContext, Clock } from './contract/context.ts'
import { invalid, PictorError } from './contract/error.ts'
import type { Farm } from './contract/farm.ts'
import type { Inspector } from './contract/inspect.ts'
import type { Ledger } from './contract/ledger.ts'
import type { Address, Bytes32, DigestSigner, Terms } from './contract/messages.ts'
import type { RateSource } from './contract/rate.ts'
import { checkContract } from './contract/version.ts'
import { localLedger } from './ledger/index.ts'
import {
  cheapestPlan,
  farmsAtRate,
  fastestPlan,
  leasesOf,
  makeTerms,
  parseDeadline,
  planPoints,
  prepare,
  replanByRoute,
  requireRates,
  type Plan,
  type PlanProgress,
  type PlanRequest,
  type PlanSet,
} from './plan/index.ts'
import { ZERO_ADDRESS, signLeaseKeyChange, type Receipt } from './proof/index.ts'
import { receiptOf } from './receipt.ts'
import {
  createRunner,
  type FarmHealth,
  type JobOptions,
  type JobOrder,
  type JobRun,
  type JobState,
  type JobSummary,
  type PlannedLease,
  type ReceiptMaterial,
  type Replan,
  type RunnerInput,
  sealKeysOf,
  systemClock,
} from './run/index.ts'
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

/** Plans on the frontier that `plan` shows. */
const FRONTIER_POINTS = 12

/** What `submit` may change of a job's behaviour. */
export type SubmitOptions = Partial<Omit<JobOptions, 'giveUpAtMs' | 'outDir'>> & {
  /** Folder for the frames (`out` beneath the working folder when left out). */
  readonly outDir?: string
  /** Host time one lease should last (facts: minutes). */
  readonly leaseMs?: number
}

/** The SDK in one object. Nothing resumes by itself until `start()`; `close()` leaves remote work running and can be followed by a new Pictor on the same data. */
export interface Pictor {
  /** Inspects, probes, asks for quotes and routes. Locks nothing. */
  plan(request: PlanRequest, ctx?: { readonly signal?: AbortSignal }): Promise<PlanSet>
  /** Locks the money, then renders. The same plan twice is the same run. @throws invalid-input when the plan's quotes have expired, budget-too-small, ledger-unreachable */
  submit(plan: Plan, options?: SubmitOptions): Promise<JobRun>
  /** Takes a run up again after a restart. @throws not-found */
  attach(run: Bytes32): Promise<JobRun>
  jobs(): AsyncIterable<JobSummary>
  start(): Promise<void>
  post(run: Bytes32, input: RunnerInput, key?: string): Promise<void>
  /** Where a run stands by its journal, whichever process drives it. @throws not-found */
  state(run: Bytes32): Promise<JobState>
  /** Everything that was signed in a run so far. */
  material(run: Bytes32): Promise<ReceiptMaterial>
  /** Where farms stand over all jobs: trusted, quarantined or on probation, with their last incidents. Farms that nothing is known of are not in it. */
  farms(): Promise<readonly FarmHealth[]>
  /** Trusts a farm again before its quarantine and probation are over. */
  trustFarm(id: string, reason: string): Promise<void>
  /** Keeps leases from a farm until a time. */
  quarantineFarm(id: string, reason: string, untilMs: number): Promise<void>
  /**
   * Puts this Pictor's `leaseSigner` in place of a run's leaseKey that was lost or stolen: at the ledger at once, and in the lease sets of the run from then on. What the
   * old key signed and the ledger has not taken yet counts by the new key's signature only. @throws not-found, ledger-refused, ledger-unreachable
   */
  replaceLeaseKey(run: Bytes32): Promise<void>
  /** The receipt of a run that has ended. @throws not-found, invalid-input when there is no evidence yet */
  receipt(run: Bytes32): Promise<Receipt>
  readonly ledger: Ledger
  readonly artifacts: Artifacts
  close(): Promise<void>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Composes a Pictor. Opens its store, starts nothing. @throws invalid-input, unsupported when a part speaks another contract */
export function createPictor(options: PictorOptions): Pictor {
  const checkers = options.checkers
  const { registryDraw = 0 } = options
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
  const files = options.artifacts ?? folderArtifacts(join(dataDir, 'artifacts'))
  const ledger = options.ledger ?? localLedger({ signer: options.signer, path: join(dataDir, 'ledger.db'), clock })
  const store = options.store ?? sqliteStore(join(dataDir, 'pictor.db'))
  const leaseSigner = options.leaseSigner ?? options.signer
  const cache = options.cache ?? new Keyv<string>()
  const memo = memoOver(cache, clock)
  const atRate = options.rates ? farmsAtRate(options.rates, clock) : (farm: Farm) => farm
  const runner = createRunner({
    cache,
    store,
    farms: (id) => farms().get(id),
    checkers,
    ledger,
    artifacts: files,
    clock,
    leaseSigner,
    creator: options.signer,
    replan: options.replan ?? replanByRoute,
    deliver: deliverToFolder(files, options.inspector.tiles),
  })
  const newRun = (): Bytes32 => `0x${randomBytes(32).toString('hex')}`
  const close = async (): Promise<void> => {
    await runner.close()
    if (!options.store) await store.close?.()
    if (!options.ledger) await ledger.close?.()
  }

  return {
    ledger,
    artifacts: files,
    async plan(request, ctx = {}) {
      const context: CallContext = { key: newRun(), ...(ctx.signal ? { signal: ctx.signal } : {}) }
      const { basis, inspection } = await prepare(
        request,
        {
          inspector: options.inspector,
          farms: [...farms().values()].map(atRate),
          files,
          clock,
          checkers: members,
          quarantined: quarantinedOf(await runner.farms()),
          memo,
          newRun,
          ...(options.onPlanProgress ? { onProgress: options.onPlanProgress } : {}),
        },
        context,
      )
      return {
        inspection,
        cheapest: cheapestPlan(basis),
        fastest: fastestPlan(basis),
        frontier: planPoints(basis, FRONTIER_POINTS),
        cheapestBy(deadline, plannedShare = basis.plannedShare) {
          const nowMs = clock.now()
          const deadlineAtMs = typeof deadline === 'number' ? deadline : parseDeadline(deadline, nowMs)
          return cheapestPlan({ ...basis, nowMs, plannedShare, spec: { ...basis.spec, deadlineAtMs } })
        },
      }
    },
    async submit(plan, submitOptions = {}) {
      const { outDir = 'out', leaseMs, ...rest } = submitOptions
      const leases = leasesOf(plan, clock.now(), leaseMs)
      requireRates(plan.quotes, options.rates?.quoter, clock.now())
      const terms = makeTerms(
        plan,
        leases.map(({ lease }) => lease),
        {
          creator: options.signer.address,
          leaseKey: leaseSigner.address,
          checkers: checkers.map((checker) => checker.address),
          registryDraw,
          quorum,
          arbiter: options.arbiter ?? options.signer.address,
          platform: options.platform?.address ?? ZERO_ADDRESS,
          platformFeeBps: options.platform?.feeBps ?? 0,
          token: options.token ?? ZERO_ADDRESS,
          disputeWindowS: options.disputeWindowS ?? (ledger.supports.custody ? 86_400 : 0),
        },
      )
      const order = orderOf(plan, terms, leases, {
        ...rest,
        outDir,
        giveUpAtMs: (terms.refundAfterS + terms.resolveByS + 3600) * 1000,
      })
      const sealKeys = await sealKeysOf(checkers, ledger.domain)
      return runner.submit(sealKeys.length > 0 ? { ...order, sealKeys } : order)
    },
    attach: (run) => runner.attach(run),
    jobs: () => runner.jobs(),
    start: () => runner.start(),
    post: (run, input, key) => runner.post(run, input, key),
    state: (run) => runner.state(run),
    material: (run) => runner.material(run),
    farms: () => runner.farms(),
    trustFarm: (id, reason) => runner.trustFarm(id, reason),
    quarantineFarm: (id, reason, untilMs) => runner.quarantineFarm(id, reason, untilMs),
    async replaceLeaseKey(run) {
      const { domain, job, terms, ledgerEvents } = await runner.material(run)
      const { leaseKey, signature } = await signLeaseKeyChange(options.signer, domain, job, leaseSigner.address)
      const before = ledgerEvents.filter(({ type }) => type === 'lease-key-replaced').length
      await ledger.send({ kind: 'lease-key', terms, leaseKey, signature }, { key: `${run}/lease-key/${before}/${leaseKey}` })
    },
    async receipt(run) {
      const material = await runner.material(run)
      return receiptOf(material, await ledger.money(material.job, { key: `${run}/money` }))
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Farms that get no leases now, with the reason for people. */
function quarantinedOf(reports: readonly FarmHealth[]): ReadonlyMap<string, string> {
  const entries = reports
    .filter(({ standing }) => standing === 'quarantined')
    .map(
      ({ farm, reason, untilMs }) =>
        [
          farm,
          `quarantined until ${new Date(untilMs!).toISOString()}: ${reason} (\`pictor farms --trust ${farm}\` ends it)`,
        ] as const,
    )
  return new Map(entries)
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

function orderOf(plan: Plan, terms: Terms, leases: readonly PlannedLease[], jobOptions: JobOptions): JobOrder {
  return {
    run: plan.run,
    spec: plan.spec,
    terms,
    leases,
    parties: plan.parties,
    quotes: plan.quotes,
    work: plan.estimate.work,
    options: jobOptions,
  }
}
