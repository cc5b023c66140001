import type { Measured, SequenceItem } from './check.ts'
import { contentDistance, sameGrid } from './features.ts'

/** Tells frames that repeat because the motion has come to rest from copies. */
export interface Rests {
  /** The first frame of the run of equal frames that this one belongs to, as far as it was looked for. */
  first(entry: SequenceItem): Promise<number>
  /**
   * Whether the run of equal frames around this one begins where the motion slows down to it, and motion that is seen to begin again after it speeds up from it. A copy in
   * the middle of a motion has a full step before it and a longer one after it.
   */
  isAtRest(entry: SequenceItem): Promise<boolean>
}

/** A run of equal frames is followed this far, frames. Memory is bounded by it, and so is how far a copy may reach into a motion that begins again behind it. */
const LOOK = 24
/** Steps before a rest: the last is at most this share of the one before it, and that one of the one before. An even deceleration to rest has 1/3 and 3/5 at most. */
const LAST_STEP = 0.5
const STEP_BEFORE = 0.8

/** Looks for rests in the frames of a sequence, given in their order; each frame is measured again only where it was not met before. */
export function restsOf(items: readonly SequenceItem[], measure: (item: SequenceItem) => Promise<Measured | undefined>): Rests {
  const places = new Map(items.map(({ id }, at) => [id, at]))
  const hashes = new Map<number, string | undefined>()
  const starts = new Map<number, number>()
  const slows = new Map<string, Promise<boolean>>()
  const hashAt = async (at: number): Promise<string | undefined> => {
    if (!hashes.has(at)) hashes.set(at, (await measure(items[at]!))?.pixelHash)
    return hashes.get(at)
  }
  const repeats = async (at: number): Promise<boolean> => {
    const hash = at > 0 && at < items.length ? await hashAt(at) : undefined
    return hash !== undefined && hash === (await hashAt(at - 1))
  }
  const startOf = async (from: number): Promise<number | undefined> => {
    for (let at = from; from - at < LOOK; at--) {
      const start = starts.get(at) ?? ((await repeats(at)) ? undefined : at)
      if (start === undefined) continue
      starts.set(from, start)
      return start
    }
    return undefined
  }
  const endOf = async (from: number): Promise<number | undefined> => {
    for (let at = from; at - from < LOOK; at++) if (!(await repeats(at + 1))) return at
    return undefined
  }
  const slowsTo = (at: number, towards: 1 | -1): Promise<boolean> => {
    const key = `${at} ${towards}`
    const known = slows.get(key) ?? slowsDown([0, 1, 2, 3].map((i) => items[at + i * towards]))
    slows.set(key, known)
    return known
  }
  /** Frames from the one at rest outwards. */
  const slowsDown = async (row: readonly (SequenceItem | undefined)[]): Promise<boolean> => {
    const frames = await Promise.all(row.map((item) => item && measure(item)))
    const steps = frames.slice(1).map((far, i) => {
      const near = frames[i]
      if (!far || !near || !sameGrid(far.features, near.features)) return Number.NaN
      return Math.abs(far.entry.frame - near.entry.frame) === 1 ? contentDistance(far.features, near.features) : Number.NaN
    })
    const [last, before, first] = steps as [number, number, number]
    return last <= LAST_STEP * before && before <= STEP_BEFORE * first
  }
  return {
    async first({ id, frame }) {
      const place = places.get(id)
      const start = place === undefined ? undefined : await startOf(place)
      return start === undefined ? frame : items[start]!.frame
    },
    async isAtRest({ id }) {
      const place = places.get(id)
      const start = place === undefined ? undefined : await startOf(place)
      if (place === undefined || start === undefined) return false
      const end = await endOf(place)
      const ends = end === undefined || end === items.length - 1
      if (start === 0) return !ends && (await slowsTo(end, 1))
      return (await slowsTo(start, -1)) && (ends || (await slowsTo(end, 1)))
    },
  }
}
