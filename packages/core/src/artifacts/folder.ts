import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { access, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Artifacts } from '../contract/artifacts.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'

const HASH = /^0x[0-9a-f]{64}$/

/**
 * Content-addressed files in a folder: `<root>/ab/abcdef…`. A file appears under its hash only when it is whole (written beside, synced, renamed), so a crash
 * leaves at most a stray temporary file and a reader never sees half of one.
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
  return {
    async put(source) {
      const temporary = join(root, 'tmp', randomBytes(12).toString('hex'))
      await mkdir(join(root, 'tmp'), { recursive: true })
      try {
        const { hash, bytes } =
          source instanceof Uint8Array ? await writeBytes(temporary, source) : await copyFile(temporary, source.path)
        const target = place(hash)
        await mkdir(join(root, hash.slice(2, 4)), { recursive: true })
        await rename(temporary, target)
        return { hash, bytes }
      } catch (cause) {
        await rm(temporary, { force: true })
        throw new PictorError('store-failed', `cannot store an artifact in ${root}: ${(cause as Error).message}`, { cause })
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
  }
}

async function writeBytes(path: string, data: Uint8Array): Promise<{ hash: Bytes32; bytes: number }> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(data)
    await file.datasync()
  } finally {
    await file.close()
  }
  return { hash: `0x${createHash('sha256').update(data).digest('hex')}`, bytes: data.length }
}

async function copyFile(path: string, from: string): Promise<{ hash: Bytes32; bytes: number }> {
  const digest = createHash('sha256')
  let bytes = 0
  await pipeline(
    createReadStream(from),
    async function* (chunks) {
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        digest.update(chunk)
        bytes += chunk.length
        yield chunk
      }
    },
    createWriteStream(path, { flush: true }),
  )
  return { hash: `0x${digest.digest('hex')}`, bytes }
}
