import { randomBytes } from 'node:crypto'
import { deliverToFolder } from './artifacts/index.ts'
import { memoOver } from './cache/index.ts'
import type { Artifacts } from './contract/artifacts.ts'
import type { CallContext } from './contract/context.ts'
import { isPictorError } from './contract/error.ts'
import type { Farm } from './contract/farm.ts'
import type { Ledger } from './contract/ledger.ts'
import type { Bytes32, Terms } from './contract/messages.ts'
import { partsOf, type PictorOptions } from './parts.ts'
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
  requireToken,
  type Plan,
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
  type RunnerInput,
  sealKeysOf,
} from './run/index.ts'

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
  const { farms, members, quorum, registryDraw, clock, files, ledger, store, leaseSigner, cache } = partsOf(options)
  const { checkers, token = ZERO_ADDRESS } = options
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
      await requireToken(ledger, token, request.budget.currency, context)
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
      await requireToken(ledger, token, plan.spec.budget.currency, { key: `${plan.run}/token` })
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
          token,
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
      const key = `${run}/lease-key/${before}/${leaseKey}`
      await ledger.send({ kind: 'lease-key', terms, leaseKey, signature }, { key }).catch((error: unknown) => {
        // It is the key in force already.
        if (!isPictorError(error, 'ledger-refused') || error.details['reason'] !== 'done') throw error
      })
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
