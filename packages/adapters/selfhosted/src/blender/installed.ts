import { execFile } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { promisify } from 'node:util'
import { PictorError } from '@pictor/core/contract'

const run = promisify(execFile)

/** One Blender on this machine. */
export interface InstalledBlender {
  /** Where the program lies, absolute and without links. */
  readonly path: string
  /** As it says of itself, such as `3.4.1`. */
  readonly version: string
  /** Major x 100 + minor, as .blend headers carry it: 304. */
  readonly code: number
}

const known = new Map<string, Promise<InstalledBlender | undefined>>()

/** Asks one executable for its version; undefined when it is not there or no Blender. Asked once a process. */
export function blenderAt(path: string): Promise<InstalledBlender | undefined> {
  let found = known.get(path)
  if (!found) {
    found = ask(path).catch(() => undefined)
    known.set(path, found)
  }
  return found
}

async function ask(path: string): Promise<InstalledBlender | undefined> {
  // Children run with an environment of their own, and a sandbox needs to know where the program really lies.
  const { stdout: where } = await run('/bin/sh', ['-c', 'command -v -- "$1"', 'sh', path])
  const { stdout } = await run(where.trim(), ['--version'], { timeout: 60_000, killSignal: 'SIGKILL' })
  const match = /^Blender (\d+)\.(\d+)(?:\.(\d+))?/m.exec(stdout)
  if (!match) return undefined
  const code = Number(match[1]) * 100 + Number(match[2])
  return { path: await realpath(where.trim()), version: match.slice(1).filter(Boolean).join('.'), code }
}

/** The Blenders among `paths` (default: `blender` on PATH), oldest first. */
export async function installedBlenders(paths: string | readonly string[] = 'blender'): Promise<InstalledBlender[]> {
  const found = await Promise.all((typeof paths === 'string' ? [paths] : paths).map(blenderAt))
  return found.filter((blender) => blender !== undefined).sort((a, b) => a.code - b.code)
}

/**
 * The Blender for a file written by `fileCode` (304): the oldest one that is not older than the file, since newer ones open older files but not the reverse.
 * @throws software-missing when there is no Blender at all, scene-too-new when all are older
 */
export function chooseBlender(installed: readonly InstalledBlender[], fileCode: number): InstalledBlender {
  const fitting = installed.find((blender) => blender.code >= fileCode)
  if (fitting) return fitting
  if (installed.length === 0)
    throw new PictorError('software-missing', 'Blender is not installed on this machine', {
      details: { path: 'blender', hint: 'install it (Debian: apt-get install blender) or name its path in the option `blender`' },
    })
  const newest = installed[installed.length - 1]!
  throw new PictorError(
    'scene-too-new',
    `the scene was written by Blender ${versionOfCode(fileCode)}, the newest one here is ${newest.version}`,
    {
      details: {
        path: 'scene',
        needs: versionOfCode(fileCode),
        installed: installed.map((blender) => blender.version),
        hint: `install Blender ${versionOfCode(fileCode)} or newer beside it and name both in the option \`blender\``,
      },
    },
  )
}

/** `304` -> `3.4`, `279` -> `2.79`: two digits of minor version before 3.0. */
export function versionOfCode(code: number): string {
  return `${Math.floor(code / 100)}.${code < 300 ? String(code % 100).padStart(2, '0') : code % 100}`
}

/** `3.4` -> 304, undefined when it is no version. */
export function codeOfVersion(version: string): number | undefined {
  const match = /^(\d+)\.(\d+)/.exec(version)
  return match ? Number(match[1]) * 100 + Number(match[2]) : undefined
}
