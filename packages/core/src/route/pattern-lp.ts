import type { Pattern } from './fluid.ts'
import { invert } from './invert.ts'

/** Reduced costs above minus this (times a ten-thousandth of `missing`) count as zero. */
const EPSILON = 1e-6
/** Pivots between two fresh inversions of the basis. */
const REFACTOR_EVERY = 150
/** Entering columns that are kept from one scan of all reduced costs. */
const SHORT_LIST = 8

/**
 * A linear program over patterns, solved by the primal simplex method with a dense basis inverse:
 *
 *     min  sum cost_j x_j    s.t.  every item covered,  at most one pattern a farm (in sum),  at most `maxFarms` patterns
 *
 * Rows are items, then farms, then the farm count. Each row starts with its own unit column, so a basis always exists; what cannot
 * be covered is paid at `missing` an item. Columns are added and switched on and off between solves, and the last basis is kept.
 */
export class PatternLp {
  readonly items: number
  readonly rows: number
  readonly patterns: (Pattern | undefined)[] = []
  /** Duals of the last solve: worth of each item, then <= 0 for each farm and for the farm count. */
  readonly dual: Float64Array
  /** Arithmetic done so far, in multiply-adds: a deterministic clock. */
  work = 0
  private readonly farmOf: Int32Array
  private readonly farms: number
  private readonly hasCount: boolean
  private missing: number
  private readonly scale: number
  private readonly colRows: Int32Array[] = []
  private readonly colVals: Float64Array[] = []
  private readonly cost: number[] = []
  private readonly off: number[] = []
  private readonly basis: Int32Array
  private readonly place: number[] = []
  private readonly inverse: Float64Array
  private readonly x: Float64Array
  private readonly rhs: Float64Array
  private readonly direction: Float64Array
  private readonly nonzero: Int32Array
  private pivots = 0

  constructor(items: number, farmOf: Int32Array, farms: number, maxFarms: number | null, missing: number) {
    this.items = items
    this.farmOf = farmOf
    this.farms = farms
    this.hasCount = maxFarms !== null
    this.missing = missing
    this.scale = Math.max(1e-12, missing / 1e4)
    const rows = items + farms + (this.hasCount ? 1 : 0)
    this.rows = rows
    this.dual = new Float64Array(rows)
    this.basis = new Int32Array(rows)
    this.inverse = new Float64Array(rows * rows)
    this.x = new Float64Array(rows)
    this.rhs = new Float64Array(rows)
    this.direction = new Float64Array(rows)
    this.nonzero = new Int32Array(rows)
    for (let r = 0; r < rows; r++) {
      // Right-hand sides that differ a little keep the simplex method from cycling; duals stay valid for the bound.
      this.rhs[r] = (r === rows - 1 && this.hasCount ? (maxFarms as number) : 1) + (((r * 7919) % 101) + 1) * 1e-9
      this.column(Int32Array.of(r), Float64Array.of(1), r < items ? missing : 0, undefined)
      this.basis[r] = r
      this.place[r] = r
      this.inverse[r * rows + r] = 1
      this.x[r] = this.rhs[r] as number
    }
    for (let i = 0; i < items; i++) this.column(Int32Array.of(i), Float64Array.of(-1), 0, undefined)
  }

  private column(rows: Int32Array, vals: Float64Array, cost: number, pattern: Pattern | undefined): number {
    this.colRows.push(rows)
    this.colVals.push(vals)
    this.cost.push(cost)
    this.off.push(0)
    this.place.push(-1)
    return this.patterns.push(pattern) - 1
  }

  /** Adds a pattern as a column. */
  add(pattern: Pattern): void {
    const n = pattern.items.length
    const rows = new Int32Array(n + 1 + (this.hasCount ? 1 : 0))
    const vals = new Float64Array(rows.length).fill(1)
    rows.set(pattern.items)
    vals.set(pattern.share)
    rows[n] = this.items + (this.farmOf[pattern.offer] as number)
    if (this.hasCount) rows[n + 1] = this.rows - 1
    this.column(rows, vals, pattern.cost, pattern)
  }

  /** Prices uncovered items anew, at a multiple of the first price. */
  priceMissing(missing: number): void {
    for (let j = 0; j < this.cost.length; j++) if (this.cost[j] === this.missing) this.cost[j] = missing
    this.missing = missing
  }

  /** Switches patterns on or off, and farms to "must be used" (their slack is priced out). */
  restrict(allowed: (pattern: Pattern) => boolean, mustUse: (farm: number) => boolean): void {
    for (let j = this.rows + this.items; j < this.patterns.length; j++) {
      this.off[j] = allowed(this.patterns[j] as Pattern) ? 0 : 1
    }
    for (let f = 0; f < this.farms; f++) this.cost[this.items + f] = mustUse(f) ? this.missing : 0
  }

  private costOf(j: number): number {
    return this.off[j] ? this.missing * 2 : (this.cost[j] as number)
  }

  /** Solves from the last basis; returns the objective. */
  solve(): number {
    this.loadDuals()
    const most = 40 * this.rows + 500
    const list = new Int32Array(SHORT_LIST)
    for (let pivots = 0; pivots < most;) {
      const found = this.scan(list)
      if (found === 0) break
      let moved = false
      for (let k = 0; k < found; k++) {
        const j = list[k] as number
        if (this.reduced(j) < -EPSILON * this.scale && this.enter(j)) {
          moved = true
          pivots++
        }
      }
      if (!moved) break
    }
    let objective = 0
    for (let r = 0; r < this.rows; r++) objective += this.costOf(this.basis[r] as number) * (this.x[r] as number)
    return objective
  }

