import type { PackState } from './pack-state.ts'

/**
 * Searches all placements of a few frames on the nodes of the state's offers, longest frame first, for one that costs less than
 * `below`. Prunes by cost (what is charged so far, plus the remaining frames at their lowest price less the hours that are already
 * paid), by room (the remaining frames must fit into what is left), and by symmetry (nodes of one offer with equal load).
 *
 * @param steps - most placements tried, a deterministic limit.
 * @returns steps used; the state holds the best placement found, or no frame at all when none was found.
 */
export function searchPlacements(state: PackState, below: number, steps: number): number {
  const search = new Search(state, below, steps)
  search.place(0)
  for (let f = 0; f < state.route.length; f++) if ((state.route[f] as number) >= 0) state.take(f)
  search.best?.forEach(([r, n], k) => state.put(search.order[k] as number, r, n))
  return search.used
}

class Search {
  readonly order: number[]
  best: [number, number][] | undefined
  used = 0
  private readonly state: PackState
  private readonly most: number
  private limit: number
  private readonly placed: [number, number][] = []
  /** Least price and least hours of the frames from each place in the order on. */
  private readonly leastPrice: Float64Array
  private readonly leastHours: Float64Array
  private readonly price: number[]
  private readonly nodes: number[]

  constructor(state: PackState, below: number, steps: number) {
    this.state = state
    this.limit = below
    this.most = steps
    const frames = state.route.length
    const { tables, problem } = state.prepared
    this.order = Array.from({ length: frames }, (_, f) => f).sort(
      (a, b) => (problem.work[b] as number) - (problem.work[a] as number) || a - b,
    )
    this.price = state.offers.map((o) => Math.min(...(tables.tierPrice[o] as Float64Array)))
    this.nodes = this.affordableNodes()
    this.leastPrice = new Float64Array(frames + 1)
    this.leastHours = new Float64Array(frames + 1)
    for (let k = frames - 1; k >= 0; k--) {
      let price = Infinity
      let hours = Infinity
      state.offers.forEach((o, r) => {
        const h = state.time(r, this.order[k] as number)
        hours = Math.min(hours, h)
        price = Math.min(price, h * (this.price[r] as number) + (tables.perFrame[o] as number))
      })
      this.leastPrice[k] = (this.leastPrice[k + 1] as number) + price
      this.leastHours[k] = (this.leastHours[k + 1] as number) + hours
    }
  }

  /** Charge so far plus what the frames from `k` on add at least. */
  private bound(k: number): number {
    const { state, price } = this
    const { tables } = state.prepared
    let sum = this.leastPrice[k] as number
    let free = 0
    for (let r = 0; r < price.length; r++) {
      const o = state.offers[r] as number
      const frames = state.frames[r] as number
      if (frames === 0) continue
      const cost = state.cost[r] as number
      sum += cost
      // Hours that cost nothing more: the rest of the step, or of the minimum charge.
      const billed = (state.hours[r] as number) + (state.used[r] as number) * (tables.billedStartH[o] as number)
      const least = (tables.fixed[o] as number) + (tables.perFrame[o] as number) * frames + billed * (price[r] as number)
      free += Math.max(0, cost - least)
    }
    return Math.max(sum - free, sum - (this.leastPrice[k] as number))
  }

  place(k: number): void {
    if (this.used >= this.most) return
    const { state } = this
    if (k === this.order.length) {
      const total = state.total()
      if (total >= this.limit) return
      this.limit = total * (1 - 1e-9)
      this.best = this.placed.map(([r, n]) => [r, n])
      return
    }
    if (this.bound(k) >= this.limit || !this.hasRoom(k)) return
    const f = this.order[k] as number
    for (const [r, n] of this.options(f)) {
      this.used++
      state.put(f, r, n)
      this.placed.push([r, n])
      this.place(k + 1)
      this.placed.pop()
      state.take(f)
      if (this.used >= this.most) return
    }
  }

  /** Whether the remaining frames can fit; a gap shorter than the shortest of them is lost. */
  private hasRoom(k: number): boolean {
    const { state } = this
    const shortest = this.order[this.order.length - 1] as number
    let room = 0
    for (let r = 0; r < state.offers.length; r++) {
      const load = state.load[r] as Float64Array
      const limit = state.limitH[r] as number
      const least = state.time(r, shortest)
      for (let n = 0; n < (this.nodes[r] as number); n++) {
        const gap = limit - (load[n] as number)
        if (gap >= least) room += gap
      }
    }
    return room >= (this.leastHours[k] as number) - 1e-12
  }

  /** With a single offer all hours are known, so the most nodes that can still be cheaper are too. */
  private affordableNodes(): number[] {
    const { state } = this
    return state.load.map((load, r) => {
      if (state.offers.length > 1) return load.length
      let hours = 0
      for (const f of this.order) hours += state.time(r, f)
      let nodes = load.length
      while (nodes > 1 && state.value(r, hours, nodes, this.order.length) >= this.limit) nodes--
      return nodes
    })
  }

  /** Places for a frame, cheapest first; of nodes with equal load only the first. */
  private options(f: number): [number, number][] {
    const { state } = this
    const rows: { r: number; n: number; delta: number; gap: number }[] = []
    for (let r = 0; r < state.offers.length; r++) {
      const h = state.time(r, f)
      const limit = state.limitH[r] as number
      const load = state.load[r] as Float64Array
      const seen: number[] = []
      for (let n = 0; n < (this.nodes[r] as number); n++) {
        const at = load[n] as number
        if (at + h > limit || seen.includes(at)) continue
        seen.push(at)
        rows.push({ r, n, delta: state.costOfAdding(r, h, n), gap: limit - at - h })
      }
    }
    rows.sort((a, b) => a.delta - b.delta || a.gap - b.gap || a.r - b.r || a.n - b.n)
    return rows.map(({ r, n }) => [r, n])
  }
}
