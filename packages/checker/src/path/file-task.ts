import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { RenderSpec } from '@pictor/core/contract'
import { checkFile, type CheckedFile } from '../node/file-check.ts'
import { finding } from '../verdict/finding.ts'

/** One file to check by itself: its bytes, or where they lie. */
export interface FileTask {
  readonly from: { readonly path: string } | { readonly bytes: Uint8Array }
  readonly frame: number
  readonly spec: RenderSpec
  /** The tile of a split frame; 0 or left out: the whole frame. */
  readonly part?: number
  /** Lower-case hex that the bytes must hash to, where somebody said it. */
  readonly sha256?: string
}

/** What a thread hands back: plain data. */
export interface FileResult extends CheckedFile {
  readonly ms: number
}

/** Files above this are not read into memory: 2 GiB is also the most that Node reads at once. */
const MOST_BYTES = 2 ** 31 - 1

/** Reads and checks one file. Whatever is wrong with it is a finding, never a throw. */
export async function checkFileAt(task: FileTask): Promise<FileResult> {
  const startedAt = performance.now()
  const { findings, ...rest } = await read(task)
  return { ...rest, findings, ms: performance.now() - startedAt }
}

async function read({ from, frame, spec, part, sha256 }: FileTask): Promise<CheckedFile> {
  if ('bytes' in from) return checkFile(from.bytes, spec, frame, part)
  const { path } = from
  let bytes: Uint8Array
  try {
    const found = await stat(path)
    // A pipe or device would keep the reader waiting for ever.
    if (!found.isFile()) return { findings: [finding('refuse', 'not-a-file', 'this is a folder, pipe or device, not a file')] }
    if (found.size > MOST_BYTES) {
      const message = `the file has ${found.size} bytes; files above 2 GiB are not read here`
      return { findings: [finding('doubt', 'not-decoded', message, { value: found.size, threshold: MOST_BYTES })] }
    }
    bytes = await readFile(path)
  } catch (error) {
    return { findings: [unreadable(error)] }
  }
  const checked = await checkFile(bytes, spec, frame, part)
  if (!sha256) return checked
  const hash = createHash('sha256').update(bytes).digest('hex')
  if (hash === sha256) return checked
  const message = `the bytes hash to ${hash.slice(0, 12)}…, the manifest says ${sha256.slice(0, 12)}…`
  return { ...checked, findings: [...checked.findings, finding('refuse', 'hash-differs', message)] }
}

function unreadable(error: unknown): ReturnType<typeof finding> {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return finding('refuse', 'missing-file', 'the file is not there, or is a link that leads nowhere')
  // The disk or the rights of this account say nothing about the frame.
  return finding('doubt', 'unreadable', `the file cannot be read here: ${message}`)
}
