import { lstat, readdir, readFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { OutputSpec } from '@pictor/core/contract'

/** Width and height of a picture that decodes as a whole. Throws where it does not. */
export type DecodePicture = (bytes: Uint8Array) => { readonly width: number; readonly height: number }

/** What was found of one frame. */
export type Arrival =
  | { readonly frame: number; readonly path: string; readonly whole: true }
  | { readonly frame: number; readonly path: string; readonly whole: false; readonly problem: string }

/** Watches a download folder by looking at it: works on network drives, where change notices do not. */
export interface Arrivals {
  /** Frames of a job whose files have not changed for the stable time, each either whole or with what is wrong. */
  look(name: string, frames: ReadonlySet<number>, output: OutputSpec, nowMs: number): Promise<Arrival[]>
}

const ENDINGS: Readonly<Record<OutputSpec['format'], readonly string[]>> = {
  PNG: ['.png'],
  OPEN_EXR: ['.exr'],
  OPEN_EXR_MULTILAYER: ['.exr'],
  JPEG: ['.jpg', '.jpeg'],
  TIFF: ['.tif', '.tiff'],
  WEBP: ['.webp'],
}

/** How deep below the download folder frames are looked for, and how many entries are read at most. */
const MAX_DEPTH = 4
const MAX_ENTRIES = 200_000

/**
 * Frames are files of the right ending in a folder, or with a name, that begins with the job's name; the last group of digits is the frame number.
 * `stableMs` is how long size and time of a file must stay the same.
 */
export function arrivalsIn(folder: string, decode: DecodePicture, stableMs: number): Arrivals {
  const seen = new Map<string, { readonly stamp: string; readonly sinceMs: number; verdict?: string }>()
  return {
    async look(name, frames, output, nowMs) {
      const arrivals: Arrival[] = []
      for (const path of await filesOf(folder, name, ENDINGS[output.format])) {
        const frame = frameOf(path, name)
        if (frame === undefined || !frames.has(frame)) continue
        const info = await lstat(path).catch(() => undefined)
        if (!info?.isFile() || info.size === 0) continue
        const stamp = `${info.size}:${info.mtimeMs}`
        const known = seen.get(path)
        if (known?.stamp !== stamp) seen.set(path, { stamp, sinceMs: nowMs })
        else if (nowMs - known.sinceMs >= stableMs) {
          known.verdict ??= await problemOf(path, decode, output)
          const { verdict } = known
          arrivals.push(verdict === '' ? { frame, path, whole: true } : { frame, path, whole: false, problem: verdict })
        }
      }
      return arrivals
    },
  }
}

async function problemOf(path: string, decode: DecodePicture, { width, height }: OutputSpec): Promise<string> {
  try {
    const found = decode(await readFile(path))
    if (found.width === width && found.height === height) return ''
    return `${basename(path)} is ${found.width} x ${found.height} pixels, ordered were ${width} x ${height}`
  } catch (error) {
    return `${basename(path)} does not decode: ${(error as Error).message}`
  }
}

async function filesOf(folder: string, name: string, endings: readonly string[]): Promise<string[]> {
  const found: string[] = []
  let left = MAX_ENTRIES
  const visit = async (dir: string, depth: number, inside: boolean): Promise<void> => {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (--left < 0) return
      const belongs = inside || entry.name.startsWith(name)
      // Links are passed over: they could lead out of the folder.
      if (entry.isDirectory() && depth < MAX_DEPTH && !entry.name.startsWith('.'))
        await visit(join(dir, entry.name), depth + 1, belongs)
      else if (entry.isFile() && belongs && endings.includes(extname(entry.name).toLowerCase())) found.push(join(dir, entry.name))
    }
  }
  await visit(folder, 0, false)
  return found.sort()
}

function frameOf(path: string, name: string): number | undefined {
  const stem = basename(path, extname(path))
  const rest = stem.startsWith(name) ? stem.slice(name.length) : stem
  const digits = /(\d+)\D*$/.exec(rest)?.[1]
  return digits === undefined || digits.length > 9 ? undefined : Number(digits)
}
