// A job with farms, checkers and leases, made of deterministic keys: shared by tests and benchmarks.
import type {
  Address,
  Batch,
  Bytes32,
  CheckerSignature,
  DigestSigner,
  Lease,
  LeaseResult,
  LedgerDomain,
  Ready,
  Terms,
} from '@pictor/core/contract'
import {
  ZERO_HASH,
  batchDigest,
  batchHash,
  jobIdOf,
  keccak256,
  leaseSetRoot,
  privateKeySigner,
  readyDigest,
} from '@pictor/core/proof'

/** Key number `i` of a role; the same in every run. */
export const keyOf = (role: string, i: number): Bytes32 => keccak256(new TextEncoder().encode(`pictor test ${role} ${i}`))
export const hashOf = (text: string): Bytes32 => keccak256(new TextEncoder().encode(text))

export interface ScenarioOptions {
  readonly domain: LedgerDomain
  readonly token: Address
  readonly creator: Address
  readonly nowS: number
  readonly tasks?: number
  readonly frames?: number
  readonly farms?: number
  readonly checkers?: number
  readonly quorum?: number
  readonly recordMode?: 'full' | 'root'
  readonly run?: string
  readonly terms?: Partial<Terms>
}

export interface Scenario {
  readonly terms: Terms
  readonly job: Bytes32
  readonly leases: readonly Lease[]
  readonly setRoot: Bytes32
  readonly checkers: readonly DigestSigner[]
  readonly leaseKey: DigestSigner
  result(lease: Lease, acceptedPerMille?: number): LeaseResult
  batch(results: readonly LeaseResult[], validUntilS?: number): Batch
  signBatch(batch: Batch, count?: number): Promise<CheckerSignature[]>
  ready(): Promise<Ready[]>
}

const byAddress = (a: DigestSigner, b: DigestSigner): number => (a.address < b.address ? -1 : 1)

export function makeScenario(options: ScenarioOptions): Scenario {
  const { domain, nowS, tasks = 1, frames = 4, farms = 3, quorum = 3, recordMode = 'root' } = options
  const checkers = Array.from({ length: options.checkers ?? 5 }, (_, i) => privateKeySigner(keyOf('checker', i))).sort(byAddress)
  const leaseKey = privateKeySigner(keyOf('lease', 0))
  const price = 5_000_000n
  const terms: Terms = {
    creator: options.creator,
    runId: hashOf(`run ${options.run ?? ''} ${tasks} ${recordMode}`),
    token: options.token,
    farmBudget: price * BigInt(tasks),
    checkBudget: 10_000n * BigInt(tasks * frames),
    frameCap: price,
    checkFee: 10_000n,
    specHash: hashOf('spec'),
    bundleRoot: hashOf('bundle'),
    quoteHash: hashOf('quote'),
    checkers: checkers.map(({ address }) => address),
    registryDraw: 0,
    quorum,
    arbiter: privateKeySigner(keyOf('arbiter', 0)).address,
    leaseKey: leaseKey.address,
    platform: privateKeySigner(keyOf('platform', 0)).address,
    platformFeeBps: 500,
    recordMode,
    deadlineAtS: nowS + 7200,
    attestByS: nowS + 14_400,
    claimTimeS: 7200,
    refundAfterS: nowS + 14_400 + 300_000,
    disputeWindowS: 3600,
    resolveByS: 86_400,
    ...options.terms,
  }
  const job = jobIdOf(domain, terms.creator, terms.runId)
  const leases: Lease[] = Array.from({ length: tasks }, (_, i) => ({
    id: i + 1,
    farm: privateKeySigner(keyOf('farm', i % farms)).address,
    payTo: privateKeySigner(keyOf('payee', i % farms)).address,
    price,
    frames: Array.from({ length: frames }, (_, k) => 1 + i * frames + k),
    weights: Array.from({ length: frames }, () => 1000),
    part: 0,
    checkClass: 'crop',
    commitByS: nowS + 3600,
    hedgeOf: 0,
  }))
  const setRoot = leaseSetRoot(leases)
  const committee = [...checkers]
  return {
    terms,
    job,
    leases,
    setRoot,
    checkers,
    leaseKey,
    result(lease, acceptedPerMille = 1000) {
      const accepted = Math.round((lease.frames.length * acceptedPerMille) / 1000)
      return {
        lease,
        seq: 0,
        records: lease.frames.map((frame, i) => ({
          frame,
          part: lease.part,
          outputHash: i < accepted ? hashOf(`output ${lease.id} ${frame}`) : ZERO_HASH,
          completedAtMs: nowS * 1000 + 1000 * i + lease.id,
          verdict: i < accepted ? 'accept' : 'refuse',
          checked: i % 3 === 0,
          score: i < accepted ? 990 : 0,
        })),
        acceptedWeight: accepted * 1000,
        votes: committee.slice(0, quorum).map(({ address }) => ({ checker: address, count: lease.frames.length })),
      }
    },
    batch(results, validUntilS = nowS + 86_400) {
      return { job, results, batchHash: batchHash({ job, results }, terms), validUntilS }
    },
    signBatch: (batch, count = quorum) =>
      Promise.all(
        committee.slice(0, count).map(async (checker) => ({
          checker: checker.address,
          signature: await checker.signDigest(batchDigest(domain, batch)),
        })),
      ),
    ready: () =>
      Promise.all(
        committee.slice(0, quorum).map(async (checker, i) => {
          const ready = { job, seq: 0, setRoot, bundleRoot: terms.bundleRoot, seedRoot: hashOf(`seed root ${i}`) }
          return { ...ready, checker: checker.address, signature: await checker.signDigest(readyDigest(domain, ready)) }
        }),
      ),
  }
}
