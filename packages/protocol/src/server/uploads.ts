import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { IncomingMessage } from 'node:http'
import { invalid, PictorError, type Artifacts, type BundleManifest } from '@pictor/core/contract'
import { unpackFiles } from '../pack.ts'
import { Refused } from './access.ts'

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
}

/** Limits of {@link uploadsInto}. */
export interface UploadLimits {
  readonly folder: string
  readonly maxFileBytes: number
  /** Most bytes that one tenant may stage while the server runs. */
  readonly maxTenantBytes: number
}

/**
 * Keeps partial files under `folder` and complete ones among `files`. Each tenant has to send a file itself before it may use it, also when another tenant has sent
 * the same bytes: knowing a hash is not the same as having the file.
 */
export function uploadsInto(files: Artifacts, { folder, maxFileBytes, maxTenantBytes }: UploadLimits): Uploads {
  const held = new Map<string, number>()
  const staged = new Map<string, number>()
  const busy = new Set<string>()
  const idOf = (tenant: string, hash: string): string =>
    `${createHash('sha256').update(tenant).digest('hex').slice(0, 16)}-${hash.slice(2)}`
  const has = async (tenant: string, hash: `0x${string}`): Promise<boolean> =>
    held.has(idOf(tenant, hash)) || (tenant === '' && (await files.has(hash)))
  const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0

  return {
    async missing(tenant, manifest) {
      const unique = new Set(manifest.files.map(({ hash }) => hash))
      const list: `0x${string}`[] = []
      for (const hash of unique) if (!(await has(tenant, hash))) list.push(hash)
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
      try {
        const path = join(folder, id)
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const used = (): number => staged.get(tenant) ?? 0
        // Parts count as they are written, so that files which are never finished, and uploads at the same time, count too.
        const count = (length: number): void => {
          if (used() + length > maxTenantBytes) throw tooMuch()
          staged.set(tenant, used() + length)
        }
        if (used() + bytes - offset > maxTenantBytes) throw tooMuch()
        const arrived = await append(path, { offset, bytes, count }, body)
        if (arrived < bytes) return { offset: arrived, complete: false }
        await keep(files, path, hash).catch((error: unknown) => {
          staged.set(tenant, Math.max(0, used() - bytes))
          throw error
        })
        held.set(id, bytes)
        return { offset: bytes, complete: true }
      } finally {
        busy.delete(id)
      }
    },
    async putPack(tenant, body) {
      let taken = 0
      for await (const { hash, bytes, data } of unpackFiles(body)) {
        if (await has(tenant, hash)) continue
        const used = staged.get(tenant) ?? 0
        if (used + bytes > maxTenantBytes) throw tooMuch()
        const found = `0x${createHash('sha256').update(data).digest('hex')}`
        if (found !== hash) throw wrongHash(hash, found)
        await files.put(data)
        staged.set(tenant, (staged.get(tenant) ?? 0) + bytes)
        held.set(idOf(tenant, hash), bytes)
        taken += bytes
      }
      return taken
    },
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
  { offset, bytes, count }: { offset: number; bytes: number; count: (length: number) => void },
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
      count(chunk.length)
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
