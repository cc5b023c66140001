import type { Output } from '../contract/farm.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { downloadsOf } from '../contract/sealing.ts'
import type { FetchedSeal } from '../job/task-state.ts'
import type { CollectOptions } from './collect.ts'
import { download } from './download.ts'

/** Brings the outputs of one task into the artifacts and reports each picture once it is there whole. */
export interface OutputFetcher {
  /** Outputs that the farm has reported, in its order. Those that are known change nothing. */
  take(outputs: readonly Output[]): void
}

/** `Output.layer` of a frame's layers before denoising and compositing, which come beside the picture in check class `sidecar` (docs/selfhosted.md). */
const NOISY_LAYER = 'noisy'

interface Fetched {
  readonly frame: number
  readonly hash: Bytes32
  readonly ms: number
  readonly doneAtMs: number
  readonly sealed: readonly FetchedSeal[]
}

/** How a sealed output is found again among the artifacts. */
function sealOf({ hash, sealed }: Output): readonly FetchedSeal[] {
  if (!sealed) return []
  const { preview } = sealed
  return [{ outputHash: hash, sealedHash: sealed.hash, ...(preview ? { preview: preview.hash } : {}) }]
}

/** Versions of a frame that are fetched: a farm may render a frame again, and one that reports it again without end fills no disk and no journal. */
const MOST_VERSIONS = 16

export function outputFetcher(options: CollectOptions): OutputFetcher {
  const { ref, order, fetched, send, signal } = options
  const { frames, part, checkClass } = order.lease
  const indexOf = new Map(frames.map((frame, index) => [frame, index]))
  /** Hash of the bytes that are wanted of each frame, by index. */
  const wanted = new Map<number, Bytes32>()
  const versions = new Map<number, number>()
  /** Files beside the pictures (layers for checks), by frame: here before the picture counts as fetched. */
  const besides = new Map<number, readonly Output[]>()
  let ready: Fetched[] = []
  let sending = false
  const isBeside = (output: Output): boolean => checkClass === 'sidecar' && output.layer === NOISY_LAYER

  function keepBeside(output: Output): void {
    if (!indexOf.has(output.frame)) return
    const others = (besides.get(output.frame) ?? []).filter((one) => one.layer !== output.layer)
    besides.set(output.frame, [...others, output])
  }

  function want(output: Output): void {
    const index = indexOf.get(output.frame)
    // A farm that rendered a frame again has other bytes under its name: the first ones may never come.
    if (index === undefined || (wanted.get(index) ?? fetched(index)) === output.hash) return
    const version = (versions.get(index) ?? 0) + 1
    if (version > MOST_VERSIONS) return
    versions.set(index, version)
    wanted.set(index, output.hash)
    void fetchWhole(index, output).catch(() => {})
  }

  async function fetchWhole(index: number, output: Output): Promise<void> {
    const files = [...(besides.get(output.frame) ?? []), output]
    const still = { ...options, wanted: () => wanted.get(index) === output.hash }
    for (const file of files) for (const one of downloadsOf(file)) if (!(await download(one, still))) return
    if (!still.wanted()) return
    const { hash, renderMs: ms = 0, completedAtMs: doneAtMs } = output
    ready.push({ frame: index, hash, ms, doneAtMs, sealed: files.flatMap(sealOf) })
    if (sending) return
    sending = true
    queueMicrotask(() => void flush())
  }

  /** What arrives in one turn goes into one fact. */
  async function flush(): Promise<void> {
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

  return {
    take(outputs) {
      const own = outputs.filter((output) => output.part === part)
      for (const output of own) if (isBeside(output)) keepBeside(output)
      for (const output of own) if (!isBeside(output)) want(output)
    },
  }
}
