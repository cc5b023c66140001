import { decodeImage, pixelHash } from '@pictor/image'
import { toPicture, type Picture } from '../compare/picture.ts'
import type { WeighedFinding } from '../verdict/finding.ts'
import { checkBlankArea, checkContinuity, type Neighbours } from './continuity.ts'
import { findInterpolation, findNoisyCopy } from './copies.ts'
import { findDuplicates } from './duplicates.ts'
import { contentDistance, measureFrame, sameGrid, type FrameFeatures } from './features.ts'

/** One file of a picture sequence. */
export interface SequenceItem {
  /** Different for every file. */
  readonly id: string
  readonly frame: number
  /** Whether the order lists this frame as black. */
  readonly legitBlack: boolean
  /** Whether the order says that frames may repeat. */
  readonly legitStatic: boolean
  read(): Promise<Uint8Array>
}

/** Looks at each frame of a sequence beside its neighbours. */
export interface SequenceCheck {
  /** Hands over a picture that was decoded anyway, so that it need not be decoded again. */
  offer(entry: SequenceItem, picture: Picture, pixelHash: string): void
  findings(entry: SequenceItem, picture: Picture): Promise<readonly WeighedFinding[]>
}

interface Measured {
  readonly entry: SequenceItem
  readonly features: FrameFeatures
  readonly hash: string
}

/** Decoded neighbours kept. */
const KEEP = 4

/**
 * The sequence check of a set of files. A frame number that several files claim (rival candidates, as in the corpus) serves nobody as a neighbour, nor does a frame
 * that may be black. Neighbours are decoded once for their features, and again when a frame needs a closer look.
 */
export function sequenceCheck(items: readonly SequenceItem[]): SequenceCheck {
  const frames = new Map<number, SequenceItem[]>()
  for (const item of items) frames.set(item.frame, [...(frames.get(item.frame) ?? []), item])
  const single = [...frames.values()].filter((entries) => entries.length === 1).map((entries) => entries[0]!)
  single.sort((p, q) => p.frame - q.frame)
  const measured = new Map<string, Promise<Measured | undefined>>()
  const pictures = new Map<string, Picture>()
  const remember = (entry: SequenceItem, picture: Picture): void => {
    pictures.delete(entry.id)
    pictures.set(entry.id, picture)
    for (const oldest of pictures.keys()) if (pictures.size > KEEP) pictures.delete(oldest)
  }
  const measure = (entry: SequenceItem): Promise<Measured | undefined> => {
    const known = measured.get(entry.id) ?? measureFile(entry)
    measured.set(entry.id, known)
    return known
  }
  const pictureOf = async (entry: SequenceItem): Promise<Picture | undefined> => {
    const known = pictures.get(entry.id) ?? (await decode(entry))?.picture
    if (known) remember(entry, known)
    return known
  }
  return {
    offer(entry, picture, hash) {
      measured.set(entry.id, Promise.resolve({ entry, features: measureFrame(picture), hash }))
      remember(entry, picture)
    },
    async findings(entry, picture) {
      const { before, after } = around(single, entry)
      const near = (await Promise.all([...before, ...after].map(measure))).filter((one) => one !== undefined)
      const own = measureFrame(picture)
      const findings = duplicateOf(entry, own, await hashOf(entry, measured), near)
      if (findings.length > 0) return findings
      const usable = near.filter((one) => !one.entry.legitBlack)
      const neighbours = choose(entry, usable)
      if (!neighbours) return []
      const { a, b, surround } = neighbours
      const features: Neighbours = { a: a.features, b: b.features, surround }
      const found = [...checkContinuity(own, features), ...checkBlankArea(own, features, picture.width, picture.height)]
      // Only frames whose content lies with the neighbours can be made from them.
      if (!surround || contentDistance(own, a.features) > 2 * contentDistance(a.features, b.features) + 0.01) return found
      const [left, right] = [await pictureOf(a.entry), await pictureOf(b.entry)]
      if (!left || !right) return found
      const made =
        findInterpolation(picture, left, right) ??
        (leavesDoubleStep(entry, own, near) ? findNoisyCopy(picture, left, right) : undefined)
      return made ? [...found, made] : found
    },
  }
}

const hashOf = async (entry: SequenceItem, measured: Map<string, Promise<Measured | undefined>>): Promise<string | undefined> =>
  (await measured.get(entry.id))?.hash ?? (await decode(entry))?.hash

/**
 * A frame equal to an earlier one. Holds and animation on twos repeat frames honestly, and then go on with an ordinary step; a frame that was replaced by a copy leaves
 * a double step behind it. Only that makes it a suspicion, the rest are doubts.
 */
function duplicateOf(
  entry: SequenceItem,
  own: FrameFeatures,
  hash: string | undefined,
  near: readonly Measured[],
): WeighedFinding[] {
  if (hash === undefined) return []
  const others = near.map((one) => ({ frame: one.entry.frame, pixelHash: one.hash }))
  const found = findDuplicates([...others, { frame: entry.frame, pixelHash: hash }], entry.legitStatic).get(entry.frame)
  if (!found) return []
  return [leavesDoubleStep(entry, own, near) ? found : { ...found, weight: 'doubt' }]
}

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

/** Two frames before and two after, of those that exactly one file claims. */
function around(
  single: readonly SequenceItem[],
  entry: SequenceItem,
): { before: readonly SequenceItem[]; after: readonly SequenceItem[] } {
  return {
    before: single.filter((one) => one.frame < entry.frame).slice(-2),
    after: single.filter((one) => one.frame > entry.frame).slice(0, 2),
  }
}

/** One neighbour on each side, else two of one side. Farther than three frames is another moment of the shot. */
function choose(entry: SequenceItem, near: readonly Measured[]): { a: Measured; b: Measured; surround: boolean } | undefined {
  const close = near.filter((one) => Math.abs(one.entry.frame - entry.frame) <= 3)
  const before = close.filter((one) => one.entry.frame < entry.frame)
  const after = close.filter((one) => one.entry.frame > entry.frame)
  const a = before.at(-1)
  const b = after[0]
  if (a && b) return { a, b, surround: true }
  const [near1, near2] = before.length >= 2 ? [before.at(-1), before.at(-2)] : after
  return near1 && near2 ? { a: near1, b: near2, surround: false } : undefined
}

async function decode(entry: SequenceItem): Promise<{ picture: Picture; hash: string } | undefined> {
  try {
    const image = decodeImage(await entry.read())
    const picture = toPicture(image)
    return picture ? { picture, hash: pixelHash(image) } : undefined
  } catch {
    // A neighbour that cannot be opened is judged on its own line.
    return undefined
  }
}

async function measureFile(entry: SequenceItem): Promise<Measured | undefined> {
  const decoded = await decode(entry)
  return decoded ? { entry, features: measureFrame(decoded.picture), hash: decoded.hash } : undefined
}
