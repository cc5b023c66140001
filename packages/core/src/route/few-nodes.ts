/** How frames of one offer fit on its nodes. */
export interface NodePacking {
  /** Fewest nodes that any packing needs; more than `most` when none fits. */
  readonly least: number
  /** Node of each frame, where a packing on at most `most` nodes was found. */
  readonly node?: Int32Array
  /** Nodes of that packing. */
  readonly nodes: number
  /** Placements tried. */
  readonly steps: number
}

/**
 * Packs a few frames (hours, longest first) on as few nodes of `limitH` hours as possible: first fit, then a search that tries at most
 * `mostSteps` placements.
 */
export function packFew(hours: Float64Array, limitH: number, most: number, mostSteps: number): NodePacking {
  if (hours.length > 0 && (hours[0] as number) > limitH) return { least: Infinity, nodes: Infinity, steps: 0 }
  let least = leastNodes(hours, limitH)
  const first = firstFit(hours, limitH)
  let best = first
  const steps = { left: mostSteps }
  while (least < best.nodes && least <= most) {
    const search = new NodeSearch(hours, limitH, least, steps)
    if (search.place(0)) best = { node: search.node, nodes: least }
    else if (steps.left <= 0) break
    else least++
  }
  const used = mostSteps - steps.left
  return best.nodes <= most ? { least, ...best, steps: used } : { least, nodes: best.nodes, steps: used }
}

/** Most frames a node for which nodes are counted by frames instead of hours. */
const MOST_A_NODE = 12

/**
 * Nodes that any packing needs: by hours, and by the dual feasible functions of Fekete and Schepers (2001), which count a frame of more
 * than 1/(k+1) of a node as at least 1/k of it, since no node takes more than k of those.
 */
export function leastNodes(hours: Float64Array, limitH: number): number {
  let most = 0
  for (let k = 0; k <= MOST_A_NODE; k++) {
    let sum = 0
    for (const h of hours) {
      const x = h / limitH
      const parts = (k + 1) * x
      // Where rounding could tell, the frame counts by its hours, which is always valid.
      sum += k === 0 || Math.abs(parts - Math.round(parts)) < 1e-7 ? x : Math.floor(parts) / k
    }
    most = Math.max(most, Math.ceil(sum - 1e-9))
  }
  return hours.length > 0 ? Math.max(1, most) : 0
}

function firstFit(hours: Float64Array, limitH: number): { readonly node: Int32Array; readonly nodes: number } {
  const node = new Int32Array(hours.length)
  const load: number[] = []
  hours.forEach((h, i) => {
    let n = load.findIndex((at) => at + h <= limitH)
    if (n < 0) n = load.push(0) - 1
    load[n] = (load[n] as number) + h
    node[i] = n
  })
  return { node, nodes: load.length }
}

class NodeSearch {
  readonly node: Int32Array
  private readonly hours: Float64Array
  private readonly limitH: number
  private readonly load: Float64Array
  private readonly steps: { left: number }
  private spare: number

  constructor(hours: Float64Array, limitH: number, nodes: number, steps: { left: number }) {
    this.hours = hours
    this.limitH = limitH
    this.node = new Int32Array(hours.length)
    this.load = new Float64Array(nodes)
    this.steps = steps
    this.spare = nodes * limitH - hours.reduce((sum, h) => sum + h, 0)
  }

  /** Places the frames from the k-th on; of nodes with equal load only the first is tried, and equal frames go to rising nodes. */
  place(k: number): boolean {
    const { hours, load, limitH, node } = this
    if (k === hours.length) return true
    const h = hours[k] as number
    const shortest = hours[hours.length - 1] as number
    const from = k > 0 && hours[k - 1] === h ? (node[k - 1] as number) : 0
    for (let n = from; n < load.length; n++) {
      const at = load[n] as number
      if (at + h > limitH || load.indexOf(at) < n) continue
      if (this.steps.left-- <= 0) return false
      load[n] = at + h
      node[k] = n
      // A gap shorter than the shortest frame is lost.
      const gap = limitH - at - h
      const lost = gap < shortest ? gap : 0
      this.spare -= lost
      const done = this.spare >= -1e-9 && this.place(k + 1)
      this.spare += lost
      load[n] = at
      if (done) return true
    }
    return false
  }
}
