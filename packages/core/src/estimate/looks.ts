import type { Look } from '../contract/inspect.ts'

/** How much of the timeline two frames may lie apart to be as unlike as two whose switched objects differ by all of them, as the inverse. */
const TIME_WEIGHT = 0.5

/** What frames have in common by what the scene file switches along the timeline. */
export interface Likeness {
  /** Of what is switched on and off in the course of the job, the part that a frame shows, 0 to 1. */
  shown(frame: number): number
  camera(frame: number): string
}

/** Nothing is switched: all frames look alike. */
const ALIKE: Likeness = { shown: () => 0, camera: () => '' }

/** `looks` ascending by their first frame; the first one counts for earlier frames too. */
export function likenessOf(looks: readonly Look[] = []): Likeness {
  const most = Math.max(0, ...looks.map((one) => one.shown))
  if (looks.length < 2) return ALIKE
  const at = (frame: number): Look => looks.findLast((one) => one.from <= frame) ?? looks[0]!
  return { shown: (frame) => (most === 0 ? 0 : at(frame).shown / most), camera: (frame) => at(frame).camera }
}

/** Whether two frames show the same by the same camera. */
export const sameLook = ({ shown, camera }: Likeness, a: number, b: number): boolean =>
  shown(a) === shown(b) && camera(a) === camera(b)

/**
 * Frames that stand for all others: one after the other is added, always the one that leaves the least distance of all frames to the nearest that was taken (greedy
 * k-medoids). Distance is what is switched, the camera, and time. Ascending. Frames of `taken` are not chosen again.
 */
export function standIns(likeness: Likeness, frames: readonly number[], taken: Iterable<number>, count: number): number[] {
  const span = Math.max(1, frames.at(-1)! - frames[0]!)
  const far = (a: number, b: number): number =>
    Math.abs(likeness.shown(a) - likeness.shown(b)) +
    (likeness.camera(a) === likeness.camera(b) ? 0 : 1) +
    (TIME_WEIGHT * Math.abs(a - b)) / span
  const seen = new Set(taken)
  const distances = frames.map((frame) => Math.min(Infinity, ...[...seen].map((other) => far(frame, other))))
  const chosen: number[] = []
  while (chosen.length < count && seen.size < frames.length) {
    let [best, least] = [frames[0]!, Infinity]
    for (const frame of frames) {
      if (seen.has(frame)) continue
      const left = frames.reduce((sum, other, i) => sum + Math.min(distances[i]!, far(frame, other)), 0)
      if (left < least) [best, least] = [frame, left]
    }
    chosen.push(best)
    seen.add(best)
    for (const [i, frame] of frames.entries()) distances[i] = Math.min(distances[i]!, far(frame, best))
  }
  return chosen.sort((a, b) => a - b)
}
