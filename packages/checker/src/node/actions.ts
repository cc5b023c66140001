import type {
  Address,
  Artifacts,
  Bytes32,
  CallContext,
  CheckerAction,
  CheckerEvent,
  CheckerJob,
  Commit,
  Farm,
  Lease,
  SeedReveal,
  Finding,
  FarmInfo,
} from '@pictor/core/contract'
import { seedOf, seedProof, seedRootOf, seedsOf, type Openings } from '@pictor/core/proof'
import { ownRenderer, type OwnRenderer } from '../render/own-renders.ts'
import type { CropSize } from '../sampling/crop-size.ts'
import type { SamplingOptions } from '../sampling/rate.ts'
import { sameDeviceClass } from './device-class.ts'
import { examineLease } from './examine.ts'
import { holdOutputs, inspectCommit, requireKnownLease } from './hold.ts'
import { inspectBundle, inspectLeases, inspectSet } from './ready.ts'
import { noteCanceled } from './canceled.ts'
import { pause } from './pause.ts'
import { dueKeys, keptFirst, openedFiles, sealSecretOf } from './sealed-outputs.ts'
import { refuse } from './refusal.ts'
import { inspectBatch } from './sign.ts'
import type { MessageSigner } from '../signer/messages.ts'
import type { CheckerStore, FoundVotes, JobState } from './state.ts'

/** What the actions work with. */
export interface ActionTools {
  readonly signer: MessageSigner
  readonly renderer: Farm
  readonly keep: Artifacts | undefined
  readonly sampling: SamplingOptions
  readonly crop: CropSize | undefined
  readonly renderTimeoutMs: number
  readonly now: () => number
  readonly store: CheckerStore
  readonly openings?: Openings
}

type Perform = (
  state: JobState,
  action: CheckerAction,
  ctx: CallContext & { readonly signal: AbortSignal },
) => Promise<readonly CheckerEvent[]>
type Of<K extends CheckerAction['kind']> = Extract<CheckerAction, { readonly kind: K }>

/** Said in every report where the checker's renderer opens scenes of strangers without a sandbox (`--unsafe-no-sandbox`): what it saw may have been touched by the scene. */
function unsafely({ ext = {} }: Pick<FarmInfo, 'ext'>): Finding[] {
  if (ext['trust'] !== 'foreign' || ext['sandbox'] !== 'none') return []
  return [{ code: 'no-sandbox', message: 'this checker opened the scene without a sandbox (--unsafe-no-sandbox)' }]
}

/**
 * One function that performs every action: it changes the state without waiting in between and returns the events to save with it. A throw changes nothing, except that
 * a refused lease set counts as seen.
 */
