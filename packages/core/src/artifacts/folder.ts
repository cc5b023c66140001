import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Artifacts } from '../contract/artifacts.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'

const HASH = /^0x[0-9a-f]{64}$/

/**
 * Content-addressed files in a folder: `<root>/ab/abcdef…`. A file appears under its hash only when it is whole (written beside, synced, renamed), so a reader
 * never sees half of one. What a crash leaves in `tmp` is removed an hour later, at the first file that somebody stores then.
 */
export function folderArtifacts(root: string): Artifacts {
  const place = (hash: Bytes32): string => {
    if (!HASH.test(hash))
      throw new PictorError('invalid-input', `artifact: expected a 0x sha256, found ${JSON.stringify(hash)}`, {
        details: { path: 'hash' },
      })
    return join(root, hash.slice(2, 4), hash.slice(2))
  }
  const missing = (hash: Bytes32, cause: unknown) =>
    (cause as NodeJS.ErrnoException).code === 'ENOENT'
      ? new PictorError('not-found', `artifact ${hash} is not in ${root}`, { details: { path: 'hash', hash }, cause })
      : new PictorError('store-failed', `artifact ${hash} cannot be read: ${(cause as Error).message}`, {
          details: { hash },
          cause,
        })
  const incoming = join(root, 'tmp')
  let swept: Promise<void> | undefined
  const keep = async (write: (temporary: string) => Promise<{ hash: Bytes32; bytes: number }>) => {
    const temporary = join(incoming, randomBytes(12).toString('hex'))
    await mkdir(incoming, { recursive: true })
    await (swept ??= sweepStrays(incoming))
    try {
      const { hash, bytes } = await write(temporary)
      const target = place(hash)
      await mkdir(join(root, hash.slice(2, 4)), { recursive: true })
      await rename(temporary, target)
      return { hash, bytes }
    } catch (cause) {
      await rm(temporary, { force: true })
      throw cause
    }
  }
  const failed = (cause: unknown): PictorError =>
    new PictorError('store-failed', `cannot store an artifact in ${root}: ${(cause as Error).message}`, { cause })
  return {
    put: (source) =>
      keep((temporary) => writeStream(temporary, source instanceof Uint8Array ? [source] : readStream(source.path))).catch(
        (cause) => Promise.reject(failed(cause)),
      ),
    async write(chunks) {
      // What the stream itself throws is for whoever made it.
      let thrown: { readonly error: unknown } | undefined
      async function* watched(): AsyncGenerator<Uint8Array> {
        try {
          yield* chunks
        } catch (error) {
          thrown = { error }
          throw error
        }
      }
      try {
        return await keep((temporary) => writeStream(temporary, watched()))
      } catch (cause) {
        if (thrown) throw thrown.error
        throw failed(cause)
      }
    },
    has: (hash) =>
      access(place(hash)).then(
        () => true,
        () => false,
      ),
    read: (hash) => readFile(place(hash)).catch((cause) => Promise.reject(missing(hash, cause))),
    path: (hash) =>
      stat(place(hash)).then(
        () => place(hash),
        (cause) => Promise.reject(missing(hash, cause)),
      ),
    async *stream(hash) {
      const file = readStream(place(hash))
      try {
        yield* file
      } catch (cause) {
        throw missing(hash, cause)
      }
    },
  }
}

/** A temporary file that nobody wrote to for this long is what a process left that was killed, milliseconds. */
const STRAY_AFTER_MS = 3_600_000

/** Removes what killed processes left. Other processes may be at work in the same folder: their files are young. */
async function sweepStrays(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }))
    if (mtimeMs < Date.now() - STRAY_AFTER_MS) await rm(path, { force: true }).catch(() => {})
  }
}

/** How much of a file is read at once, bytes. */
const READ_BYTES = 2 ** 20

const readStream = (path: string): AsyncIterable<Uint8Array> => createReadStream(path, { highWaterMark: READ_BYTES })

/** Each piece is on its way to the disk before the next one is asked for: whoever makes them may use one buffer for all. */
async function writeStream(
  path: string,
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ hash: Bytes32; bytes: number }> {
  const digest = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'w')
  try {
    for await (const piece of source) {
      await file.writeFile(piece)
      digest.update(piece)
      bytes += piece.length
    }
    await file.datasync()
  } finally {
    await file.close()
  }
  return { hash: `0x${digest.digest('hex')}`, bytes }
}
