import type { Clock } from '../contract/context.ts'
import { OVER, pause } from './effort.ts'

/** A wait that can be cut short; a kick that comes before the wait is not lost. */
export interface Nap {
  kick(): void
  /** Call before looking: kicks from now on count. */
  arm(): void
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export function nap(clock: Clock): Nap {
  let kicked = false
  let wake: AbortController | undefined
  return {
    kick() {
      kicked = true
      wake?.abort(OVER)
    },
    arm() {
      kicked = false
    },
    async sleep(ms, signal) {
      if (kicked || signal.aborted) return
      const own = (wake = new AbortController())
      const stop = (): void => own.abort(OVER)
      signal.addEventListener('abort', stop, { once: true })
      await pause(clock, ms, own.signal)
      signal.removeEventListener('abort', stop)
      wake = undefined
    },
  }
}
