import { enclosing, type Area } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { blockArea, sameGrid, type FrameFeatures } from './features.ts'

/** Twice the variance of a quarter of an 8-bit step: blocks below it are flat, and flat blocks repeat. */
const NOISY = 4 * (1 / 1020) ** 2
/** Fewest blocks that repeat: a tile of 32 pixels, of 64 above Full HD. */
const LEAST = 4
/** Two means are alike up to so many standard errors of their noise. */
const ERRORS = 5

/**
 * Doubts a frame with an area whose noise is exactly that of a neighbour, in a job where each frame has noise of its own: a tile or rows left over from another frame. Blocks
 * count that repeat `a` while `b`, on the other side, shows the same there under other noise: what stands still without noise repeats in both.
 */
export function findStaleArea(x: FrameFeatures, neighbours: readonly [FrameFeatures, FrameFeatures]): WeighedFinding | undefined {
  if (neighbours.some((one) => !sameGrid(x, one))) return undefined
  for (const [a, b] of [neighbours, neighbours.toReversed()] as [FrameFeatures, FrameFeatures][]) {
    let box: Area | undefined
    let blocks = 0
    for (let block = 0; block < x.near.length; block++) {
      if (!repeats(x, a, block) || repeats(x, b, block) || !isAlike(a, b, block)) continue
      const area = blockArea(x, block)
      box = box ? enclosing(box, area) : area
      blocks++
    }
    if (!box || blocks < LEAST) continue
    const message = `an area within ${box.width} x ${box.height} pixels has the very noise of a neighbouring frame, though each frame was to have its own: a tile or rows of another frame`
    return finding('doubt', 'stale-area', message, { value: blocks, threshold: LEAST - 1, region: box })
  }
  return undefined
}

/** Whether a noisy block is the same in both: sums over its pixels that are equal to the last bit are sums over equal pixels. */
function repeats(x: FrameFeatures, y: FrameFeatures, block: number): boolean {
  return (
    x.near[block]! > NOISY &&
    x.near[block] === y.near[block] &&
    x.far[block] === y.far[block] &&
    x.means.every((plane, c) => plane[block] === y.means[c]![block])
  )
}

/** Whether two frames show the same in a block but for the noise. */
function isAlike(a: FrameFeatures, b: FrameFeatures, block: number): boolean {
  const [p, q] = [a.near[block]!, b.near[block]!]
  const { width, height } = blockArea(a, block)
  const error = Math.sqrt(Math.max(p, q) / (width * height * a.share))
  return (
    Math.max(p, q) < 2 * Math.min(p, q) &&
    a.means.every((plane, c) => Math.abs(plane[block]! - b.means[c]![block]!) < ERRORS * error)
  )
}
