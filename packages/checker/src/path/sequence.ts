import { readFile } from 'node:fs/promises'
import { decodeImage, pixelHash } from '@pictor/image'
import { toPicture, type Picture } from '../compare/picture.ts'
import { checkBlankArea, checkContinuity, type Neighbours } from '../sequence/continuity.ts'
import { findInterpolation, findNoisyCopy } from '../sequence/copies.ts'
import { findDuplicates } from '../sequence/duplicates.ts'
import { contentDistance, measureFrame, type FrameFeatures } from '../sequence/features.ts'
import type { WeighedFinding } from '../verdict/finding.ts'
import type { FrameEntry } from './manifest.ts'

/** Looks at each frame of a sequence beside its neighbours. */
export interface SequenceCheck {
  findings(entry: FrameEntry, picture: Picture): Promise<readonly WeighedFinding[]>
}

interface Measured {
  readonly entry: FrameEntry
  readonly features: FrameFeatures
  readonly hash: string
}

/** Decoded neighbours kept. */
const KEEP = 4

/**
 * The sequence check of a set of files. A frame number that several files claim (rival candidates, as in the corpus) serves nobody as a neighbour, nor does a frame
 * that may be black. Neighbours are decoded once for their features, and again when a frame needs a closer look.
 */
export function sequenceCheck(frames: readonly FrameEntry[]): SequenceCheck {
  const sequences = new Map<string, Map<number, FrameEntry[]>>()
  for (const entry of frames) {
    const sequence = sequences.get(entry.sequence) ?? new Map<number, FrameEntry[]>()
    sequences.set(entry.sequence, sequence)
    sequence.set(entry.frame, [...(sequence.get(entry.frame) ?? []), entry])
  }
  const measured = new Map<string, Promise<Measured | undefined>>()
  const pictures = new Map<string, Picture>()
  const measure = (entry: FrameEntry): Promise<Measured | undefined> => {
    const known = measured.get(entry.path) ?? measureFile(entry)
    measured.set(entry.path, known)
    return known
  }
  const pictureOf = async (entry: FrameEntry): Promise<Picture | undefined> => {
    const known = pictures.get(entry.path) ?? (await decode(entry))?.picture
    if (!known) return undefined
    pictures.delete(entry.path)
    pictures.set(entry.path, known)
    for (const oldest of pictures.keys()) if (pictures.size > KEEP) pictures.delete(oldest)
    return known
  }
  return {
    async findings(entry, picture) {
      const { before, after } = around(sequences.get(entry.sequence)!, entry)
      const near = (await Promise.all([...before, ...after].map(measure))).filter((one) => one !== undefined)
      const own = measureFrame(picture)
      const findings = duplicateOf(entry, await hashOf(entry, measured), near)
      if (findings.length > 0) return findings
      const usable = near.filter((one) => !one.entry.spec.legitBlackFrames?.includes(one.entry.frame))
      const neighbours = choose(entry, usable)
      if (!neighbours) return []
      const { a, b, surround } = neighbours
      const features: Neighbours = { a: a.features, b: b.features, surround }
      const found = [...checkContinuity(own, features), ...checkBlankArea(own, features, picture.width, picture.height)]
      // Only frames whose content lies with the neighbours can be made from them.
      if (!surround || contentDistance(own, a.features) > 2 * contentDistance(a.features, b.features) + 0.01) return found
      const [left, right] = [await pictureOf(a.entry), await pictureOf(b.entry)]
      if (!left || !right) return found
      const made = findInterpolation(picture, left, right) ?? findNoisyCopy(picture, left, right)
      return made ? [...found, made] : found
    },
  }
}

const hashOf = async (entry: FrameEntry, measured: Map<string, Promise<Measured | undefined>>): Promise<string | undefined> =>
  (await measured.get(entry.path))?.hash ?? (await decode(entry))?.hash

function duplicateOf(entry: FrameEntry, hash: string | undefined, near: readonly Measured[]): WeighedFinding[] {
  if (hash === undefined) return []
  const others = near.map((one) => ({ frame: one.entry.frame, pixelHash: one.hash }))
  const found = findDuplicates([...others, { frame: entry.frame, pixelHash: hash }], entry.spec.legitStatic ?? false).get(
    entry.frame,
  )
  // The earlier of two equal frames is taken for the original; the later one carries the finding.
  return found ? [found] : []
}

/** Two frames before and two after, by frame number, where exactly one file claims the number. */
function around(
  sequence: ReadonlyMap<number, readonly FrameEntry[]>,
  entry: FrameEntry,
): { before: FrameEntry[]; after: FrameEntry[] } {
  const single = [...sequence.values()].filter((entries) => entries.length === 1).map((entries) => entries[0]!)
  single.sort((p, q) => p.frame - q.frame)
  return {
    before: single.filter((one) => one.frame < entry.frame).slice(-2),
    after: single.filter((one) => one.frame > entry.frame).slice(0, 2),
  }
}

/** One neighbour on each side, else two of one side. Farther than three frames is another moment of the shot. */
function choose(entry: FrameEntry, near: readonly Measured[]): { a: Measured; b: Measured; surround: boolean } | undefined {
  const close = near.filter((one) => Math.abs(one.entry.frame - entry.frame) <= 3)
  const before = close.filter((one) => one.entry.frame < entry.frame)
  const after = close.filter((one) => one.entry.frame > entry.frame)
  const a = before.at(-1)
  const b = after[0]
  if (a && b) return { a, b, surround: true }
  const [near1, near2] = before.length >= 2 ? [before.at(-1), before.at(-2)] : after
  return near1 && near2 ? { a: near1, b: near2, surround: false } : undefined
}

async function decode(entry: FrameEntry): Promise<{ picture: Picture; hash: string } | undefined> {
  try {
    const image = decodeImage(await readFile(entry.path))
    const picture = toPicture(image)
    return picture ? { picture, hash: pixelHash(image) } : undefined
  } catch {
    // A neighbour that cannot be opened is judged on its own line.
    return undefined
  }
}

async function measureFile(entry: FrameEntry): Promise<Measured | undefined> {
  const decoded = await decode(entry)
  return decoded ? { entry, features: measureFrame(decoded.picture), hash: decoded.hash } : undefined
}
