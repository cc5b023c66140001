import { readFile, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { invalid, type Finding, type Verdict } from '@pictor/core/contract'
import { cut } from '../compare/picture.ts'
import { judgeByReferences, type References } from '../compare/with-references.ts'
import { measuredOf, pictureOf } from '../node/file-check.ts'
import { finding, published, verdictOf, type WeighedFinding } from '../verdict/finding.ts'
import { filePool, type FilePool } from './file-pool.ts'
import type { FileResult } from './file-task.ts'
import { isPictureName, readFolder, readPicture, siblingName, type PartialSpec } from './folder.ts'
import { readManifest, type CheckSet, type FrameEntry, type ReferenceFiles } from './manifest.ts'
import { sequenceCheck, type SequenceCheck, type SequenceItem } from '../sequence/check.ts'

/** How to check a manifest or folder. */
export interface CheckPathOptions {
  /** Whether reference renders of the manifest are used; true when left out. */
  readonly references?: boolean
  /** What was ordered, for folders and single pictures; a manifest says it itself. */
  readonly spec?: PartialSpec
  /** Frames expected in each sequence; missing and extra ones become lines too. */
  readonly frames?: readonly number[]
  /** Threads that read files; the number of processors when left out. */
  readonly threads?: number
  /** Called once, before the first line: what the verdicts rest on, in words, and how many files there are. */
  readonly onStart?: (about: { readonly basis: string; readonly total: number }) => void
  /** Called after each line. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  readonly signal?: AbortSignal
}

/** One frame's line: what `pictor check --json` prints. */
export interface CheckLine {
  /** As the manifest or folder names it; of a missing frame the name that it would have, empty where that is not known. */
  readonly file: string
  readonly frame: number
  readonly verdict: Verdict
  readonly findings: readonly Finding[]
  /** Milliseconds that reading and judging the file took. */
  readonly ms: number
}

/**
 * Checks all frames that a manifest (corpus format) or a folder names, and yields a line a frame, in order of sequence and frame. Lines appear as they are ready; files
 * are read on worker threads, a few ahead of the line, so that memory does not grow with their number.
 * @throws not-found, invalid-input when the manifest or folder cannot be used
 * @example
 * for await (const line of checkPath('renders/')) if (line.verdict !== 'accept') console.log(line)
 */
export async function* checkPath(path: string, options: CheckPathOptions = {}): AsyncGenerator<CheckLine> {
  const set = await readCheckSet(path, options.spec)
  const { signal, threads = availableParallelism() } = options
  options.onStart?.({ basis: set.basis, total: set.frames.length })
  // A thread takes longer to start than a few files to read.
  const pool = filePool({ threads: set.frames.length < 4 ? 1 : threads, ...(signal ? { signal } : {}) })
  try {
    yield* checkFrames(set, pool, 2 * threads + 4, options)
  } finally {
    await pool.close()
  }
  yield* missingLines(set, options.frames)
}

async function* checkFrames(set: CheckSet, pool: FilePool, ahead: number, options: CheckPathOptions): AsyncGenerator<CheckLine> {
  const { frames } = set
  const results = readAhead(frames, pool)
  const items = frames.map((entry, index) => itemOf(entry, () => results.get(index)))
  const sequences = sequencesOf(frames, items)
  const references = options.references === false ? [] : set.references
  const cache = new Map<string, Promise<References>>()
  const unclaimed = claims(set, options.frames)
  for (const [index, entry] of frames.entries()) {
    options.signal?.throwIfAborted()
    for (let next = index; next < Math.min(frames.length, index + ahead); next++) results.start(next)
    const result = await results.get(index)
    const startedAt = performance.now()
    const own = [...result.findings, ...unclaimed(entry)]
    const beside = await sequences.get(entry.sequence)!.findings(items[index]!, own)
    const findings = await judgeEntry(entry, beside, referencesOf(references, entry), cache)
    results.forget(index)
    const ms = Math.round((result.ms + performance.now() - startedAt) * 10) / 10
    yield { file: entry.file, frame: entry.frame, verdict: verdictOf(findings), findings: published(findings), ms }
    options.onProgress?.({ done: index + 1, total: frames.length })
  }
}

/** Results of files by index, read at most once while somebody may need them. */
function readAhead(frames: readonly FrameEntry[], pool: FilePool) {
  const started = new Map<number, Promise<FileResult>>()
  const start = (index: number): Promise<FileResult> => {
    const known = started.get(index)
    if (known) return known
    const { path, frame, spec, sha256 } = frames[index]!
    const result = pool.check({ from: { path }, frame, spec, ...(sha256 ? { sha256 } : {}) })
    // Only an abort rejects; whoever waits for the line then hears of it.
    result.catch(() => {})
    started.set(index, result)
    return result
  }
  return { start, get: start, forget: (index: number) => started.delete(index) }
}

/** Reads a folder, one picture, or else a manifest. @throws not-found, invalid-input */
export async function readCheckSet(path: string, spec?: PartialSpec): Promise<CheckSet> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return readFolder(path, spec)
  if (found && isPictureName(path)) return readPicture(path, spec)
  if (spec && Object.keys(spec).length > 0) throw invalid('spec', 'none beside a manifest, which says what was ordered', path)
  return readManifest(path)
}

const itemOf = (entry: FrameEntry, result: () => Promise<FileResult>): SequenceItem => ({
  id: entry.path,
  frame: entry.frame,
  legitBlack: entry.spec.legitBlackFrames?.includes(entry.frame) ?? false,
  legitStatic: entry.spec.legitStatic ?? false,
  animatedSeed: entry.spec.animatedSeed,
  ...(entry.farm === undefined ? {} : { farm: entry.farm }),
  measure: async () => {
    return measuredOf(await result())
  },
})

function sequencesOf(frames: readonly FrameEntry[], items: readonly SequenceItem[]): ReadonlyMap<string, SequenceCheck> {
  const groups = new Map<string, SequenceItem[]>()
  for (const [index, { sequence }] of frames.entries()) {
    const group = groups.get(sequence) ?? []
    groups.set(sequence, group)
    group.push(items[index]!)
  }
  return new Map([...groups].map(([name, group]) => [name, sequenceCheck(group)]))
}

const referencesOf = (all: readonly ReferenceFiles[], entry: FrameEntry): ReferenceFiles | undefined =>
  all.find((one) => one.sequence === entry.sequence && one.frame === entry.frame)

async function judgeEntry(
  entry: FrameEntry,
  findings: readonly WeighedFinding[],
  files: ReferenceFiles | undefined,
  cache: Map<string, Promise<References>>,
): Promise<readonly WeighedFinding[]> {
  if (!files || findings.some((found) => found.weight === 'refuse')) return findings
  const picture = await pictureOf(await readFile(entry.path))
  if (!picture) return findings
  const key = `${files.sequence} ${files.frame}`
  const references = cache.get(key) ?? loadReferences(files)
  cache.set(key, references)
  return judgeByReferences(picture, entry.spec.output.bitDepth, await references, findings)
}

async function loadReferences(files: ReferenceFiles): Promise<References> {
  const load = async (path: string) => pictureOf(await readFile(path))
  const renders = (await Promise.all(files.checkers.map(load))).filter((picture) => picture !== undefined)
  const crops = []
  for (const { path, area } of files.crops) {
    const picture = await load(path)
    if (!picture) continue
    // A crop file is the region alone, or a full frame that is empty elsewhere.
    const own = picture.width === area.width && picture.height === area.height ? picture : cut(picture, area)
    crops.push({ picture: own, area })
  }
  return { renders, crops }
}

/** What a frame's number says: that nobody ordered it, or, in a folder, that another file of the sequence claims it too. Both are doubts: which file is meant, a person knows. */
function claims(set: CheckSet, ordered: readonly number[] | undefined): (entry: FrameEntry) => readonly WeighedFinding[] {
  const wanted = ordered && new Set(ordered)
  const key = ({ sequence, frame }: FrameEntry): string => `${frame} ${sequence}`
  const rivals = new Map<string, FrameEntry[]>()
  if (set.complete) {
    for (const entry of set.frames) {
      const others = rivals.get(key(entry))
      if (others) others.push(entry)
      else rivals.set(key(entry), [entry])
    }
  }
  return (entry) => {
    const other = rivals.get(key(entry))?.find((one) => one !== entry)
    return [
      ...(wanted && !wanted.has(entry.frame)
        ? [finding('doubt', 'extra-frame', 'the frame is not among those that were to be there')]
        : []),
      ...(other ? [finding('doubt', 'frame-twice', `${other.file} is frame ${entry.frame} of this sequence too`)] : []),
    ]
  }
}

/** Lines for frames that were ordered and are not there; without an order, for gaps in the numbers, which then are doubts. */
function* missingLines(set: CheckSet, ordered: readonly number[] | undefined): Generator<CheckLine> {
  const sequences = new Map<string, FrameEntry[]>()
  for (const entry of set.frames) {
    const found = sequences.get(entry.sequence)
    if (found) found.push(entry)
    else sequences.set(entry.sequence, [entry])
  }
  for (const [sequence, found] of sequences) {
    const numbers = found.map(({ frame }) => frame)
    const there = new Set(numbers)
    // The shortest name shows best how numbers are padded.
    const like = found.reduce((short, { file }) => (file.length < short.length ? file : short), found[0]!.file)
    for (const frame of ordered ?? (set.complete ? gapsOf(numbers) : [])) {
      if (there.has(frame)) continue
      const why = ordered ? 'and was ordered' : 'though frames before and after it are there'
      const missing = finding(ordered ? 'refuse' : 'doubt', 'missing-frame', `the frame is missing from ${sequence}, ${why}`)
      const file = set.complete ? siblingName(like, frame) : ''
      yield { file, frame, verdict: verdictOf([missing]), findings: published([missing]), ms: 0 }
    }
  }
}

/** Numbers that are missing in a sequence that otherwise goes on by one and the same step; none where more are missing than there. */
function gapsOf(frames: readonly number[]): readonly number[] {
  const sorted = [...new Set(frames)].toSorted((a, b) => a - b)
  if (sorted.length < 4) return []
  const steps = sorted.slice(1).map((frame, i) => frame - sorted[i]!)
  const step = steps.toSorted((a, b) => a - b)[steps.length >> 1]!
  if ((sorted.at(-1)! - sorted[0]!) / step + 1 > 2 * sorted.length) return []
  const gaps: number[] = []
  for (const [i, size] of steps.entries()) {
    if (size % step === 0) for (let frame = sorted[i]! + step; frame < sorted[i + 1]!; frame += step) gaps.push(frame)
  }
  return gaps
}
