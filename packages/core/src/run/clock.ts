import type { Clock } from '../contract/context.ts'

/** setTimeout holds at most 2^31-1 ms; a longer wait ends early and its caller looks at the clock again. */
const LONGEST_MS = 2 ** 31 - 1

/** The machine's own clock. Its timers do not keep the process alive longer than their sleeper. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const timer = setTimeout(done, Math.min(Math.max(0, ms), LONGEST_MS))
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
    timer(ms, wake) {
      const timer = setTimeout(wake, Math.min(Math.max(0, ms), LONGEST_MS))
      return () => clearTimeout(timer)
    },
  }
}

/** Calls `wake` after `ms`, unless the function that it returns is called first; over any clock. */
export function wakeAfter(clock: Clock, ms: number, wake: () => void): () => void {
  if (clock.timer) return clock.timer(ms, wake)
  const control = new AbortController()
  void clock.sleep(ms, control.signal).then(wake, () => {})
  return () => control.abort()
}
