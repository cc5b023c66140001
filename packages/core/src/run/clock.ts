import type { Clock } from '../contract/context.ts'

/** The machine's own clock. Its timers do not keep the process alive longer than their sleeper. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        // setTimeout holds at most 2^31-1 ms; a longer sleep wakes early and its caller looks at the clock again.
        const timer = setTimeout(done, Math.min(Math.max(0, ms), 2 ** 31 - 1))
        signal?.addEventListener('abort', stopped, { once: true })
        function done(): void {
          signal?.removeEventListener('abort', stopped)
          resolve()
        }
        function stopped(): void {
          clearTimeout(timer)
          reject(signal!.reason)
        }
      }),
  }
}
