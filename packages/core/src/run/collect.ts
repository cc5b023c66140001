import type { Artifacts } from '../contract/artifacts.ts'
import type { Clock } from '../contract/context.ts'
import type { FarmEvent, Output, TaskRef, TaskState } from '../contract/farm.ts'
import type { Address, Bytes32, Commit, LedgerDomain } from '../contract/messages.ts'
import { downloadsOf } from '../contract/sealing.ts'
import type { TaskInput } from '../job/task-facts.ts'
import type { FetchedSeal, LeaseCancel, TaskOrder } from '../job/task-state.ts'
import { download } from './download.ts'
import { pause } from './effort.ts'
import type { FarmLoop } from './farm-loop.ts'
import type { JobProofs } from './proofs.ts'
import type { RunnerTuning } from './tuning.ts'

export interface CollectOptions {
  readonly loop: FarmLoop
  readonly ref: TaskRef
  readonly order: TaskOrder
  readonly job: Bytes32
  readonly domain: LedgerDomain
  /** Frame indexes that are here already. */
  readonly fetched: (index: number) => boolean
  readonly committed: (commit: Commit) => boolean
  readonly send: (input: TaskInput) => Promise<unknown>
  readonly onProgress: (progress: { readonly framesDone: number; readonly frame?: number; readonly fraction?: number }) => void
  readonly artifacts: Artifacts
  readonly proofs: JobProofs
  readonly clock: Clock
  readonly tuning: RunnerTuning
  readonly signal: AbortSignal
}

/** `Output.layer` of a frame's layers before denoising and compositing, which come beside the picture in check class `sidecar` (docs/selfhosted.md). */
const NOISY_LAYER = 'noisy'

const MOVING: readonly TaskState[] = ['running', 'starting']
const ENDED: readonly TaskState[] = ['succeeded', 'failed', 'canceled', 'incompatible', 'lost', 'interrupted']

/** The farm's signed last word, where the event carries one. Checkers verify it before they rely on it. */
function signedCancel({ outputRoot, signature }: Extract<FarmEvent, { type: 'canceled' }>): { readonly cancel?: LeaseCancel } {
  return outputRoot && signature ? { cancel: { root: outputRoot, sig: signature } } : {}
}

/** How a sealed output is found again among the artifacts. */
function sealOf({ hash, sealed }: Output): readonly FetchedSeal[] {
  if (!sealed) return []
  const { preview } = sealed
  return [{ outputHash: hash, sealedHash: sealed.hash, ...(preview ? { preview: preview.hash } : {}) }]
}

/**
 * Follows one task at its farm until the signal ends it: downloads outputs, checks commitments, reports the farm's end, and notices when a running task makes no
 * progress of any kind.
 */
