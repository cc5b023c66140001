import { drawnKey } from '../../../scripts/draws.ts'
import { memoryArtifacts } from './artifacts.ts'
import { NOISE_BUILD } from './noise-renderer.ts'
import {
  bundleRoot,
  hashTerms,
  jobIdOf,
  leaseResultOf,
  batchHash,
  leaseSetRoot,
  privateKeySigner,
  signCommit,
  signLeaseSet,
  specHashOf,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@pictor/core/proof'
import type {
  Artifacts,
  Batch,
  Checker,
  CheckerEvent,
  CheckerJob,
  Commit,
  DigestSigner,
  Lease,
  LeaseSet,
  LedgerDomain,
  RenderSpec,
  SeedReveal,
  SoftwareBuild,
  Terms,
  Vote,
  FrameReport,
} from '@pictor/core/contract'

/** A small job: one scene file, one or more checkers, leases to be signed. */
export interface TestJob {
  readonly job: CheckerJob
  readonly files: Artifacts
  readonly farm: DigestSigner
  readonly leaseKey: DigestSigner
  commit(lease: Lease, frames: ReadonlyMap<number, Uint8Array>, index?: number, completedAtMs?: number): Promise<Commit>
  set(seq: number, leases: readonly Lease[]): Promise<LeaseSet>
  lease(id: number, frames: readonly number[], fields?: Partial<Lease>): Lease
}

export const SPEC: RenderSpec = {
  software: 'blender',
  softwareVersion: '3.4',
  engine: 'CYCLES',
  scene: 'Scene',
  viewLayers: ['ViewLayer'],
  camera: 'Camera',
  samples: 8,
  adaptive: false,
  denoise: false,
  seed: 1,
  animatedSeed: false,
  output: { format: 'PNG', width: 160, height: 96, colorMode: 'RGB', bitDepth: 8 },
  checkClass: 'crop',
}

/** When the frames were done. What a checker draws depends on it. */
const COMPLETED_AT_MS = Date.UTC(2026, 10, 1)

export async function makeJob(
  checkers: readonly Pick<DigestSigner, 'address'>[],
  fields: { spec?: RenderSpec; terms?: Partial<Terms>; files?: Artifacts; scene?: Uint8Array; domain?: LedgerDomain } = {},
): Promise<TestJob> {
  const files = fields.files ?? memoryArtifacts()
  const spec = fields.spec ?? SPEC
  const domain: LedgerDomain = fields.domain ?? {
    name: 'Pictor',
    version: '1',
    chainId: 0,
    verifyingContract: `0x${'11'.repeat(20)}`,
  }
  const farm = privateKeySigner(drawnKey())
  const leaseKey = privateKeySigner(drawnKey())
  const scene = await files.put(fields.scene ?? new TextEncoder().encode('a scene'))
  const bundleFiles = [{ path: 'scene.blend', hash: scene.hash, bytes: scene.bytes }]
  const root = bundleRoot(bundleFiles)
  const startS = Math.floor(Date.now() / 1000)
  const terms: Terms = {
    creator: farm.address,
    runId: `0x${'ab'.repeat(32)}`,
    token: ZERO_ADDRESS,
    farmBudget: 1_000_000n,
    checkBudget: 100_000n,
    frameCap: 10_000n,
    checkFee: 100n,
    specHash: specHashOf(spec),
    bundleRoot: root,
    quoteHash: ZERO_HASH,
    checkers: checkers.map((signer) => signer.address).sort(),
    registryDraw: 0,
    quorum: Math.floor(checkers.length / 2) + 1,
    arbiter: ZERO_ADDRESS,
    leaseKey: leaseKey.address,
    platform: ZERO_ADDRESS,
    platformFeeBps: 0,
    recordMode: 'full',
    deadlineAtS: startS + 3600,
    attestByS: startS + 7200,
    claimTimeS: 600,
    refundAfterS: startS + 14_400,
    disputeWindowS: 0,
    resolveByS: 600,
    ...fields.terms,
  }
  hashTerms(terms)
  const id = jobIdOf(domain, terms.creator, terms.runId)
  const job: CheckerJob = {
    domain,
    terms,
    job: id,
    run: 'run',
    spec,
    bundle: { root, entry: 'scene.blend', files: bundleFiles },
    files,
  }
  return {
    job,
    files,
    farm,
    leaseKey,
    lease: (lease, frames, more = {}) => ({
      id: lease,
      farm: farm.address,
      payTo: farm.address,
      price: 1000n * BigInt(frames.length),
      frames,
      weights: frames.map(() => 1),
      part: 0,
      checkClass: 'crop',
      commitByS: terms.deadlineAtS,
      hedgeOf: 0,
      ...more,
    }),
    async set(seq, leases) {
      return seq === 0
        ? { job: id, seq, setRoot: leaseSetRoot(leases) }
        : signLeaseSet(leaseKey, domain, { job: id, seq, leases })
    },
    async commit(lease, frames, index = 0, completedAtMs = COMPLETED_AT_MS) {
      const outputs = []
      for (const [frame, bytes] of frames) {
        const { hash } = await files.put(bytes)
        outputs.push({ frame, part: lease.part, outputHash: hash, completedAtMs })
      }
      return signCommit(farm, domain, { job: id, lease: lease.id, index, outputs })
    },
  }
}

let keys = 0
/** Sends an action under a fresh key (or the one given) and waits until its effect is in the log. Returns all events from before the call on. */
export async function act(
  checker: Checker,
  action: Parameters<Checker['send']>[0],
  key = `key ${++keys}`,
): Promise<readonly CheckerEvent[]> {
  const query = { job: action.job.job }
  const before = await checker.poll(query, { key: 'poll' })
  await checker.send(action, { key })
  for (let i = 0; i < 60_000; i++) {
    const { events } = await checker.poll({ ...query, cursor: before.cursor }, { key: 'poll' })
    if (events.some((event) => event.type !== 'lease-progress')) return events
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`${action.kind} had no effect`)
}

/** The one event of a type, or a failure that shows what came instead. */
export function only<T extends CheckerEvent['type']>(
  events: readonly CheckerEvent[],
  type: T,
): Extract<CheckerEvent, { type: T }> {
  const found = events.find((event) => event.type === type)
  if (!found)
    throw new Error(
      `expected ${type}, found ${JSON.stringify(events, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}`,
    )
  return found as Extract<CheckerEvent, { type: T }>
}

/** Takes a lease through ready (set 0), hold, check and reveal. */
export async function checkLease(
  checker: Checker,
  test: TestJob,
  lease: Lease,
  frames: ReadonlyMap<number, Uint8Array>,
  software: readonly SoftwareBuild[] = [NOISE_BUILD],
): Promise<{ commit: Commit; votes: readonly Vote[]; reports: readonly FrameReport[]; seed: SeedReveal; cpuMs: number }> {
  const { job } = test
  only(await act(checker, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, frames)
  only(await act(checker, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
  const { cpuMs } = only(await act(checker, { kind: 'check', job, lease, commits: [commit], software }), 'checked')
  const { votes, seed, reports } = only(await act(checker, { kind: 'reveal', job, lease: lease.id }), 'votes')
  return { commit, votes, seed, reports, cpuMs }
}

/** The batch that follows from votes on one lease. */
export function batchOf(test: TestJob, lease: Lease, commits: readonly Commit[], votes: readonly Vote[]): Batch {
  const { job } = test
  const result = leaseResultOf({ lease, seq: 0, commits, votes, quorum: job.terms.quorum })
  const body = { job: job.job, results: [result] }
  return { ...body, batchHash: batchHash(body, job.terms), validUntilS: Math.floor(Date.now() / 1000) + 600 }
}
