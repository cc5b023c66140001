import { Worker } from 'node:worker_threads'
import { ImageError } from './error.ts'
import type { ScanAnswer, ScanRequest } from './scan-worker.ts'
import type { ImageStats } from './stats/types.ts'
import type { DecodeLimits } from './types.ts'

/** Options of {@link scanFiles}. */
export interface ScanFilesOptions extends DecodeLimits {
  /** Worker threads; default: the number of logical processors, and never more than there are files. */
  readonly threads?: number
  /** Longest time one file may take, milliseconds; its thread is then ended. Default 60,000. */
  readonly timeoutMs?: number
  /** Ends all threads and rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** One file's result, in the order of the input. */
export type ScanResult = { readonly ok: true; readonly stats: ImageStats } | { readonly ok: false; readonly error: ImageError }

/**
 * Scans many files (paths or bytes) on worker threads. A file that cannot be read is a result, not an exception; one that
 * takes too long or kills its thread is `unreadable`, and a fresh thread goes on with the next.
 * @example
 * const results = await scanFiles(['frame_0001.exr', 'frame_0002.exr'], { threads: 2 })
 */
export async function scanFiles(
  inputs: readonly (string | Uint8Array)[],
  options: ScanFilesOptions = {},
): Promise<readonly ScanResult[]> {
  const { threads = navigator.hardwareConcurrency, timeoutMs = 60_000, signal, ...limits } = options
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new ImageError('bad-argument', `threads is ${threads}, expected 1 or more`)
  signal?.throwIfAborted()
  const results: ScanResult[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    let worker: Worker | undefined
    try {
      while (next < inputs.length) {
        signal?.throwIfAborted()
        const index = next++
        worker ??= startWorker()
        const answer = await ask(worker, { index, input: inputs[index]!, limits }, timeoutMs, signal)
        if (answer === 'timeout' || answer === 'died') {
          await worker.terminate()
          worker = undefined
          const message = answer === 'timeout' ? `not read within ${timeoutMs} ms` : 'the thread that read it ended'
          results[index] = { ok: false, error: new ImageError('unreadable', message) }
        } else {
          results[index] =
            'stats' in answer
              ? { ok: true, stats: answer.stats }
              : { ok: false, error: new ImageError(answer.code, answer.message, answer.where) }
        }
      }
    } finally {
      await worker?.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.min(threads, inputs.length) }, lane))
  return results
}

/** The worker lies beside this file, as TypeScript in the source tree and as JavaScript in the built package. */
function startWorker(): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new Worker(new URL(`./scan-worker.${extension}`, import.meta.url))
}

function ask(
  worker: Worker,
  request: ScanRequest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<ScanAnswer | 'timeout' | 'died'> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      worker.off('message', onMessage).off('error', onEnd).off('exit', onEnd)
      signal?.removeEventListener('abort', onAbort)
      act()
    }
    const onMessage = (answer: ScanAnswer): void => settle(() => resolve(answer))
    const onEnd = (): void => settle(() => resolve('died'))
    const onAbort = (): void => settle(() => reject(signal!.reason as Error))
    const timer = setTimeout(() => settle(() => resolve('timeout')), timeoutMs)
    worker.on('message', onMessage).on('error', onEnd).on('exit', onEnd)
    signal?.addEventListener('abort', onAbort)
    worker.postMessage(request)
  })
}
