import type { Clock } from '../contract/context.ts'
import type { RestingFarm } from './farm-rest.ts'

/** Least wait between polls once they have used up a farm's calls, in milliseconds. */
const FIRST_MS = 250
/** After this long without a rest the wait is halved again. */
const CALM_MS = 30_000
/** Polls are what a farm asks to rest from when they are more than this share of its calls. */
const SHARE = 0.25

/** How far apart the polls of a farm that limits its calls are kept, so that they leave its calls to the work. */
export interface PollPace {
  /** To be asked after each poll: the least wait before the next one, in milliseconds. */
  leastMs(): number
}

/**
 * Every rest that polls have brought about doubles the wait between them, half a minute without one halves it: so senders on a network find the share of a line that
 * they may use (Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion avoidance", 1989). Calls that do work are not slowed: there are only as
 * many of them as there is work.
 */
export function pollPace(clock: Clock, farm: Pick<RestingFarm, 'calls' | 'rests'>, mostMs: number): PollPace {
  let waitMs = 0
  let sinceMs = 0
  let polls = 0
  let known = { rests: 0, calls: 0 }
  return {
    leastMs() {
      const nowMs = clock.now()
      const { rests, calls } = farm
      polls++
      if (rests > known.rests) {
        if (polls > SHARE * (calls - known.calls)) waitMs = Math.min(mostMs, Math.max(FIRST_MS, 2 * waitMs))
        known = { rests, calls }
        polls = 0
        sinceMs = nowMs
      } else if (Math.abs(nowMs - sinceMs) >= CALM_MS) {
        waitMs = waitMs > FIRST_MS ? waitMs / 2 : 0
        sinceMs = nowMs
      }
      return waitMs
    },
  }
}
