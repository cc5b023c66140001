import { meanSquare, worstBlocks } from './block-bias.ts'
import { blockArea, blockGrid, forBlockRuns, smoothBlocks, type BlockGrid } from './blocks.ts'
import type { Area, Picture } from './picture.ts'
import { BLOCK, FLOOR, requireSameShape } from './references.ts'
import { scanBlocks, type ScanStatistic } from './scan.ts'

/** On which side of two renders the pixels of a candidate lie, block by block. */
export interface RankStatistics {
  readonly blocks: number
  /** Mean of squared z over blocks and channels. */
  readonly meanSquare: number
  /** The same of the checker's own three renders among themselves, the largest. */
  readonly ownMeanSquare: number
  /** Second largest |z| of the blocks, and where the largest lies. */
  readonly worst: number
  readonly worstArea: Area
  /** Of rectangles of blocks; undefined for pictures that hold none. */
  readonly scan: ScanStatistic | undefined
}

/**
 * Rank statistic of `x` beside two independent renders `a` and `b`; `c` is a third one, which tells how such ranks spread in this picture.
 *
 * Of three pictures with independent noise of one kind each is as often the brightest in a pixel as the darkest, however skewed that noise is. A block's sum counts its pixels brighter than both
 * others less those darker than both, by more than `FLOOR`. Path-traced noise has heavy tails: a few bright pixels widen the error of a block's mean, while its ranks hardly move, so that a
 * small shift of all pixels (a tile of 4 % more light, a dimmer light, rounded levels) shows in ranks though the mean hides it. The variance of a block's sum is the mean square
 * of the same sum of each own render beside the two others, over the 3 x 3 blocks around (Wilcoxon 1945 for the idea; the variance is measured because a pixel filter correlates neighbours).
 *
 * @throws RangeError when the four differ in size or channels
 */
export function compareRanks(x: Picture, a: Picture, b: Picture, c: Picture): RankStatistics {
  for (const other of [a, b, c]) requireSameShape(x, other)
  const grid = blockGrid(x.width, x.height, BLOCK)
  const own = [rankSums(grid, a, b, c), rankSums(grid, b, a, c), rankSums(grid, c, a, b)]
  const deviations = x.colour.map((_, channel) =>
    deviationOf(
      grid,
      own.map((sums) => sums[channel]!),
    ),
  )
  const standard = (sums: readonly Float64Array[]): readonly Float64Array[] =>
    sums.map((plane, channel) => plane.map((sum, block) => sum / deviations[channel]![block]!))
  const zs = standard(rankSums(grid, x, a, b))
  const worst = worstBlocks(zs)
  return {
    blocks: grid.columns * grid.rows,
    meanSquare: meanSquare(zs),
    ownMeanSquare: Math.max(...own.map((sums) => meanSquare(standard(sums)))),
    worst: worst.value,
    worstArea: blockArea(grid, worst.block),
    scan: scanBlocks(grid, zs),
  }
}

/** Per channel and block: pixels of `x` above both others less those below both. */
function rankSums(grid: BlockGrid, x: Picture, a: Picture, b: Picture): readonly Float64Array[] {
  return x.colour.map((plane, channel) => {
    const [p, q] = [a.colour[channel]!, b.colour[channel]!]
    const sums = new Float64Array(grid.columns * grid.rows)
    forBlockRuns(grid, x.width, (from, to, block) => {
      let sum = 0
      for (let i = from; i < to; i++) {
        if (plane[i]! > Math.max(p[i]!, q[i]!) + FLOOR) sum++
        else if (plane[i]! < Math.min(p[i]!, q[i]!) - FLOOR) sum--
      }
      sums[block] = sums[block]! + sum
    })
    return sums
  })
}

/**
 * Least variance of a block's sum per pixel. Independent ranks have 2/3 where noise is, and none where it is not: a quarter of that keeps a block in which own renders
 * agree from alarming for fewer than a sixth of its pixels.
 */
const LEAST_VARIANCE = 1 / 6

function deviationOf(grid: BlockGrid, own: readonly Float64Array[]): Float64Array {
  const squares = own[0]!.map((_, block) => own.reduce((sum, sums) => sum + sums[block]! ** 2, 0) / own.length)
  return smoothBlocks(grid, squares).map((variance, block) => {
    const { width, height } = blockArea(grid, block)
    return Math.sqrt(Math.max(variance, LEAST_VARIANCE * width * height))
  })
}
