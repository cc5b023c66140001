import { mulberry32 } from './instance.ts'
import type { PackState } from './pack-state.ts'
import { relocate, tradeAll } from './polish.ts'

/** Fixed, so that the same problem gives the same plan. */
const SEED = 20_260_101

/** A placement of all frames, to come back to. */
interface Snapshot {
  readonly route: Int32Array
  readonly node: Int32Array
  readonly cost: number
}

/**
 * Iterated local search for few frames: takes some frames off, puts them back in another order, improves, and keeps what is cheaper.
 * Frames in `homeless` have no place yet. Returns whether all frames have one; the state is then the best placement seen.
 */
export function restart(state: PackState, homeless: readonly number[], kicks: number): boolean {
  const frames = state.route.length
  const random = mulberry32(SEED + frames)
  let waiting = [...homeless]
  let best: Snapshot | undefined = waiting.length === 0 ? snapshot(state) : undefined
  for (let kick = 0; kick < kicks; kick++) {
    const out = 2 + Math.floor(random() * Math.min(6, Math.max(1, frames - 2)))
    for (let k = 0; k < out; k++) {
      const f = Math.floor(random() * frames)
      if ((state.route[f] as number) < 0) continue
      state.take(f)
      waiting.push(f)
    }
    shuffle(waiting, random)
    waiting = waiting.filter((f) => !place(state, f, random))
    if (waiting.length > 0) continue
    for (let pass = 0; pass < 4; pass++)
      if (
        ![
          relocate(
            state,
            state.route.map((_, f) => f),
          ),
          tradeAll(state),
        ].includes(true)
      )
        break
    if (best === undefined || state.total() < best.cost - 1e-12) best = snapshot(state)
    else if (random() < 0.5) restore(state, best)
  }
  if (best === undefined) return false
  restore(state, best)
  return true
}

function shuffle(list: number[], random: () => number): void {
  for (let k = list.length - 1; k > 0; k--) {
    const j = Math.floor(random() * (k + 1))
    const held = list[k] as number
    list[k] = list[j] as number
    list[j] = held
  }
}

/** Puts a frame where it costs least; now and then on another route that has room. */
function place(state: PackState, f: number, random: () => number): boolean {
  const found = state.cheapestPlace(f, 0, () => 0.7 + 0.6 * random())
  if (!found) return false
  state.put(f, found.route, found.node)
  return true
}

function snapshot(state: PackState): Snapshot {
  return { route: state.route.slice(), node: state.node.slice(), cost: state.total() }
}

function restore(state: PackState, { route, node }: Snapshot): void {
  for (let f = 0; f < state.route.length; f++) if ((state.route[f] as number) >= 0) state.take(f)
  for (let f = 0; f < route.length; f++) if ((route[f] as number) >= 0) state.put(f, route[f] as number, node[f] as number)
}