export async function collect(options: CollectOptions): Promise<void> {
  const { loop, ref, order, clock, tuning, signal, send } = options
  const { frames, farm, part } = order.lease
  const wanted = new Set<number>()
  /** Files beside the pictures (layers for checks), by frame: here before the picture counts as fetched. */
  const besides = new Map<number, Output[]>()
  const isBeside = (output: Output): boolean => order.lease.checkClass === 'sidecar' && output.layer === NOISY_LAYER
  let ready: { frame: number; hash: Bytes32; ms: number; doneAtMs: number; sealed: FetchedSeal[] }[] = []
  let sending = false
  let moving = false
  let progressAtMs = clock.now()
  let progress = ''

  /** What arrives in one turn goes into one fact. */
  const flush = async (): Promise<void> => {
    sending = true
    while (ready.length > 0 && !signal.aborted) {
      const batch = ready
      ready = []
      const sealed = batch.flatMap((one) => one.sealed)
      await send({
        type: 'fetched',
        ref: ref.ref,
        frames: batch.map((one) => one.frame),
        hashes: batch.map((one) => one.hash),
        renderMs: batch.map((one) => one.ms),
        completedAtMs: batch.map((one) => one.doneAtMs),
        ...(sealed.length > 0 ? { sealed } : {}),
      }).catch(() => {})
    }
    sending = false
  }
  const fetch = (output: Output): void => {
    const index = frames.indexOf(output.frame)
    if (index < 0 || output.part !== part || wanted.has(index) || options.fetched(index)) return
    wanted.add(index)
    void loop.downloads.add(async () => {
      if (signal.aborted) return
      const files = [...(besides.get(output.frame) ?? []), output]
      const sealed = files.flatMap(sealOf)
      for (const file of files)
        for (const part of downloadsOf(file)) if (!(await download(loop, part, options.artifacts, clock, tuning, signal))) return
      ready.push({ frame: index, hash: output.hash, ms: output.renderMs ?? 0, doneAtMs: output.completedAtMs, sealed })
      if (!sending) {
        sending = true
        queueMicrotask(() => void flush())
      }
    })
  }

  async function take(events: readonly FarmEvent[]): Promise<void> {
    for (const event of events) {
      if (event.type !== 'output' || !isBeside(event.output) || event.output.part !== part) continue
      const { output } = event
      const others = (besides.get(output.frame) ?? []).filter((one) => one.layer !== output.layer)
      besides.set(output.frame, [...others, output])
    }
    for (const event of events) {
      if (signal.aborted) return
      switch (event.type) {
        case 'output':
          progressAtMs = clock.now()
          if (!isBeside(event.output)) fetch(event.output)
          break
        case 'commit':
          progressAtMs = clock.now()
          await takeCommit(event.commit)
          break
        case 'state':
          if (`${event.state} ${event.raw}` !== progress) progressAtMs = clock.now()
          progress = `${event.state} ${event.raw}`
          moving = MOVING.includes(event.state)
          if (ENDED.includes(event.state))
            await send({
              type: 'farm-state',
              ref: ref.ref,
              state: event.state,
              ...(event.failure ? { failure: event.failure } : {}),
            })
          break
        case 'progress': {
          const now = `${event.framesDone} ${event.frame} ${event.fraction}`
          if (now !== progress) progressAtMs = clock.now()
          progress = now
          moving = true
          const { framesDone, frame, fraction } = event
          options.onProgress({
            framesDone,
            ...(frame === undefined ? {} : { frame }),
            ...(fraction === undefined ? {} : { fraction }),
          })
          break
        }
        case 'frame-failed':
          progressAtMs = clock.now()
          break
        case 'ticket':
          await send({ type: 'ticket', ticket: event.ticket })
          break
        case 'canceled':
          await send({ type: 'canceled', ref: ref.ref, ...signedCancel(event) })
          break
        default:
          // Usage lines are information, and readers ignore types that they do not know.
          break
      }
    }
  }

  async function takeCommit(commit: Commit): Promise<void> {
    if (options.committed(commit)) return
    const good = commit.job === options.job && commit.lease === order.lease.id && isGood(commit, farm)
    await send(
      good
        ? { type: 'commit', ref: ref.ref, commit }
        : { type: 'commit-bad', ref: ref.ref, message: `commitment ${commit.index} of lease ${order.lease.id} does not hold` },
    )
  }
  function isGood(commit: Commit, key: Address): boolean {
    return options.proofs.verifyCommit(options.domain, commit, key)
  }

  const unwatch = loop.watch(ref, {
    take,
    missing: async () => void (await send({ type: 'farm-state', ref: ref.ref, state: 'lost' })),
  })
  try {
    const quietMs = Math.max(tuning.stallMs, (6 * order.expectedMs) / Math.max(1, frames.length))
    // A clock that was set back has not seen the last progress yet. While a farm rests because it asked to, nobody looks and its tasks go on: silence counts from the end
    // of the rest. However long that is, its lease ends with commitBy, and a tail that waits for it is leased a second time before.
    const silentSinceMs = (): number => Math.max(Math.min(progressAtMs, clock.now()), loop.restUntilMs)
    while (!signal.aborted) {
      progressAtMs = Math.min(progressAtMs, clock.now())
      await pause(clock, Math.max(1, silentSinceMs() + quietMs - clock.now()), signal)
      if (signal.aborted) return
      const quiet = clock.now() - silentSinceMs()
      if (quiet < quietMs) continue
      // A farm that does not answer at all makes no progress either, wherever its tasks stand.
      const down = loop.downSinceMs !== undefined && clock.now() - loop.downSinceMs >= quietMs
      if (moving || down) await send({ type: 'stalled', ref: ref.ref, quietMs: quiet }).catch(() => {})
      progressAtMs = clock.now()
    }
  } finally {
    unwatch()
  }
}
