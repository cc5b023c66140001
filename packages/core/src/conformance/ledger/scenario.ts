import type { CallContext } from '../../contract/context.ts'
import type { LedgerAction, LedgerEvent } from '../../contract/ledger.ts'
import type {
  Address,
  Batch,
  Bytes32,
  CheckerSignature,
  DigestSigner,
  FrameRecord,
  Lease,
  LeaseResult,
  LeaseSet,
  Ready,
  Terms,
  Verdict,
} from '../../contract/messages.ts'
import {
  ZERO_ADDRESS,
  ZERO_HASH,
  acceptedWeightOf,
  batchHash,
  jobIdOf,
  leaseSetRoot,
  privateKeySigner,
  seedRootOf,
  seedsOf,
  sha256Hex,
  signBatch,
  signFinal,
  signLeaseSet,
  signReady,
} from '../../proof/index.ts'
import type { LedgerSubject, MakeLedger } from './subject.ts'

/** A key made from a name: the same in every run. */
export function namedSigner(name: string): DigestSigner {
  return privateKeySigner(sha256Hex(`Pictor test key ${name}`))
}

function byAddress(signers: readonly DigestSigner[]): DigestSigner[] {
  return [...signers].sort((a, b) => (a.address < b.address ? -1 : 1))
}

/** What a case may choose; everything else is fixed. */
export interface ScenarioOptions {
  /** Names the run: two scenarios on one ledger need different ones. */
  readonly run?: string
  readonly checkers?: number
  readonly quorum?: number
  /** How many leases set 0 has, of ten frames each. */
  readonly leases?: number
  readonly terms?: Partial<Terms>
  /** Changes to single leases of set 0. */
  readonly lease?: (lease: Lease) => Lease
}

/** A lease set with its leases: what `attest` wants for each set of a batch. */
export interface SetOfLeases {
  readonly set: LeaseSet
  readonly leases: readonly Lease[]
}

