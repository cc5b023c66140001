import type { PackState } from './pack-state.ts'

/** Finds the cheapest place for every frame without one, longest first. */
export function rehouse(state: PackState, homeless: number[]): boolean {
  const { work } = state.prepared.problem
  let evictions = MOST_EVICTIONS
  homeless.sort((a, b) => (work[b] as number) - (work[a] as number) || a - b)
  for (const f of homeless) {
    const place = state.cheapestPlace(f)
    if (place) state.put(f, place.route, place.node)
    else if (evictions-- <= 0 || !evict(state, f)) return false
  }
  return true
}

/** Frames that may push others out before the fluid plan counts as too tight. */
const MOST_EVICTIONS = 60
/** Placed frames that are looked at as candidates to make room. */
const VICTIMS = 2000

/** Makes room for a frame by sending a placed frame to another route. */
function evict(state: PackState, f: number): boolean {
  const gap = state.load.map((load, r) => load.reduce((most, at) => Math.max(most, (state.limitH[r] as number) - at), 0))
  const stride = Math.ceil(state.route.length / VICTIMS)
  let best = Infinity
  let victim = -1
  let to = -1
  for (let g = 0; g < state.route.length; g += stride) {
    const r = state.route[g] as number
    if (r < 0) continue
    const need = state.time(r, f) - state.time(r, g)
    if (((state.load[r] as Float64Array)[state.node[g] as number] as number) + need > (state.limitH[r] as number)) continue
    const here =
      state.value(r, (state.hours[r] as number) + need, state.used[r] as number, state.frames[r] as number) -
      (state.cost[r] as number)
    for (let s = 0; s < state.offers.length; s++) {
      const h = state.time(s, g)
      if (s === r || h > (gap[s] as number)) continue
      const used = state.used[s] as number
      const delta =
        here + state.value(s, (state.hours[s] as number) + h, used, (state.frames[s] as number) + 1) - (state.cost[s] as number)
      if (delta < best) {
        best = delta
        victim = g
        to = s
      }
    }
  }
  if (victim < 0) return false
  const r = state.route[victim] as number
  const n = state.node[victim] as number
  state.take(victim)
  state.put(f, r, n)
  state.put(victim, to, state.bestNode(to, state.time(to, victim)))
  return true
}
