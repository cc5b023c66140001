import { blockArea, type BlockGrid } from './blocks.ts'
import { enclosing, type Area } from './picture.ts'
import { deviate, type Scores } from './scores.ts'
import { summedArea } from './summed-area.ts'

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
    const clipped = z.map((one) => Math.max(-MOST, Math.min(MOST, one)))
    const sums = summedArea(clipped, columns, rows)
    for (let h = SIDES.least; h <= Math.min(SIDES.most, rows); h++) {
      for (let w = SIDES.least; w <= Math.min(SIDES.most, columns); w++) {
        if (w * h < FEWEST) continue
        const scale = 1 / Math.sqrt(w * h)
        for (let row = 0; row + h <= rows; row++) {
          for (let column = 0; column + w <= columns; column++) {
            const value = Math.abs(sums.over({ x: column, y: row, width: w, height: h })) * scale
            if (!found || value > found.value)
              found = { value, first: row * columns + column, last: (row + h - 1) * columns + column + w - 1 }
          }
        }
      }
    }
  }
  return found && { value: found.value, area: enclosing(blockArea(grid, found.first), blockArea(grid, found.last)) }
}

/** Of all rectangles of up to {@link SIDES}.most blocks a side, in each channel, the one whose scores lie most to one side. */
export function scanScores(grid: BlockGrid, channels: readonly Scores[]): ScanStatistic {
  const { columns, rows } = grid
  let found = { value: 0, first: 0, last: 0 }
  for (const { sums, variances } of channels) {
    const [over, spread] = [summedArea(sums, columns, rows), summedArea(variances, columns, rows)]
    for (let height = 1; height <= Math.min(SIDES.most, rows); height++) {
      for (let width = 1; width <= Math.min(SIDES.most, columns); width++) {
        for (let y = 0; y + height <= rows; y++) {
          for (let x = 0; x + width <= columns; x++) {
            const area = { x, y, width, height }
            const sum = over.over(area)
            const variance = spread.over(area)
            // What is not beyond the largest before Bernstein's correction is not after it.
            if (sum * sum <= found.value * found.value * variance) continue
            const value = Math.abs(deviate(sum, variance))
            if (value > found.value) found = { value, first: y * columns + x, last: (y + height - 1) * columns + x + width - 1 }
          }
        }
      }
    }
  }
  return { value: found.value, area: enclosing(blockArea(grid, found.first), blockArea(grid, found.last)) }
}
