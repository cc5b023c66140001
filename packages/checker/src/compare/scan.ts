import { blockArea, type BlockGrid } from './blocks.ts'
import { enclosing, type Area } from './picture.ts'

/** The rectangle of blocks that lies most to one side of the references. */
export interface ScanStatistic {
  /** |sum of z| over the root of the number of blocks: a normal variable for an honest rectangle. */
  readonly value: number
  readonly area: Area
}

/** Sides of the rectangles in blocks: tiles, marks, lines of text. */
const SIDES = { least: 2, most: 8 } as const
/** Fewest blocks: what fewer of them show, their own largest value shows as well. */
const FEWEST = 9
/** A block counts for no more: one firefly moves a rectangle of nine blocks by one standard deviation at most. */
const MOST = 3

/**
 * Scan statistic (Kulldorff 1997, for a normal variable): all rectangles of blocks within the sides, in each channel. A shift that is the same over a tile adds up with the root of the number of its
 * blocks, whatever its place and shape, while a grid of larger blocks cuts it. Undefined where no rectangle fits.
 */
export function scanBlocks(grid: BlockGrid, zs: readonly Float64Array[]): ScanStatistic | undefined {
  let found: { value: number; first: number; last: number } | undefined
  const { columns, rows } = grid
  for (const z of zs) {
    const sums = summed(z, grid)
    const at = (column: number, row: number): number => sums[row * (columns + 1) + column]!
    for (let h = SIDES.least; h <= Math.min(SIDES.most, rows); h++) {
      for (let w = SIDES.least; w <= Math.min(SIDES.most, columns); w++) {
        if (w * h < FEWEST) continue
        const scale = 1 / Math.sqrt(w * h)
        for (let row = 0; row + h <= rows; row++) {
          for (let column = 0; column + w <= columns; column++) {
            const sum = at(column + w, row + h) - at(column, row + h) - at(column + w, row) + at(column, row)
            const value = Math.abs(sum) * scale
            if (!found || value > found.value)
              found = { value, first: row * columns + column, last: (row + h - 1) * columns + column + w - 1 }
          }
        }
      }
    }
  }
  return found && { value: found.value, area: enclosing(blockArea(grid, found.first), blockArea(grid, found.last)) }
}

/** Summed-area table of clipped values. */
function summed(z: Float64Array, { columns, rows }: BlockGrid): Float64Array {
  const out = new Float64Array((columns + 1) * (rows + 1))
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let column = 0; column < columns; column++) {
      sum += Math.max(-MOST, Math.min(MOST, z[row * columns + column]!))
      out[(row + 1) * (columns + 1) + column + 1] = out[row * (columns + 1) + column + 1]! + sum
    }
  }
  return out
}
