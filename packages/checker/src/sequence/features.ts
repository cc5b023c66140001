import { blockGrid, forBlockRuns } from '../compare/blocks.ts'
import type { Picture } from '../compare/picture.ts'

/** Side of the blocks in which frames of a sequence are compared, in pixels. */
const SIDE = 16

/** What is kept of a frame to compare it with its neighbours: a few numbers a block, some 2 % of the pixels' memory. */
export interface FrameFeatures {
  readonly columns: number
  readonly rows: number
  /** Per block, mean of each colour plane. */
  readonly means: readonly Float64Array[]
  /** Per block, mean squared difference of pixels one apart (horizontal and vertical, all planes): noise and texture. */
  readonly near: Float64Array
  /** The same for pixels two apart. White noise has `near` = `far`; smeared noise has less at one pixel than at two. */
  readonly far: Float64Array
  /** Per block, 1 where all its pixels are exactly alike in every plane: nothing was rendered there, or the scene is flat. */
  readonly blank: Uint8Array
}

/** Measures a frame for the sequence checks in one pass over its pixels. */
export function measureFrame(picture: Picture): FrameFeatures {
  const { width, height } = picture
  const grid = blockGrid(width, height, SIDE)
  const blocks = grid.columns * grid.rows
  const near = new Float64Array(blocks)
  const far = new Float64Array(blocks)
  const count = new Float64Array(blocks)
  const blank = new Uint8Array(blocks).fill(1)
  const means = picture.colour.map((plane) => {
    const mean = new Float64Array(blocks)
    const first = new Float64Array(blocks).fill(NaN)
    forBlockRuns(grid, width, (from, to, block) => {
      let sum = 0
      let n1 = 0
      let n2 = 0
      if (Number.isNaN(first[block])) first[block] = plane[from]!
      const level = first[block]!
      // Pairs stay inside the block's run and the picture, so that every pair belongs to one block.
      for (let i = from; i < to; i++) {
        const v = plane[i]!
        sum += v
        if (v !== level) blank[block] = 0
        if (i + 2 >= to || i + 2 * width >= plane.length) continue
        const right = v - plane[i + 1]!
        const right2 = v - plane[i + 2]!
        const down = v - plane[i + width]!
        const down2 = v - plane[i + 2 * width]!
        n1 += right * right + down * down
        n2 += right2 * right2 + down2 * down2
      }
      mean[block] = mean[block]! + sum
      near[block] = near[block]! + n1
      far[block] = far[block]! + n2
      count[block] = count[block]! + (to - from)
    })
    return mean
  })
  const planes = picture.colour.length
  for (let i = 0; i < blocks; i++) {
    const pixels = count[i]! / planes
    for (const mean of means) mean[i] = mean[i]! / pixels
    near[i] = near[i]! / (2 * count[i]!)
    far[i] = far[i]! / (2 * count[i]!)
  }
  return { columns: grid.columns, rows: grid.rows, means, near, far, blank }
}

/** Whether two frames can be compared block by block. */
export function sameGrid(a: FrameFeatures, b: FrameFeatures): boolean {
  return a.columns === b.columns && a.rows === b.rows && a.means.length === b.means.length
}

/** Root mean square difference of block means: how much the content changed. */
export function contentDistance(a: FrameFeatures, b: FrameFeatures): number {
  let sum = 0
  let count = 0
  for (let c = 0; c < a.means.length; c++) {
    const p = a.means[c]!
    const q = b.means[c]!
    for (let i = 0; i < p.length; i++) sum += (p[i]! - q[i]!) ** 2
    count += p.length
  }
  return Math.sqrt(sum / count)
}

/** The middle of a list, and its standard error by the median absolute deviation (1.2533 x 1.4826 MAD / sqrt n, for a normal middle). */
export function median(values: readonly number[]): { readonly middle: number; readonly error: number } {
  if (values.length === 0) return { middle: 0, error: Infinity }
  const middle = half(values)
  return { middle, error: (1.2533 * 1.4826 * half(values.map((value) => Math.abs(value - middle)))) / Math.sqrt(values.length) }
}

function half(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[at]! : (sorted[at - 1]! + sorted[at]!) / 2
}
