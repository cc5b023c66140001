import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Bytes32 } from '@pictor/core'
import type { Shot } from './show.ts'

/** One version of a shot, kept as `version.json` beside its frames. Written before the run starts, so that a crash is followed by the same run and not by a second bill. */
export interface Version {
  readonly shot: string
  /** Counts from 1; folder `v001`. */
  readonly number: number
  /** What it was rendered from: scene file and frame range. The same again is no new version. */
  readonly source: string
  readonly run: Bytes32
  readonly state: 'rendering' | 'published' | 'failed'
  /** Paid to farms and checkers, in micro-dollars. */
  readonly paid: string
  readonly frames: readonly string[]
  readonly missing: readonly number[]
}

const RECORD = 'version.json'

export function versionFolder(root: string, shot: string, number: number): string {
  return join(root, shot, `v${String(number).padStart(3, '0')}`)
}

/** All versions of a shot, oldest first. */
export async function versionsOf(root: string, shot: string): Promise<Version[]> {
  const names = await readdir(join(root, shot)).catch(() => [] as string[])
  const numbers = names.flatMap((name) => (/^v\d{3,}$/.test(name) ? [Number(name.slice(1))] : [])).sort((a, b) => a - b)
  const versions: Version[] = []
  for (const number of numbers) {
    const text = await readFile(join(versionFolder(root, shot, number), RECORD), 'utf8').catch(() => undefined)
    if (text !== undefined) versions.push(JSON.parse(text) as Version)
  }
  return versions
}

/** Writes a version's record whole or not at all. */
export async function writeVersion(root: string, version: Version): Promise<void> {
  const folder = versionFolder(root, version.shot, version.number)
  await mkdir(folder, { recursive: true })
  const path = join(folder, RECORD)
  await writeFile(`${path}.part`, `${JSON.stringify(version, undefined, 2)}\n`, { flush: true })
  await rename(`${path}.part`, path)
}

/** Names what a shot is rendered from. @throws when the scene cannot be read */
export async function sourceOf(shot: Shot): Promise<string> {
  const hash = createHash('sha256').update(`${shot.frames ?? ''}\0`)
  await pipeline(createReadStream(shot.scene), hash)
  return hash.digest('hex')
}
