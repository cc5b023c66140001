import { enclosing } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { blockArea, sameGrid, type FrameFeatures } from './features.ts'
import { patches, type Patch } from './odd-area.ts'

/** Frames on each side whose course tells where this one should lie, nearest first. */
export type Course = readonly [FrameFeatures, FrameFeatures, FrameFeatures, FrameFeatures]

/** Block means must leave their course by this: one and a half 8-bit steps, */
const STEP = 1.5 / 255
/** by so many standard errors of their noise, */
const ERRORS = 5
/** and by so many times what the frames around leave theirs, here and up to so many blocks away: edges that pass make kinks everywhere on their way. */
const UNREST = 1
const REACH = 1
/** Fewest blocks of an area, and most as a share of the picture: what changes everywhere is light or camera. */
const LEAST = 4
const MOST = 0.35
/** Blocks off their course outside of the area, as a share of it, that leave it the only event. */
const STRAY = 0.5

/**
 * Doubts a frame with an area that leaves, for this frame only, the course that its blocks' levels follow in the four frames before and the four after: a mark, a tile of
 * other gain or an object that is missing, where {@link findOddArea} cannot tell because the neighbours move. A level in motion is predicted by the cubic through two frames on each side;
 * how well levels keep to such courses is read off the third differences of the frames on either side, in which this one has no part. A change that lasts leaves the course of one
 * side only and does not count.
 */
export function findOffCourse(x: FrameFeatures, before: Course, after: Course): WeighedFinding | undefined {
  if (![...before, ...after].every((frame) => sameGrid(x, frame))) return undefined
  const unrest = Float64Array.from(x.near, (_, block) => Math.max(thirdDifference(before, block), thirdDifference(after, block)))
  const says = Uint8Array.from(x.near, (_, block) => (leavesCourse(x, before, after, block, around(unrest, x, block)) ? 1 : 0))
  const all = says.reduce((sum, one) => sum + one, 0)
  const most = [...patches(says, x.columns)].reduce(
    (p, q) => (q.blocks > (p?.blocks ?? 0) ? q : p),
    undefined as Patch | undefined,
  )
  if (!most || most.blocks < LEAST || most.blocks > MOST * says.length || all - most.blocks > STRAY * most.blocks)
    return undefined
  const region = enclosing(blockArea(x, most.top * x.columns + most.left), blockArea(x, most.bottom * x.columns + most.right))
  const message = `an area of ${region.width} x ${region.height} pixels leaves its course for this frame only: a mark, light, object or tile that is only in this frame, or missing from it`
  return finding('doubt', 'odd-area', message, { value: most.blocks, threshold: LEAST - 1, region })
}

/** Largest third difference of a block's levels over four frames in a row. */
function thirdDifference([s, r, q, p]: Course, block: number): number {
  let most = 0
  for (let c = 0; c < s.means.length; c++) {
    const d = s.means[c]![block]! - p.means[c]![block]! + 3 * (q.means[c]![block]! - r.means[c]![block]!)
    most = Math.max(most, Math.abs(d))
  }
  return most
}

/** The largest value within {@link REACH} blocks. */
function around(values: Float64Array, { columns, rows }: FrameFeatures, block: number): number {
  const [column, row] = [block % columns, Math.floor(block / columns)]
  let most = 0
  for (let r = Math.max(0, row - REACH); r <= Math.min(rows - 1, row + REACH); r++)
    for (let c = Math.max(0, column - REACH); c <= Math.min(columns - 1, column + REACH); c++)
      most = Math.max(most, values[r * columns + c]!)
  return most
}

function leavesCourse(x: FrameFeatures, [s, r]: Course, [a, b]: Course, block: number, unrest: number): boolean {
  const { width, height } = blockArea(x, block)
  // `near` is twice the variance of a pixel's noise; a prediction from four frames adds that of one.
  const noise = Math.max(x.near[block]!, s.near[block]!, a.near[block]!) / (width * height * x.share)
  const limit = Math.max(STEP, ERRORS * Math.sqrt(noise), UNREST * unrest)
  return x.means.some((plane, c) => {
    const at = (frame: FrameFeatures): number => frame.means[c]![block]!
    const v = plane[block]!
    const off = v - (4 * (at(s) + at(a)) - at(r) - at(b)) / 6
    if (Math.abs(off) < limit) return false
    // Off the line through either side as well, in the same direction: nothing that lasts.
    return [v - 2 * at(s) + at(r), v - 2 * at(a) + at(b)].every((d) => d * off > 0 && Math.abs(d) > Math.abs(off) / 2)
  })
}
