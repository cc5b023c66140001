import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Artifacts } from '../contract/artifacts.ts'
import { PictorError } from '../contract/error.ts'
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

/** A function that copies an accepted frame into its folder: written beside, synced, renamed; the same delivery twice is harmless. */
export function deliverToFolder(files: Artifacts): (delivery: Delivery) => Promise<{ readonly path: string }> {
  return async ({ spec, outDir, frame, part, hash }) => {
    const path = join(outDir, frameFileName(spec, frame, part))
    const temporary = `${path}.${hash.slice(2, 10)}.part`
    try {
      await mkdir(dirname(path), { recursive: true })
      await copyFile(await files.path(hash), temporary)
      const file = await open(temporary, 'r+')
      await file.sync().finally(() => file.close())
      await rename(temporary, path)
    } catch (cause) {
      await rm(temporary, { force: true })
      throw new PictorError('store-failed', `frame ${frame} cannot be written to ${path}: ${(cause as Error).message}`, {
        details: { path, hint: 'check free space and permissions of the output folder; the frame is kept and delivered again' },
        cause,
      })
    }
    return { path }
  }
}
