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
import { pathOf, type FarmHttp } from './farm-http.ts'
import { manifestSchema, missingSchema } from './wire.ts'

/** Tries of one file before its staging fails; a repeated stage goes on where this one stopped. */
const TRIES = 4

/**
 * Sends the files of a bundle that the farm does not hold, each in parts, going on where an earlier try stopped.
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
  const { json } = await http.call({ method: 'post', path: `${base}/stages/missing`, json: checked }, ctx)
  const missing = new Set(readAnswer(missingSchema, json).missing)
  for (const file of checked.files) {
    if (!missing.delete(file.hash)) continue
    await sendFile(http, `${base}/files/${pathOf(file.hash)}`, file, files, ctx, partBytes)
  }
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
async function sourceOf(files: Artifacts, { hash, path: name, bytes }: BundleFile): Promise<Source> {
  const path = await files.path(hash).catch((error: unknown) => {
    if (isPictorError(error, 'not-found')) throw error
    return undefined
  })
  const short = (found: number) =>
    new PictorError('invalid-input', `${name}: expected ${bytes} bytes, found ${found}`, {
      details: { path: 'manifest.files.bytes' },
    })
  if (path === undefined) {
    const data = await files.read(hash)
    if (data.length !== bytes) throw short(data.length)
    return { read: async (offset, length) => data.subarray(offset, offset + length), close: async () => {} }
  }
  const file = await open(path, 'r')
  const found = (await file.stat()).size
  if (found !== bytes) {
    await file.close()
    throw short(found)
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
