import { frameHours, type OfferTables } from './tables.ts'
import type { Units } from './units.ts'

/** Kinds of frames (equal hours) that are told apart; with more, a node is taken to be filled to the last second. */
const MOST_KINDS = 3
/** Counts of the longer kinds that are tried. */
const MOST_TRIES = 20_000

/**
 * Most hours of whole frames that one node of an offer can render in `limitH` hours. Hosts take whole frames, so with frames that are
 * all alike a node of 10 hours renders 3 frames of 3 hours, and its tenth hour is of no use: a fluid bound must not count it.
 */
export function fullestNode(units: Units, tables: OfferTables, o: number, limitH: number): number {
  const kinds: { hours: number; count: number }[] = []
  for (let u = 0; u < units.size; u++) {
    if ((units.least[u] as number) < (units.greatest[u] as number)) return limitH
    const hours = frameHours(tables, o, units.least[u] as number, units.cls[u] as number)
    if (hours <= 0 || hours > limitH) continue
    const kind = kinds.find((one) => one.hours === hours)
    if (kind !== undefined) kind.count += units.count[u] as number
    else if (kinds.push({ hours, count: units.count[u] as number }) > MOST_KINDS) return limitH
  }
  kinds.sort((a, b) => b.hours - a.hours)
  const tries = kinds.slice(0, -1).reduce((n, { hours, count }) => n * (1 + Math.min(count, Math.floor(limitH / hours))), 1)
  return kinds.length === 0 || tries > MOST_TRIES ? limitH : Math.min(limitH, fullest(kinds, 0, limitH) * (1 + 1e-12))
}

function fullest(kinds: readonly { readonly hours: number; readonly count: number }[], k: number, left: number): number {
  const kind = kinds[k]
  if (kind === undefined) return 0
  const most = Math.min(kind.count, Math.floor(left / kind.hours + 1e-12))
  if (k === kinds.length - 1) return most * kind.hours
  let best = 0
  for (let n = most; n >= 0; n--) best = Math.max(best, n * kind.hours + fullest(kinds, k + 1, left - n * kind.hours))
  return best
}
