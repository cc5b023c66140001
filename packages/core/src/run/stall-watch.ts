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
  /** Ticks of each since it moved. */
  const open = new Map<(ms: number) => void, number>()
  let stop: (() => void) | undefined

  /** The timer ticks while something is watched. */
  function run(): void {
    if (stop !== undefined || open.size === 0) return
    const ms = closing.aborted ? closingMs : limitMs
    stop = wakeAfter(clock, ms / TICKS, () => {
      stop = undefined
      const late: ((ms: number) => void)[] = []
      for (const [tell, ticks] of open) {
        open.set(tell, ticks + 1)
        if (ticks < TICKS) continue
        open.delete(tell)
        late.push(tell)
      }
      for (const tell of late) tell(ms)
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
      for (const [late, ticks] of open) if (ticks > 0) open.set(late, 0)
      halt()
      run()
    },
    { once: true },
  )
  return {
    watch(late) {
      open.set(late, 0)
      run()
      return {
        moved: () => void (open.has(late) && open.set(late, 0)),
        rests: () => void (open.has(late) && open.set(late, -Infinity)),
        end() {
          open.delete(late)
          if (closing.aborted && open.size === 0) halt()
        },
      }
    },
  }
}
