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
 * Doubts a frame with an area that leaves, for this frame only, the course that its blocks follow in the four frames before and the four after: a mark, a tile of other gain or
 * noise, an object that is missing, where {@link findOddArea} cannot tell because the neighbours move. The levels of a block and the energy of its noise and texture are predicted by
 * the cubic through two frames on each side; how well they keep to such courses is read off the third differences of the frames on either side, in which this one has no part. A change
 * that lasts leaves the course of one side only and does not count.
 */
export function findOffCourse(x: FrameFeatures, before: Course, after: Course): WeighedFinding | undefined {
  if (![...before, ...after].every((frame) => sameGrid(x, frame))) return undefined
  const says = new Uint8Array(x.near.length)
  for (const watched of [levels(x.means.length), [ENERGY]]) {
    const unrest = Float64Array.from(says, (_, block) =>
      Math.max(...watched.map(({ of }) => Math.max(thirdDifference(before, of, block), thirdDifference(after, of, block)))),
    )
    for (let block = 0; block < says.length; block++) {
      const most = UNREST * around(unrest, x, block)
      if (watched.some((one) => leavesCourse(one, [x, before, after], block, most))) says[block] = 1
    }
  }
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

/** A figure of a block that follows a course, and the least by which it must leave it. */
interface Watched {
  of(frame: FrameFeatures, block: number): number
  least(frames: readonly FrameFeatures[], block: number): number
}

/** The mean of each plane. `near` is twice the variance of a pixel's noise; a prediction from four frames adds that of one. */
const levels = (planes: number): readonly Watched[] =>
  Array.from({ length: planes }, (_, c) => ({
    of: (frame, block) => frame.means[c]![block]!,
    least: (frames, block) => {
      const { width, height } = blockArea(frames[0]!, block)
      const noise = Math.max(...frames.map((frame) => frame.near[block]!)) / (width * height * frames[0]!.share)
      return Math.max(STEP, ERRORS * Math.sqrt(noise))
    },
  }))

/** Noise and texture, which a mark changes whose mean is the picture's, or a tile of other samples: doubled or halved, at least. */
const ENERGY: Watched = { of: (frame, block) => Math.log(frame.near[block]! + Q2), least: () => Math.LN2 }
/** A quarter of an 8-bit step, squared. */
const Q2 = (1 / 1020) ** 2

/** The third difference over four frames in a row. */
const thirdDifference = ([s, r, q, p]: Course, of: Watched['of'], block: number): number =>
  Math.abs(of(s, block) - of(p, block) + 3 * (of(q, block) - of(r, block)))

/** The largest value within {@link REACH} blocks. */
function around(values: Float64Array, { columns, rows }: FrameFeatures, block: number): number {
  const [column, row] = [block % columns, Math.floor(block / columns)]
  let most = 0
  for (let r = Math.max(0, row - REACH); r <= Math.min(rows - 1, row + REACH); r++)
    for (let c = Math.max(0, column - REACH); c <= Math.min(columns - 1, column + REACH); c++)
      most = Math.max(most, values[r * columns + c]!)
  return most
}

function leavesCourse(
  { of, least }: Watched,
  [x, [s, r], [a, b]]: readonly [FrameFeatures, Course, Course],
  block: number,
  unrest: number,
): boolean {
  const at = (frame: FrameFeatures): number => of(frame, block)
  const off = at(x) - (4 * (at(s) + at(a)) - at(r) - at(b)) / 6
  if (Math.abs(off) < Math.max(unrest, least([x, s, a], block))) return false
  // Off the line through either side as well, in the same direction: nothing that lasts.
  return [at(x) - 2 * at(s) + at(r), at(x) - 2 * at(a) + at(b)].every((d) => d * off > 0 && Math.abs(d) > Math.abs(off) / 2)
}
