import { open } from 'node:fs/promises'
import {
  isPictorError,
  PictorError,
  type Artifacts,
  type BundleFile,
  type BundleManifest,
  type CallContext,
} from '@pictor/core/contract'
import { readAnswer } from './answers.ts'
import { MAX_PACKED_FILE, packFiles, packGroups } from './pack.ts'
import { pathOf, type FarmHttp } from './farm-http.ts'
import { manifestSchema, missingSchema } from './wire.ts'

/** Tries of one file before its staging fails; a repeated stage goes on where this one stopped. */
const TRIES = 4

/**
 * Sends the files of a bundle that the farm does not hold: small ones many at a time, larger ones in parts, going on where an earlier try stopped.
 * @throws invalid-input for manifests that break a rule or files that do not match their hash, not-found for files that the caller does not have
 */
export async function sendFiles(
  http: FarmHttp,
  base: string,
  manifest: BundleManifest,
  files: Artifacts,
  ctx: CallContext,
  partBytes: number = 8 * 2 ** 20,
): Promise<void> {
  const checked = manifestSchema.read(manifest, 'manifest')
  const missingFiles = async (): Promise<BundleFile[]> => {
    const { json } = await http.call({ method: 'post', path: `${base}/stages/missing`, json: checked }, ctx)
    const missing = new Set(readAnswer(missingSchema, json).missing)
    return checked.files.filter(({ hash }) => missing.delete(hash))
  }
  const missing = await missingFiles()
  const small = missing.filter(({ bytes }) => bytes <= MAX_PACKED_FILE)
  const packed = small.length > 1 && (await sendPacks(http, `${base}/packs`, small, missingFiles, files, ctx))
  for (const file of packed ? missing.filter(({ bytes }) => bytes > MAX_PACKED_FILE) : missing)
    await sendFile(http, `${base}/files/${pathOf(file.hash)}`, file, files, ctx, partBytes)
}

/** Sends small files many at a time; after a break only those that did not arrive. @returns false where the farm takes no packs */
async function sendPacks(
  http: FarmHttp,
  path: string,
  small: readonly BundleFile[],
  missingFiles: () => Promise<readonly BundleFile[]>,
  files: Artifacts,
  ctx: CallContext,
): Promise<boolean> {
  let left = small
  for (let tries = 1; ; tries++) {
    try {
      for (const group of packGroups(left)) {
        const data = await Promise.all(group.map(async (file) => ({ hash: file.hash, data: await bytesOf(files, file) })))
        const headers = { 'content-type': 'application/octet-stream' }
        const { status } = await http.call({ method: 'post', path, headers, body: packFiles(data), accept: [404, 405] }, ctx)
        if (status === 404 || status === 405) return false
      }
      return true
    } catch (error) {
      if (!isPictorError(error) || !error.retryable || tries === TRIES || ctx.signal?.aborted) throw error
      left = (await missingFiles()).filter(({ bytes }) => bytes <= MAX_PACKED_FILE)
    }
  }
}

async function bytesOf(files: Artifacts, file: BundleFile): Promise<Uint8Array> {
  const data = await files.read(file.hash)
  if (data.length !== file.bytes) throw otherSize(file, data.length)
  return data
}

function otherSize({ path, bytes }: BundleFile, found: number): PictorError {
  return new PictorError('invalid-input', `${path}: expected ${bytes} bytes, found ${found}`, {
    details: { path: 'manifest.files.bytes' },
  })
}

async function sendFile(
  http: FarmHttp,
  path: string,
  file: BundleFile,
  files: Artifacts,
  ctx: CallContext,
  partBytes: number,
): Promise<void> {
  const source = await sourceOf(files, file)
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await sendParts(http, path, file, source, ctx, partBytes)
      } catch (error) {
        const again = isPictorError(error) && (error.retryable || error.code === 'conflict')
        if (!again || tries === TRIES || ctx.signal?.aborted) throw error
      }
    }
  } finally {
    await source.close()
  }
}

async function sendParts(
  http: FarmHttp,
  path: string,
  file: BundleFile,
  source: Source,
  ctx: CallContext,
  partBytes: number,
): Promise<void> {
  const state = await http.call({ method: 'head', path }, ctx)
  if (state.headers.get('upload-complete') === '?1') return
  let offset = Number(state.headers.get('upload-offset') ?? 0)
  if (!Number.isInteger(offset) || offset < 0 || offset > file.bytes)
    throw new PictorError('farm-unreachable', `the farm says that ${offset} of ${file.bytes} bytes have arrived`)
  do {
    const part = await source.read(offset, Math.min(partBytes, file.bytes - offset))
    const { status } = await http.call(
      {
        method: 'put',
        path,
        query: [['bytes', String(file.bytes)]],
        headers: { 'upload-offset': String(offset), 'content-type': 'application/octet-stream' },
        body: part,
      },
      ctx,
    )
    if (status === 201) return
    offset += part.length
  } while (offset < file.bytes)
  throw new PictorError('farm-unreachable', `the farm has all bytes of ${file.path} and does not say that it is complete`)
}

interface Source {
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** Reads from the local file where there is one, so that a large file is never in memory as a whole. */
async function sourceOf(files: Artifacts, bundled: BundleFile): Promise<Source> {
  const { hash, bytes } = bundled
  const path = await files.path(hash).catch((error: unknown) => {
    if (isPictorError(error, 'not-found')) throw error
    return undefined
  })
  if (path === undefined) {
    const data = await files.read(hash)
    if (data.length !== bytes) throw otherSize(bundled, data.length)
    return { read: async (offset, length) => data.subarray(offset, offset + length), close: async () => {} }
  }
  const file = await open(path, 'r')
  const found = (await file.stat()).size
  if (found !== bytes) {
    await file.close()
    throw otherSize(bundled, found)
  }
  return {
    async read(offset, length) {
      const buffer = Buffer.alloc(length)
      const { bytesRead } = await file.read(buffer, 0, length, offset)
      return buffer.subarray(0, bytesRead)
    },
    close: () => file.close(),
  }
}
