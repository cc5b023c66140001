import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Artifacts } from '../contract/artifacts.ts'
import { PictorError } from '../contract/error.ts'
import type { TileMerge } from '../contract/inspect.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Bytes32 } from '../contract/messages.ts'

const EXTENSION: Readonly<Record<string, string>> = {
  PNG: 'png',
  OPEN_EXR: 'exr',
  OPEN_EXR_MULTILAYER: 'exr',
  JPEG: 'jpg',
  TIFF: 'tif',
  WEBP: 'webp',
}

/** File name of a delivered frame: `shot_0042.png`; negative frames as Blender writes them, `shot_-0003.png`; parts of a split frame `shot_0042.p2.png`. */
export function frameFileName(spec: JobSpec, frame: number, part: number): string {
  const digits = `${frame < 0 ? '-' : ''}${String(Math.abs(frame)).padStart(4, '0')}`
  const name = spec.name.replace(/[^\p{L}\p{N}._-]+/gu, '_').replace(/^\.+/, '') || 'frame'
  return `${name}_${digits}${part > 0 ? `.p${part}` : ''}.${EXTENSION[spec.render.output.format] ?? 'bin'}`
}

/** What to deliver: one accepted frame among the artifacts. */
export interface Delivery {
  readonly spec: JobSpec
  readonly outDir: string
  readonly frame: number
  readonly part: number
  readonly hash: Bytes32
}

/**
 * A function that copies an accepted frame into its folder: written beside, synced, renamed; the same delivery twice is harmless. Tiles of split frames are kept in
 * `parts/` there, with the bytes that their farms signed; the last one to come is merged with the others, which gives the frame.
 */
export function deliverToFolder(files: Artifacts, tiles?: TileMerge): (delivery: Delivery) => Promise<{ readonly path: string }> {
  return async (delivery) => {
    const { spec, outDir, frame, part, hash } = delivery
    const path = join(outDir, frameFileName(spec, frame, 0))
    try {
      if (part === 0) await place(path, async (temporary) => copyFile(await files.path(hash), temporary))
      else {
        await place(partPath(delivery, part), async (temporary) => copyFile(await files.path(hash), temporary))
        await mergeWhenWhole(delivery, path, tiles)
      }
    } catch (cause) {
      throw new PictorError('store-failed', `frame ${frame} cannot be written to ${path}: ${(cause as Error).message}`, {
        details: { path, hint: 'check free space and permissions of the output folder; the frame is kept and delivered again' },
        cause,
      })
    }
    return { path }
  }
}

const partPath = ({ spec, outDir, frame }: Delivery, part: number): string =>
  join(outDir, 'parts', frameFileName(spec, frame, part))

/** Tiles are renamed into place before they are counted, so whoever brings the last one sees all; two who do write the same bytes. */
async function mergeWhenWhole(delivery: Delivery, path: string, tiles: TileMerge | undefined): Promise<void> {
  const { render } = delivery.spec
  if (!tiles) throw new Error('there is nothing here that merges tiles')
  const parts = await Promise.all(render.tiles!.map((_, i) => readFile(partPath(delivery, i + 1)).catch(() => undefined)))
  if (parts.every((one) => one !== undefined)) await place(path, (temporary) => writeFile(temporary, tiles.merge(render, parts)))
}

/** Writes beside, syncs and renames. */
async function place(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.part`
  try {
    await mkdir(dirname(path), { recursive: true })
    await write(temporary)
    const file = await open(temporary, 'r+')
    await file.sync().finally(() => file.close())
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cause
  }
}
