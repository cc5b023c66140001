import type { Artifacts } from '../contract/artifacts.ts'
import type { Clock } from '../contract/context.ts'
import { wakeAfter } from './clock.ts'
import { PictorError, isPictorError } from '../contract/error.ts'
import type { Output } from '../contract/farm.ts'
import type { FarmLoop } from './farm-loop.ts'
import { incoming, type Incoming } from './incoming.ts'
import { backoffMs, limitedCall, pause } from './effort.ts'
import type { RunnerTuning } from './tuning.ts'

export interface DownloadOptions {
  readonly loop: FarmLoop
  readonly artifacts: Artifacts
  readonly clock: Clock
  readonly tuning: RunnerTuning
  readonly signal: AbortSignal
  /** False once nobody wants these bytes any more. */
  readonly wanted: () => boolean
}

/**
 * Brings one output into the artifacts: resumes where a stream broke off, starts over when the bytes do not have the hash that the farm named, and goes on until the
 * signal ends it or nobody wants them. Resolves to whether it is there. An output that the farm does not have yet leaves its place among the farm's downloads to others.
 */
export async function download(output: Output, options: DownloadOptions): Promise<boolean> {
  const { loop, artifacts, clock, signal, wanted } = options
  if (await artifacts.has(output.hash).catch(() => false)) return true
  const bytes = incoming(output.bytes)
  try {
    while (!signal.aborted && wanted()) {
      const again = await loop.downloads.add(() => fetchBytes(output, bytes, options))
      if (again === 'there') return true
      await pause(clock, again ?? 0, signal)
    }
    return false
  } finally {
    await bytes.drop()?.catch(() => {}) // a stray temporary file harms nobody
  }
}

/** Resolves to `there`, or to the time until it is worth another look, in milliseconds. */
async function fetchBytes(
  output: Output,
  bytes: Incoming,
  { loop, artifacts, clock, tuning, signal, wanted }: DownloadOptions,
): Promise<'there' | number> {
  const key = `open ${output.task.ref} ${output.name}`
  for (let attempt = 0; !signal.aborted && wanted(); attempt++) {
    let waitMs: number | undefined
    let retryAfterMs: number | undefined
    try {
      const answer = await limitedCall(clock, tuning.callMs, signal, (limited) =>
        loop.farm.open(output, { offset: bytes.got }, { signal: limited, key }),
      )
      if ('unavailable' in answer) {
        // `gone` may still come back from a reconcile; the lease's commitBy ends the waiting.
        waitMs = answer.retryAfterMs ?? (answer.unavailable === 'not-yet' ? tuning.pollMinMs : tuning.retryMaxMs)
        if (bytes.got === 0) return waitMs
      } else {
        const end = bytes.got + answer.bytes
        for await (const part of timely(answer.stream, clock, tuning.callMs, signal)) {
          signal.throwIfAborted()
          const written = bytes.add(part)
          if (written) await written
          if (bytes.got > end || bytes.got > output.bytes)
            throw new PictorError('farm-refused', `${output.name}: more bytes than announced`)
        }
        if (bytes.got < output.bytes) throw new PictorError('farm-unreachable', `${output.name}: the stream ended early`)
        if (await bytes.keep(output.hash, artifacts)) return 'there'
        await bytes.drop()
      }
    } catch (error) {
      if (isPictorError(error, 'farm-refused')) await bytes.drop()
      if (isPictorError(error, 'store-failed')) waitMs = tuning.retryMaxMs
      // A farm's rest ends when it says. With waits that double, a download would go on missing the moments in which a busy farm answers.
      if (isPictorError(error)) retryAfterMs = error.details.retryAfterMs
    }
    const again = waitMs ?? backoffMs(key, attempt, tuning, retryAfterMs)
    if (!signal.aborted) await pause(clock, again, signal)
  }
  return 0
}

/** The parts of a stream. @throws timeout when the next one does not come in time; the signal's reason */
async function* timely(
  stream: AsyncIterable<Uint8Array>,
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const parts = stream[Symbol.asyncIterator]()
  let seen = 0
  let giveUp = (_reason: unknown): void => {}
  let cancel = (): void => {}
  // One timer and one listener a download, however many parts it has.
  const look = (known: number): void => {
    cancel = wakeAfter(clock, limitMs, () => {
      if (seen === known) giveUp(new PictorError('timeout', `the download stood still for ${limitMs} ms`))
      look(seen)
    })
  }
  const stop = (): void => giveUp(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  look(0)
  let ended = false
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject
        if (signal.aborted) return stop()
        parts.next().then(resolve, reject)
      })
      seen++
      ended = next.done === true
      if (next.done) return
      yield next.value
    }
  } finally {
    cancel()
    signal.removeEventListener('abort', stop)
    // A stream that hangs does not hang this one up.
    if (!ended) void Promise.resolve(parts.return?.()).catch(() => {})
  }
}
