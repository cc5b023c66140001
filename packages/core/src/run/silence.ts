import type { Clock } from '../contract/context.ts'
import type { FarmLoop } from './farm-loop.ts'

/** How long nothing new has been heard of a task. */
export interface Silence {
  /** Something happened. */
  broken(): void
  /** The farm said where the task stands: news only if it is not what it said last. */
  said(progress: string, moving: boolean): void
  /** Whether the task ran when the farm spoke last. */
  readonly moving: boolean
  /**
   * In milliseconds. The time of a farm's rests does not count: nobody looked, and its tasks went on. However long they are, the lease ends with commitBy, and a tail that
   * waits for it is leased a second time before.
   */
  lastsMs(): number
}

export function silence(loop: Pick<FarmLoop, 'restedMs'>, clock: Clock): Silence {
  let sinceMs = clock.now()
  let restedMs = loop.restedMs
  let progress = ''
  let moving = false
  const broken = (): void => {
    sinceMs = clock.now()
    restedMs = loop.restedMs
  }
  return {
    broken,
    said(now, runs) {
      if (now !== progress) broken()
      progress = now
      moving = runs
    },
    get moving() {
      return moving
    },
    lastsMs() {
      // A clock that was set back has not seen the last news yet.
      if (sinceMs > clock.now()) broken()
      return Math.max(0, clock.now() - sinceMs - (loop.restedMs - restedMs))
    },
  }
}
