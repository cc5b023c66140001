/** Times and sizes of the shell, in milliseconds where not said otherwise. */
export interface RunnerTuning {
  /** How long a claim on a stream lasts without renewal. */
  readonly claimMs: number
  /** First and longest wait between tries of a failed effect. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** A call to a farm, checker or ledger is given up after this long and tried again. */
  readonly callMs: number
  /** A call to the store or to the artifacts is given up after this long: the slowest disk has put a frame of some gigabytes away by then. */
  readonly diskMs: number
  /** A delivery that shows no progress for this long hangs: people are told, its place goes to other frames, and it is tried again. */
  readonly deliverMs: number
  /** Bounds on the wait between polls, whatever the farm asks for. */
  readonly pollMinMs: number
  readonly pollMaxMs: number
  /** How often a farm is polled without a cursor, to find reports that were lost. */
  readonly reconcileMs: number
  /** Uploading a scene may take this long before it is tried again. */
  readonly stageMs: number
  /** Least time without any progress of a running task until it counts as stalled; six planned frame times when those are longer. */
  readonly stallMs: number
  /** A request that a checker or ledger took and never answered is sent again after this long, with the same key. */
  readonly resendMs: number
  /** Facts of a stream after which a snapshot of it is written at the earliest. */
  readonly snapshotFacts: number
  /** How often the inbox is looked at for inputs from other processes. */
  readonly inboxMs: number
  /** Concurrent calls, uploads and downloads a farm; as many deliveries a runner as downloads a farm, all but one of them to one folder (counts). */
  readonly callsAtOnce: number
  readonly uploadsAtOnce: number
  readonly downloadsAtOnce: number
}

/** Times and sizes for real farms; tests and simulations override what they need. */
export const DEFAULT_TUNING: RunnerTuning = {
  claimMs: 30_000,
  retryMs: 500,
  retryMaxMs: 30_000,
  callMs: 60_000,
  diskMs: 300_000,
  deliverMs: 60_000,
  pollMinMs: 20,
  pollMaxMs: 30_000,
  reconcileMs: 300_000,
  stageMs: 3_600_000,
  stallMs: 300_000,
  resendMs: 60_000,
  snapshotFacts: 4_000,
  inboxMs: 1_000,
  callsAtOnce: 8,
  uploadsAtOnce: 2,
  downloadsAtOnce: 4,
}
