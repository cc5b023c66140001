import type { Checker, CheckerAction, CheckerEvent } from '../contract/checker.ts'
import type { Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32, Commit, Lease, Vote } from '../contract/messages.ts'
import { ZERO_HASH } from '../proof/hash.ts'
import { systemClock } from '../run/clock.ts'
import { sha256, simulatedContent } from './farm-model.ts'
import { simulatedAddress, simulatedSignature, textHash } from './keys.ts'
import { simulatedSeed, simulatedVoteSignature } from './proofs.ts'
import { hashUnit, seededRandom } from './random.ts'

/** Probabilities (0..1) of what a checker may do wrong. */
export interface CheckerFaults {
  readonly callFails?: number
  readonly replyLost?: number
  /** It takes a request and never answers it. */
  readonly forgets?: number
  /** An event is delivered twice. */
  readonly eventTwice?: number
  /** It votes the other way. */
  readonly liesAbout?: number
  /** After its votes on a lease it sends others with the opposite verdicts. */
  readonly votesTwice?: number
  /** It reveals another seed than its Ready committed to. */
  readonly choosesSeeds?: number
  /** It refuses an action with an alarm. */
  readonly refuses?: number
}

export interface SimulatedCheckerOptions {
  readonly id: string
  readonly clock?: Clock
  readonly seed?: number
  /** Time that each action takes (100). */
  readonly workMs?: number
  readonly pollMs?: number
  readonly faults?: CheckerFaults
  /** It is silent from this time of the clock on. */
  readonly silentFromMs?: number
  /** Forget votes that are signed for and events that were polled: for millions of frames. */
  readonly lean?: boolean
  /** What an honest farm would have delivered. */
  readonly truth?: (run: string, frame: number) => Uint8Array
}

export interface SimulatedChecker extends Checker {
  /** Frames it voted on, by lease and frame: more than one vote with different verdicts would be equivocation. */
  readonly voted: Map<string, Vote>
  /** What an honest runner never asks for: a Final that keeps less than the farms may still be owed. Empty in a correct run. */
  readonly violations: string[]
}

interface JobBook {
  readonly events: { readonly atMs: number; readonly event: CheckerEvent }[]
  readonly keys: Set<string>
  readonly sets: Map<number, string>
  readonly leases: Map<number, Lease>
  /** Frames and tiles accepted under some lease: the same one earns once. */
  readonly earned: Map<string, number>
  readonly votes: Map<number, Vote[]>
  /** Leases it signed batches for. */
  readonly attested: Set<number>
  /** Leases of which it holds what was committed. */
  readonly held: Set<number>
  finalSigned: boolean
  /** Events that a lean checker let go of. */
  forgotten: number
}

/**
 * A checker in memory: it knows what every frame should look like, keeps the rules that a real one keeps (one set a sequence number, budgets, one verdict a frame, no batch
 * that does not follow from its votes), and has faults from a seed. It signs with stand-ins.
 */
