import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import PQueue from 'p-queue'
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

/** How a delivery is watched by who waits for it. */
export interface DeliveryWatch {
  readonly signal?: AbortSignal
  /** Called whenever bytes have reached the folder. */
  readonly moved?: () => void
}

/**
 * Deliveries to one folder at once. A call to a file system whose server is gone holds one of the threads that Node has for files (4, UV_THREADPOOL_SIZE), whatever
 * signal it is given: with two of them a folder that hangs leaves the other two to the artifacts.
 */
const AT_ONCE = 2

interface Folder {
  readonly queue: PQueue
  /** Of all its deliveries: one that waits for its turn goes on as the others do. */
  readonly watches: Set<DeliveryWatch>
}

/** Bytes that are copied between two words of progress. */
const COPY_BYTES = 8 * 2 ** 20

/**
 * A function that copies an accepted frame into its folder: written beside, synced, renamed; the same delivery twice is harmless. Tiles of split frames are kept in
 * `parts/` there, with the bytes that their farms signed; the last one to come is merged with the others, which gives the frame.
 */
export function deliverToFolder(
  files: Artifacts,
  tiles?: TileMerge,
): (delivery: Delivery, watch?: DeliveryWatch) => Promise<{ readonly path: string }> {
  const folders = new Map<string, Folder>()

  async function toFolder(delivery: Delivery, watch: DeliveryWatch): Promise<{ readonly path: string }> {
    const { spec, outDir, frame, part, hash } = delivery
    const path = join(outDir, frameFileName(spec, frame, 0))
    const copyTo = async (temporary: string): Promise<void> => copy(await files.path(hash), temporary, watch)
    try {
      if (part === 0) await place(path, copyTo)
      else {
        await place(partPath(delivery, part), copyTo)
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

  return async (delivery, watch = {}) => {
    const { outDir } = delivery
    const folder = folders.get(outDir) ?? { queue: new PQueue({ concurrency: AT_ONCE }), watches: new Set() }
    folders.set(outDir, folder)
    folder.watches.add(watch)
    try {
      return await folder.queue.add(() => {
        watch.signal?.throwIfAborted()
        return toFolder(delivery, {
          ...watch,
          moved: () => {
            for (const each of folder.watches) each.moved?.()
          },
        })
      })
    } finally {
      folder.watches.delete(watch)
      if (folder.watches.size === 0) folders.delete(outDir)
    }
  }
}

/** Copies a file piece by piece, so that a large one on a slow disk shows that it goes on. */
async function copy(source: string, target: string, { signal, moved }: DeliveryWatch): Promise<void> {
  const from = await open(source, 'r')
  try {
    const to = await open(target, 'wx')
    try {
      const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, (await from.stat()).size)))
      for (;;) {
        signal?.throwIfAborted()
        const { bytesRead } = await from.read(buffer, 0, buffer.length)
        if (bytesRead === 0) return
        await to.writeFile(buffer.subarray(0, bytesRead))
        moved?.()
      }
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
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
