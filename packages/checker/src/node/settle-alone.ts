import type { Address, Artifacts, Batch, Bytes32, Checker, CheckerJob, Ledger } from '@pictor/core/contract'
import { isPictorError } from '@pictor/core/contract'
import { batchHash, leaseResultOf } from '@pictor/core/proof'
import { followSettlement, type Settlement } from './follow-settlement.ts'
import type { LocalChecker } from './create-checker.ts'
import { committeeOf, type JobState } from './state.ts'
import { voicesOf, type Peer, type Voices } from './voices.ts'

/** What a checker needs to bring a job to its end without the runner that asked for it. */
export interface SettleAloneOptions {
  readonly checker: LocalChecker
  /** Where this checker keeps bundles and outputs. */
  readonly files: Artifacts
  /** The other checkers; those that are no checkers of a job are not asked about it. */
  readonly peers: readonly Peer[]
  /** Posts what a quorum signed. A ledger that cannot send (no account that pays) leaves that to the peers. */
  readonly ledger: Pick<Ledger, 'send' | 'poll'>
  readonly canPost?: boolean
  /** A runner that asked nothing about a job for this long is gone; 10 minutes when left out. */
  readonly silentMs?: number
  /** How long a quorum of votes waits for those that are missing; a quarter of `silentMs`, at most 60 seconds, when left out. */
  readonly graceMs?: number
  /** Every further checker of the terms posts this much later than the one before it, so that not all pay for the same transaction; an eighth of `silentMs`, at most 30 seconds, when left out. */
  readonly turnMs?: number
  /** How often it looks; a tenth of `silentMs`, at least 0.1 and at most 5 seconds, when left out. */
  readonly everyMs?: number
  readonly now?: () => number
  readonly log?: (message: string) => void
}

/** Settles what its runner left behind. */
export interface SettlingAlone {
  /** The runner of this job was heard of. */
  heard(job: Bytes32): void
  close(): void
}

/**
 * Brings jobs to their end whose runner vanished, so that farms are paid for what they delivered (PROTOCOL.md, 5 to 9: anyone may relay every call). Checkers look at what they
 * hold, publish votes and seeds to each other, and each signs the batch that follows from the votes that it knows, one lease a batch: with the same
 * votes it is the same batch, so nobody has to propose one. Whoever sees a quorum of signatures posts it, and after the dispute window the release.
 */
export function settleAlone(given: SettleAloneOptions): SettlingAlone {
  const { silentMs = 10 * 60_000, now = Date.now, log = () => {} } = given
  const { everyMs = Math.min(5_000, Math.max(100, silentMs / 10)) } = given
  const { graceMs = Math.min(60_000, silentMs / 4), turnMs = Math.min(30_000, silentMs / 8), checker } = given
  const options = { ...given, graceMs, turnMs, now }
  const startedAtMs = now()
  const heardAtMs = new Map<Bytes32, number>()
  const posting = new Posting(options, followSettlement(options.ledger))
  const closing = new AbortController()
  let busy = false

  async function look(): Promise<void> {
    for (const state of checker.jobs()) {
      const { context } = state
      if (!context || now() - (heardAtMs.get(state.job) ?? startedAtMs) < silentMs) continue
      try {
        await posting.settle(state, context, closing.signal)
      } catch (error) {
        if (closing.signal.aborted) return
        log(`job ${state.job}, whose runner is silent: ${(error as Error).message}`)
      }
    }
  }
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    void look().finally(() => (busy = false))
  }, everyMs)
  timer.unref()
  return {
    heard: (job) => void heardAtMs.set(job, now()),
    close() {
      clearInterval(timer)
      closing.abort(new Error('closed'))
    },
  }
}

type Context = NonNullable<JobState['context']>
type Ready = SettleAloneOptions & Required<Pick<SettleAloneOptions, 'graceMs' | 'turnMs' | 'now'>>

/** One look at one job after another; what it remembers only saves work. */
class Posting {
  private readonly options: Ready
  private readonly settlement: (job: Bytes32, signal: AbortSignal) => Promise<Settlement>
  private readonly voices: ReturnType<typeof voicesOf>
  /** When something became possible, by what it is: the start of graces and turns. */
  private readonly sinceMs = new Map<string, number>()

  constructor(options: Ready, settlement: Posting['settlement']) {
    this.options = options
    this.settlement = settlement
    this.voices = voicesOf([options.checker, ...options.peers])
  }

  async settle(state: JobState, context: Context, signal: AbortSignal): Promise<void> {
    const job: CheckerJob = { ...context, files: this.options.files }
    const settled = await this.settlement(state.job, signal)
    if (!settled.open) return
    const voices = await this.voices(job, committeeOf(state, job.terms), signal)
    for (const id of dueLeases(state, settled, voices, job, this.now()))
      await this.settleLease(state, job, id, settled, voices, signal)
    for (const { number, releaseAtS } of settled.unreleased)
      if (releaseAtS * 1000 <= this.now() && this.myTurn(`release ${state.job} ${number}`, committeeOf(state, job.terms)))
        await this.post({ kind: 'release', terms: job.terms, batch: number }, `alone/release/${state.job}/${number}`, signal)
  }

