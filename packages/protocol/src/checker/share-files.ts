import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { PictorError, type Artifacts, type Bytes32, type CallContext } from '@pictor/core/contract'
import { PROTOCOL, type Operation } from '../document.ts'
import { Refused, type Access } from '../server/access.ts'
import { listen } from '../server/listen.ts'
import { metricsOf } from '../server/metrics.ts'
import { rangeStart, sendBytes } from '../server/send-bytes.ts'
import { hashSchema } from '../wire.ts'
import type { FileSource } from './wire.ts'

/** Options of {@link shareFiles}. */
export interface ShareFilesOptions {
  /** Default 127.0.0.1. Put a TLS proxy in front before you name another address. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** How checkers reach this server, where a proxy stands in front of it. Default: its own address. */
  readonly publicUrl?: string
  readonly log?: CallContext['log']
}

/** Files of jobs for those who check them. */
export interface FileShare {
  readonly url: string
  /** Lets whoever has the answer read these files of a job, and no others. Repeating it is harmless. */
  grant(job: Bytes32, files: Artifacts, hashes: Iterable<Bytes32>): FileSource
  close(): Promise<void>
}

/** Jobs whose grants are remembered; older ones are granted again when their runner asks its checkers for something. */
const MAX_JOBS = 1_000

const path = `/${PROTOCOL}/jobs/{job}/files/{hash}`
const OPERATIONS: readonly Operation[] = [
  { id: 'head', method: 'head', path, scope: 'read', summary: 'Size of a file', answers: {} },
  { id: 'read', method: 'get', path, scope: 'read', summary: 'Bytes of a file', answers: {} },
]

interface Granted {
  readonly files: Artifacts
  readonly hashes: Set<string>
}

/**
 * Serves a runner's artifacts to its checkers: one token a job, valid while this server runs, for the files that its checkers were asked about and no others, so that
 * knowing the hash of another job's frame (they are public on a chain) opens nothing.
 */
export async function shareFiles(options: ShareFilesOptions = {}): Promise<FileShare> {
  const { host = '127.0.0.1', port = 0, log = () => {} } = options
  const secret = randomBytes(32)
  const jobs = new Map<Bytes32, Granted>()
  const tokenOf = (job: string): string => createHmac('sha256', secret).update(job).digest('base64url')
  // The token is of one job: it is compared once the path has been read.
  const access: Access = { admit: (authorization) => ({ tenant: authorization ?? '', scopes: new Set() }) }
  const listening = await listen({
    operations: OPERATIONS,
    access,
    metrics: metricsOf('files', Date.now(), Date.now),
    host,
    port,
    maxConnections: 1_024,
    closing: new AbortController(),
    log,
    async perform(operation, { request, response, params, signal, caller }) {
      const job = hashSchema.read(params['job'], 'job')
      const hash = hashSchema.read(params['hash'], 'hash')
      if (!sameText(caller.tenant, `Bearer ${tokenOf(job)}`))
        throw new Refused(401, new PictorError('farm-refused', 'a valid bearer token is needed'), {
          'www-authenticate': 'Bearer',
        })
      const granted = jobs.get(job)
      if (!granted?.hashes.has(hash) || !(await granted.files.has(hash)))
        throw new PictorError('not-found', `file ${hash} is not shared for this job`)
      const local = await granted.files.path(hash)
      const bytes = (await stat(local)).size
      if (operation === 'head') return head(response, bytes)
      const offset = rangeStart(request, bytes)
      const stream = bytes === 0 ? nothing() : (createReadStream(local, { start: offset }) as AsyncIterable<Uint8Array>)
      await sendBytes(response, { bytes, hash, offset }, stream, signal)
    },
  })
  const url = options.publicUrl ?? listening.url
  return {
    url,
    grant(job, files, hashes) {
      const known = jobs.get(job) ?? { files, hashes: new Set<string>() }
      for (const hash of hashes) known.hashes.add(hash)
      // Newest last, so that the oldest goes first.
      jobs.delete(job)
      jobs.set(job, known)
      if (jobs.size > MAX_JOBS) jobs.delete(jobs.keys().next().value!)
      return { url, token: tokenOf(job) }
    },
    close: () => listening.close(),
  }
}

function head(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-length': bytes, 'accept-ranges': 'bytes', 'cache-control': 'no-store' })
  response.end()
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function sameText(found: string, expected: string): boolean {
  const [a, b] = [Buffer.from(found), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
