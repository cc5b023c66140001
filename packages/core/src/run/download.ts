import { createHash } from 'node:crypto'
import type { Artifacts } from '../contract/artifacts.ts'
import type { Clock } from '../contract/context.ts'
import { PictorError, isPictorError } from '../contract/error.ts'
import type { Output } from '../contract/farm.ts'
import type { FarmLoop } from './farm-loop.ts'
import { backoffMs, limitedCall, pause } from './effort.ts'
import type { RunnerTuning } from './tuning.ts'

/**
 * Brings one output into the artifacts: resumes where a stream broke off, starts over when the bytes do not have the hash that the farm named, and goes on until the
 * signal ends it. Resolves to whether it is there.
 */
export async function download(
  loop: FarmLoop,
  output: Output,
  artifacts: Artifacts,
  clock: Clock,
  tuning: RunnerTuning,
  signal: AbortSignal,
): Promise<boolean> {
  const key = `open ${output.task.ref} ${output.name}`
  let parts: Uint8Array[] = []
  let got = 0
  for (let attempt = 0; !signal.aborted; attempt++) {
    let waitMs: number | undefined
    let retryAfterMs: number | undefined
    try {
      if (attempt === 0 && (await artifacts.has(output.hash))) return true
      const answer = await limitedCall(clock, tuning.callMs, signal, (limited) =>
        loop.farm.open(output, { offset: got }, { signal: limited, key }),
      )
      if ('unavailable' in answer) {
        // `gone` may still come back from a reconcile; the lease's commitBy ends the waiting.
        waitMs = answer.retryAfterMs ?? (answer.unavailable === 'not-yet' ? tuning.pollMinMs : tuning.retryMaxMs)
      } else {
        const end = got + answer.bytes
        for await (const part of answer.stream) {
          signal.throwIfAborted()
          parts.push(part.slice())
          got += part.length
          if (got > end || got > output.bytes) throw new PictorError('farm-refused', `${output.name}: more bytes than announced`)
        }
        if (got < output.bytes) throw new PictorError('farm-unreachable', `${output.name}: the stream ended early`)
        const data = Buffer.concat(parts)
        if (`0x${createHash('sha256').update(data).digest('hex')}` === output.hash) {
          await artifacts.put(data)
          return true
        }
        parts = []
        got = 0
      }
    } catch (error) {
      if (isPictorError(error, 'farm-refused')) {
        parts = []
        got = 0
      }
      if (isPictorError(error, 'store-failed')) waitMs = tuning.retryMaxMs
      // A farm's rest ends when it says. With waits that double, a download would go on missing the moments in which a busy farm answers.
      if (isPictorError(error)) retryAfterMs = error.details.retryAfterMs
    }
    const again = waitMs ?? backoffMs(key, attempt, tuning, retryAfterMs)
    if (!signal.aborted) await pause(clock, again, signal)
  }
  return false
}
