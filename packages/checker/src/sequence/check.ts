import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { weighBeside } from './beside.ts'
import { checkBlankArea, checkContinuity } from './continuity.ts'
import { findInterpolation, findNoisyCopy } from './copies.ts'
import { findDuplicates } from './duplicates.ts'
import { contentDistance, sameGrid, type FrameFeatures } from './features.ts'
import { findOddArea } from './odd-area.ts'
import { findOffCourse, type Course } from './off-course.ts'
import { restsOf } from './rests.ts'
import { checkSeam } from './seams.ts'
import { findStaleArea } from './stale-area.ts'

/** What the sequence checks need to know of a frame. */
export interface MeasuredFrame {
  readonly features: FrameFeatures
  readonly pixelHash: string
  /** Codes of what was found on the frame by itself. */
  readonly codes: readonly string[]
  /** Render time that the file declares, seconds. */
  readonly seconds?: number
}

/** One file of a picture sequence. */
export interface SequenceItem {
  /** Different for every file. */
  readonly id: string
  readonly frame: number
  /** Whether the order lists this frame as black. */
  readonly legitBlack: boolean
  /** Whether the order says that frames may repeat. */
  readonly legitStatic: boolean
  /** Whether the order says that each frame has noise of its own, which then never repeats. */
  readonly animatedSeed: boolean
  /** Who rendered it, as people should read it; left out where that is not known. */
  readonly farm?: string
  /** Reads the frame; undefined where it cannot be opened, which its own line says. Asked again when it was long ago. */
  measure(): Promise<MeasuredFrame | undefined>
}

/** Looks at each frame of a sequence beside its neighbours. */
export interface SequenceCheck {
  /** What was found on the frame by itself (`before`), weighed beside its neighbours, and what they add. */
  findings(entry: SequenceItem, before: readonly WeighedFinding[]): Promise<readonly WeighedFinding[]>
}

/** A frame with its measurements. */
export interface Measured extends MeasuredFrame {
  readonly entry: SequenceItem
}

/** Measured frames kept, below 1 MB each. */
const KEEP = 32

/**
 * The sequence check of a set of files. A frame number that several files claim (rival candidates, as in the corpus) serves nobody as a neighbour, nor does a frame
 * that may be black.
 */
export function sequenceCheck(items: readonly SequenceItem[]): SequenceCheck {
  const frames = new Map<number, SequenceItem[]>()
  for (const item of items) frames.set(item.frame, [...(frames.get(item.frame) ?? []), item])
  const single = [...frames.values()].filter((entries) => entries.length === 1).map((entries) => entries[0]!)
  single.sort((p, q) => p.frame - q.frame)
  const kept = new Map<string, Promise<Measured | undefined>>()
  const measure = (entry: SequenceItem): Promise<Measured | undefined> => {
    const known = kept.get(entry.id) ?? entry.measure().then((found) => found && { ...found, entry })
    kept.delete(entry.id)
    kept.set(entry.id, known)
    for (const oldest of kept.keys()) if (kept.size > KEEP) kept.delete(oldest)
    return known
  }
  const rests = restsOf(single, measure)
  /** A repeated frame needs nobody's eyes where the motion has come to rest, unless it was to have noise of its own. */
  const atRest = async (entry: SequenceItem, found: WeighedFinding): Promise<WeighedFinding> => {
    const may = found.code === 'duplicate-frame' && found.weight === 'doubt' && !entry.animatedSeed
    if (!may || !(await rests.isAtRest(entry))) return found
    return { ...found, weight: 'note', message: `${found.message}; the motion slows down to a rest there` }
  }
  return {
    async findings(entry, before) {
      const own = await measure(entry)
      if (!own) return before
      const wide = (await Promise.all(around(single, entry).map(measure))).filter((one) => one !== undefined)
      const near = [
        ...wide.filter((one) => one.entry.frame < entry.frame).slice(-2),
        ...wide.filter((one) => one.entry.frame > entry.frame).slice(0, 2),
      ]
      return [
        ...weighBeside(own, near, wide, before),
        ...(await Promise.all(judge(own, near, wide, await rests.first(entry)).map((found) => atRest(entry, found)))),
        ...checkSeam(own, wide),
        ...checkTime(own, wide),
      ]
    },
  }
}

