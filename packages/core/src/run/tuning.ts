import type { RunnerTuning } from './types.ts'

/** Times and sizes for real farms; tests and simulations override what they need. */
export const DEFAULT_TUNING: RunnerTuning = {
  claimMs: 30_000,
  retryMs: 500,
  retryMaxMs: 30_000,
  callMs: 60_000,
  pollMinMs: 20,
  pollMaxMs: 30_000,
  reconcileMs: 300_000,
  stageMs: 3_600_000,
  stallMs: 300_000,
  resendMs: 60_000,
  inboxMs: 1_000,
  callsAtOnce: 8,
  downloadsAtOnce: 4,
}