export function createActions(tools: ActionTools): Perform {
  const { signer, now, store } = tools
  const inspected = new Set<string>()
  const renderers = new Map<string, OwnRenderer>()
  let described: Promise<Pick<FarmInfo, 'software' | 'ext'>> | undefined

  /** A renderer that cannot say what it is may render all the same; then nothing counts as the same device. */
  const ownRendererInfo = async (ctx: CallContext): Promise<Pick<FarmInfo, 'software' | 'ext'>> => {
    described ??= tools.renderer.describe({ ...ctx, key: 'describe' })
    return described.catch(() => {
      described = undefined
      return { software: [] }
    })
  }

  const rendererOf = (job: CheckerJob): OwnRenderer => {
    const known = renderers.get(job.job)
    if (known) return known
    const made = ownRenderer({
      farm: tools.renderer,
      run: job.run,
      bundle: job.bundle,
      files: job.files,
      spec: job.spec,
      timeoutMs: tools.renderTimeoutMs,
    })
    renderers.set(job.job, made)
    return made
  }

  /** Asks the ledger once whom the registry drew; without a ledger nobody can be believed about it. */
  async function learnCommittee(state: JobState, job: CheckerJob, signal: AbortSignal): Promise<void> {
    if (job.terms.registryDraw === 0 || state.drawn) return
    if (!tools.openings) throw refuse('no-ledger', 'the checkers of this job are drawn by a registry, and no ledger is followed')
    state.drawn = await tools.openings.committee(job, { signal })
  }

  async function ready(
    state: JobState,
    { job, set, leases, canceled }: Of<'ready'>,
    signal: AbortSignal,
  ): Promise<CheckerEvent[]> {
    const ids = leases.map((lease) => lease.id)
    await learnCommittee(state, job, signal)
    const leaseKey = set.seq === 0 ? undefined : await tools.openings?.leaseKey(job, { signal })
    inspectSet(state, { job, set, leases }, signer.address, now(), leaseKey)
    await tools.openings?.require(job, set.seq === 0 ? set.setRoot : undefined, { signal })
    noteCanceled(state, job, canceled ?? [])
    // Seen, even if what follows refuses it: later sets can only be judged by who has seen all.
    state.sets[set.seq] ??= { set, leases: ids, refused: true }
    const added = inspectLeases(state, { job, set, leases }, now())
    if (!inspected.has(job.job)) await inspectBundle(job, signal)
    inspected.add(job.job)
    const seedRoot = seedRootOf(seedsOf(store.secret(), job.job, ids))
    const message = { job: job.job, seq: set.seq, setRoot: set.setRoot, bundleRoot: job.terms.bundleRoot, seedRoot }
    const [signature] = await signer.sign(job.domain, [{ kind: 'ready', message }])
    state.sets[set.seq] = { set, leases: ids }
    state.context ??= contextOf(job)
    for (const one of added) state.leases[one.lease.id] ??= one
    return [{ type: 'ready', ready: { ...message, checker: signer.address, signature: signature! }, atMs: now() }]
  }

  async function hold(
    state: JobState,
    { job, lease, commit, farm, sealed }: Of<'hold'>,
    signal: AbortSignal,
  ): Promise<CheckerEvent[]> {
    const before = state.held[commit.outputRoot]
    if (before && before.lease === lease.id) return [{ type: 'held', held: before, atMs: now() }]
    if (state.cast[lease.id])
      throw refuse('after-check', `lease ${lease.id} has been checked already; its draws are no longer secret`)
    inspectCommit(state, job, lease, commit, farm, now())
    if (sealed && !tools.keep)
      throw refuse('no-artifacts', 'sealed outputs can be held only by a checker that keeps files of its own (`artifacts`)')
    const about = { job: job.job, lease: lease.id, checker: signer.address }
    const known = state.leaseSecrets?.[lease.id]
    const files = openedFiles(job.files, sealed ?? [], about, { known, secret: sealSecretOf(store) })
    // What lies open in the one place that job and checker share need not be copied; what was sealed lies open nowhere else.
    const keep = sealed || tools.keep !== job.files ? tools.keep : undefined
    const read = (hash: Bytes32): Promise<Uint8Array> => (keep ?? job.files).read(hash)
    const layers = await holdOutputs({ files, keep, read }, lease, commit, signal)
    const message = { job: job.job, lease: lease.id, outputRoot: commit.outputRoot }
    const [signature] = await signer.sign(job.domain, [{ kind: 'held', message }])
    const held = { ...message, checker: signer.address, signature: signature! }
    state.held[commit.outputRoot] = held
    if (layers.length > 0) state.layers = [...(state.layers ?? []), ...layers]
    const leaseSecret = files.leaseSecret()
    if (leaseSecret) state.leaseSecrets = { ...state.leaseSecrets, [lease.id]: leaseSecret }
    if (sealed) state.sealedFiles = [...new Set([...(state.sealedFiles ?? []), ...sealed.map((one) => one.sealedHash)])]
    const commits = [...(state.commits[lease.id] ?? []), commit]
    state.commits[lease.id] = commits.sort((a, b) => a.index - b.index)
    return [{ type: 'held', held, atMs: now() }]
  }

  const reveal = (state: JobState, lease: number): SeedReveal => {
    const seq = state.leases[lease]!.seq
    const seeds = seedsOf(store.secret(), state.job, state.sets[seq]!.leases)
    return { lease, seed: seedOf(store.secret(), state.job, lease), proof: seedProof(seeds, lease), checker: signer.address }
  }

  /** Looks at a lease once: what was found is saved before anything of it is signed, so that a crash in between cannot lead to a second, different vote. */
  async function examine(
    state: JobState,
    { job, lease, neighbours = [], software }: Of<'check'>,
    commits: readonly Commit[],
    seed: SeedReveal,
    ctx: CallContext,
  ): Promise<FoundVotes> {
    const info = await ownRendererInfo(ctx)
    const examined = await examineLease(
      {
        job,
        lease,
        commits,
        neighbours: neighbours.map((one) => ({ ...one, ...farmOf(state, one) })),
        seed: seed.seed,
        jobFrames: framesOf(state),
        standing: store.standing(lease.farm),
        sampling: tools.sampling,
        crop: tools.crop,
        sameDevice: sameDeviceClass(info.software, software, job.spec),
        renderer: rendererOf(job),
      },
      ctx,
    )
    const { votes, standing, renderMs } = examined
    const reports = examined.reports.map((report) => ({ ...report, findings: [...report.findings, ...unsafely(info)] }))
    // Not this process's own clock: other checkers and the runner may work in the same process.
    const cpuMs = Math.round(reports.reduce((sum, report) => sum + report.ms, renderMs))
    const found: FoundVotes = { votes, reports, cpuMs }
    state.found = { ...state.found, [lease.id]: found }
    store.setStanding(lease.farm, standing)
    store.commit(state, undefined, [])
    return found
  }

  async function check(state: JobState, action: Of<'check'>, ctx: CallContext): Promise<CheckerEvent[]> {
    const { lease } = action
    const job = { ...action.job, files: keptFirst(state.leaseSecrets ? tools.keep : undefined, action.job.files) }
    requireKnownLease(state, lease)
    const before = state.cast[lease.id]
    if (before) return [{ type: 'checked', lease: lease.id, checker: signer.address, cpuMs: before.cpuMs, atMs: now() }]
    const commits = heldCommits(state, lease, action.commits)
    const seed = reveal(state, lease.id)
    const {
      votes: unsigned,
      reports,
      cpuMs,
    } = state.found?.[lease.id] ?? (await examine(state, { ...action, job }, commits, seed, ctx))
    const signatures = await signer.sign(
      job.domain,
      unsigned.map((message) => ({ kind: 'vote', message })),
    )
    const votes = unsigned.map((vote, i) => ({ ...vote, checker: signer.address, signature: signatures[i]! }))
    state.cast[lease.id] = { votes, seed, reports, cpuMs }
    delete state.found?.[lease.id]
    return [{ type: 'checked', lease: lease.id, checker: signer.address, cpuMs, atMs: now() }]
  }

  async function signResults(state: JobState, action: Of<'sign-batch'>): Promise<CheckerEvent[]> {
    const { job, batch } = action
    inspectBatch(state, action, signer.address, now())
    const { batchHash, validUntilS } = batch
    const message = { job: job.job, batchHash, validUntilS }
    const [signature] = await signer.sign(job.domain, [{ kind: 'batch', message }])
    for (const { lease } of batch.results) state.leases[lease.id] = { ...state.leases[lease.id]!, attested: true }
    const due = dueKeys(state, batch.results)
    if (Object.keys(due).length > 0) state.keysDue = { ...state.keysDue, [batchHash]: due }
    return [{ type: 'batch-signature', batchHash, signature: { checker: signer.address, signature: signature! }, atMs: now() }]
  }

  async function signEnd(
    state: JobState,
    { job, keep, canceled }: Of<'sign-final'>,
    signal: AbortSignal,
  ): Promise<CheckerEvent[]> {
    noteCanceled(state, job, canceled ?? [])
    for (;;) {
      const { settled, open, nextAtMs } = neededAtFinal(state, job, now())
      if (keep < settled)
        throw refuse('keep-too-small', `leases that are attested or committed need ${settled}, Final would keep ${keep}`)
      if (keep >= settled + open) break
      // A farm may still commit to a lease that has not lapsed: its price stays locked until then.
      await pause(Math.min(Math.max(nextAtMs - now(), 50), 1000), signal)
    }
    const [signature] = await signer.sign(job.domain, [{ kind: 'final', message: { job: job.job, keep } }])
    state.final = keep
    return [{ type: 'final-signature', keep, signature: { checker: signer.address, signature: signature! }, atMs: now() }]
  }

  return (state, action, ctx) => {
    switch (action.kind) {
      case 'ready':
        return ready(state, action, ctx.signal)
      case 'hold':
        return hold(state, action, ctx.signal)
      case 'check':
        return check(state, action, ctx)
      case 'reveal': {
        const cast = state.cast[action.lease]
        if (!cast) return Promise.reject(refuse('not-checked', `lease ${action.lease} has not been checked`))
        const { votes, seed, reports } = cast
        return Promise.resolve([{ type: 'votes', lease: action.lease, votes, seed, reports, atMs: now() }])
      }
      case 'sign-batch':
        return signResults(state, action)
      case 'sign-final':
        return signEnd(state, action, ctx.signal)
    }
  }
}

