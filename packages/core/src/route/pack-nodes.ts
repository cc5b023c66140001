/** What {@link packNodes} found. */
export interface Packing {
  /** Node of each frame in the given order; -1 where none had room. */
  readonly node: Int32Array
  /** Frames without room. */
  readonly left: number
  readonly load: Float64Array
}

/** Places frames (longest first) on nodes of `limitH` hours: best fit, then gaps are gathered on single nodes for what is left over. */
export function packNodes(hours: Float64Array, nodes: number, limitH: number): Packing {
  const node = new Int32Array(hours.length).fill(-1)
  const load = new Float64Array(nodes)
  const waiting: number[] = []
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
    if (best < 0) waiting.push(i)
    else {
      node[i] = best
      load[best] = bestLoad + h
    }
  }
  if (waiting.length > 0 && nodes > 1) gatherGaps({ hours, node, load, limitH, onNode: framesOn(node, nodes) }, waiting)
  return { node, left: node.reduce((n, at) => n + (at < 0 ? 1 : 0), 0), load }
}

interface Nodes {
  readonly hours: Float64Array
  readonly node: Int32Array
  readonly load: Float64Array
  readonly limitH: number
  /** Frames on each node, longest first. */
  readonly onNode: number[][]
}

function framesOn(node: Int32Array, nodes: number): number[][] {
  const lists: number[][] = Array.from({ length: nodes }, () => [])
  node.forEach((n, i) => {
    if (n >= 0) (lists[n] as number[]).push(i)
  })
  return lists
}

/** Every other node trades a frame for a longer one of the loosest node, which so collects their gaps; then waiting frames go there. */
function gatherGaps(nodes: Nodes, waiting: number[]): void {
  const { hours, load, limitH, onNode } = nodes
  const gap = (n: number) => limitH - (load[n] as number)
  for (let idle = 0; waiting.length > 0 && idle < 2;) {
    // After a turn in vain the next loosest node is tried once.
    const donor = loosest(load, idle)
    for (let n = 0; n < load.length; n++) {
      if (n !== donor && gap(n) > 1e-9) trade(nodes, n, donor)
    }
    let placed = false
    for (let k = 0; k < waiting.length; k++) {
      const i = waiting[k] as number
      if ((hours[i] as number) > gap(donor)) continue
      nodes.node[i] = donor
      load[donor] = (load[donor] as number) + (hours[i] as number)
      insert(onNode[donor] as number[], i, hours)
      waiting.splice(k--, 1)
      placed = true
    }
    idle = placed ? 0 : idle + 1
  }
}

/** The exchange of a frame on `n` for a longer one on `donor` that leaves the smallest gap on `n`. */
function trade({ hours, node, load, limitH, onNode }: Nodes, n: number, donor: number): void {
  const here = onNode[n] as number[]
  const there = onNode[donor] as number[]
  const gap = limitH - (load[n] as number)
  let best = 1e-9
  let from = -1
  let to = -1
  // Both lists fall: as frames here get shorter, so does the longest fitting frame there.
  for (let x = 0, y = 0; x < here.length && y < there.length; x++) {
    const h = hours[here[x] as number] as number
    while (y < there.length && (hours[there[y] as number] as number) > h + gap) y++
    if (y === there.length) break
    const more = (hours[there[y] as number] as number) - h
    if (more > best) {
      best = more
      from = x
      to = y
    }
  }
  if (from < 0) return
  const a = here.splice(from, 1)[0] as number
  const b = there.splice(to, 1)[0] as number
  insert(here, b, hours)
  insert(there, a, hours)
  node[a] = donor
  node[b] = n
  load[n] = (load[n] as number) + best
  load[donor] = (load[donor] as number) - best
}

/** Frames are numbered longest first, so a node's list stays in order of numbers. */
function insert(list: number[], i: number, hours: Float64Array): void {
  let k = list.length
  while (k > 0 && (hours[list[k - 1] as number] as number) < (hours[i] as number)) k--
  list.splice(k, 0, i)
}

function loosest(load: Float64Array, skip: number): number {
  let first = 0
  let second = -1
  for (let n = 1; n < load.length; n++) {
    if ((load[n] as number) < (load[first] as number)) {
      second = first
      first = n
    } else if (second < 0 || (load[n] as number) < (load[second] as number)) second = n
  }
  return skip === 0 || second < 0 ? first : second
}
