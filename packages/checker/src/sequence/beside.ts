import type { WeighedFinding } from '../verdict/finding.ts'
import type { Measured } from './check.ts'
import { contentDistance, sameGrid } from './features.ts'

/** What a scene may show for a whole shot: a night below the horizon, a black screen, a wall of equal pictures, a shadow pass. */
const PLACES: ReadonlySet<string> = new Set(['unfinished-rows', 'missing-tile', 'repeated-tile', 'black-matte'])
/** What comes from how a picture was made, so that all frames of a shot have it or none. */
const TRACES: ReadonlySet<string> = new Set(['few-levels', 'jpeg-grid'])
/** What replaces a whole picture. */
const DROPOUTS: ReadonlySet<string> = new Set(['black-frame', 'constant-frame'])

/** Mean level from which on a frame is not dark: 5 % of white. */
const LIT = 0.05

/** A fade covers at least this share of the way in the frames that are seen of it. */
const FADED = 0.3
/** Levels this near are the same: a step and a half of 8 bits. */
const SAME_LEVEL = 1.5 / 255

/**
 * Weighs a frame's own doubts by its neighbours, two (`near`) or four (`wide`) on each side. A black or flat frame that a fade leads to or comes from is nothing. Places that the frames around show too belong to the scene: notes. Traces that none of the neighbours has, and a black or flat
 * frame in the middle of lit frames that are like each other, are suspect: a fade, a title or a strobe changes more than one frame.
 */
export function weighBeside(
  own: Measured,
  near: readonly Measured[],
  wide: readonly Measured[],
  findings: readonly WeighedFinding[],
): readonly WeighedFinding[] {
  const before = near.findLast((one) => one.entry.frame < own.entry.frame)
  const after = near.find((one) => one.entry.frame > own.entry.frame)
  return findings.map((found) => {
    if (found.weight !== 'doubt') return found
    const sharing = near.filter((one) => one.codes.includes(found.code)).length
    if (PLACES.has(found.code) && near.length >= 2 && sharing === near.length) {
      return { ...found, weight: 'note', message: `${found.message}; the frames around show the same` }
    }
    if (DROPOUTS.has(found.code) && isEndOfFade(own, wide))
      return { ...found, weight: 'note', message: `${found.message}; the frames beside it fade to that` }
    if (sharing > 0 || near.length < 3 || !before || !after) return found
    const certain =
      (TRACES.has(found.code) && isSteady(own, before, after)) ||
      (DROPOUTS.has(found.code) && isDropout(own, before, after, near))
    return certain ? { ...found, weight: 'suspect', message: `${found.message}; none of the frames around has that` } : found
  })
}

const meanLevel = ({ features }: Measured): number => {
  const planes = features.means.map((plane) => plane.reduce((sum, v) => sum + v, 0) / plane.length)
  return planes.reduce((sum, v) => sum + v, 0) / planes.length
}

/**
 * Whether levels on one side approach this frame's step by step, and on the other side, if there are frames, stay at it: the end of a fade, or its beginning. Frames that are at its level
 * already lie on the way.
 */
function isEndOfFade(own: Measured, wide: readonly Measured[]): boolean {
  const level = meanLevel(own)
  const away = (frames: readonly Measured[]): number[] => frames.map((one) => Math.abs(meanLevel(one) - level))
  const before = away(wide.filter((one) => one.entry.frame < own.entry.frame)).toReversed()
  const after = away(wide.filter((one) => one.entry.frame > own.entry.frame))
  const reached = (side: readonly number[]): boolean => side.every((distance) => distance <= SAME_LEVEL)
  const approaches = (side: readonly number[]): boolean => {
    // From this frame outwards, distances grow after those that are none.
    const moving = side.slice(side.findIndex((distance) => distance > SAME_LEVEL))
    if (reached(side) || moving.length < 2) return false
    return moving.every((distance, i) => i === 0 || distance > moving[i - 1]!) && moving[0]! < (1 - FADED) * moving.at(-1)!
  }
  return (approaches(before) && reached(after)) || (approaches(after) && reached(before))
}

/** Whether the frames beside this one are as bright as each other and as it: in a fade, levels bunch up. */
function isSteady(own: Measured, before: Measured, after: Measured): boolean {
  const [x, a, b] = [own, before, after].map(meanLevel) as [number, number, number]
  return Math.abs(a - b) < 0.01 && Math.abs(x - (a + b) / 2) < 0.02
}

/** Whether all frames around are lit, and those beside this one far more like each other than like it. */
function isDropout(own: Measured, before: Measured, after: Measured, near: readonly Measured[]): boolean {
  const [x, a, b] = [own.features, before.features, after.features]
  if (!sameGrid(x, a) || !sameGrid(a, b)) return false
  return (
    near.every((one) => meanLevel(one) > LIT) &&
    Math.min(contentDistance(x, a), contentDistance(x, b)) > 4 * contentDistance(a, b)
  )
}
