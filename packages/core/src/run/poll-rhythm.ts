import { isPictorError } from '../contract/error.ts'
import { backoffMs } from './effort.ts'
import type { RunnerTuning } from './tuning.ts'

/** Polls without news after which somebody who owes an answer is looked at less and less often: a check takes minutes, a confirmation blocks. */
const PATIENT_POLLS = 20

/** How often to poll somebody who speaks, by and large, when he is asked: a checker or a ledger. */
export interface PollRhythm {
  /** Runs `ask`; while it lasts an answer is owed and is looked for as often as the other side wishes. Otherwise a look at the longest interval will do. */
  during<T>(ask: () => Promise<T>): Promise<T>
  /** Something was asked just now. */
  asked(): void
  /** The wait after a poll, in milliseconds. */
  after(page: { readonly events: readonly unknown[]; readonly waitMs: number }): number
  /** The wait after a poll that failed. */
  afterFailure(error: unknown): number
}

export function pollRhythm(name: string, tuning: RunnerTuning): PollRhythm {
  let owed = 0
  let quiet = 0
  let failures = 0
  return {
    async during(ask) {
      owed++
      try {
        return await ask()
      } finally {
        owed--
      }
    },
    asked: () => void (quiet = 0),
    after({ events, waitMs }) {
      failures = 0
      quiet = events.length > 0 ? 0 : quiet + 1
      if (waitMs <= 0 && events.length > 0) return 0
      if (owed === 0 && quiet > 0) return tuning.pollMaxMs
      const wait = Math.max(tuning.pollMinMs, waitMs) * 2 ** Math.max(0, Math.min(5, quiet - PATIENT_POLLS))
      return Math.min(tuning.pollMaxMs, wait)
    },
    afterFailure: (error) =>
      backoffMs(`poll ${name}`, failures++, tuning, isPictorError(error) ? error.details.retryAfterMs : undefined),
  }
}
