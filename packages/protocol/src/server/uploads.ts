import { createHash } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { IncomingMessage } from 'node:http'
import { invalid, PictorError, type Artifacts, type BundleManifest } from '@pictor/core/contract'
import { unpackFiles } from '../pack.ts'
import { Refused } from './access.ts'
import { uploadBook } from './upload-book.ts'

/** Files that arrive in parts and are kept once their hash is right. */
export interface Uploads {
  missing(tenant: string, manifest: BundleManifest): Promise<`0x${string}`[]>
  /** Bytes that have arrived of a file. */
  offset(tenant: string, hash: `0x${string}`): Promise<{ offset: number; complete: boolean }>
  /** @returns bytes that have arrived, and whether the file is complete. @throws Refused 409 (offset), 413, 422 (hash) */
  put(
    tenant: string,
    hash: `0x${string}`,
    at: { offset: number; bytes: number },
    body: IncomingMessage,
  ): Promise<{ offset: number; complete: boolean }>
  /** Keeps the files of a pack, each as soon as it is whole and its hash is right. @returns bytes of files that were not held before. @throws Refused 413, 422 (hash), invalid-input */
  putPack(tenant: string, body: IncomingMessage): Promise<number>
  /** Removes what no tenant sent, staged or submitted with for `keepMs`. Who comes back is told that it is missing, and sends it again. @returns how many files */
  sweep(keepMs: number): Promise<number>
  close(): void
}

/** Limits of {@link uploadsInto}. */
export interface UploadLimits {
  readonly folder: string
  readonly maxFileBytes: number
  /** Most bytes that one tenant has here at once. */
  readonly maxTenantBytes: number
  readonly now: () => number
}

/**
 * Keeps partial files under `folder` and complete ones among `files`, and in a book there who sent them. Each tenant has to send a file itself before it may use it, also when another tenant has sent
 * the same bytes: knowing a hash is not the same as having the file.
 * @throws store-failed when the folder cannot be used
 */
export function uploadsInto(files: Artifacts, { folder, maxFileBytes, maxTenantBytes, now }: UploadLimits): Uploads {
  const book = uploadBook(folder)
  const busy = new Set<string>()
  const idOf = (tenant: string, hash: string): string =>
    `${createHash('sha256').update(tenant).digest('hex').slice(0, 16)}-${hash.slice(2)}`
  const has = async (tenant: string, hash: `0x${string}`): Promise<boolean> =>
    (tenant === '' || book.find(tenant, hash)?.complete === true) && (await files.has(hash))
  const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0
  /** Counts a file against the tenant's quota from now on. */
  const reserve = (tenant: string, hash: `0x${string}`, bytes: number): void => {
    const others = book.usedBytes(tenant) - (book.find(tenant, hash)?.bytes ?? 0)
    if (others + bytes > maxTenantBytes) throw tooMuch()
    book.enter({ tenant, hash, bytes, complete: false, usedAtMs: now() })
  }

  return {
    async missing(tenant, manifest) {
      const list: `0x${string}`[] = []
      for (const [hash, bytes] of new Map(manifest.files.map((file) => [file.hash, file.bytes])))
        if (!(await has(tenant, hash))) list.push(hash)
        else if (book.find(tenant, hash)?.complete) book.touch(tenant, hash, now())
        else book.enter({ tenant, hash, bytes, complete: true, usedAtMs: now() }) // it came here another way
      return list
    },
    async offset(tenant, hash) {
      if (await has(tenant, hash)) return { offset: 0, complete: true }
      return { offset: await sizeOf(join(folder, idOf(tenant, hash))), complete: false }
    },
    async put(tenant, hash, { offset, bytes }, body) {
      if (bytes > maxFileBytes)
        throw new Refused(
          413,
          new PictorError('invalid-input', `files of at most ${maxFileBytes} bytes are taken`, { details: { path: 'bytes' } }),
        )
      const id = idOf(tenant, hash)
      if (await has(tenant, hash)) {
        body.resume()
        return { offset: bytes, complete: true }
      }
      if (busy.has(id)) throw new Refused(409, new PictorError('conflict', 'another upload of this file is under way'))
      busy.add(id)
      const path = join(folder, id)
      try {
        reserve(tenant, hash, bytes)
        const arrived = await append(path, { offset, bytes }, body)
        if (arrived < bytes) return { offset: arrived, complete: false }
        await keep(files, path, hash)
        book.enter({ tenant, hash, bytes, complete: true, usedAtMs: now() })
        return { offset: bytes, complete: true }
      } catch (error) {
        if (!(await has(tenant, hash)) && (await sizeOf(path)) === 0) book.drop(tenant, hash)
        throw error
      } finally {
        busy.delete(id)
      }
    },
    async putPack(tenant, body) {
      let taken = 0
      for await (const { hash, bytes, data } of unpackFiles(body)) {
        if (await has(tenant, hash)) continue
        const found = `0x${createHash('sha256').update(data).digest('hex')}`
        if (found !== hash) throw wrongHash(hash, found)
        reserve(tenant, hash, bytes)
        await files.put(data)
        book.enter({ tenant, hash, bytes, complete: true, usedAtMs: now() })
        taken += bytes
      }
      return taken
    },
    async sweep(keepMs) {
      let removed = 0
      for (const row of book.unusedSince(now() - keepMs)) {
        const { tenant, hash } = row
        const id = idOf(tenant, hash)
        const kept = await files.path(hash).catch(() => undefined)
        // From here to the end nothing else runs, so nobody can begin to use what is removed.
        if (busy.has(id) || book.find(tenant, hash)?.usedAtMs !== row.usedAtMs) continue
        book.drop(tenant, hash)
        rmSync(join(folder, id), { force: true })
        if (kept !== undefined && !book.holds(hash)) rmSync(kept, { force: true })
        removed++
      }
      return removed
    },
    close: () => book.close(),
  }
}

function tooMuch(): Refused {
  return new Refused(
    413,
    new PictorError('invalid-input', 'the quota for staged files is used up', { details: { path: 'bytes' } }),
  )
}

async function append(
  path: string,
  { offset, bytes }: { offset: number; bytes: number },
  body: IncomingMessage,
): Promise<number> {
  const file = await open(path, 'a+', 0o600)
  try {
    const have = (await file.stat()).size
    if (have !== offset)
      throw new Refused(409, new PictorError('conflict', `expected Upload-Offset ${have}, found ${offset}`), {
        'upload-offset': String(have),
      })
    let at = have
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (at + chunk.length > bytes) throw invalid('body', `at most ${bytes - have} bytes`, at + chunk.length - have)
      await file.write(chunk)
      at += chunk.length
    }
    return at
  } finally {
    await file.close()
  }
}

async function keep(files: Artifacts, path: string, hash: `0x${string}`): Promise<void> {
  const digest = createHash('sha256')
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer)
  const found = `0x${digest.digest('hex')}`
  if (found === hash) await files.put({ path })
  await rm(path, { force: true })
  if (found === hash) return
  throw wrongHash(hash, found)
}

function wrongHash(expected: string, found: string): Refused {
  const details = { path: 'hash', expected, found }
  return new Refused(
    422,
    new PictorError('invalid-input', `the bytes have the sha256 ${found}, expected ${expected}`, { details }),
  )
}
