import { invert } from './invert.ts'

/**
 * Units of frames, the routes that could take them, and how much each route may take:
 *
 *     min  sum cost[r][u] x[u][r] + sum penalty * over[r]
 *     s.t. sum over r of x[u][r] = 1 for each unit,   sum over u of hours[r][u] x[u][r] <= quota[r] + over[r] for each route
 */
export interface TransportProblem {
  readonly units: number
  readonly routes: number
  /** Hours of a whole unit on a route, `route * units + unit`; Infinity where it cannot go. */
  readonly hours: Float64Array
  /** Cost of a whole unit on a route, in the same order. */
  readonly cost: Float64Array
  readonly quota: Float64Array
  /** Price of an hour beyond a quota; dearer than any useful hour. */
  readonly penalty: number
  /** A price of an hour on each route to start from. */
  readonly start: Float64Array
}

/** Basis changes between two fresh inversions. */
const REFACTOR_EVERY = 60
/** In place of a unit: the slack of a route's quota, and the hours beyond it. */
export const SLACK = -1
export const OVER = -2

/**
 * The basis of a {@link TransportProblem}. Each unit has one route as its key; only the capacity rows need a basis matrix (Dantzig and
 * Van Slyke's generalized upper bounds), whose columns are slacks, excesses, and the second routes of split units.
 */
export class TransportBasis {
  /** Route that takes each unit, or the rest of it. */
  readonly key: Int32Array
  /** Price of an hour on each route, 0 where hours are left. */
  readonly price: Float64Array
  /** What is basic in each row: a unit's second route, a slack or an excess. */
  readonly unit: Int32Array
  readonly route: Int32Array
  readonly amount: Float64Array
  /** The last column that was loaded. */
  readonly column: Float64Array
  /** Share of the keys of the units in the basis. */
  readonly keyShare: Float64Array
  /** Arithmetic done, in multiply-adds. */
  work = 0
  private readonly problem: TransportProblem
  private readonly inverse: Float64Array
  private changes = 0

  constructor(problem: TransportProblem) {
    const { units, routes } = problem
    this.problem = problem
    this.key = new Int32Array(units)
    this.price = Float64Array.from(problem.start)
    this.unit = new Int32Array(routes)
    this.route = new Int32Array(routes)
    this.amount = new Float64Array(routes)
    this.inverse = new Float64Array(routes * routes)
    this.column = new Float64Array(routes)
    this.keyShare = new Float64Array(units)
    for (let u = 0; u < units; u++) this.key[u] = this.cheapest(u)
    this.unitBasis()
  }

  isSplit(u: number): boolean {
    return this.unit.includes(u)
  }

  /** Cost of a whole unit on a route with its hours at the route's price. */
  bid(u: number, r: number): number {
    const at = r * this.problem.units + u
    return (this.problem.cost[at] as number) + (this.price[r] as number) * (this.problem.hours[at] as number)
  }

  private cheapest(u: number): number {
    let best = -1
    let least = Infinity
    for (let r = 0; r < this.problem.routes; r++) {
      if (this.problem.hours[r * this.problem.units + u] === Infinity) continue
      const value = this.bid(u, r)
      if (value < least) {
        least = value
        best = r
      }
    }
    return best
  }

  /** Column of a step in the basis, into `column`. */
  load(u: number, r: number): void {
    const { routes, units, hours } = this.problem
    const { inverse, column } = this
    if (u < 0) {
      const sign = u === SLACK ? 1 : -1
      for (let i = 0; i < routes; i++) column[i] = sign * (inverse[i * routes + r] as number)
      return
    }
    const key = this.key[u] as number
    const gain = hours[r * units + u] as number
    const lose = hours[key * units + u] as number
    for (let i = 0; i < routes; i++) {
      column[i] = gain * (inverse[i * routes + r] as number) - lose * (inverse[i * routes + key] as number)
    }
  }

  /** Works out what is left to the keys of split units. */
  loadKeyShares(): void {
    for (const u of this.unit) if (u >= 0) this.keyShare[u] = 1
    for (let i = 0; i < this.unit.length; i++) {
      const u = this.unit[i] as number
      if (u >= 0) this.keyShare[u] = (this.keyShare[u] as number) - (this.amount[i] as number)
    }
  }