export function simulatedChecker(options: SimulatedCheckerOptions): SimulatedChecker {
  const clock = options.clock ?? systemClock()
  const address = simulatedAddress(`checker ${options.id}`)
  const random = seededRandom(options.seed ?? 1)
  const faults = options.faults ?? {}
  const jobs = new Map<Bytes32, JobBook>()
  const voted = new Map<string, Vote>()
  const violations: string[] = []
  const truth = options.truth ?? ((run: string, frame: number) => simulatedContent({ run }, frame, true))
  const truthHashes = new Map<string, Bytes32>()
  const truthHash = (run: string, frame: number): Bytes32 => {
    const name = `${run}/${frame}`
    let known = truthHashes.get(name)
    if (known === undefined) {
      known = sha256(truth(run, frame))
      if (!options.lean) truthHashes.set(name, known)
    }
    return known
  }
  const book = (job: Bytes32): JobBook => {
    let found = jobs.get(job)
    if (!found)
      jobs.set(
        job,
        (found = {
          events: [],
          keys: new Set(),
          sets: new Map(),
          leases: new Map(),
          earned: new Map(),
          votes: new Map(),
          attested: new Set(),
          held: new Set(),
          finalSigned: false,
          forgotten: 0,
        }),
      )
    return found
  }
  const sign = (message: string) => simulatedSignature(address, message)
  const unreachable = (): PictorError => new PictorError('farm-unreachable', `${options.id}: no answer`)

  function act(action: CheckerAction, own: JobBook): CheckerEvent | undefined {
    const atMs = clock.now()
    const { job, terms, run } = action.job
    const alarm = (reason: string, lease?: number): CheckerEvent => ({
      type: 'alarm',
      action: action.kind,
      reason,
      message: `${options.id}: ${reason}`,
      atMs,
      ...(lease === undefined ? {} : { lease }),
    })
    switch (action.kind) {
      case 'ready': {
        const { set, leases } = action
        const known = own.sets.get(set.seq)
        if (known !== undefined && known !== set.setRoot) return alarm('two-sets')
        if (own.finalSigned) return alarm('final')
        // A lease that is over for the runner but not yet for the farm may still be bound; real checkers know more. Attested money is exact.
        const attested = [...own.attested].reduce((sum, id) => sum + (own.leases.get(id)?.price ?? 0n), 0n)
        if (attested + leases.reduce((sum, lease) => sum + lease.price, 0n) > terms.farmBudget) return alarm('budget')
        own.sets.set(set.seq, set.setRoot)
        for (const lease of leases) own.leases.set(lease.id, lease)
        const ready = {
          job,
          seq: set.seq,
          setRoot: set.setRoot,
          bundleRoot: terms.bundleRoot,
          seedRoot: textHash(`seeds ${options.id} ${set.seq}`),
          checker: address,
          signature: sign(`ready ${job} ${set.seq} ${set.setRoot}`),
        }
        return { type: 'ready', ready, atMs }
      }
      case 'hold': {
        const { lease, commit } = action
        if (atMs > lease.commitByS * 1000) return alarm('late', lease.id)
        own.held.add(lease.id)
        const held = {
          job,
          lease: lease.id,
          outputRoot: commit.outputRoot,
          checker: address,
          signature: sign(`held ${job} ${lease.id} ${commit.outputRoot}`),
        }
        return { type: 'held', held, atMs }
      }
      case 'check': {
        own.votes.set(action.lease.id, vote(action.lease, action.commits, job, run, own))
        return { type: 'checked', lease: action.lease.id, checker: address, cpuMs: 1, atMs }
      }
      case 'reveal': {
        const votes = own.votes.get(action.lease)
        if (!votes) return undefined
        const reports = votes.map((one) => ({
          lease: one.lease,
          frame: one.frame,
          part: one.part,
          verdict: one.verdict,
          checked: one.checked,
          findings: [],
          ms: 1,
        }))
        const chosen = hashUnit(`${options.seed} choose ${action.lease}`) < (faults.choosesSeeds ?? 0)
        const value = chosen ? textHash(`chosen ${options.id} ${action.lease}`) : simulatedSeed(address, action.lease)
        const seed = { lease: action.lease, seed: value, proof: [], checker: address }
        return { type: 'votes', lease: action.lease, votes, seed, reports, atMs }
      }
      case 'sign-batch': {
        const { batch } = action
        for (const { lease, records } of batch.results)
          for (const record of records) {
            const mine = own.votes.get(lease.id)?.find((one) => one.frame === record.frame)
            const others = action.votes.filter(
              (one) => one.lease === lease.id && one.frame === record.frame && one.verdict === 'accept',
            )
            if (record.verdict === 'accept' && others.length < terms.quorum) return alarm('no-quorum-accepts')
            if (mine?.verdict === 'accept' && record.verdict === 'refuse') return alarm('not-my-verdict')
          }
        if (own.finalSigned) return alarm('final')
        for (const { lease } of batch.results) {
          own.attested.add(lease.id)
          if (options.lean) own.votes.delete(lease.id)
        }
        const signature = { checker: address, signature: sign(`batch ${job} ${batch.batchHash} ${batch.validUntilS}`) }
        return { type: 'batch-signature', batchHash: batch.batchHash, signature, atMs }
      }
      case 'sign-final': {
        const { settled, open } = neededAtFinal(own, terms.checkFee, new Set(action.canceled?.map(({ lease }) => lease)), atMs)
        if (action.keep < settled) {
          violations.push(`${options.id}: Final would keep ${action.keep}, leases that it holds need ${settled}`)
          return alarm('keep-too-small')
        }
        // It is asked again: a farm may still commit.
        if (action.keep < settled + open) return undefined
        own.finalSigned = true
        return {
          type: 'final-signature',
          keep: action.keep,
          signature: { checker: address, signature: sign(`final ${job} ${action.keep}`) },
          atMs,
        }
      }
    }
  }

  /** Full prices and check fees: of leases that are attested or held, and of those that may still be committed. */
  function neededAtFinal(own: JobBook, checkFee: bigint, canceled: ReadonlySet<number>, atMs: number) {
    let [settled, open] = [0n, 0n]
    for (const { id, price, frames, commitByS } of own.leases.values()) {
      if (canceled.has(id)) continue
      const full = price + checkFee * BigInt(frames.length)
      if (own.attested.has(id) || own.held.has(id)) settled += full
      else if (commitByS * 1000 >= atMs) open += full
    }
    return { settled, open }
  }

  function vote(lease: Lease, commits: readonly Commit[], job: Bytes32, run: string, own: JobBook): Vote[] {
    return commits.flatMap((commit) =>
      commit.outputs.map((output) => {
        const honest = output.outputHash === truthHash(run, output.frame)
        const lie = hashUnit(`${options.seed} lie ${lease.id} ${output.frame}`) < (faults.liesAbout ?? 0)
        const earned = own.earned.get(`${output.frame}/${output.part}`)
        const fine = honest !== lie && (earned === undefined || earned === lease.id)
        if (fine && !options.lean) own.earned.set(`${output.frame}/${output.part}`, lease.id)
        const body = {
          job,
          lease: lease.id,
          frame: output.frame,
          part: output.part,
          outputHash: output.outputHash,
          checked: true,
          verdict: fine ? ('accept' as const) : ('refuse' as const),
          score: fine ? 1000 : 0,
          cropsHash: ZERO_HASH,
          checker: address,
        }
        const signed: Vote = { ...body, signature: simulatedVoteSignature(body) }
        if (options.faults) voted.set(`${job} ${lease.id} ${output.frame}`, signed)
        return signed
      }),
    )
  }

  return {
    contract: 1,
    id: options.id,
    address,
    voted,
    violations,
    async send(action, ctx) {
      ctx.signal?.throwIfAborted()
      if (clock.now() >= (options.silentFromMs ?? Infinity) || random.chance(faults.callFails ?? 0)) throw unreachable()
      const own = book(action.job.job)
      // A repeated request gets a fresh answer: the first may have been forgotten.
      if (!random.chance(faults.forgets ?? 0)) {
        const lease = 'lease' in action ? (typeof action.lease === 'number' ? action.lease : action.lease.id) : undefined
        const refuses = hashUnit(`${options.seed} refuse ${action.kind} ${lease} ${ctx.key}`) < (faults.refuses ?? 0)
        const event: CheckerEvent | undefined = refuses
          ? {
              type: 'alarm',
              action: action.kind,
              reason: 'unwilling',
              message: 'simulated',
              atMs: clock.now(),
              ...(lease === undefined ? {} : { lease }),
            }
          : act(action, own)
        if (event) {
          const atMs = clock.now() + (options.workMs ?? 100)
          own.events.push({ atMs, event })
          if (random.chance(faults.eventTwice ?? 0)) own.events.push({ atMs, event })
          if (event.type === 'votes' && random.chance(faults.votesTwice ?? 0)) own.events.push({ atMs, event: opposite(event) })
        }
      }
      if (random.chance(faults.replyLost ?? 0)) throw unreachable()
    },
    async poll(query, ctx) {
      ctx.signal?.throwIfAborted()
      if (clock.now() >= (options.silentFromMs ?? Infinity) || random.chance(faults.callFails ?? 0)) throw unreachable()
      const own = book(query.job)
      const from = Number(query.cursor ?? 0)
      if (options.lean) own.forgotten += own.events.splice(0, from - own.forgotten).length
      const list: CheckerEvent[] = []
      let at = from - own.forgotten
      // Work takes the same time for all: the list is in order of time.
      while (at < own.events.length && own.events[at]!.atMs <= clock.now()) list.push(own.events[at++]!.event)
      return { events: list, cursor: String(own.forgotten + at), waitMs: options.pollMs ?? 100 }
    },
  }
}

function opposite(event: Extract<CheckerEvent, { type: 'votes' }>): CheckerEvent {
  const votes = event.votes.map(({ signature: _signature, ...vote }): Vote => {
    const body = { ...vote, verdict: vote.verdict === 'accept' ? ('refuse' as const) : ('accept' as const) }
    return { ...body, signature: simulatedVoteSignature(body) }
  })
  return { ...event, votes }
}
