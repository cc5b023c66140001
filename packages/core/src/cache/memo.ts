import { decodeJournal, encodeJournal } from '../contract/codec.ts'
import type { Clock } from '../contract/context.ts'
import { wakeAfter } from '../run/clock.ts'

/**
 * The part of a keyv that Pictor uses: a `Keyv`, a `Map` or anything of that shape fits. It may forget anything at any time, answer late, or fail: that costs a
 * call or a probe, never a frame or money. Values are text.
 */
export interface Cache {
  get(key: string): unknown
  set(key: string, value: string, ttlMs?: number): unknown
  delete(key: string): unknown
}

/** One thing worth remembering. */
export interface MemoEntry<T> {
  /** Unique among everything in the cache; begins with the kind, such as `quote/`. */
  readonly name: string
  /** Whether a kept value has the right shape: what another version or program left in the cache counts as forgotten. */
  readonly is: (value: unknown) => value is T
  /** How long the value may be used, in milliseconds; 0 or less: not at all. */
  readonly ttlMs: (value: T) => number
  readonly make: () => Promise<T>
  /** Makes the value anew even if one is kept. */
  readonly fresh?: boolean
}

/** Remembers what can be had again. */
export interface Memo {
  /** The kept value, or a new one. Callers at the same time share one `make`. @throws what `make` throws */
  recall<T>(entry: MemoEntry<T>): Promise<{ readonly value: T; readonly remembered: boolean }>
  forget(name: string): Promise<void>
}

/** Format of kept values; another one counts as forgotten. */
const VERSION = 1

/** A cache that answers later than this is taken to have forgotten: it is there to save time. */
const PATIENCE_MS = 2_000

interface Kept {
  readonly v: number
  readonly untilMs: number
  readonly value: unknown
}

/** A memo over a cache. Its own clock decides when a value is too old, whatever the cache makes of its `ttlMs`. */
export function memoOver(cache: Cache, clock: Clock): Memo {
  const making = new Map<string, Promise<unknown>>()

  async function read<T>({ name, is, fresh }: MemoEntry<T>): Promise<T | undefined> {
    if (fresh) return undefined
    const text = await patient(clock, async () => cache.get(name))
    if (typeof text !== 'string') return undefined
    try {
      const { v, untilMs, value } = decodeJournal<Kept>(text)
      return v === VERSION && untilMs > clock.now() && is(value) ? value : undefined
    } catch {
      return undefined
    }
  }

  async function make<T>({ name, ttlMs, make }: MemoEntry<T>): Promise<T> {
    const value = await make()
    const ms = ttlMs(value)
    const kept: Kept = { v: VERSION, untilMs: clock.now() + ms, value }
    if (ms > 0) await patient(clock, async () => cache.set(name, encodeJournal(kept), Math.ceil(ms)))
    return value
  }

  return {
    async recall<T>(entry: MemoEntry<T>) {
      // Whoever made it may have been aborted: the next one makes it for himself.
      for (let running = making.get(entry.name); running; running = making.get(entry.name)) {
        const shared = await running.catch(() => undefined)
        if (shared !== undefined) return { value: shared as T, remembered: true }
      }
      let remembered = true
      const own = read(entry).then((kept) => {
        remembered = kept !== undefined
        return kept ?? make(entry)
      })
      making.set(entry.name, own)
      try {
        return { value: await own, remembered }
      } finally {
        making.delete(entry.name)
      }
    },
    forget: async (name) => void (await patient(clock, async () => cache.delete(name))),
  }
}

/** What a call gives, or undefined when it fails or takes too long. */
async function patient<T>(clock: Clock, call: () => Promise<T>): Promise<T | undefined> {
  let cancel = (): void => {}
  const late = new Promise<undefined>((resolve) => (cancel = wakeAfter(clock, PATIENCE_MS, () => resolve(undefined))))
  try {
    return await Promise.race([call(), late])
  } catch {
    return undefined
  } finally {
    cancel()
  }
}