  /** Makes the unit's largest second route its key; returns the row in which the old key now is. */
  rekey(u: number): number {
    const { routes } = this.problem
    const { unit, inverse, column } = this
    let row = -1
    for (let i = 0; i < routes; i++) {
      if (unit[i] === u && (row < 0 || Math.abs(column[i] as number) > Math.abs(column[row] as number))) row = i
    }
    const share = this.keyShare[u] as number
    // The other columns of the unit now lean on the new key: column j becomes j - row, and row becomes its negative.
    for (let k = 0; k < routes; k++) {
      let sum = inverse[row * routes + k] as number
      for (let i = 0; i < routes; i++) if (i !== row && unit[i] === u) sum += inverse[i * routes + k] as number
      inverse[row * routes + k] = -sum
    }
    const key = this.key[u] as number
    this.key[u] = this.route[row] as number
    this.route[row] = key
    this.amount[row] = share
    return row
  }

  /** Brings a column into the basis in place of a row's; `gain` is its reduced cost. */
  change(leave: number, u: number, r: number, gain: number): void {
    const { routes } = this.problem
    this.pivot(leave, u, r)
    for (let k = 0; k < routes; k++) {
      this.price[k] = (this.price[k] as number) - gain * (this.inverse[leave * routes + k] as number)
    }
    if (++this.changes % REFACTOR_EVERY === 0) this.refactor()
  }

  private pivot(leave: number, u: number, r: number): void {
    const { routes } = this.problem
    const { inverse, column, amount } = this
    const at = leave * routes
    const inverted = 1 / (column[leave] as number)
    const step = (amount[leave] as number) * inverted
    for (let k = 0; k < routes; k++) inverse[at + k] = (inverse[at + k] as number) * inverted
    for (let i = 0; i < routes; i++) {
      const d = column[i] as number
      if (i === leave || d === 0) continue
      const base = i * routes
      for (let k = 0; k < routes; k++) inverse[base + k] = (inverse[base + k] as number) - d * (inverse[at + k] as number)
      amount[i] = (amount[i] as number) - d * step
    }
    amount[leave] = step
    this.unit[leave] = u
    this.route[leave] = r
    this.work += routes * routes
  }

  /** Every unit whole on its key; slacks and excesses take up the rest. */
  private unitBasis(): void {
    const { routes, penalty } = this.problem
    const left = this.left()
    this.inverse.fill(0)
    for (let r = 0; r < routes; r++) {
      const over = (left[r] as number) < 0
      this.unit[r] = over ? OVER : SLACK
      this.route[r] = r
      this.amount[r] = Math.abs(left[r] as number)
      this.inverse[r * routes + r] = over ? -1 : 1
      this.price[r] = over ? penalty : 0
    }
  }

  /** Quota of each route less the keys' hours. */
  private left(): Float64Array {
    const { units, hours, quota } = this.problem
    const left = Float64Array.from(quota)
    for (let u = 0; u < units; u++) {
      const r = this.key[u] as number
      left[r] = (left[r] as number) - (hours[r * units + u] as number)
    }
    return left
  }

  /** Inverts the basis, and works out amounts and prices, afresh. */
  private refactor(): void {
    const { routes, units, hours, cost, penalty } = this.problem
    const matrix = new Float64Array(routes * routes)
    const charge = new Float64Array(routes)
    for (let i = 0; i < routes; i++) {
      const u = this.unit[i] as number
      const r = this.route[i] as number
      if (u < 0) matrix[r * routes + i] = u === SLACK ? 1 : -1
      else {
        const key = this.key[u] as number
        matrix[r * routes + i] = hours[r * units + u] as number
        matrix[key * routes + i] = -(hours[key * units + u] as number)
        charge[i] = (cost[r * units + u] as number) - (cost[key * units + u] as number)
      }
      if (u === OVER) charge[i] = penalty
    }
    this.work += routes * routes * routes
    if (!invert(matrix, this.inverse, routes)) return this.unitBasis()
    const left = this.left()
    this.price.fill(0)
    for (let i = 0; i < routes; i++) {
      let sum = 0
      for (let k = 0; k < routes; k++) {
        const value = this.inverse[i * routes + k] as number
        sum += value * (left[k] as number)
        this.price[k] = (this.price[k] as number) - (charge[i] as number) * value
      }
      this.amount[i] = sum
    }
  }
}