  /** One step on the way of a lease: looked at, revealed, signed, posted. The next look takes the next. */
  private async settleLease(
    state: JobState,
    job: CheckerJob,
    id: number,
    settled: Settlement,
    voices: Voices,
    signal: AbortSignal,
  ): Promise<void> {
    const { checker, graceMs } = this.options
    const committee = committeeOf(state, job.terms)
    const { lease, seq } = state.leases[id]!
    const commits = state.commits[id]!
    const ask = (action: Parameters<Checker['send']>[0], word: string): Promise<void> =>
      checker.send(action, { key: `alone/${word}/${state.job}/${id}`, signal })
    if (!state.cast[id]) return ask({ kind: 'check', job, lease, commits }, 'check')
    const cast = voices.votesOn(id, seq)
    if (!cast.has(checker.address)) return ask({ kind: 'reveal', job, lease: id }, 'reveal')
    if (cast.size < job.terms.quorum) return
    if (cast.size < committee.length && this.forMs(`votes ${state.job} ${id}`) < graceMs) return

    const all = [...cast.values()]
    const votes = all.flatMap((one) => one.votes)
    const result = leaseResultOf({ lease, seq, commits, votes, quorum: job.terms.quorum })
    const body = { job: state.job, results: [result] }
    const batch: Batch = { ...body, batchHash: batchHash(body, job.terms, committee), validUntilS: job.terms.attestByS }
    const signatures = voices.signaturesOf(batch)
    const readies = voices.readies(seq)
    if (!signatures.some((one) => one.checker === checker.address))
      return ask({ kind: 'sign-batch', job, batch, votes, seeds: all.map((one) => one.seed), readies }, `sign/${batch.batchHash}`)
    if (signatures.length < job.terms.quorum || !this.myTurn(`attest ${batch.batchHash}`, committee)) return
    if (!settled.ready) {
      const first = voices.readies(0).slice(0, job.terms.quorum)
      if (first.length < job.terms.quorum) return
      await this.post({ kind: 'ready', terms: job.terms, ready: first }, `alone/ready/${state.job}`, signal)
    }
    const { set, leases } = state.sets[seq]!
    await this.post(
      {
        kind: 'attest',
        terms: job.terms,
        batch,
        sets: [{ set, leases: leases.map((one) => state.leases[one]!.lease) }],
        signatures: signatures.slice(0, job.terms.quorum),
      },
      `alone/attest/${batch.batchHash}`,
      signal,
    )
  }

  private async post(action: Parameters<Ledger['send']>[0], key: string, signal: AbortSignal): Promise<void> {
    const { ledger, log } = this.options
    try {
      await ledger.send(action, { key, signal })
      log?.(`posted ${key}`)
    } catch (error) {
      // A peer, or the runner after all, was faster.
      if (!isPictorError(error, 'ledger-refused') || !['done', 'settled'].includes(String(error.details['reason']))) throw error
    }
  }

  private now(): number {
    return this.options.now()
  }

  /** For how long something has been possible. */
  private forMs(what: string): number {
    const since = this.sinceMs.get(what) ?? this.now()
    this.sinceMs.set(what, since)
    return this.now() - since
  }

  private myTurn(what: string, committee: readonly Address[]): boolean {
    const { checker, canPost = true, turnMs } = this.options
    return canPost && this.forMs(what) >= Math.max(0, committee.indexOf(checker.address)) * turnMs
  }
}

/**
 * Leases to settle: whole or past their time, every part of them held by a quorum, nothing of them on the ledger yet, and no frame that earns in another lease.
 */
function dueLeases(state: JobState, settled: Settlement, voices: Voices, { terms }: CheckerJob, nowMs: number): number[] {
  return Object.values(state.leases).flatMap(({ lease, canceled }) => {
    const commits = state.commits[lease.id] ?? []
    if (canceled || commits.length === 0 || settled.attested.has(lease.id)) return []
    const held = commits.reduce((sum, commit) => sum + commit.outputs.length, 0)
    if (held < lease.frames.length && nowMs <= lease.commitByS * 1000) return []
    if (!commits.every(({ outputRoot }) => voices.heldBy(lease.id, outputRoot) >= terms.quorum)) return []
    return lease.frames.some((frame) => earnsElsewhere(state, lease.id, frame)) ? [] : [lease.id]
  })
}

/** A frame earns once a job: where it was committed under another lease too, this one has it only as the original of a hedge, or where the other was refused. */
function earnsElsewhere(state: JobState, id: number, frame: number): boolean {
  const { part } = state.leases[id]!.lease
  return Object.values(state.leases).some(({ lease: other }) => {
    if (other.id === id || other.part !== part || other.hedgeOf === id || !other.frames.includes(frame)) return false
    if (!state.commits[other.id]?.some(({ outputs }) => outputs.some((output) => output.frame === frame))) return false
    return state.cast[other.id]?.votes.find((vote) => vote.frame === frame)?.verdict !== 'refuse'
  })
}
