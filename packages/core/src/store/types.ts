/** A runner's hold on a group of streams; grows with every claim, so that a late writer is refused. */
export type Fence = number

/** One journaled fact as text; the machine's codec gives it meaning. */
export interface StoredFact {
  /** Position in the order of all facts of the store; grows, may have gaps. */
  readonly id: number
  readonly stream: string
  /** Position in its stream, from 1. */
  readonly seq: number
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
  /** False when the group wants nothing more: it is no longer due. Left out: unchanged. */
  readonly open?: boolean
  /** State after these facts; replaces the last one and may be lost at any time. */
  readonly snapshot?: string
  /** Inbox items that these facts answer: they are removed in the same transaction. */
  readonly answered?: readonly number[]
}

export interface PostedInput {
  readonly id: number
  readonly group: string
  readonly body: string
}

/**
 * A journal of streams. A stream is named `kind:group` or `kind:group:part`, such as `job:0xab…` and `task:0xab…:17`. Claims, inboxes and the order in which facts
 * became durable are kept by group (`0xab…`). Every call is atomic; what resolved survives a crash. Instances may share one database.
 */
export interface Store {
  /**
   * The last snapshot and the facts after it; with `snapshot: false` all facts, because the snapshot cannot be read; with `after` no snapshot and the facts after that
   * sequence number, for a reader that has the others.
   */
  load(stream: string, options?: { readonly snapshot?: boolean; readonly after?: number }): Promise<LoadedStream>
  /**
   * Takes a group for `claimMs`, or prolongs one's own hold with the same fence. Undefined: somebody else holds it. `from` takes it from this very owner before
   * its time is over: only for an owner that is known to be dead.
   */
  claim(group: string, owner: string, nowMs: number, claimMs: number, from?: string): Promise<Fence | undefined>
  /** Who holds a group, if anybody. */
  holder(group: string): Promise<string | undefined>
  /** Prolongs every hold of the owner in one step. */
  renew(owner: string, nowMs: number, claimMs: number): Promise<void>
  /** Gives a hold back, if it is still one's own. */
  release(group: string, fence: Fence): Promise<void>
  /**
   * Adds facts at the end of a stream.
   * @throws stale-fence, sequence-conflict, store-failed (nothing is kept)
   */
  append(stream: string, fence: Fence, expectedSeq: number, facts: readonly string[], options?: AppendOptions): Promise<void>
  /** Groups that nobody holds at `nowMs` and that want somebody: those with a posted input first, then those that are open. */
  due(nowMs: number, limit: number): Promise<readonly string[]>
  /**
   * Puts an input into a group's inbox without a claim; a dedupe key among the last 1,000 of the group does nothing.
   * @throws store-failed when 2,000 inputs wait for the group already
   */
  post(group: string, body: string, dedupeKey: string): Promise<void>
  /** Inputs that wait for groups which `owner` holds, oldest first. */
  posted(owner: string): Promise<readonly PostedInput[]>
  /** Streams of a kind in order of name. */
  list(
    kind: string,
    query: { readonly cursor?: string; readonly limit: number },
  ): Promise<{ readonly streams: readonly string[]; readonly cursor?: string }>
  /** Facts of a group after `id`, in the order in which they became durable. */
  read(group: string, after: number, limit: number): Promise<readonly StoredFact[]>
  close(): Promise<void>
}

/**
 * Dedupe keys that are kept of each group, so that weeks of posts do not grow a store. A post is repeated within minutes, by somebody who did not hear whether it was
 * taken; and what a machine is told twice changes nothing.
 */
export const KEPT_KEYS = 1_000

/** Inputs that may wait for one group. */
export const MOST_WAITING = 2_000

/** The group of a stream name. */
export function groupOf(stream: string): string {
  return stream.split(':')[1] ?? stream
}
