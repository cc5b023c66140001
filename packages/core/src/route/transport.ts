import { OVER, SLACK, TransportBasis, type TransportProblem } from './transport-basis.ts'

export type { TransportProblem } from './transport-basis.ts'

/** Units that are looked at for each step. */
const BLOCK = 24
const TINY = 1e-9

/** How far a step goes and what ends it. */
interface Block {
  readonly step: number
  /** Row of the basis that reaches zero; -1 when a unit moves as a whole. */
  readonly leave: number
  /** Unit whose key reaches zero, else -1. */
  readonly leaveKey: number
}

/**
 * The simplex method for {@link TransportProblem}, on a {@link TransportBasis}. At the optimum no more units are split than there are
 * routes, and `price` is what an hour on each route is worth.
 */
export class Transport {
  private readonly problem: TransportProblem
  private readonly basis: TransportBasis
  /** Change of the key's share of the units in the basis. */
  private readonly keyRate: Float64Array
  private searched = 0
  private cursor = 0
  private foundUnit = 0
  private foundRoute = 0

  constructor(problem: TransportProblem) {
    this.problem = problem
    this.basis = new TransportBasis(problem)
    this.keyRate = new Float64Array(problem.units)
  }

  /** Price of an hour on each route at the last step, 0 where hours are left. */
  get price(): Float64Array {
    return this.basis.price
  }

  /** Arithmetic done, in multiply-adds: a deterministic clock. */
  get work(): number {
    return this.searched + this.basis.work
  }

  /** Cost of a whole unit on a route with its hours at the route's price. */
  bid(u: number, r: number): number {
    return this.basis.bid(u, r)
  }

  /** Steps until nothing improves, or `most` steps are done. */
  solve(most: number): this {
    for (let steps = 0; steps < most; steps++) {
      if (!this.find()) break
      if (!this.enter(this.foundUnit, this.foundRoute)) break
    }
    return this
  }

  /** Calls `visit` with every route of every unit and the share it takes. */
  forShares(visit: (unit: number, route: number, share: number) => void): void {
    const { basis } = this
    basis.loadKeyShares()
    for (let u = 0; u < this.problem.units; u++)
      visit(u, basis.key[u] as number, basis.isSplit(u) ? (basis.keyShare[u] as number) : 1)
    for (let i = 0; i < basis.unit.length; i++) {
      const u = basis.unit[i] as number
      if (u >= 0) visit(u, basis.route[i] as number, Math.max(0, basis.amount[i] as number))
    }
  }

  /** Hours beyond the quota of each route, in sum. */
  excess(): number {
    const { unit, amount } = this.basis
    let sum = 0
    for (let i = 0; i < unit.length; i++) if (unit[i] === OVER) sum += Math.max(0, amount[i] as number)
    return sum
  }

  /** Reduced cost of a step; u = SLACK or OVER for a route's own columns. */
  private reduced(u: number, r: number): number {
    if (u === SLACK) return this.price[r] as number
    if (u === OVER) return this.problem.penalty - (this.price[r] as number)
    return this.bid(u, r) - this.bid(u, this.basis.key[u] as number)
  }

  /**
   * Finds the step that promises most for the hours it moves among the next few units that promise anything, going round from where
   * the last search ended; false when no unit and no route does.
   */
  private find(): boolean {
    const { units, routes, hours, cost, penalty } = this.problem
    const { price, key: keyOf } = this.basis
    let most = 0
    for (let r = 0; r < routes; r++) {
      const p = price[r] as number
      const gain = Math.min(p, penalty - p)
      if (gain >= Math.min(most, -TINY * penalty)) continue
      most = gain
      this.foundUnit = p < 0 ? SLACK : OVER
      this.foundRoute = r
    }
    let left = units
    for (let block = BLOCK; left > 0 && (block > 0 || most === 0); left--, block--) {
      const u = this.cursor
      this.cursor = u + 1 === units ? 0 : u + 1
      const key = keyOf[u] as number
      const now = (cost[key * units + u] as number) + (price[key] as number) * (hours[key * units + u] as number)
      let least = now
      let best = -1
      for (let r = 0, at = u; r < routes; r++, at += units) {
        const h = hours[at] as number
        if (h === Infinity) continue
        const value = (cost[at] as number) + (price[r] as number) * h
        if (value < least) {
          least = value
          best = r
        }
      }
      if (best < 0 || least - now >= -TINY * (now + 1e-12)) continue
      const promise = (least - now) / (hours[key * units + u] as number)
      if (promise >= most) continue
      most = promise
      this.foundUnit = u
      this.foundRoute = best
    }
    this.searched += (units - left) * routes * 2
    return most < 0
  }

  /** Moves along a column until something reaches zero; false when the step is blocked by rounding errors. */
  private enter(u: number, r: number): boolean {
    const { basis } = this
    basis.load(u, r)
    basis.loadKeyShares()
    const block = this.blockOf(u)
    if (block.step === Infinity) return false
    if (block.leave < 0) {
      // The unit moves as a whole: no price changes.
      for (let i = 0; i < basis.amount.length; i++)
        basis.amount[i] = (basis.amount[i] as number) - block.step * (basis.column[i] as number)
      basis.key[u] = r
      return true
    }
    let { leave } = block
    if (block.leaveKey >= 0) {
      leave = basis.rekey(block.leaveKey)
      basis.load(u, r)
      if (Math.abs(basis.column[leave] as number) < TINY) return false
    }
    basis.change(leave, u, r, this.reduced(u, r))
    return true
  }

  /** The ratio test for the loaded column: how far a step goes until a row or the key of a unit reaches zero. */
  private blockOf(u: number): Block {
    const { routes } = this.problem
    const { column, amount, unit, keyShare } = this.basis
    const { keyRate } = this
    const split = u >= 0 && this.basis.isSplit(u)
    for (const v of unit) if (v >= 0) keyRate[v] = 0
    if (u >= 0) {
      if (!split) keyShare[u] = 1
      keyRate[u] = -1
    }
    for (let i = 0; i < routes; i++) {
      const v = unit[i] as number
      if (v >= 0) keyRate[v] = (keyRate[v] as number) + (column[i] as number)
    }
    let step = u >= 0 && !split ? 1 : Infinity
    let leave = -1
    let leaveKey = u >= 0 && !split ? u : -1
    let pivot = 0
    for (let i = 0; i < routes; i++) {
      const d = column[i] as number
      if (d > TINY) {
        const limit = Math.max(0, amount[i] as number) / d
        if (limit < step - 1e-12 || (limit <= step + 1e-12 && leave >= 0 && d > pivot)) {
          step = Math.min(step, limit)
          leave = i
          leaveKey = -1
          pivot = d
        }
      }
      const v = unit[i] as number
      if (v < 0 || v === u) continue
      const rate = -(keyRate[v] as number)
      if (rate > TINY) {
        const limit = Math.max(0, keyShare[v] as number) / rate
        if (limit < step - 1e-12) {
          step = limit
          leave = i
          leaveKey = v
          pivot = rate
        }
      }
    }
    if (split && -(keyRate[u] as number) > TINY) {
      const limit = Math.max(0, keyShare[u] as number) / -(keyRate[u] as number)
      if (limit < step - 1e-12) {
        step = limit
        leaveKey = u
        leave = unit.indexOf(u)
      }
    }
    this.searched += routes * 6
    return { step, leave, leaveKey }
  }
}