/** A job with all its keys, ready to be driven against a ledger. */
export interface LedgerScenario {
  readonly subject: LedgerSubject
  readonly terms: Terms
  readonly job: Bytes32
  readonly leaseKey: DigestSigner
  /** Ascending by address, as in the terms. */
  readonly checkers: readonly DigestSigner[]
  readonly farms: readonly DigestSigner[]
  readonly platform: Address
  /** Set 0. */
  readonly set0: SetOfLeases
  /** A context with a fresh key, or with the key that a name stands for. */
  ctx(name?: string): CallContext
  open(): Promise<Bytes32>
  send(action: DistributiveOmit<Exclude<LedgerAction, { kind: 'withdraw' }>, 'terms'>, ctx?: CallContext): Promise<void>
  /** Readies of the first `count` checkers (the quorum when left out). */
  ready(count?: number): Promise<Ready[]>
  /** A later lease set, signed by the leaseKey. */
  laterSet(seq: number, leases: readonly Lease[]): Promise<SetOfLeases>
  /** A lease of ten frames from `100 x id` on. */
  lease(id: number, change?: Partial<Lease>): Lease
  /** A lease's result: `verdict` for every frame, or one verdict a frame; `missing` frames have no hash. Every checker votes on every delivered frame. */
  result(lease: Lease, verdict?: Verdict | ((frame: number, index: number) => Verdict | 'missing'), seq?: number): LeaseResult
  batch(results: readonly LeaseResult[], validForS?: number): Promise<Batch>
  /** Signatures of the first `count` checkers over a batch (the quorum when left out). */
  sign(batch: Batch, count?: number): Promise<CheckerSignature[]>
  /** Makes, signs and sends a batch of `results`; sets other than 0 are passed along. */
  attest(results: readonly LeaseResult[], sets?: readonly SetOfLeases[]): Promise<Batch>
  final(keep: bigint, count?: number): Promise<void>
  /** All final events of the job so far. */
  events(): Promise<LedgerEvent[]>
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

const FRAMES = 10
const HOUR = 3600
/** The keys of every scenario's farms. */
export const SCENARIO_FARMS: readonly DigestSigner[] = ['farm a', 'farm b', 'farm c'].map(namedSigner)
const CHECKERS = Array.from({ length: 5 }, (_, i) => namedSigner(`checker ${i}`))

/** Makes a subject and a job on it. */
export async function ledgerScenario(make: MakeLedger, options: ScenarioOptions = {}): Promise<LedgerScenario> {
  const subject = await make({ farms: SCENARIO_FARMS, checkers: CHECKERS })
  return scenarioOn(subject, options)
}

/** A job on an existing subject: several jobs can share a ledger. */
export async function scenarioOn(subject: LedgerSubject, options: ScenarioOptions = {}): Promise<LedgerScenario> {
  const { ledger } = subject
  const checkers = byAddress(CHECKERS.slice(0, options.checkers ?? 3))
  const leaseKey = namedSigner('lease key')
  const run = options.run ?? 'run'
  const leases = Array.from({ length: options.leases ?? 2 }, (_, i) => leaseOf(i + 1, 0)).map(options.lease ?? ((lease) => lease))
  const nowS = await subject.nowS()
  const terms = termsOf(subject, run, checkers, leaseKey.address, nowS, options)
  const withTimes = leases.map((lease) => (lease.commitByS === 0 ? { ...lease, commitByS: terms.deadlineAtS } : lease))
  const job = jobIdOf(ledger.domain, terms.creator, terms.runId)
  const set0 = { set: { job, seq: 0, setRoot: leaseSetRoot(withTimes) }, leases: withTimes }
  let calls = 0
  const ctx = (name?: string): CallContext => ({ key: sha256Hex(`${run} ${name ?? `call ${++calls}`}`) })
  const scenario: LedgerScenario = {
    subject,
    terms,
    job,
    leaseKey,
    checkers,
    farms: SCENARIO_FARMS,
    platform: terms.platform,
    set0,
    ctx,
    open: async () => (await ledger.open(terms, set0.set.setRoot, ctx())).job,
    send: (action, context = ctx()) => ledger.send({ ...action, terms } as LedgerAction, context),
    ready: (count = terms.quorum) =>
      Promise.all(
        checkers.slice(0, count).map((checker, i) => {
          const seeds = seedsOf(
            sha256Hex(`secret ${i}`),
            job,
            withTimes.map(({ id }) => id),
          )
          const { setRoot } = set0.set
          return signReady(checker, ledger.domain, {
            job,
            seq: 0,
            setRoot,
            bundleRoot: terms.bundleRoot,
            seedRoot: seedRootOf(seeds),
          })
        }),
      ),
    laterSet: async (seq, setLeases) => ({
      set: await signLeaseSet(leaseKey, ledger.domain, { job, seq, leases: setLeases }),
      leases: setLeases,
    }),
    lease: (id, change) => ({ ...leaseOf(id, terms.deadlineAtS), ...change }),
    result: (lease, verdict = 'accept', seq = 0) => resultOf(lease, verdict, seq, checkers, nowS),
    batch: async (results, validForS = HOUR) => ({
      job,
      results,
      batchHash: batchHash({ job, results }, terms),
      validUntilS: (await subject.nowS()) + validForS,
    }),
    sign: (batch, count = terms.quorum) =>
      Promise.all(checkers.slice(0, count).map((checker) => signBatch(checker, ledger.domain, batch))),
    async attest(results, sets = []) {
      const batch = await scenario.batch(results)
      const used = [set0, ...sets].filter(({ set }) => results.some(({ seq }) => seq === set.seq))
      await scenario.send({ kind: 'attest', batch, sets: used, signatures: await scenario.sign(batch) })
      return batch
    },
    async final(keep, count = terms.quorum) {
      const signatures = await Promise.all(
        checkers.slice(0, count).map((checker) => signFinal(checker, ledger.domain, job, keep)),
      )
      await scenario.send({ kind: 'final', keep, signatures })
    },
    events: () => allEvents(subject, job, ctx),
  }
  return scenario
}

async function allEvents(subject: LedgerSubject, job: Bytes32, ctx: () => CallContext): Promise<LedgerEvent[]> {
  await subject.settle?.()
  const events: LedgerEvent[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < 1000; pages++) {
    const page = await subject.ledger.poll(cursor === undefined ? { job } : { job, cursor }, ctx())
    events.push(...page.events.filter(({ status }) => status === 'final'))
    if (page.cursor === cursor || page.events.length === 0) break
    cursor = page.cursor
  }
  return events
}

function termsOf(
  subject: LedgerSubject,
  run: string,
  checkers: readonly DigestSigner[],
  leaseKey: Address,
  nowS: number,
  options: ScenarioOptions,
): Terms {
  const deadlineAtS = nowS + 4 * HOUR
  return {
    creator: subject.creator.address,
    runId: sha256Hex(run),
    token: subject.token,
    farmBudget: 1_000_000n,
    checkBudget: 100_000n,
    frameCap: 20_000n,
    checkFee: 101n,
    specHash: sha256Hex('spec'),
    bundleRoot: sha256Hex('bundle'),
    quoteHash: sha256Hex('quote'),
    checkers: checkers.map(({ address }) => address),
    registryDraw: 0,
    quorum: options.quorum ?? Math.floor(checkers.length / 2) + 1,
    arbiter: ZERO_ADDRESS,
    leaseKey,
    platform: namedSigner('platform').address,
    platformFeeBps: 250,
    recordMode: 'full',
    deadlineAtS,
    attestByS: deadlineAtS + 4 * HOUR,
    claimTimeS: 4 * HOUR,
    refundAfterS: deadlineAtS + 120 * HOUR,
    disputeWindowS: 2 * HOUR,
    resolveByS: 4 * HOUR,
    ...subject.terms,
    ...options.terms,
  }
}

/** Prices that do not divide evenly, so that every rounding rule shows. */
function leaseOf(id: number, commitByS: number): Lease {
  const farm = SCENARIO_FARMS[(id - 1) % SCENARIO_FARMS.length]!.address
  return {
    id,
    farm,
    payTo: farm,
    price: 100_003n + BigInt(id),
    frames: Array.from({ length: FRAMES }, (_, i) => 100 * id + i),
    weights: Array.from({ length: FRAMES }, (_, i) => i + 1),
    part: 0,
    checkClass: 'crop',
    commitByS,
    hedgeOf: 0,
  }
}

function resultOf(
  lease: Lease,
  verdict: Verdict | ((frame: number, index: number) => Verdict | 'missing'),
  seq: number,
  checkers: readonly DigestSigner[],
  nowS: number,
): LeaseResult {
  const records = lease.frames.map((frame, i): FrameRecord => {
    const word = typeof verdict === 'string' ? verdict : verdict(frame, i)
    if (word === 'missing')
      return { frame, part: lease.part, outputHash: ZERO_HASH, completedAtMs: 0, verdict: 'refuse', checked: false, score: 0 }
    const outputHash = sha256Hex(`output ${lease.id} ${frame}`)
    return {
      frame,
      part: lease.part,
      outputHash,
      completedAtMs: nowS * 1000 + i,
      verdict: word,
      checked: i % 2 === 0,
      score: 990,
    }
  })
  const delivered = records.filter(({ outputHash }) => outputHash !== ZERO_HASH).length
  const votes = delivered === 0 ? [] : checkers.map(({ address }) => ({ checker: address, count: delivered }))
  return { lease, seq, records, acceptedWeight: acceptedWeightOf(lease, records), votes }
}
