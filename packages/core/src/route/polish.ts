import type { PackState } from './pack-state.ts'

const BETTER = 1e-9

/** Moves single frames to other routes while that saves money; returns whether anything moved. */
export function relocate(state: PackState, frames: ArrayLike<number>): boolean {
  let moved = false
  for (let i = 0; i < frames.length; i++) {
    const f = frames[i] as number
    if ((state.route[f] as number) < 0) continue
    const saved = state.savedByTaking(f)
    const place = state.cheapestPlace(f, saved)
    if (!place || place.change >= -BETTER * (1 + saved)) continue
    state.take(f)
    state.put(f, place.route, place.node)
    moved = true
  }
  return moved
}

/** Change of cost when frames `a` and `b` of different routes trade places; Infinity when one would not fit. */
function swapDelta(state: PackState, a: number, b: number): number {
  const r = state.route[a] as number
  const s = state.route[b] as number
  const n = state.node[a] as number
  const m = state.node[b] as number
  const bOnR = state.time(r, b)
  const rChange = bOnR - state.time(r, a)
  if (((state.load[r] as Float64Array)[n] as number) + rChange > (state.limitH[r] as number)) return Infinity
  const sChange = state.time(s, a) - state.time(s, b)
  if (((state.load[s] as Float64Array)[m] as number) + sChange > (state.limitH[s] as number)) return Infinity
  return (
    state.value(r, (state.hours[r] as number) + rChange, state.used[r] as number, state.frames[r] as number) -
    (state.cost[r] as number) +
    state.value(s, (state.hours[s] as number) + sChange, state.used[s] as number, state.frames[s] as number) -
    (state.cost[s] as number)
  )
}

function swap(state: PackState, a: number, b: number): void {
  const r = state.route[a] as number
  const s = state.route[b] as number
  const n = state.node[a] as number
  const m = state.node[b] as number
  state.take(a)
  state.take(b)
  state.put(a, s, m)
  state.put(b, r, n)
}

/** Trades `a` with the one of the first `count` candidates that saves most; whether any saved. */
function tradeWithBest(state: PackState, a: number, candidates: Uint32Array, count: number): boolean {
  let best = -BETTER
  let partner = -1
  for (let i = 0; i < count; i++) {
    const b = candidates[i] as number
    const delta = swapDelta(state, a, b)
    if (delta < best) {
      best = delta
      partner = b
    }
  }
  if (partner < 0) return false
  swap(state, a, partner)
  return true
}

/** Trades frames of different routes, all pairs; for small problems. */
export function tradeAll(state: PackState): boolean {
  const frames = state.route.length
  const others = new Uint32Array(frames)
  let moved = false
  for (let a = 0; a < frames; a++) {
    const r = state.route[a] as number
    if (r < 0) continue
    let count = 0
    for (let b = 0; b < frames; b++) {
      const s = state.route[b] as number
      if (s !== r && s >= 0) others[count++] = b
    }
    if (tradeWithBest(state, a, others, count)) moved = true
  }
  return moved
}

/** Candidates that are looked at on each side of the ideal partner. */
const NEIGHBOURS = 2

/**
 * Fills the gaps of nodes: each frame is compared with the frames of the same class, of other routes, whose hours would just fill its
 * node. `sorted` are the frames by class, then by work.
 */
export function tradeForGaps(state: PackState, sorted: Uint32Array, position: Uint32Array): boolean {
  const { problem, tables } = state.prepared
  const candidates = new Uint32Array(NEIGHBOURS)
  let moved = false
  for (let a = 0; a < state.route.length; a++) {
    const r = state.route[a] as number
    if (r < 0) continue
    const gap = (state.limitH[r] as number) - ((state.load[r] as Float64Array)[state.node[a] as number] as number)
    const cls = problem.classOf[a] as number
    const perWork = tables.hoursPerWork[(state.offers[r] as number) * tables.classes + cls] as number
    const target = (problem.work[a] as number) + gap / perWork
    let at = upperBound(problem.work, problem.classOf, sorted, cls, target) - 1
    let count = 0
    for (; count < NEIGHBOURS && at > (position[a] as number); at--) {
      const b = sorted[at] as number
      const s = state.route[b] as number
      if (s !== r && s >= 0) candidates[count++] = b
    }
    if (tradeWithBest(state, a, candidates, count)) moved = true
  }
  return moved
}

/** First place in `sorted` beyond the frames of the class with at most this work. */
function upperBound(work: Float64Array, classOf: ArrayLike<number>, sorted: Uint32Array, cls: number, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    const f = sorted[middle] as number
    if ((classOf[f] as number) < cls || ((classOf[f] as number) === cls && (work[f] as number) <= value)) low = middle + 1
    else high = middle
  }
  return low
}

/** Tries to bring each route below the billing step it has just entered: its cheapest frames to move leave until the step is saved. */
export function dropSteps(state: PackState, lists: (r: number) => number[]): boolean {
  const { tables } = state.prepared
  let dropped = false
  for (let r = 0; r < state.offers.length; r++) {
    const o = state.offers[r] as number
    const step = tables.stepH[o] as number
    if (step <= 0 || (state.frames[r] as number) === 0) continue
    const billed = (state.hours[r] as number) + (state.used[r] as number) * (tables.billedStartH[o] as number)
    const over = billed - Math.floor(billed / step - 1e-9) * step
    const saving = step * ((tables.tierPrice[o] as Float64Array)[0] as number)
    if (over > 0.6 * step || saving <= 0) continue
    if (leave(state, r, over + 1e-9, lists(r))) dropped = true
  }
  return dropped
}

function leave(state: PackState, r: number, over: number, frames: number[]): boolean {
  const before = state.total()
  const undo: { f: number; n: number }[] = []
  let left = over
  // The frame that just covers the rest, else the longest below it.
  const byTime = frames.map((f) => ({ f, h: state.time(r, f) })).sort((a, b) => a.h - b.h)
  while (left > 0 && byTime.length > 0 && undo.length < 12) {
    let k = byTime.findIndex((one) => one.h >= left)
    if (k < 0) k = byTime.length - 1
    const { f, h } = byTime.splice(k, 1)[0] as { f: number; h: number }
    const place = state.cheapestPlace(f)
    if (!place) continue
    undo.push({ f, n: state.node[f] as number })
    state.take(f)
    state.put(f, place.route, place.node)
    left -= h
  }
  if (state.total() < before - BETTER) return true
  for (const { f, n } of undo.reverse()) {
    state.take(f)
    state.put(f, r, n)
  }
  return false
}
