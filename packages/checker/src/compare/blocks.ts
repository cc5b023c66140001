import type { Area } from './picture.ts'

/** A picture divided into nearly square blocks that cover every pixel. */
export interface BlockGrid {
  readonly columns: number
  readonly rows: number
  /** `columns + 1` pixel positions. */
  readonly xs: readonly number[]
  readonly ys: readonly number[]
}

/** Divides so that each block is about `size` pixels wide and high and none is smaller: the last blocks take the remainder in equal shares. */
export function blockGrid(width: number, height: number, size: number): BlockGrid {
  const columns = Math.max(1, Math.floor(width / size))
  const rows = Math.max(1, Math.floor(height / size))
  const edges = (count: number, length: number): number[] =>
    Array.from({ length: count + 1 }, (_, i) => Math.floor((i * length) / count))
  return { columns, rows, xs: edges(columns, width), ys: edges(rows, height) }
}

/** The pixels of block number `index` (row by row). */
export function blockArea(grid: BlockGrid, index: number): Area {
  const column = index % grid.columns
  const row = Math.floor(index / grid.columns)
  const x = grid.xs[column]!
  const y = grid.ys[row]!
  return { x, y, width: grid.xs[column + 1]! - x, height: grid.ys[row + 1]! - y }
}

/** Calls `visit(from, to, block)` with runs of plane indices that lie in one block. */
export function forBlockRuns(grid: BlockGrid, width: number, visit: (from: number, to: number, block: number) => void): void {
  for (let row = 0; row < grid.rows; row++) {
    for (let y = grid.ys[row]!; y < grid.ys[row + 1]!; y++) {
      for (let column = 0; column < grid.columns; column++) {
        visit(y * width + grid.xs[column]!, y * width + grid.xs[column + 1]!, row * grid.columns + column)
      }
    }
  }
}

/** Mean of each block's 3 x 3 neighbourhood, smaller at the border. */
export function smoothBlocks(grid: BlockGrid, values: Float64Array): Float64Array {
  const out = new Float64Array(values.length)
  for (let row = 0; row < grid.rows; row++) {
    for (let column = 0; column < grid.columns; column++) {
      let sum = 0
      let count = 0
      for (let r = Math.max(0, row - 1); r <= Math.min(grid.rows - 1, row + 1); r++) {
        for (let c = Math.max(0, column - 1); c <= Math.min(grid.columns - 1, column + 1); c++) {
          sum += values[r * grid.columns + c]!
          count++
        }
      }
      out[row * grid.columns + column] = sum / count
    }
  }
  return out
}
