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
  const known = new Map<number, Look>()
  const at = (frame: number): Look => {
    const found = known.get(frame) ?? looks.findLast((one) => one.from <= frame) ?? looks[0]!
    known.set(frame, found)
    return found
  }
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
  const shown = Float64Array.from(frames, (frame) => likeness.shown(frame))
  const cameras = frames.map((frame) => likeness.camera(frame))
  const far = (a: number, b: number): number =>
    Math.abs(shown[a]! - shown[b]!) +
    (cameras[a] === cameras[b] ? 0 : 1) +
    (TIME_WEIGHT * Math.abs(frames[a]! - frames[b]!)) / span
  const isTaken = new Set(taken)
  const seen = new Set([...frames.keys()].filter((at) => isTaken.has(frames[at]!)))
  const nearest = Float64Array.from(frames, (_, at) => Math.min(Infinity, ...[...seen].map((other) => far(at, other))))
  const chosen: number[] = []
  while (chosen.length < count && seen.size < frames.length) {
    let [best, least] = [0, Infinity]
    for (let at = 0; at < frames.length; at++) {
      if (seen.has(at)) continue
      let left = 0
      for (let other = 0; other < frames.length; other++) left += Math.min(nearest[other]!, far(at, other))
      if (left < least) [best, least] = [at, left]
    }
    chosen.push(best)
    seen.add(best)
    for (let at = 0; at < frames.length; at++) nearest[at] = Math.min(nearest[at]!, far(at, best))
  }
  return chosen.sort((a, b) => a - b).map((at) => frames[at]!)
}
