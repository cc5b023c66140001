/** Handed to every call that waits. */
export interface CallContext {
  /** Ends the call; it rejects with the signal's reason and leaves no listener behind. */
  readonly signal?: AbortSignal
  /** Idempotency key: the same key with the same content has the same effect once. sha256(runId, command id). */
  readonly key: string
  readonly deadlineAtMs?: number
  readonly log?: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Milliseconds since 1970. Injected wherever time matters, so that simulations own it. */
export interface Clock {
  now(): number
  /** Resolves after `ms`, rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Calls `wake` after `ms`, unless the function that it returns is called first. May be left out: `sleep` does the same, at the price of a signal for each wait,
   * and a job waits thousands of times.
   */
  timer?(ms: number, wake: () => void): () => void
}
