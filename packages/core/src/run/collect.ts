import type { Artifacts } from '../contract/artifacts.ts'
import type { Clock } from '../contract/context.ts'
import type { FarmEvent, TaskRef, TaskState } from '../contract/farm.ts'
import type { Address, Bytes32, Commit, LedgerDomain } from '../contract/messages.ts'
import type { TaskInput } from '../job/task-facts.ts'
import type { LeaseCancel, TaskOrder } from '../job/task-state.ts'
import { pause } from './effort.ts'
import type { FarmLoop } from './farm-loop.ts'
import { outputFetcher } from './fetch-outputs.ts'
import type { JobProofs } from './proofs.ts'
import { silence, type Silence } from './silence.ts'
import type { RunnerTuning } from './tuning.ts'

export interface CollectOptions {
  readonly loop: FarmLoop
  readonly ref: TaskRef
  readonly order: TaskOrder
  readonly job: Bytes32
  readonly domain: LedgerDomain
  /** Hash of the bytes of a frame that are here already, by index. */
  readonly fetched: (index: number) => Bytes32 | undefined
  readonly committed: (commit: Commit) => boolean
  readonly send: (input: TaskInput) => Promise<unknown>
  readonly onProgress: (progress: { readonly framesDone: number; readonly frame?: number; readonly fraction?: number }) => void
  readonly artifacts: Artifacts
  readonly proofs: JobProofs
  readonly clock: Clock
  readonly tuning: RunnerTuning
  readonly signal: AbortSignal
}

const MOVING: readonly TaskState[] = ['running', 'starting']
const ENDED: readonly TaskState[] = ['succeeded', 'failed', 'canceled', 'incompatible', 'lost', 'interrupted']

/** The farm's signed last word, where the event carries one. Checkers verify it before they rely on it. */
function signedCancel({ outputRoot, signature }: Extract<FarmEvent, { type: 'canceled' }>): { readonly cancel?: LeaseCancel } {
  return outputRoot && signature ? { cancel: { root: outputRoot, sig: signature } } : {}
}

/**
 * Follows one task at its farm until the signal ends it: downloads outputs, checks commitments, reports the farm's end, and notices when a running task makes no
 * progress of any kind.
 */
export async function collect(options: CollectOptions): Promise<void> {
  const { loop, ref, order, clock, tuning, signal, send } = options
  const quiet = silence(loop, clock)
  const unwatch = loop.watch(ref, {
    take: taker(options, quiet),
    missing: async () => void (await send({ type: 'farm-state', ref: ref.ref, state: 'lost' })),
  })
  try {
    const limitMs = Math.max(tuning.stallMs, (6 * order.expectedMs) / Math.max(1, order.lease.frames.length))
    while (!signal.aborted) {
      await pause(clock, Math.max(1, limitMs - quiet.lastsMs()), signal)
      if (signal.aborted) return
      const quietMs = quiet.lastsMs()
      if (quietMs < limitMs) continue
      // A farm that does not answer at all makes no progress either, wherever its tasks stand.
      const down = loop.downSinceMs !== undefined && clock.now() - loop.downSinceMs >= limitMs
      if (quiet.moving || down) await send({ type: 'stalled', ref: ref.ref, quietMs }).catch(() => {})
      quiet.broken()
    }
  } finally {
    unwatch()
  }
}

/** What the events of the task become. */
function taker(options: CollectOptions, quiet: Silence): (events: readonly FarmEvent[]) => Promise<void> {
  const { ref, signal, send } = options
  const outputs = outputFetcher(options)
  const take = async (event: FarmEvent): Promise<unknown> => {
    switch (event.type) {
      case 'output':
      case 'frame-failed':
        return quiet.broken()
      case 'commit':
        quiet.broken()
        return takeCommit(options, event.commit)
      case 'state': {
        const { state, raw, failure } = event
        quiet.said(`${state} ${raw}`, MOVING.includes(state))
        return ENDED.includes(state) && send({ type: 'farm-state', ref: ref.ref, state, ...(failure ? { failure } : {}) })
      }
      case 'progress': {
        const { framesDone, frame, fraction } = event
        quiet.said(`${framesDone} ${frame} ${fraction}`, true)
        return options.onProgress({
          framesDone,
          ...(frame === undefined ? {} : { frame }),
          ...(fraction === undefined ? {} : { fraction }),
        })
      }
      case 'ticket':
        return send({ type: 'ticket', ticket: event.ticket })
      case 'canceled':
        return send({ type: 'canceled', ref: ref.ref, ...signedCancel(event) })
      default:
        // Usage lines are information, and readers ignore types that they do not know.
        return undefined
    }
  }
  return async (events) => {
    outputs.take(events.flatMap((event) => (event.type === 'output' ? [event.output] : [])))
    for (const event of events) if (!signal.aborted) await take(event)
  }
}

async function takeCommit({ job, domain, order, proofs, committed, ref, send }: CollectOptions, commit: Commit): Promise<void> {
  if (committed(commit)) return
  const { id, farm } = order.lease
  const good = commit.job === job && commit.lease === id && isGood(proofs, domain, commit, farm)
  await send(
    good
      ? { type: 'commit', ref: ref.ref, commit }
      : { type: 'commit-bad', ref: ref.ref, message: `commitment ${commit.index} of lease ${id} does not hold` },
  )
}

function isGood(proofs: JobProofs, domain: LedgerDomain, commit: Commit, key: Address): boolean {
  return proofs.verifyCommit(domain, commit, key)
}
