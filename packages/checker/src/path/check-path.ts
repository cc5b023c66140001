import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { decodeImage } from '@pictor/image'
import type { Finding, RenderSpec, Verdict } from '@pictor/core/contract'
import { cut, toPicture, type Picture } from '../compare/picture.ts'
import { judgeByReferences, type References } from '../compare/with-references.ts'
import { checkFile } from '../node/file-check.ts'
import { finding, published, verdictOf, type WeighedFinding } from '../verdict/finding.ts'
import { readFolder } from './folder.ts'
import { readManifest, type CheckSet, type FrameEntry, type ReferenceFiles } from './manifest.ts'
import { sequenceCheck, type SequenceCheck, type SequenceItem } from '../sequence/check.ts'

/** How to check a manifest or folder. */
export interface CheckPathOptions {
  /** Whether reference renders of the manifest are used; true when left out. */
  readonly references?: boolean
  /** What was ordered, for folders. */
  readonly spec?: Partial<RenderSpec>
  /** Frames expected in each sequence; missing and extra ones become lines too. */
  readonly frames?: readonly number[]
  readonly signal?: AbortSignal
}

/** One frame's line: what `pictor check --json` prints. */
export interface CheckLine {
  readonly file: string
  readonly frame: number
  readonly verdict: Verdict
  readonly findings: readonly Finding[]
  readonly ms: number
}

/**
 * Checks all frames that a manifest (corpus format) or a folder names, and yields a line a frame, in order of sequence and frame. Lines appear as they are ready.
 * @throws not-found, invalid-input when the manifest or folder cannot be used
 * @example
 * for await (const line of checkPath('renders/')) if (line.verdict !== 'accept') console.log(line)
 */
export async function* checkPath(path: string, options: CheckPathOptions = {}): AsyncGenerator<CheckLine> {
  const set = await readCheckSet(path, options.spec)
  const sequences = sequencesOf(set.frames)
  const references = options.references === false ? [] : set.references
  const cache = new Map<string, Promise<References>>()
  for (const entry of set.frames) {
    options.signal?.throwIfAborted()
    yield await checkEntry(entry, sequences.get(entry.sequence)!, referencesOf(references, entry), cache)
  }
  yield* missingLines(set, options.frames)
}

/** Reads a manifest when `path` is a file, else a folder. */
export async function readCheckSet(path: string, spec?: Partial<RenderSpec>): Promise<CheckSet> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return isFolder ? readFolder(path, spec) : readManifest(path)
}

const itemOf = (entry: FrameEntry): SequenceItem => ({
  id: entry.path,
  frame: entry.frame,
  legitBlack: entry.spec.legitBlackFrames?.includes(entry.frame) ?? false,
  legitStatic: entry.spec.legitStatic ?? false,
  read: () => readFile(entry.path),
})

function sequencesOf(frames: readonly FrameEntry[]): ReadonlyMap<string, SequenceCheck> {
  const groups = new Map<string, SequenceItem[]>()
  for (const entry of frames) groups.set(entry.sequence, [...(groups.get(entry.sequence) ?? []), itemOf(entry)])
  return new Map([...groups].map(([name, items]) => [name, sequenceCheck(items)]))
}

const referencesOf = (all: readonly ReferenceFiles[], entry: FrameEntry): ReferenceFiles | undefined =>
  all.find((one) => one.sequence === entry.sequence && one.frame === entry.frame)

async function checkEntry(
  entry: FrameEntry,
  sequence: SequenceCheck,
  files: ReferenceFiles | undefined,
  cache: Map<string, Promise<References>>,
): Promise<CheckLine> {
  const startedAt = performance.now()
  const line = (findings: readonly WeighedFinding[]): CheckLine => ({
    file: entry.file,
    frame: entry.frame,
    verdict: verdictOf(findings),
    findings: published(findings),
    ms: Math.round((performance.now() - startedAt) * 10) / 10,
  })
  let bytes: Uint8Array
  try {
    bytes = await readFile(entry.path)
  } catch (error) {
    return line([finding('refuse', 'missing-file', `the file cannot be read: ${(error as Error).message}`)])
  }
  const hash = createHash('sha256').update(bytes).digest('hex')
  const { findings, picture } = checkFile(bytes, entry.spec, entry.frame)
  const all = [...findings, ...(picture ? await sequence.findings(itemOf(entry), picture) : [])]
  if (entry.sha256 && hash !== entry.sha256) {
    all.push(
      finding(
        'refuse',
        'hash-differs',
        `the bytes hash to ${hash.slice(0, 12)}…, the manifest says ${entry.sha256.slice(0, 12)}…`,
      ),
    )
  }
  if (!picture || !files || all.some((found) => found.weight === 'refuse')) return line(all)
  const key = `${files.sequence} ${files.frame}`
  const references = cache.get(key) ?? loadReferences(files)
  cache.set(key, references)
  return line(judgeByReferences(picture, entry.spec.output.bitDepth, await references, all))
}

async function loadReferences(files: ReferenceFiles): Promise<References> {
  const load = async (path: string): Promise<Picture | undefined> => toPicture(decodeImage(await readFile(path)))
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

function* missingLines(set: CheckSet, frames: readonly number[] | undefined): Generator<CheckLine> {
  if (!frames) return
  for (const sequence of new Set(set.frames.map((entry) => entry.sequence))) {
    const found = new Set(set.frames.filter((entry) => entry.sequence === sequence).map((entry) => entry.frame))
    for (const frame of frames) {
      if (found.has(frame)) continue
      const missing = finding('refuse', 'missing-frame', `frame ${frame} of ${sequence} is missing`)
      yield { file: '', frame, verdict: 'refuse', findings: published([missing]), ms: 0 }
    }
  }
}
