import { blockArea, forBlockRuns, type BlockGrid } from './blocks.ts'
import { FLOOR } from './references.ts'
import type { Scores } from './scores.ts'

/**
 * What the ranks of a candidate's pixels among the references are weighed by.
 * - `side`: by nothing. Light, material, a tile of more gain.
 * - `across`, `down`: by the slope of the picture there. Edges that lie elsewhere: a shift by a pixel, an object that moved, blur left out.
 * - `bright`, `brighter`: whether the pixel is among the brightest eighth or sixteenth of the picture. Light clamped, highlights retouched.
 * - `local`: whether it is among the brightest twentieth of its block. Fireflies cut off, bounces left out.
 */
export type RankMeasure = 'side' | 'across' | 'down' | 'bright' | 'brighter' | 'local'

/** Least variance of a weighed rank per pixel, for a weight of 1: where renders agree, as without noise, a step up or down in some 2 % of the pixels is another device's rounding (differences of 3e-5 flip .8 % of 8-bit values). */
const LEAST_VARIANCE = 1 / 24

/** Scores of the first plane of one channel among all of them, by measure; `spread`: whether it is the brightest or darkest of all. */
export function scoresOf(
  grid: BlockGrid,
  width: number,
  planes: readonly Float32Array[],
): Record<RankMeasure | 'spread', Scores> {
  const blocks = grid.columns * grid.rows
  const empty = (): Scores => ({ sums: new Float64Array(blocks), variances: new Float64Array(blocks) })
  const scores = {
    side: empty(),
    across: empty(),
    down: empty(),
    bright: empty(),
    brighter: empty(),
    local: empty(),
    spread: empty(),
  }
  const ranks = ranksOf(planes)
  const mean = meanOf(planes)
  const deviations = deviationsOf(grid, width, planes, mean)
  const { across, down } = slopesOf(mean, width)
  const local = localLevels(grid, width, planes)
  const levels = { bright: quantile(planes, 1 - 1 / 8), brighter: quantile(planes, 1 - 1 / 16) }
  const extremes = 2 / planes.length
  forBlockRuns(grid, width, (from, to, block) => {
    const scale = 1 / deviations[block]!
    addWeighed(scores.side, block, ranks, from, to)
    addWeighed(scores.across, block, ranks, from, to, across, scale)
    addWeighed(scores.down, block, ranks, from, to, down, scale)
    addAbove(scores.bright, block, planes, from, to, levels.bright)
    addAbove(scores.brighter, block, planes, from, to, levels.brighter)
    addAbove(scores.local, block, planes, from, to, local[block]!)
    let [found, counted] = [0, 0]
    for (let i = from; i < to; i++) {
      if (ranks.place[i] === EQUAL) continue
      counted++
      if (ranks.place[i] === EXTREME) found++
    }
    add(scores.spread, block, found - counted * extremes, counted * extremes * (1 - extremes))
  })
  return scores
}

function add(scores: Scores, block: number, score: number, variance: number): void {
  scores.sums[block] = scores.sums[block]! + score
  scores.variances[block] = scores.variances[block]! + variance
}

/** Adds the ranks of a run of pixels, each times its weight within +-1. */
function addWeighed(
  scores: Scores,
  block: number,
  { rank, variance }: Ranks,
  from: number,
  to: number,
  weights?: Float32Array,
  scale = 1,
): void {
  let [sum, spread] = [0, 0]
  for (let i = from; i < to; i++) {
    const weight = weights ? Math.max(-1, Math.min(1, weights[i]! * scale)) : 1
    sum += weight * rank[i]!
    spread += weight * weight * Math.max(LEAST_VARIANCE, variance[i]!)
  }
  add(scores, block, sum, spread)
}

/** Values of a pixel that span no more than an 8-bit step are equal where it is asked who lies above a level: another device rounds otherwise. */
const STEP = 1.02 / 255

/** Adds whether the first plane lies above `level` in a run of pixels: where k of all planes do, it is one of them with that share. */
function addAbove(scores: Scores, block: number, planes: readonly Float32Array[], from: number, to: number, level: number): void {
  const count = planes.length
  let [sum, spread] = [0, 0]
  for (let i = from; i < to; i++) {
    let k = 0
    let [least, most] = [Infinity, -Infinity]
    for (let p = 0; p < count; p++) {
      const v = planes[p]![i]!
      if (v > level) k++
      if (v < least) least = v
      if (v > most) most = v
    }
    if (k === 0 || k === count || most - least <= STEP) continue
    const share = k / count
    sum += (planes[0]![i]! > level ? 1 : 0) - share
    spread += share * (1 - share)
  }
  add(scores, block, sum, spread)
}

