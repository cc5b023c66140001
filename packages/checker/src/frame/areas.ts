import { enclosing } from '../compare/picture.ts'
import { blockArea, type FrameFeatures } from '../sequence/features.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** A block whose mean is below this is not lit: two 8-bit steps. */
const LIT = 2 / 255

/**
 * Areas that look as if tiles or rows never arrived, or came twice. A black screen, the night below a horizon or a wall of equal pictures look so honestly,
 * hence doubts; the neighbouring frames may settle them.
 */
export function checkAreas(features: FrameFeatures): readonly WeighedFinding[] {
  const level = features.means.reduce((most, plane) => most.map((value, block) => Math.max(value, plane[block]!)))
  const black = features.blank.map((blank, block) => (blank && level[block] === 0 ? 1 : 0))
  const rows = checkUnfinishedRows(features, black, level)
  return [...rows, ...(rows.length > 0 ? [] : checkMissingTile(features, black, level)), ...checkRepeatedTile(features)]
}

/** Black rows at the bottom that begin at once across the whole width, and none at the top, as letterboxed pictures have. */
function checkUnfinishedRows(
  { columns, rows, height, side }: FrameFeatures,
  black: Uint8Array,
  level: Float64Array,
): WeighedFinding[] {
  const rowIs = (row: number, test: (block: number) => boolean): boolean => {
    for (let block = row * columns; block < (row + 1) * columns; block++) if (!test(block)) return false
    return true
  }
  let unwritten = 0
  while (unwritten < rows && rowIs(rows - 1 - unwritten, (block) => black[block] === 1)) unwritten++
  if (unwritten === 0 || unwritten === rows || rowIs(0, (block) => black[block] === 1)) return []
  if (!rowIs(rows - 1 - unwritten, (block) => level[block]! > LIT)) return []
  const y = (rows - unwritten) * side
  const message = `from row ${y} on the picture is black over its whole width: rows that were never written?`
  const region = { x: 0, y, width: columns * side, height: height - y }
  return [finding('doubt', 'unfinished-rows', message, { value: height - y, threshold: 0, region })]
}

/** A black rectangle of at least 2 x 2 blocks with lit blocks all around it. */
function checkMissingTile(features: FrameFeatures, black: Uint8Array, level: Float64Array): WeighedFinding[] {
  const { columns, rows } = features
  const seen = new Uint8Array(black.length)
  for (let start = 0; start < black.length; start++) {
    if (!black[start] || seen[start]) continue
    const [left, top] = [start % columns, Math.floor(start / columns)]
    let [right, bottom] = [left, top]
    while (right + 1 < columns && black[start + right + 1 - left]) right++
    while (bottom + 1 < rows && black[(bottom + 1) * columns + left]) bottom++
    const borders = [left === 0, top === 0, right === columns - 1, bottom === rows - 1].filter(Boolean).length
    // Bars and empty halves reach three borders or more.
    let whole = right > left && bottom > top && borders <= 2
    for (let row = top - 1; row <= bottom + 1; row++) {
      for (let column = left - 1; column <= right + 1; column++) {
        if (row < 0 || row >= rows || column < 0 || column >= columns) continue
        const block = row * columns + column
        const inside = row >= top && row <= bottom && column >= left && column <= right
        if (inside) seen[block] = 1
        if (inside ? !black[block] : !(level[block]! > LIT)) whole = false
      }
    }
    if (!whole) continue
    const region = enclosing(blockArea(features, start), blockArea(features, bottom * columns + right))
    const message = `a rectangle of about ${region.width} x ${region.height} pixels is black inside a lit picture: a tile that never arrived?`
    return [finding('doubt', 'missing-tile', message, { value: region.width * region.height, threshold: 0, region })]
  }
  return []
}

/** Fewest blocks of a repeated tile, and lowest noise or texture of each: pairs of its pixels differ by half an 8-bit step on average. */
const LEAST_REPEATED = 4
const TEXTURED = (0.5 / 255) ** 2

/**
 * Blocks whose sums in every plane are exactly those of one other block at one and the same distance. Noise never repeats, so this is a tile that was delivered twice, or content
 * that repeats by design: where blocks have more than one twin, or twins lie at several distances, it is design.
 */
function checkRepeatedTile(features: FrameFeatures): WeighedFinding[] {
  const { width, height, side } = features
  const offsets = new Map<number, number[]>()
  let repeated = 0
  for (const group of twinsOf(features)) {
    repeated += group.length
    if (group.length === 2) offsets.set(group[1]! - group[0]!, [...(offsets.get(group[1]! - group[0]!) ?? []), group[0]!])
  }
  const [most] = [...offsets.values()].toSorted((a, b) => b.length - a.length)
  if (!most || most.length < LEAST_REPEATED || repeated > 2.5 * most.length) return []
  const region = most.map((block) => blockArea(features, block)).reduce(enclosing)
  // The blocks must make up a rectangle, not be strewn over the picture.
  if (most.length * side * side < 0.6 * region.width * region.height || repeated * side * side > (width * height) / 2) return []
  const offset = [...offsets].find(([, blocks]) => blocks === most)![0]
  const other = blockArea(features, most[0]! + offset)
  const message = `${region.width} x ${region.height} pixels at (${region.x}, ${region.y}) are exactly those at (${other.x}, ${other.y}): one tile delivered in the place of another?`
  return [finding('doubt', 'repeated-tile', message, { value: most.length, threshold: LEAST_REPEATED - 1, region })]
}

/** Textured whole blocks that have the same sums in every plane, in groups of two or more. */
function twinsOf({ means, near, blank, ...grid }: FrameFeatures): readonly (readonly number[])[] {
  const textured = [...near.keys()].filter((block) => !blank[block] && near[block]! >= TEXTURED && isWhole(grid, block))
  // Few blocks share even the first plane's sum, so that only those are told apart by all.
  const first = means[0]!
  const sorted = Float64Array.from(textured, (block) => first[block]!).sort()
  const shared = new Set(sorted.filter((sum, i) => sum === sorted[i + 1]))
  const groups = new Map<string, number[]>()
  for (const block of textured) {
    if (!shared.has(first[block]!)) continue
    const key = means.map((plane) => plane[block]!).join()
    const group = groups.get(key)
    if (group) group.push(block)
    else groups.set(key, [block])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}

/** Whether a block has its full size: only the last column and row take what is left. */
function isWhole({ width, height, side, columns, rows }: Parameters<typeof blockArea>[0], block: number): boolean {
  return ((block + 1) % columns !== 0 || width === columns * side) && (block < (rows - 1) * columns || height === rows * side)
}
