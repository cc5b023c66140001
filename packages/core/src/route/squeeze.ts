import { mulberry32 } from './instance.ts'
import type { PackState } from './pack-state.ts'

/** Fixed, so that the same problem gives the same plan. */
const SEED = 20_261_126
/** Exchanges that are weighed before the frames count as too many for the nodes. */
const MOST_WEIGHED = 600_000
/** Random exchanges after which no other start is tried. */
const KICKS = 60
const LEAST = 1e-12

/** What a route may use: hours in all (such as a whole number of billing steps) and nodes. */
export interface Allowance {
  readonly hours: Float64Array
  readonly nodes: Int32Array
}

/** All nodes of the state's routes, and no limit on hours but the deadline. */
export function everything(state: PackState): Allowance {
  return {
    hours: new Float64Array(state.offers.length).fill(Infinity),
    nodes: Int32Array.from(state.load, (load) => load.length),
  }
}

/**
 * Finds room for frames without a place by letting nodes run beyond the deadline, and routes beyond their allowance, and then moving
 * and trading frames as long as the hours beyond shrink. Charges are ignored.
 *
 * @returns whether all frames have a place in time; if not, those on nodes that would be late have none again.
 */
export function squeeze(frames: PackState, homeless: readonly number[], allowance: Allowance): boolean {
  const state = { frames, allowance }
  for (const f of homeless) crowd(state, f)
  const random = mulberry32(SEED + homeless.length)
  let weighed = 0
  for (let kicks = 0; ;) {
    const worst = fullest(state)
    if (worst === undefined) return true
    if (weighed > MOST_WEIGHED) break
    const step = bestStep(state, worst.r, worst.n)
    weighed += step.weighed
    if (step.gain > LEAST) apply(frames, step)
    else if (kicks++ < KICKS) kick(frames, random)
    else break
  }
  evictLate(frames)
  return false
}

interface Crowd {
  readonly frames: PackState
  readonly allowance: Allowance
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

/** Hours of a node beyond the deadline with `more` hours on it. */
const late = (state: PackState, r: number, n: number, more: number) =>
  Math.max(0, ((state.load[r] as Float64Array)[n] as number) + more - (state.limitH[r] as number))

/** Hours of a route beyond its allowance with `more` hours on it. */
const beyond = ({ frames, allowance }: Crowd, r: number, more: number) =>
  Math.max(0, (frames.hours[r] as number) + more - (allowance.hours[r] as number))

/** Puts a frame where it exceeds the deadline by least. */
function crowd(state: Crowd, f: number): void {
  const { frames, allowance } = state
  let least = Infinity
  let to = 0
  let toNode = 0
  for (let r = 0; r < frames.offers.length; r++) {
    const h = frames.time(r, f)
    if (h > (frames.limitH[r] as number)) continue
    const route = beyond(state, r, h) - beyond(state, r, 0)
    for (let n = 0; n < (allowance.nodes[r] as number); n++) {
      const value = late(frames, r, n, h) - late(frames, r, n, 0) + route
      if (value >= least) continue
      least = value
      to = r
      toNode = n
    }
  }
  frames.put(f, to, toNode)
}

/** The node that is latest, or else any node (n = -1) of the route that exceeds its allowance most. */
function fullest(state: Crowd): { r: number; n: number } | undefined {
  let most = LEAST
  let worst: { r: number; n: number } | undefined
  state.frames.load.forEach((load, r) => {
    for (let n = 0; n < load.length; n++) {
      const value = late(state.frames, r, n, 0)
      if (value <= most) continue
      most = value
      worst = { r, n }
    }
    const value = beyond(state, r, 0)
    if (value > most) {
      most = value
      worst = { r, n: -1 }
    }
  })
  return worst
}

/** The move or exchange that takes most hours beyond limits off a node (any node of the route when n = -1) and what it trades with. */
function bestStep(state: Crowd, r: number, n: number): Step {
  const { frames, allowance } = state
  const best: Step = { gain: LEAST, weighed: 0, a: -1, b: -1, r: -1, n: -1 }
  const weigh = (a: number, b: number, s: number, m: number) => {
    const at = frames.node[a] as number
    const gone = frames.time(r, a)
    const come = b < 0 ? 0 : frames.time(r, b)
    const here = come - gone
    const there = frames.time(s, a) - (b < 0 ? 0 : frames.time(s, b))
    best.weighed++
    const nodes = late(frames, r, at, 0) + late(frames, s, m, 0) - late(frames, r, at, here) - late(frames, s, m, there)
    const routes = r === s ? 0 : beyond(state, r, 0) + beyond(state, s, 0) - beyond(state, r, here) - beyond(state, s, there)
    if (nodes + routes > best.gain) Object.assign(best, { gain: nodes + routes, a, b, r: s, n: m })
  }
  for (let a = 0; a < frames.route.length; a++) {
    if (frames.route[a] !== r || (n >= 0 && frames.node[a] !== n)) continue
    for (let s = 0; s < frames.offers.length; s++) {
      if (frames.time(s, a) > (frames.limitH[s] as number)) continue
      for (let m = 0; m < (allowance.nodes[s] as number); m++) if (s !== r || m !== frames.node[a]) weigh(a, -1, s, m)
    }
    for (let b = 0; b < frames.route.length; b++) {
      const s = frames.route[b] as number
      const m = frames.node[b] as number
      if (s < 0 || (s === r && m === frames.node[a])) continue
      if (frames.time(r, b) > (frames.limitH[r] as number) || frames.time(s, a) > (frames.limitH[s] as number)) continue
      weigh(a, b, s, m)
    }
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
  state.load.forEach((load, r) => {
    for (let n = 0; n < load.length; n++) {
      while (late(state, r, n, 0) > LEAST) {
        let shortest = -1
        for (let f = 0; f < state.route.length; f++) {
          if (state.route[f] !== r || state.node[f] !== n) continue
          if (shortest < 0 || state.time(r, f) < state.time(r, shortest)) shortest = f
        }
        state.take(shortest)
      }
    }
  })
}
