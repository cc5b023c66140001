import { mulberry32 } from './instance.ts'
import type { PackState } from './pack-state.ts'

/** Fixed, so that the same problem gives the same plan. */
const SEED = 20_261_126
/** Exchanges that are weighed before the frames count as too many for the nodes. */
const MOST_WEIGHED = 3_000_000
/** Random exchanges after which no other start is tried. */
const KICKS = 60
const LEAST = 1e-12

/**
 * Finds room for frames without a place by letting nodes run beyond the deadline and then moving and trading frames as long as the
 * hours beyond it shrink. Charges are ignored.
 *
 * @returns whether all frames have a place in time; if not, those on nodes that would be late have none again.
 */
export function squeeze(state: PackState, homeless: readonly number[]): boolean {
  for (const f of homeless) crowd(state, f)
  const random = mulberry32(SEED + homeless.length)
  let weighed = 0
  for (let kicks = 0; ;) {
    const worst = fullest(state)
    if (worst === undefined) return true
    if (weighed > MOST_WEIGHED) break
    const step = bestStep(state, worst.r, worst.n)
    weighed += step.weighed
    if (step.gain > LEAST) apply(state, step)
    else if (kicks++ < KICKS) kick(state, random)
    else break
  }
  evictLate(state)
  return false
}

interface Step {
  gain: number
  weighed: number
  /** Frame that leaves the node, and where it goes; with `b`, the frame that comes in exchange. */
  a: number
  b: number
  r: number
  n: number
}

const over = (state: PackState, r: number, n: number, more: number) =>
  Math.max(0, ((state.load[r] as Float64Array)[n] as number) + more - (state.limitH[r] as number))

/** Puts a frame where it exceeds the deadline by least. */
function crowd(state: PackState, f: number): void {
  let least = Infinity
  let to = 0
  let toNode = 0
  for (let r = 0; r < state.offers.length; r++) {
    const h = state.time(r, f)
    if (h > (state.limitH[r] as number)) continue
    const load = state.load[r] as Float64Array
    for (let n = 0; n < load.length; n++) {
      const value = over(state, r, n, h)
      if (value >= least) continue
      least = value
      to = r
      toNode = n
    }
  }
  state.put(f, to, toNode)
}

function fullest(state: PackState): { r: number; n: number } | undefined {
  let most = LEAST
  let worst: { r: number; n: number } | undefined
  state.load.forEach((load, r) => {
    for (let n = 0; n < load.length; n++) {
      const value = over(state, r, n, 0)
      if (value <= most) continue
      most = value
      worst = { r, n }
    }
  })
  return worst
}

/** The move or exchange that takes most hours beyond the deadline off a node and what it trades with. */
function bestStep(state: PackState, r: number, n: number): Step {
  const here: number[] = []
  for (let f = 0; f < state.route.length; f++) if (state.route[f] === r && state.node[f] === n) here.push(f)
  const best: Step = { gain: LEAST, weighed: 0, a: -1, b: -1, r: -1, n: -1 }
  const now = over(state, r, n, 0)
  for (const a of here) {
    const gone = state.time(r, a)
    for (let s = 0; s < state.offers.length; s++) {
      const h = state.time(s, a)
      if (h > (state.limitH[s] as number)) continue
      const nodes = (state.load[s] as Float64Array).length
      for (let m = 0; m < nodes; m++) {
        if (s === r && m === n) continue
        const gain = now + over(state, s, m, 0) - over(state, r, n, -gone) - over(state, s, m, h)
        if (gain > best.gain) Object.assign(best, { gain, a, b: -1, r: s, n: m })
      }
      best.weighed += nodes
    }
    for (let b = 0; b < state.route.length; b++) {
      const s = state.route[b] as number
      const m = state.node[b] as number
      if (s < 0 || (s === r && m === n)) continue
      const come = state.time(r, b)
      const h = state.time(s, a)
      if (come > (state.limitH[r] as number) || h > (state.limitH[s] as number)) continue
      const gain = now + over(state, s, m, 0) - over(state, r, n, come - gone) - over(state, s, m, h - state.time(s, b))
      if (gain > best.gain) Object.assign(best, { gain, a, b, r: s, n: m })
    }
    best.weighed += state.route.length
  }
  return best
}

function apply(state: PackState, { a, b, r, n }: Step): void {
  const from = state.route[a] as number
  const fromNode = state.node[a] as number
  state.take(a)
  if (b >= 0) {
    state.take(b)
    state.put(b, from, fromNode)
  }
  state.put(a, r, n)
}

/** Trades two frames at random that fit each other's routes. */
function kick(state: PackState, random: () => number): void {
  const frames = state.route.length
  for (let tries = 0; tries < 50; tries++) {
    const a = Math.floor(random() * frames)
    const b = Math.floor(random() * frames)
    const r = state.route[a] as number
    const s = state.route[b] as number
    if (r < 0 || s < 0 || (r === s && state.node[a] === state.node[b])) continue
    if (state.time(s, a) > (state.limitH[s] as number) || state.time(r, b) > (state.limitH[r] as number)) continue
    return apply(state, { gain: 0, weighed: 0, a, b, r: s, n: state.node[b] as number })
  }
}

/** Takes the shortest frames off nodes that would be late until none is. */
function evictLate(state: PackState): void {
  for (let worst = fullest(state); worst !== undefined; worst = fullest(state)) {
    const { r, n } = worst
    let shortest = -1
    for (let f = 0; f < state.route.length; f++) {
      if (state.route[f] !== r || state.node[f] !== n) continue
      if (shortest < 0 || state.time(r, f) < state.time(r, shortest)) shortest = f
    }
    state.take(shortest)
  }
}