  private loadDuals(): void {
    const { rows, dual, inverse } = this
    dual.fill(0)
    for (let r = 0; r < rows; r++) {
      const c = this.costOf(this.basis[r] as number)
      if (c === 0) continue
      const at = r * rows
      for (let k = 0; k < rows; k++) dual[k] = (dual[k] as number) + c * (inverse[at + k] as number)
    }
    this.work += rows * rows
  }

  private reduced(j: number): number {
    const rows = this.colRows[j] as Int32Array
    const vals = this.colVals[j] as Float64Array
    let value = this.costOf(j)
    for (let k = 0; k < rows.length; k++) value -= (this.dual[rows[k] as number] as number) * (vals[k] as number)
    return value
  }

  /** The columns with the most negative reduced costs, best first. */
  private scan(list: Int32Array): number {
    const values = new Float64Array(SHORT_LIST)
    let found = 0
    const total = this.patterns.length
    for (let j = 0; j < total; j++) {
      if ((this.place[j] as number) >= 0 || this.off[j]) continue
      const value = this.reduced(j)
      if (value >= -EPSILON * this.scale) continue
      let k = found < SHORT_LIST ? found++ : SHORT_LIST - 1
      if (k === SHORT_LIST - 1 && found === SHORT_LIST && list[k] !== undefined && (values[k] as number) < value) continue
      while (k > 0 && (values[k - 1] as number) > value) {
        values[k] = values[k - 1] as number
        list[k] = list[k - 1] as number
        k--
      }
      values[k] = value
      list[k] = j
    }
    this.work += total * 8
    return found
  }

  private enter(j: number): boolean {
    const { rows, inverse, x, direction } = this
    const colRows = this.colRows[j] as Int32Array
    const colVals = this.colVals[j] as Float64Array
    let leave = -1
    let ratio = Infinity
    for (let r = 0; r < rows; r++) {
      let d = 0
      const at = r * rows
      for (let k = 0; k < colRows.length; k++) d += (inverse[at + (colRows[k] as number)] as number) * (colVals[k] as number)
      direction[r] = d
      if (d <= 1e-9) continue
      const limit = Math.max(0, x[r] as number) / d
      if (limit < ratio - 1e-12 || (limit < ratio + 1e-12 && d > (direction[leave] as number))) {
        ratio = Math.min(ratio, limit)
        leave = r
      }
    }
    this.work += rows * colRows.length
    if (leave < 0) return false
    const price = this.reduced(j)
    this.pivot(leave, ratio)
    this.place[this.basis[leave] as number] = -1
    this.basis[leave] = j
    this.place[j] = leave
    const at = leave * rows
    for (let k = 0; k < rows; k++) this.dual[k] = (this.dual[k] as number) + price * (inverse[at + k] as number)
    if (++this.pivots % REFACTOR_EVERY === 0) {
      this.refactor()
      this.loadDuals()
    }
    return true
  }

  private pivot(leave: number, ratio: number): void {
    const { rows, inverse, x, direction, nonzero } = this
    const at = leave * rows
    const inverted = 1 / (direction[leave] as number)
    let filled = 0
    for (let k = 0; k < rows; k++) {
      const value = inverse[at + k] as number
      if (value === 0) continue
      inverse[at + k] = value * inverted
      nonzero[filled++] = k
    }
    for (let r = 0; r < rows; r++) {
      const d = direction[r] as number
      if (r === leave || d === 0) continue
      const base = r * rows
      for (let n = 0; n < filled; n++) {
        const k = nonzero[n] as number
        inverse[base + k] = (inverse[base + k] as number) - d * (inverse[at + k] as number)
      }
      x[r] = (x[r] as number) - d * ratio
      this.work += filled
    }
    x[leave] = ratio
  }

  /** Inverts the basis afresh (Gauss-Jordan with row pivoting); a basis that became singular falls back to the unit columns. */
  private refactor(): void {
    const { rows, inverse } = this
    const matrix = new Float64Array(rows * rows)
    for (let r = 0; r < rows; r++) {
      const j = this.basis[r] as number
      const colRows = this.colRows[j] as Int32Array
      const colVals = this.colVals[j] as Float64Array
      for (let k = 0; k < colRows.length; k++) matrix[(colRows[k] as number) * rows + r] = colVals[k] as number
    }
    if (!invert(matrix, inverse, rows)) this.resetBasis()
    this.work += rows * rows * rows
    for (let r = 0; r < rows; r++) {
      let sum = 0
      for (let k = 0; k < rows; k++) sum += (inverse[r * rows + k] as number) * (this.rhs[k] as number)
      this.x[r] = sum
    }
  }

  private resetBasis(): void {
    this.inverse.fill(0)
    for (let r = 0; r < this.rows; r++) {
      this.place[this.basis[r] as number] = -1
    }
    for (let r = 0; r < this.rows; r++) {
      this.basis[r] = r
      this.place[r] = r
      this.inverse[r * this.rows + r] = 1
    }
  }

  /** Calls `visit` for each pattern in the basis with its amount. */
  forBasis(visit: (pattern: Pattern, amount: number) => void): void {
    for (let r = 0; r < this.rows; r++) {
      const pattern = this.patterns[this.basis[r] as number]
      const amount = this.x[r] as number
      if (pattern !== undefined && amount > 1e-7) visit(pattern, amount)
    }
  }

  /** Total share of items that no allowed pattern covers. */
  uncovered(): number {
    let sum = 0
    for (let r = 0; r < this.rows; r++) {
      const j = this.basis[r] as number
      if (j < this.items || this.off[j]) sum += Math.max(0, this.x[r] as number)
    }
    return sum
  }
}
