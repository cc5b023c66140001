/** Hours until all frames are done when the next frame of the list goes to the node that is free first (what a farm's queue does). */
export function listMakespan(hours: ArrayLike<number>, nodes: number): number {
  const size = Math.min(nodes, hours.length)
  if (size === 0) return 0
  if (size === 1) {
    let sum = 0
    for (let i = 0; i < hours.length; i++) sum += hours[i] as number
    return sum
  }
  const free = new Float64Array(size)
  let makespan = 0
  for (let i = 0; i < hours.length; i++) {
    const end = (free[0] as number) + (hours[i] as number)
    if (end > makespan) makespan = end
    // `free` is a binary heap, earliest first.
    let k = 0
    for (;;) {
      let c = 2 * k + 1
      if (c >= size) break
      if (c + 1 < size && (free[c + 1] as number) < (free[c] as number)) c++
      if ((free[c] as number) >= end) break
      free[k] = free[c] as number
      k = c
    }
    free[k] = end
  }
  return makespan
}

/** What {@link packNodes} found. */
export interface Packing {
  /** Node of each frame in the given order; -1 where none had room. */
  readonly node: Int32Array
  /** Frames without room. */
  readonly left: number
  readonly load: Float64Array
}

/** Places frames (longest first) on nodes of `limitH` hours: best fit, then swaps that make room for what is left over. */
export function packNodes(hours: Float64Array, nodes: number, limitH: number): Packing {
  const node = new Int32Array(hours.length).fill(-1)
  const load = new Float64Array(nodes)
  let left = 0
  for (let i = 0; i < hours.length; i++) {
    const h = hours[i] as number
    let best = -1
    let bestLoad = -1
    for (let n = 0; n < nodes; n++) {
      const at = load[n] as number
      if (at > bestLoad && at + h <= limitH) {
        best = n
        bestLoad = at
      }
    }
    if (best < 0) left++
    else {
      node[i] = best
      load[best] = bestLoad + h
    }
  }
  if (left > 0) left = makeRoom(hours, node, load, limitH)
  return { node, left, load }
}

/** Tries to place each left frame by exchanging one placed frame for a longer one elsewhere, so that a node's gap grows enough. */
function makeRoom(hours: Float64Array, node: Int32Array, load: Float64Array, limitH: number): number {
  const byNode: number[][] = Array.from({ length: load.length }, () => [])
  node.forEach((n, i) => {
    if (n >= 0) (byNode[n] as number[]).push(i)
  })
  let left = 0
  let tries = 40
  for (let i = 0; i < hours.length; i++) {
    if ((node[i] as number) >= 0) continue
    if (tries-- <= 0 || !placeBySwap(i, hours, node, load, byNode, limitH)) left++
  }
  return left
}

function placeBySwap(
  i: number,
  hours: Float64Array,
  node: Int32Array,
  load: Float64Array,
  byNode: number[][],
  limitH: number,
): boolean {
  const need = hours[i] as number
  const target = loosest(load)
  const lack = need - (limitH - (load[target] as number))
  const here = byNode[target] as number[]
  // Exchange a (on target) for a shorter b elsewhere: target gains hours[a] - hours[b] >= lack, the other node must still fit.
  for (let other = 0; other < load.length; other++) {
    if (other === target) continue
    const spare = limitH - (load[other] as number)
    if (spare < lack) continue
    const there = byNode[other] as number[]
    for (let x = 0; x < here.length; x++) {
      for (let y = 0; y < there.length; y++) {
        const delta = (hours[here[x] as number] as number) - (hours[there[y] as number] as number)
        if (delta < lack || delta > spare) continue
        const a = here[x] as number
        const b = there[y] as number
        here[x] = b
        there[y] = a
        node[a] = other
        node[b] = target
        load[other] = (load[other] as number) + delta
        load[target] = (load[target] as number) - delta + need
        node[i] = target
        here.push(i)
        return true
      }
    }
  }
  return false
}

function loosest(load: Float64Array): number {
  let best = 0
  for (let n = 1; n < load.length; n++) if ((load[n] as number) < (load[best] as number)) best = n
  return best
}
