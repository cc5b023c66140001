import type { Clock } from '../contract/context.ts'
import { timerHeap } from '../run/timer-heap.ts'

/** A clock that stands still until it is told to move: simulated weeks take seconds, and the same program makes the same steps. */
export interface VirtualClock extends Clock {
  /** Moves from sleeper to sleeper until `until` says stop or nobody sleeps. Returns whether `until` was reached. */
  run(until: () => boolean, limits?: { readonly untilMs?: number; readonly maxSteps?: number }): Promise<boolean>
  /** Jumps without waking sleepers in between, as a wrongly set clock does. */
  jump(ms: number): void
  readonly sleepers: number
}

/**
 * Starts at `startMs`. Between two sleepers all pending promises settle, because a turn of the event loop passes; so whatever happens depends only on the order of
 * sleepers, which is their wake time and then the order in which they went to sleep. Where real files take part, `busy` says whether any of their work is open.
 */
export function virtualClock(startMs = 1_800_000_000_000, options: { readonly busy?: () => boolean } = {}): VirtualClock {
  const timers = timerHeap<() => void>()
  let now = startMs
  const immediate = () => new Promise<void>((resolve) => setImmediate(resolve))
  // A tick comes after all promises that can settle without the world outside, at a third of what a turn of the event loop costs.
  const tick = () => new Promise<void>((resolve) => process.nextTick(resolve))
  let turns = 0
  /** Time stands still while real work is under way. */
  const turn = async (): Promise<void> => {
    if (options.busy === undefined && ++turns % 64 !== 0) return tick()
    await immediate()
    while (options.busy?.()) await immediate()
  }
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const cancel = timers.add(now + Math.max(0, ms), () => {
          signal?.removeEventListener('abort', stopped)
          resolve()
        })
        signal?.addEventListener('abort', stopped, { once: true })
        function stopped(): void {
          cancel()
          reject(signal!.reason)
        }
      }),
    timer: (ms, wake) => timers.add(now + Math.max(0, ms), wake),
    async run(until, limits = {}) {
      await turn()
      for (let step = 0; !until(); step++) {
        const next = timers.nextAtMs()
        if (next === undefined || next > (limits.untilMs ?? Infinity) || step >= (limits.maxSteps ?? Infinity)) return false
        now = Math.max(now, next)
        for (let due = timers.takeDue(now); due; due = timers.takeDue(now)) due()
        await turn()
      }
      return true
    },
    jump(ms) {
      now += ms
    },
    get sleepers() {
      return timers.size
    },
  }
}