function contextOf({ domain, terms, job, run, spec, bundle }: CheckerJob): NonNullable<JobState['context']> {
  return { domain, terms, job, run, spec, bundle }
}

/** The commitments of a lease that this checker holds; those it is asked about must be the same. */
function heldCommits(state: JobState, lease: Lease, asked: readonly Commit[]): readonly Commit[] {
  const held = state.commits[lease.id] ?? []
  const roots = new Set(held.map((commit) => commit.outputRoot))
  const odd = asked.find((commit) => !roots.has(commit.outputRoot))
  if (odd) throw refuse('not-held', `part ${odd.index} of lease ${lease.id} (${odd.outputRoot}) is not held here`)
  if (asked.length !== held.length)
    throw refuse('commits-differ', `lease ${lease.id} has ${held.length} commitments held here, asked was about ${asked.length}`)
  return held
}

/** Whose lease an output was committed under, where its commitment is held here. */
function farmOf(state: JobState, { frame, hash }: { readonly frame: number; readonly hash: Bytes32 }): { farm?: Address } {
  for (const [lease, commits] of Object.entries(state.commits)) {
    const found = commits.some(({ outputs }) => outputs.some((one) => one.frame === frame && one.outputHash === hash))
    const farm = found ? state.leases[Number(lease)]?.lease.farm : undefined
    if (farm) return { farm }
  }
  return {}
}

/** Distinct frames in all lease sets seen: the N of the sampling bound. */
function framesOf(state: JobState): number {
  return new Set(Object.values(state.leases).flatMap(({ lease }) => lease.frames)).size
}

/** Full prices and check fees: of leases that are attested or committed, of those that may still be committed, and when the first of these lapses. */
function neededAtFinal(state: JobState, job: CheckerJob, nowMs: number): { settled: bigint; open: bigint; nextAtMs: number } {
  let settled = 0n
  let open = 0n
  let nextAtMs = Infinity
  for (const { lease, attested, canceled } of Object.values(state.leases)) {
    if (canceled) continue
    const full = lease.price + job.terms.checkFee * BigInt(lease.frames.length)
    if (attested || state.commits[lease.id] !== undefined) settled += full
    else if (lease.commitByS * 1000 >= nowMs) {
      open += full
      nextAtMs = Math.min(nextAtMs, lease.commitByS * 1000 + 1)
    }
  }
  return { settled, open, nextAtMs }
}
