import type { Clock } from '../contract/context.ts'
import { wakeAfter } from './clock.ts'

/** A wait that can be cut short; a kick that comes before the wait is not lost. */
export interface Nap {
  kick(): void
  /** Call before looking: kicks from now on count. */
  arm(): void
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export function nap(clock: Clock): Nap {
  let kicked = false
  let wake: (() => void) | undefined
  return {
    kick() {
      kicked = true
      wake?.()
    },
    arm() {
      kicked = false
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (kicked || signal.aborted) return resolve()
        const end = (): void => {
          cancel()
          signal.removeEventListener('abort', end)
          wake = undefined
          resolve()
        }
        const cancel = wakeAfter(clock, ms, end)
        wake = end
        signal.addEventListener('abort', end, { once: true })
      }),
  }
}