/** `near` are two frames on each side, `wide` four; `first` is where the run of equal frames that this one belongs to begins. */
function judge(own: Measured, near: readonly Measured[], wide: readonly Measured[], first: number): readonly WeighedFinding[] {
  const { entry, features: x } = own
  // Black where the order says so: whatever is beside it.
  if (entry.legitBlack && isBlack(x)) return []
  const findings = duplicateOf(own, near, first)
  if (findings.length > 0) return findings
  const usable = near.filter((one) => !one.entry.legitBlack)
  const neighbours = choose(entry, usable)
  if (!neighbours) return []
  const { surround } = neighbours
  const [a, b] = [neighbours.a.features, neighbours.b.features]
  const beyond = [
    usable.find((one) => one.entry.frame < neighbours.a.entry.frame),
    usable.findLast((one) => one.entry.frame > neighbours.b.entry.frame),
  ]
  const [before, after] = surround ? beyond.map((one) => one?.features) : []
  const found = [
    ...checkContinuity(x, { a, b, surround, beyond: [before, after].filter((one) => one !== undefined) }),
    ...(own.codes.some((code) => code === 'black-frame' || code === 'constant-frame')
      ? []
      : checkBlankArea(
          x,
          { a, b },
          wide.map((one) => one.features),
        )),
  ]
  if (!surround) return found
  if (entry.animatedSeed) found.push(...some(findStaleArea(x, [a, b])))
  if (found.length === 0) found.push(...some(findOddArea(x, [a, b], [before, after]) ?? offCourse(own, wide)))
  // Only frames whose content lies with the neighbours can be made from them.
  if (!sameGrid(x, a) || !sameGrid(a, b) || contentDistance(x, a) > 2 * contentDistance(a, b) + 0.01) return found
  const made =
    findInterpolation(x, [a, b], [before, after]) ?? (leavesDoubleStep(entry, x, near) ? findNoisyCopy(x, a, b) : undefined)
  return [...found, ...some(made)]
}

/** One and a half 8-bit steps: dither does not make a frame lit. */
const isBlack = ({ means }: FrameFeatures): boolean => means.every((plane) => plane.every((level) => level < 1.5 / 255))

/** {@link findOffCourse} where four frames on each side follow each other at one and the same distance. */
function offCourse(own: Measured, wide: readonly Measured[]): WeighedFinding | undefined {
  const row = [...wide, own].toSorted((p, q) => p.entry.frame - q.entry.frame)
  const steps = new Set(row.slice(1).map((one, i) => one.entry.frame - row[i]!.entry.frame))
  if (row.length !== 2 * WIDE + 1 || row[WIDE] !== own || steps.size !== 1 || wide.some((one) => one.entry.legitBlack))
    return undefined
  const [p, q, r, s, x, a, b, c, d] = row.map((one) => one.features) as [...Course, FrameFeatures, ...Course]
  return findOffCourse(x, [s, r, q, p], [a, b, c, d])
}

const some = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value])

/**
 * A frame equal to an earlier one. Holds, loops and animation on twos repeat frames honestly, so it is a doubt, and suspect only where each frame should have noise of its own. There the
 * earlier one may be the copy as well.
 */