/** Of the first plane, by pixel. */
interface Ranks {
  /** From -1 below all others to 1 above all; values within `FLOOR` are equal. */
  readonly rank: Float32Array
  /** Mean square of that rank over who might be first. */
  readonly variance: Float32Array
  /** {@link EQUAL} where some values are equal, else {@link EXTREME} or {@link BETWEEN} others. */
  readonly place: Uint8Array
}

const [EQUAL, BETWEEN, EXTREME] = [0, 1, 2]

function ranksOf(planes: readonly Float32Array[]): Ranks {
  const count = planes.length
  const others = count - 1
  const size = planes[0]!.length
  const ranks = { rank: new Float32Array(size), variance: new Float32Array(size), place: new Uint8Array(size) }
  for (let i = 0; i < size; i++) {
    let squares = 0
    let above = 0
    let equal = false
    for (let j = 0; j < count; j++) {
      const v = planes[j]![i]!
      let rank = 0
      for (let k = 0; k < count; k++) {
        if (k === j) continue
        const d = v - planes[k]![i]!
        if (d > FLOOR) rank++
        else if (d < -FLOOR) rank--
        if (j === 0 && d > 0) above++
        if (d <= FLOOR / 4 && d >= -FLOOR / 4) equal = true
      }
      if (j === 0) ranks.rank[i] = rank / others
      squares += rank * rank
    }
    ranks.variance[i] = squares / (count * others * others)
    ranks.place[i] = equal ? EQUAL : above > 0 && above < others ? BETWEEN : EXTREME
  }
  return ranks
}

/** Half of what the picture rises by from the pixel before to the one after, 0 at its border. */
function slopesOf(mean: Float32Array, width: number): { across: Float32Array; down: Float32Array } {
  const [across, down] = [new Float32Array(mean.length), new Float32Array(mean.length)]
  for (let i = 0; i < mean.length; i++) {
    const x = i % width
    if (x > 0 && x < width - 1) across[i] = (mean[i + 1]! - mean[i - 1]!) / 2
    if (i >= width && i + width < mean.length) down[i] = (mean[i + width]! - mean[i - width]!) / 2
  }
  return { across, down }
}

function meanOf(planes: readonly Float32Array[]): Float32Array {
  const mean = new Float32Array(planes[0]!.length)
  for (const plane of planes) for (let i = 0; i < mean.length; i++) mean[i] = mean[i]! + plane[i]! / planes.length
  return mean
}

/** Standard deviation of a block's noise, over all planes alike. */
function deviationsOf(grid: BlockGrid, width: number, planes: readonly Float32Array[], mean: Float32Array): Float64Array {
  const squares = new Float64Array(grid.columns * grid.rows)
  const counts = new Float64Array(squares.length)
  forBlockRuns(grid, width, (from, to, block) => {
    let sum = 0
    for (const plane of planes) for (let i = from; i < to; i++) sum += (plane[i]! - mean[i]!) ** 2
    squares[block] = squares[block]! + sum
    counts[block] = counts[block]! + (to - from) * (planes.length - 1)
  })
  return squares.map((sum, block) => Math.sqrt(sum / counts[block]! + FLOOR * FLOOR))
}

/** Values that a level is taken from, at most: every so manieth pixel of all planes. */
const LEVEL_SAMPLES = 65_536

/** The value that a share of all planes' pixels lies below. */
function quantile(planes: readonly Float32Array[], share: number): number {
  const step = Math.ceil((planes.length * planes[0]!.length) / LEVEL_SAMPLES)
  const values = new Float32Array(planes.length * Math.ceil(planes[0]!.length / step))
  let count = 0
  for (const plane of planes) for (let i = 0; i < plane.length; i += step) values[count++] = plane[i]!
  return values.sort()[Math.floor(count * share)]!
}

/** Share of a block's pixels above its local level. */
const LOCAL_SHARE = 1 / 20

function localLevels(grid: BlockGrid, width: number, planes: readonly Float32Array[]): Float64Array {
  const levels = new Float64Array(grid.columns * grid.rows)
  for (let block = 0; block < levels.length; block++) {
    const { x, y, width: w, height: h } = blockArea(grid, block)
    const values = new Float32Array(planes.length * w * h)
    let count = 0
    for (const plane of planes)
      for (let row = y; row < y + h; row++, count += w) values.set(plane.subarray(row * width + x, row * width + x + w), count)
    levels[block] = values.sort()[Math.floor(count * (1 - LOCAL_SHARE))]!
  }
  return levels
}
