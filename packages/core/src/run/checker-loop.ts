import type { Checker, CheckerEvent } from '../contract/checker.ts'
import type { Vote } from '../contract/messages.ts'
import { limitedCall } from './effort.ts'
import { type VotesBlob, writeBlob } from './evidence.ts'
import type { JobHost } from './job-host.ts'
import { nap, type Nap } from './nap.ts'
import type { RunnerTuning } from './tuning.ts'
import { pollRhythm, type PollRhythm } from './poll-rhythm.ts'

/** Polls one checker about one job and turns its words into inputs. */
export interface CheckerLoop {
  readonly checker: Checker
  /** Runs `ask`; while it lasts the checker owes an answer. */
  during: PollRhythm['during']
  /** Something was asked: look soon. */
  expect(): void
}

export function checkerLoop(checker: Checker, host: () => JobHost, tuning: RunnerTuning, signal: AbortSignal): CheckerLoop {
  let cursor: string | undefined
  let running = false
  let rest: Nap | undefined
  const rhythm = pollRhythm(checker.id, tuning)

  async function loop(): Promise<void> {
    const { shared } = host()
    const { clock } = shared
    rest = nap(clock)
    while (!signal.aborted && host().job.state.phase !== 'ended') {
      let waitMs: number
      rest.arm()
      try {
        const job = host().jobId()
        const page = await limitedCall(clock, tuning.callMs, signal, (limited) =>
          checker.poll(
            { job, ...(cursor === undefined ? {} : { cursor }) },
            { signal: limited, key: `poll ${checker.id} ${job}` },
          ),
        )
        await takeAll(page.events)
        cursor = page.cursor
        waitMs = rhythm.after(page)
      } catch (error) {
        if (signal.aborted) return
        waitMs = rhythm.afterFailure(error)
      }
      await rest.sleep(waitMs, signal)
    }
  }

  /** Events of different leases do not wait for each other; those of one lease keep their order. */
  async function takeAll(events: readonly CheckerEvent[]): Promise<void> {
    const lanes = new Map<number, Promise<void>>()
    for (const event of events) {
      const lane = leaseOf(event)
      lanes.set(
        lane,
        (lanes.get(lane) ?? Promise.resolve()).then(() => take(event)),
      )
    }
    await Promise.all(lanes.values())
  }

  async function take(event: CheckerEvent): Promise<void> {
    const { shared, job } = host()
    const { proofs, options } = shared
    const { domain } = options.ledger
    switch (event.type) {
      case 'ready':
        if (event.ready.checker === checker.address && proofs.verifyReady(domain, event.ready))
          await job.send({ type: 'ready', ready: event.ready })
        return
      case 'held': {
        const { held } = event
        const task = host().tasks.get(held.lease)
        if (!task || task.state.phase !== 'holding') return
        if (held.job !== host().jobId() || held.checker !== checker.address || !proofs.verifyHeld(domain, held)) return
        await task.send({ type: 'held', checker: checker.address, outputRoot: held.outputRoot, signature: held.signature })
        return
      }
      case 'checked':
        await host().tasks.get(event.lease)?.send({ type: 'checked', checker: checker.address })
        return
      case 'votes':
        return takeVotes(event)
      case 'batch-signature': {
        const batch = job.state.batches.findLast((one) => one.hash === event.batchHash)
        if (!batch || batch.phase !== 'signing' || event.signature.checker !== checker.address) return
        const message = {
          job: host().jobId(),
          results: [],
          batchHash: event.batchHash,
          validUntilS: job.state.order!.terms.attestByS,
        }
        if (proofs.verifyBatchSignature(domain, message, event.signature))
          await job.send({
            type: 'batch-signed',
            hash: event.batchHash,
            checker: checker.address,
            signature: event.signature.signature,
          })
        return
      }
      case 'final-signature':
        if (event.signature.checker !== checker.address) return
        if (proofs.verifyFinalSignature(domain, host().jobId(), event.keep, event.signature))
          await job.send({
            type: 'final-signed',
            keep: String(event.keep),
            checker: checker.address,
            signature: event.signature.signature,
          })
        return
      case 'alarm': {
        const { action, reason, message, lease } = event
        if (action === 'ready' || action === 'sign-batch')
          await job.send({ type: 'checker-refused', checker: checker.address, action, message: `${reason}: ${message}` })
        else if (lease !== undefined)
          await host()
            .tasks.get(lease)
            ?.send({ type: 'checker-silent', checker: checker.address, action, reason: `${reason}: ${message}` })
        return
      }
      default:
        return
    }
  }

  async function takeVotes(event: Extract<CheckerEvent, { type: 'votes' }>): Promise<void> {
    const { shared } = host()
    const task = host().tasks.get(event.lease)
    if (!task || task.state.phase !== 'checking' || task.state.votes.has(checker.address)) return
    const { lease } = task.state.order!
    const good = (vote: Vote): boolean =>
      vote.job === host().jobId() &&
      vote.lease === lease.id &&
      vote.part === lease.part &&
      vote.checker === checker.address &&
      shared.proofs.verifyVote(shared.options.ledger.domain, vote)
    const distrust = (reason: string): Promise<unknown> =>
      task.send({ type: 'checker-silent', checker: checker.address, action: 'reveal', reason })
    if (event.seed.checker !== checker.address || !event.votes.every(good)) {
      await distrust('its votes do not hold')
      return
    }
    const seedRoot = host().job.state.sets[host().row(lease.id).seq]?.ready.get(checker.address)?.seedRoot
    if (event.seed.lease !== lease.id || seedRoot === undefined || !shared.proofs.verifySeed(event.seed, seedRoot)) {
      await distrust(
        'seed-differs: the seed that it reveals is not the one that its Ready committed to, so its draws prove nothing',
      )
      return
    }
    const byFrame = new Map(event.votes.map((vote) => [vote.frame, vote.verdict]))
    const verdicts = lease.frames.map((frame) => byFrame.get(frame)?.[0] ?? '-').join('')
    const reports = event.reports.map((report) => ({ ...report, checker: checker.address }))
    const value: VotesBlob = { votes: event.votes, seed: event.seed, reports }
    await task.send({ type: 'votes', checker: checker.address, blob: await writeBlob(shared, value), verdicts })
  }

  return {
    checker,
    during: rhythm.during,
    expect() {
      rhythm.asked()
      if (!running) {
        running = true
        void loop()
      } else rest?.kick()
    },
  }
}

function leaseOf(event: CheckerEvent): number {
  if (event.type === 'held') return event.held.lease
  if (event.type === 'checked' || event.type === 'votes') return event.lease
  return event.type === 'alarm' ? (event.lease ?? 0) : 0
}
