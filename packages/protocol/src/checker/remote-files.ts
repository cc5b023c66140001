import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isPictorError, PictorError, streamOf, type Artifacts, type Bytes32, type CallContext } from '@pictor/core/contract'
import { PROTOCOL } from '../document.ts'
import { farmHttp, type FarmHttp, type FetchLike } from '../farm-http.ts'
import type { FileSource } from './wire.ts'

/** Options of {@link remoteFiles}. */
export interface RemoteFilesOptions {
  readonly job: Bytes32
  readonly source: FileSource
  /** Where fetched files are kept: what this checker swore to hold. */
  readonly cache: Artifacts
  /** Folder for files that are still arriving. */
  readonly partial: string
  /** Largest file that is fetched. */
  readonly maxBytes: number
  readonly signal: AbortSignal
  readonly allowInsecure?: boolean
  readonly fetch?: FetchLike
}

/** Tries of one file before its caller is told. */
const TRIES = 4

/**
 * The files of a job on another machine, as artifacts: read once over HTTP, resumed where a connection broke, kept in `cache`. Bytes that do not have the sha256
 * that was asked for are never handed on. What is put stays here.
 */
export function remoteFiles(options: RemoteFilesOptions): Artifacts {
  const { job, source, cache } = options
  const base = `${PROTOCOL}/jobs/${job}/files`
  const http = farmHttp({
    url: source.url,
    headers: { authorization: `Bearer ${source.token}` },
    allowInsecure: options.allowInsecure ?? false,
    ...(options.fetch && { fetch: options.fetch }),
  })
  const ctx: CallContext = { key: `files ${job}`, signal: options.signal }
  const fetching = new Map<Bytes32, Promise<void>>()
  /** Two readers of one file wait for one download. */
  const have = async (hash: Bytes32): Promise<void> => {
    if (await cache.has(hash)) return
    const running =
      fetching.get(hash) ?? fetchFile(http, `${base}/${hash}`, hash, options, ctx).finally(() => fetching.delete(hash))
    fetching.set(hash, running)
    await running
  }
  return {
    put: (content) => cache.put(content),
    async has(hash) {
      if (await cache.has(hash)) return true
      const { status } = await http.call({ method: 'head', path: `${base}/${hash}`, accept: [404] }, ctx)
      return status === 200
    },
    async read(hash) {
      await have(hash)
      return cache.read(hash)
    },
    async path(hash) {
      await have(hash)
      return cache.path(hash)
    },
    async *stream(hash) {
      await have(hash)
      yield* streamOf(cache, hash)
    },
  }
}

/** Removes what fetches left that were killed. */
export async function dropPartial(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    if (/^[0-9a-f]{24}$/.test(name)) await rm(join(folder, name), { force: true })
}

async function fetchFile(
  http: FarmHttp,
  path: string,
  hash: Bytes32,
  { cache, partial, maxBytes }: RemoteFilesOptions,
  ctx: CallContext,
): Promise<void> {
  const { headers } = await http.call({ method: 'head', path }, ctx)
  const bytes = Number(headers.get('content-length') ?? NaN)
  if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > maxBytes)
    throw new PictorError('farm-refused', `file ${hash} is said to have ${bytes} bytes, at most ${maxBytes} are fetched`, {
      details: { reason: 'too-large', hash },
    })
  await mkdir(partial, { recursive: true, mode: 0o700 })
  const temporary = join(partial, randomBytes(12).toString('hex'))
  const file = await open(temporary, 'wx', 0o600)
  const digest = createHash('sha256')
  try {
    let offset = 0
    for (let tries = 1; offset < bytes; tries++) {
      try {
        const got = await http.download({ path, bytes, offset }, ctx)
        if (!('body' in got)) throw new PictorError('farm-unreachable', `file ${hash} is not there`)
        for await (const chunk of got.body.stream) {
          digest.update(chunk)
          await file.write(chunk)
          offset += chunk.length
        }
      } catch (error) {
        if (!isPictorError(error) || !error.retryable || tries === TRIES || ctx.signal?.aborted) throw error
      }
    }
    const found = `0x${digest.digest('hex')}`
    if (found !== hash)
      throw new PictorError('farm-refused', `asked for ${hash}, was sent bytes with the sha256 ${found}`, {
        details: { reason: 'hash', hash, found },
      })
    await cache.put({ path: temporary })
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
}
