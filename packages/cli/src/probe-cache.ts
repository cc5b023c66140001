import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cache } from '@pictor/core'

/**
 * A cache for a command that ends after one job: probe results are kept in files, so that the next command on the same scene needs no probes. All else lives as long
 * as the process: a farm whose options were changed in between must be asked again.
 */
export function probeCache(folder: string): Cache {
  const memory = new Map<string, string>()
  const kept = (name: string): boolean => name.startsWith('probe/')
  const place = (name: string): string => join(folder, `${createHash('sha256').update(name).digest('hex')}.json`)
  return {
    get: (name) => (kept(name) ? readFile(place(name), 'utf8') : memory.get(name)),
    async set(name, value) {
      if (!kept(name)) return void memory.set(name, value)
      await mkdir(folder, { recursive: true })
      const temporary = `${place(name)}.${process.pid}.tmp`
      await writeFile(temporary, value)
      await rename(temporary, place(name))
    },
    delete: (name) => (kept(name) ? rm(place(name), { force: true }) : memory.delete(name)),
  }
}
