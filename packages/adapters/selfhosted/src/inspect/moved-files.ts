import { readdir, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { tilesOf } from '../paths.ts'
import type { ExternalEntry } from './report.ts'

/** Where folders of other machines lie here: a prefix of stored paths (`C:\\textures`, `//server/share`, `/mnt/old`) -> a folder of this machine. */
export type PathMap = Readonly<Record<string, string>>

/**
 * Finds files that a scene names by the paths of another machine: first by the caller's map; then a Windows path by the end of it that lies below the scene's folder
 * (`D:\job\tex\wood.png` -> `tex/wood.png` beside the scene). Entries that have files stay as they are, and so do those that are still not found.
 */
export async function findMoved(entries: readonly ExternalEntry[], sceneFolder: string, map: PathMap): Promise<ExternalEntry[]> {
  return await Promise.all(
    entries.map(async (entry) => {
      if (entry.files.length > 0 || ['disk-cache', 'linked-data'].includes(entry.kind)) return entry
      for (const candidate of candidates(entry.stored, sceneFolder, map)) {
        const files = entry.kind === 'cache-folder' ? await filesBelow(candidate) : await filesAt(candidate)
        if (files.length > 0) return { ...entry, absolute: candidate, files, moved: true }
      }
      return entry
    }),
  )
}

/** `C:\a\b` and `\\server\share` in the way that paths are written here. */
const slashed = (path: string): string => path.replaceAll('\\', '/')

function candidates(stored: string, sceneFolder: string, map: PathMap): string[] {
  const path = slashed(stored)
  const mapped = Object.entries(map).flatMap(([prefix, folder]) => {
    const from = slashed(prefix).replace(/\/+$/, '')
    // Drives and shares of Windows do not tell small from capital letters.
    const same = /^([a-z]:|\/\/)/i.test(from)
      ? path.toLowerCase().startsWith(`${from.toLowerCase()}/`)
      : path.startsWith(`${from}/`)
    return same ? [inside(folder, path.slice(from.length + 1))] : []
  })
  const windows = /^[a-z]:\//i.test(path) || stored.includes('\\')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..' && !/^[a-z]:$/i.test(part))
  const tails = windows ? parts.map((_, i) => inside(sceneFolder, parts.slice(i).join('/'))) : []
  // `//..\tex\wood.png` is relative to the scene, written on Windows.
  const relative = windows && stored.startsWith('//') ? [normalize(join(sceneFolder, path.slice(2)))] : []
  return [...mapped, ...relative, ...tails].filter((one) => one !== undefined)
}

/** A path below a folder, undefined when it would leave it. */
function inside(folder: string, path: string): string | undefined {
  const whole = normalize(join(folder, path))
  return isAbsolute(folder) && whole.startsWith(`${normalize(folder).replace(/\/$/, '')}/`) ? whole : undefined
}

/** The plain files of a folder and of those in it. */
async function filesBelow(folder: string): Promise<{ path: string; bytes: number }[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  const files = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  return (await Promise.all(files.sort().map(filesAt))).flat()
}

/** The plain file of a path, or those of a pattern of tiles. */
async function filesAt(path: string): Promise<{ path: string; bytes: number }[]> {
  const isTile = tilesOf(path)
  if (!isTile) {
    const info = await stat(path).catch(() => undefined)
    return info?.isFile() ? [{ path, bytes: info.size }] : []
  }
  const folder = dirname(path)
  const names = await readdir(folder).catch(() => [])
  const tiles = names.map((name) => join(folder, name)).filter(isTile)
  return (await Promise.all(tiles.sort().map(filesAt))).flat()
}
