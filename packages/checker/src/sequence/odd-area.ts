import { enclosing } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { blockArea, sameGrid, type FrameFeatures } from './features.ts'

/** Block means must differ by this: one and a half 8-bit steps. */
const STEP = 1.5 / 255
/** And by so many standard errors of their noise. */
const ERRORS = 5
/** Two means count as alike when they differ by less than this share of what the odd one is off. */
const ALIKE = 0.35
/** Fewest odd blocks. */
const LEAST = 4

/** How far block `block` of two frames is apart: the largest difference of a plane's means, with its sign. */
function apart(p: FrameFeatures, q: FrameFeatures, block: number): number {
  let most = 0
  for (let c = 0; c < p.means.length; c++) {
    const d = p.means[c]![block]! - q.means[c]![block]!
    if (Math.abs(d) > Math.abs(most)) most = d
  }
  return most
}

/** Whether a block of `x` is unlike both others in the same direction, and those are alike. */
function isOdd(x: FrameFeatures, p: FrameFeatures, q: FrameFeatures, block: number): boolean {
  const [toP, toQ] = [apart(x, p, block), apart(x, q, block)]
  const off = Math.min(Math.abs(toP), Math.abs(toQ))
  if (off < STEP || toP * toQ <= 0) return false
  const { width, height } = blockArea(x, block)
  // `near` is twice the variance of a pixel's noise, and the difference of two means has twice that of one.
  const noise = Math.max(x.near[block]!, p.near[block]!, q.near[block]!) / (width * height * x.share)
  return off > ERRORS * Math.sqrt(noise) && Math.abs(apart(p, q, block)) < ALIKE * off
}

/** What a block says beside its neighbours in time. */
const [LIKE, ODD, ELSEWHERE] = [0, 1, 2] as const

/**
 * Doubts a frame that differs from both neighbours where those agree with each other and with the frames beyond them: a watermark, a tile of other gain, a missing object, a
 * moved camera. Something that passes through the shot makes the neighbours odd as well, close by, and a flickering light the frames beyond, so neither counts.
 * `beyond` are the frames before `a` and after `b`, as far as there are any; without them nothing is concluded.
 */
export function findOddArea(
  x: FrameFeatures,
  [a, b]: readonly [FrameFeatures, FrameFeatures],
  [before, after]: readonly [FrameFeatures | undefined, FrameFeatures | undefined],
): WeighedFinding | undefined {
  const frames = [a, b, before ?? x, after ?? x]
  if ((!before && !after) || !frames.every((frame) => sameGrid(x, frame))) return undefined
  const steady = (p: FrameFeatures, q: FrameFeatures | undefined, block: number, off: number): boolean =>
    !q || Math.abs(apart(p, q, block)) < ALIKE * off
  const says = Uint8Array.from(x.near, (_, block) => {
    if (isOdd(a, x, b, block) || isOdd(b, x, a, block)) return ELSEWHERE
    if (!isOdd(x, a, b, block)) return LIKE
    const off = Math.min(Math.abs(apart(x, a, block)), Math.abs(apart(x, b, block)))
    return steady(a, before, block, off) && steady(b, after, block, off) ? ODD : ELSEWHERE
  })
  let most: Patch | undefined
  for (const patch of patches(says, x.columns)) if (isAlone(patch, says, x) && patch.blocks > (most?.blocks ?? 0)) most = patch
  if (!most || most.blocks < LEAST) return undefined
  const region = enclosing(blockArea(x, most.top * x.columns + most.left), blockArea(x, most.bottom * x.columns + most.right))
  const message = `an area of ${region.width} x ${region.height} pixels is unlike both neighbouring frames, which are like each other there: an object, light, tile or mark that is only in this frame, or missing from it`
  return finding('doubt', 'odd-area', message, { value: most.blocks, threshold: LEAST - 1, region })
}

/** Odd blocks that touch each other. */
export interface Patch {
  blocks: number
  left: number
  top: number
  right: number
  bottom: number
}

/** Groups of odd blocks that touch, corners included. */
export function* patches(says: Uint8Array, columns: number): Generator<Patch> {
  const rows = says.length / columns
  const seen = new Uint8Array(says.length)
  for (let start = 0; start < says.length; start++) {
    if (says[start] !== ODD || seen[start]) continue
    const patch: Patch = { blocks: 0, left: columns, top: rows, right: 0, bottom: 0 }
    const stack = [start]
    seen[start] = 1
    for (let block = stack.pop(); block !== undefined; block = stack.pop()) {
      const [column, row] = [block % columns, Math.floor(block / columns)]
      patch.blocks++
      patch.left = Math.min(patch.left, column)
      patch.right = Math.max(patch.right, column)
      patch.top = Math.min(patch.top, row)
      patch.bottom = Math.max(patch.bottom, row)
      for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++) {
        for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++) {
          const next = r * columns + c
          if (says[next] !== ODD || seen[next]) continue
          seen[next] = 1
          stack.push(next)
        }
      }
    }
    yield patch
  }
}

/** Blocks around a patch in which a passing object would be seen in the frames before and after. */
const AROUND = 6

/** Whether hardly anything else happens in and around a patch. */
function isAlone({ blocks, left, top, right, bottom }: Patch, says: Uint8Array, { columns, rows }: FrameFeatures): boolean {
  let others = 0
  for (let row = Math.max(0, top - AROUND); row <= Math.min(rows - 1, bottom + AROUND); row++) {
    for (let column = Math.max(0, left - AROUND); column <= Math.min(columns - 1, right + AROUND); column++) {
      if (says[row * columns + column] === ELSEWHERE) others++
    }
  }
  return others < blocks / 4
}
