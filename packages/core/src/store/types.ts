/** A runner's hold on a stream; grows with every claim, so that a late writer is refused. */
export type Fence = number

/** One journaled fact as text; the machine's codec gives it meaning. */
export interface StoredFact {
  /** Position in the order of all facts of the store; grows, may have gaps. */
  readonly id: number
  readonly stream: string
  /** Position in its stream, from 1. */
  readonly seq: number
  readonly atMs: number
  readonly body: string
}

export interface LoadedStream {
  readonly snapshot?: { readonly seq: number; readonly body: string }
  /** Sequence number of the last fact; 0 for a new stream. */
  readonly seq: number
  /** Facts after the snapshot. */
  readonly facts: AsyncIterable<StoredFact>
}

export interface AppendOptions {
  readonly atMs: number
  /** When the stream next wants to run by itself; null: never again. Left out: unchanged. */
  readonly wakeAtMs?: number | null
  /** State after these facts; replaces the last one and may be lost at any time. */
  readonly snapshot?: string
  /** Inbox items that these facts answer: they are removed in the same transaction. */
  readonly answered?: readonly number[]
}

export interface PostedInput {
  readonly id: number
  readonly body: string
}

/**
 * A journal of streams. Names are `kind:group` or `kind:group:part`, such as `job:0xab…` and `task:0xab…:17`; facts of one group can be read in the order in
 * which they became durable. Every call is atomic; what resolved survives a crash.
 */
export interface Store {
  load(stream: string): Promise<LoadedStream>
  /** Takes the stream for `claimMs`, or renews one's own hold with the same fence. Undefined: somebody else holds it. */
  claim(stream: string, owner: string, nowMs: number, claimMs: number): Promise<Fence | undefined>
  /** Renews every hold of the owner in one step. */
  renew(owner: string, nowMs: number, claimMs: number): Promise<void>
  /** Gives a hold back, if it is still one's own. */
  release(stream: string, fence: Fence): Promise<void>
  /**
   * Adds facts at the end of a stream.
   * @throws stale-fence, sequence-conflict, store-failed (nothing is kept)
   */
  append(stream: string, fence: Fence, expectedSeq: number, facts: readonly string[], options: AppendOptions): Promise<void>
  /** Streams of a kind that want to run (wake time reached, or a posted input waits) and that nobody holds. */
  due(kind: string, nowMs: number, limit: number): Promise<readonly string[]>
  /** Puts an input into a stream's inbox without a claim; a dedupe key that was seen before does nothing. */
  post(stream: string, body: string, dedupeKey: string): Promise<void>
  /** Inputs that wait, oldest first. */
  inbox(stream: string): Promise<readonly PostedInput[]>
  /** Streams of a kind in order of name. */
  list(
    kind: string,
    query: { readonly cursor?: string; readonly limit: number },
  ): Promise<{ readonly streams: readonly string[]; readonly cursor?: string }>
  /** Facts of a group after `id`, in order, at most `limit`. */
  read(group: string, after: number, limit: number): Promise<readonly StoredFact[]>
  close(): Promise<void>
}