function duplicateOf({ entry, features, pixelHash }: Measured, near: readonly Measured[], first: number): WeighedFinding[] {
  // One flat frame is like another; that it is flat is a finding of its own.
  if (features.blank.every((flat) => flat === 1)) return []
  const others = near.map((one) => ({ frame: one.entry.frame, pixelHash: one.pixelHash }))
  const run = [first, entry.frame].map((frame) => ({ frame, pixelHash }))
  const found = findDuplicates([...others, ...run], entry.legitStatic).get(entry.frame)
  const noisy = features.near.filter((energy) => energy > NOISY).length > features.near.length / 4
  const noiseOfItsOwn = entry.animatedSeed && noisy && !entry.legitStatic
  if (found) return [noiseOfItsOwn ? found : { ...found, weight: 'doubt' }]
  const later = near.find((one) => one.entry.frame > entry.frame && one.pixelHash === pixelHash)
  if (!later || !noiseOfItsOwn) return []
  const message = `every pixel equals frame ${later.entry.frame}, though each was to have noise of its own: one of them is a copy`
  return [finding('doubt', 'duplicate-frame', message, { value: 0, threshold: 0 })]
}

/** Noise of a quarter of an 8-bit step. */
const NOISY = 2 * (1 / 1020) ** 2

/** Whether the step from this frame to the next is about two of the usual steps around it: what a copy of its predecessor leaves behind, and easing in does not. */
function leavesDoubleStep(entry: SequenceItem, own: FrameFeatures, near: readonly Measured[]): boolean {
  const after = near.filter((one) => one.entry.frame > entry.frame)
  const steps = [near.filter((one) => one.entry.frame < entry.frame), after].map(([first, second]) =>
    first && second && sameGrid(first.features, second.features) ? contentDistance(first.features, second.features) : 0,
  )
  const usual = Math.max(...steps)
  const next = after[0]
  return (
    usual > 0 && next !== undefined && sameGrid(own, next.features) && contentDistance(own, next.features) > DOUBLE_STEP * usual
  )
}

/** A step this much longer than the usual one is two steps. */
const DOUBLE_STEP = 1.5

/** Frames looked at on each side: two to compare with, two more to see whether the shot does such a thing more than once. */
const WIDE = 4

/** {@link WIDE} frames before and after, of those that exactly one file claims. */
function around(single: readonly SequenceItem[], { frame }: SequenceItem): readonly SequenceItem[] {
  let [low, high] = [0, single.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (single[middle]!.frame < frame) low = middle + 1
    else high = middle
  }
  const after = single[low]?.frame === frame ? low + 1 : low
  return [...single.slice(Math.max(0, low - WIDE), low), ...single.slice(after, after + WIDE)]
}

/** A declared render time below this share of its neighbours' is told. */
const QUICK = 1 / 3
/** Shorter times are mostly start-up. */
const LEAST_SECONDS = 0.5

/**
 * Notes a frame that by its own tags took far less time than the frames around it: fewer samples would explain it, a faster machine or an easier frame as well, so that it
 * weighs nothing by itself.
 */
function checkTime({ seconds }: Measured, wide: readonly Measured[]): readonly WeighedFinding[] {
  const others = wide.flatMap((one) => one.seconds ?? []).toSorted((p, q) => p - q)
  const usual = others[others.length >> 1]
  if (seconds === undefined || usual === undefined || others.length < 3 || usual < LEAST_SECONDS) return []
  if (seconds >= QUICK * usual) return []
  const message = `the file says that the frame took ${seconds} s to render, the frames around it took ${usual} s`
  return [finding('note', 'declared-time', message, { value: seconds, threshold: QUICK * usual })]
}

interface Chosen {
  readonly a: Measured
  readonly b: Measured
  /** Whether one lies before the frame and one after it. */
  readonly surround: boolean
}

/** One neighbour on each side, else two of one side. Farther than three frames is another moment of the shot. */
function choose(entry: SequenceItem, near: readonly Measured[]): Chosen | undefined {
  const close = near.filter((one) => Math.abs(one.entry.frame - entry.frame) <= 3)
  const before = close.filter((one) => one.entry.frame < entry.frame)
  const after = close.filter((one) => one.entry.frame > entry.frame)
  const a = before.at(-1)
  const b = after[0]
  if (a && b) return { a, b, surround: true }
  const [near1, near2] = before.length >= 2 ? [before.at(-1), before.at(-2)] : after
  return near1 && near2 ? { a: near1, b: near2, surround: false } : undefined
}
