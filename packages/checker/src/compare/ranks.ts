import { blockGrid } from './blocks.ts'
import { meanSquare } from './block-bias.ts'
import { BLOCK, FLOOR, requireSameShape } from './references.ts'
import type { Area, Picture } from './picture.ts'
import { scoresOf, type RankMeasure } from './rank-scores.ts'
import { scanScores } from './scan.ts'
import { total, zsOf } from './scores.ts'

/** One measure over a picture: normal variables for an honest frame, the largest of its channels. */
export interface RankScore {
  /** Of the whole picture. */
  readonly whole: number
  /** Mean of squared z over blocks and channels: 1 for an honest frame. */
  readonly meanSquare: number
  /** Of the rectangle of blocks that lies most to one side, and where. */
  readonly scan: number
  readonly area: Area
}

/** How the pixels of a candidate lie among those of independent renders. */
export interface RankStatistics {
  readonly blocks: number
  readonly measures: Readonly<Record<RankMeasure, RankScore>>
  /** How much more often than a render's the candidate's pixels are the brightest or darkest of all, in standard deviations, mean of the channels: below 0 for less noise. */
  readonly spread: number
  /** -ln of the chance that an honest frame stays below as many brighter pixels of the references as this one does, in the channel where it is least. */
  readonly ceiling: number
}

/**
 * Ranks of `x` among two or more independent renders at the ordered settings.
 *
 * Of K + 1 pictures with independent noise of one kind each is as likely as any other to be the one that holds a given one of the K + 1 values found in a pixel, however skewed that noise is and whatever
 * the picture shows (exchangeability; Fisher's permutation test). So a score of x's value less its mean over the K + 1 has mean 0 and a variance that the K + 1 values give exactly, and weights that do
 * not depend on who holds which value keep it so. Nothing is assumed of the noise's shape, which is what hides small changes from means: path-traced noise has heavy tails.
 * Pixels are taken for independent, as those of a path tracer are; where they are not (a filter after rendering), the same score of one reference beside the others shows it, and widens all.
 *
 * @throws RangeError when the pictures differ in size or channels, or there are fewer than two renders
 */
export function compareRanks(x: Picture, renders: readonly Picture[]): RankStatistics {
  if (renders.length < 2) throw new RangeError('ranks need two renders or more')
  for (const other of renders) requireSameShape(x, other)
  const grid = blockGrid(x.width, x.height, BLOCK)
  const found = x.colour.map((plane, c) => scoresOf(grid, x.width, [plane, ...renders.map((one) => one.colour[c]!)]))
  const own = x.colour.map((_, c) =>
    scoresOf(
      grid,
      x.width,
      renders.map((one) => one.colour[c]!),
    ),
  )
  const measure = (name: RankMeasure): RankScore => {
    const widened = Math.max(1, meanSquare(own.map((scores) => zsOf(scores[name]))))
    const scores = found.map((channel) => channel[name])
    const scan = scanScores(grid, scores)
    return {
      whole: Math.max(...scores.map((score) => Math.abs(total(score)))) / Math.sqrt(widened),
      meanSquare: meanSquare(scores.map(zsOf)) / widened,
      scan: scan.value / Math.sqrt(widened),
      area: scan.area,
    }
  }
  const names = Object.keys(found[0]!).filter((name) => name !== 'spread') as RankMeasure[]
  const measures = Object.fromEntries(names.map((name) => [name, measure(name)])) as Record<RankMeasure, RankScore>
  return {
    blocks: grid.columns * grid.rows,
    measures,
    spread: found.reduce((sum, { spread }) => sum + total(spread), 0) / found.length,
    ceiling: Math.max(
      ...x.colour.map((plane, c) =>
        ceilingOf(
          plane,
          renders.map((one) => one.colour[c]!),
        ),
      ),
    ),
  }
}

/**
 * -ln of the chance that the first of the pictures has none of the pixels above the brightest that it has: of the k renders above it in a pixel it is none, (K + 1 - k) of K + 1. Exact whatever the level,
 * since going down from the brightest pixel of all, the first level at which that chance is below a limit does not depend on which picture is whose.
 */
function ceilingOf(x: Float32Array, renders: readonly Float32Array[]): number {
  const highest = x.reduce((most, v) => Math.max(most, v), 0) + FLOOR
  let sum = 0
  for (let i = 0; i < x.length; i++) {
    let k = 0
    for (const plane of renders) if (plane[i]! > highest) k++
    if (k > 0) sum -= Math.log(1 - k / (renders.length + 1))
  }
  return sum
}
