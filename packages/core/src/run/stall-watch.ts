import type { Clock } from '../contract/context.ts'
import { wakeAfter } from './clock.ts'

/** A limit is counted in so many ticks of one timer for all that is watched, so that watching costs no timer and a clock that is set is no matter. */
const TICKS = 4

/** Something under way. */
export interface Watched {
  /** It moved: the limit counts from now. */
  moved(): void
  /** It waits for somebody else, until it moves again. */
  rests(): void
  /** It is over. */
  end(): void
}

/** Tells what has not moved for a limit, a quarter of it late at most. */
export interface StallWatch {
  watch(late: (ms: number) => void): Watched
}

/** @param closing - from then on the limit is `closingMs`, and nothing keeps the process alive once all is over. */
export function stallWatch(clock: Clock, limitMs: number, closing: AbortSignal, closingMs: number = limitMs): StallWatch {
  const open = new Set<Waiting>()
  let stop: (() => void) | undefined

  // A class, since a million frames make many of them: its methods are no closures of each.
  class Waiting implements Watched {
    readonly late: (ms: number) => void
    /** Since it moved. */
    ticks = 0
    constructor(late: (ms: number) => void) {
      this.late = late
    }
    moved(): void {
      this.ticks = 0
    }
    rests(): void {
      this.ticks = -Infinity
    }
    end(): void {
      open.delete(this)
      if (closing.aborted && open.size === 0) halt()
    }
  }

  /** The timer ticks while something is watched. */
  function run(): void {
    if (stop !== undefined || open.size === 0) return
    const ms = closing.aborted ? closingMs : limitMs
    stop = wakeAfter(clock, ms / TICKS, () => {
      stop = undefined
      const late = [...open].filter((one) => ++one.ticks > TICKS)
      for (const one of late) open.delete(one)
      for (const one of late) one.late(ms)
      run()
    })
  }

  function halt(): void {
    stop?.()
    stop = undefined
  }

  closing.addEventListener(
    'abort',
    () => {
      for (const one of open) one.ticks = Math.min(0, one.ticks)
      halt()
      run()
    },
    { once: true },
  )
  return {
    watch(late) {
      const one = new Waiting(late)
      open.add(one)
      run()
      return one
    },
  }
}
