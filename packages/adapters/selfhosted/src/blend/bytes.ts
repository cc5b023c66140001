import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { createGunzip, zstdDecompressSync } from 'node:zlib'
import { PictorError } from '@pictor/core/contract'

export type Compression = 'none' | 'gzip' | 'zstd'

/** How a file is packed, by its first bytes. */
export function compressionOf(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'none'
}

/** The unpacked bytes of a .blend in chunks. @throws scene-invalid when the packing is damaged */
export async function* unpackedBytes(path: string, compression: Compression): AsyncGenerator<Buffer> {
  if (compression === 'zstd') {
    yield* zstdFrames(path)
    return
  }
  const source = createReadStream(path, { highWaterMark: 1 << 18 })
  if (compression === 'none') {
    yield* source as AsyncIterable<Buffer>
    return
  }
  try {
    yield* source.pipe(createGunzip({ chunkSize: 1 << 18 })) as AsyncIterable<Buffer>
  } catch (cause) {
    throw damaged(`its gzip data end early or are damaged (${(cause as Error).message})`, cause)
  } finally {
    source.destroy()
  }
}

/** Error for a scene file that is not whole. */
export function damaged(what: string, cause?: unknown): PictorError {
  return new PictorError('scene-invalid', `the .blend file is damaged: ${what}`, {
    details: { path: 'scene', hint: 'copy the file again or save it anew in Blender' },
    ...(cause === undefined ? {} : { cause }),
  })
}

/**
 * Blender (since 3.0) writes many zstd frames and a seek table at the end (github.com/facebook/zstd, contrib/seekable_format). Node's one-shot and stream
 * decoders stop after the first frame without a word, so the table is walked and every frame's size is checked.
 */
async function* zstdFrames(path: string): AsyncGenerator<Buffer> {
  const file = await open(path)
  try {
    let at = 0
    for (const { packed, plain } of await seekTable(file)) {
      if (packed > 1 << 28 || plain > 1 << 28) throw damaged('a zstd frame is impossibly large')
      const frame = await readAt(file, at, packed)
      let data: Buffer
      try {
        data = zstdDecompressSync(frame, { maxOutputLength: plain })
      } catch (cause) {
        throw damaged(`zstd frame at byte ${at} cannot be unpacked`, cause)
      }
      if (data.length !== plain) throw damaged(`zstd frame at byte ${at} has ${data.length} bytes instead of ${plain}`)
      yield data
      at += packed
    }
  } finally {
    await file.close()
  }
}

async function seekTable(file: FileHandle): Promise<{ readonly packed: number; readonly plain: number }[]> {
  const { size } = await file.stat()
  const foot = size >= 17 ? await readAt(file, size - 9, 9) : Buffer.alloc(9)
  if (foot.readUInt32LE(5) !== 0x8f92eab1) throw damaged('it ends early (its zstd seek table is missing)')
  const count = foot.readUInt32LE(0)
  const entry = foot[4]! & 0x80 ? 12 : 8
  const start = size - 9 - count * entry
  if (start < 8) throw damaged('its zstd seek table is larger than the file')
  const table = await readAt(file, start, count * entry)
  const frames = Array.from({ length: count }, (_, i) => ({
    packed: table.readUInt32LE(i * entry),
    plain: table.readUInt32LE(i * entry + 4),
  }))
  const sum = frames.reduce((total, frame) => total + frame.packed, 0)
  if (sum !== start - 8) throw damaged('its zstd seek table does not fit the file')
  return frames
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, at)
  if (bytesRead !== length) throw damaged('it ends early')
  return buffer
}
