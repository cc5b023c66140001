import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PictorError, type Artifacts, type CallContext, type Farm } from '@pictor/core/contract'
import { OPERATIONS, type Operation } from './document.ts'
import type { FetchLike } from './farm-http.ts'
import { accessOf, Refused, type FarmToken, type RateLimit } from './server/access.ts'
import { answerError } from './server/exchange.ts'
import { sendHints, type HintTarget } from './server/hints.ts'
import { metricsOf } from './server/metrics.ts'
import type { Owners } from './server/owners.ts'
import { ROUTES, type Desk } from './server/routes.ts'
import { uploadsInto } from './server/uploads.ts'

/** Options of {@link serveFarm}. */
export interface ServeFarmOptions {
  readonly tokens: readonly FarmToken[]
  /** Where staged files are kept. */
  readonly files: Artifacts
  /** Folder for files that are still arriving. */
  readonly uploads: string
  /** Default 127.0.0.1. Put a TLS proxy in front before you name another address. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Default 50 a second with bursts of 200, for each token. */
  readonly rate?: RateLimit
  /** Largest JSON body. Default 64 MiB. */
  readonly maxBodyBytes?: number
  /** Longest time for a JSON body to arrive, in milliseconds. Default 20,000. */
  readonly bodyTimeoutMs?: number
  /** Largest staged file. Default 64 GiB. */
  readonly maxFileBytes?: number
  /** Most bytes that one tenant stages while the server runs. Default 1 TiB. */
  readonly maxTenantBytes?: number
  /** Most event streams at once. Default 64. */
  readonly maxStreams?: number
  /** Most connections at once. Default 1,024. */
  readonly maxConnections?: number
  readonly hints?: readonly HintTarget[]
  /** Keeps the owners of tasks over restarts; needed with several tenants. Default: in memory. */
  readonly owners?: Owners
  readonly fetch?: FetchLike
  readonly log?: CallContext['log']
}

/** A farm that listens. */
export interface FarmServer {
  readonly url: string
  readonly port: number
  /** Ends streams and connections. The farm itself stays open: it belongs to the caller. */
  close(): Promise<void>
}

/** Serves any farm over the farm protocol (docs/farm-protocol.md). Tokens authorise; what binds a farm it signs itself, see `signedFarm`. */
export async function serveFarm(farm: Farm, options: ServeFarmOptions): Promise<FarmServer> {
  const now = () => Date.now()
  const { host = '127.0.0.1', port = 0, rate = { perSecond: 50, burst: 200 }, log = () => {} } = options
  const access = accessOf(options.tokens, rate, now)
  const metrics = metricsOf(now(), now)
  const closing = new AbortController()
  const desk: Desk = {
    farm,
    files: options.files,
    uploads: uploadsInto(options.files, {
      folder: options.uploads,
      maxFileBytes: options.maxFileBytes ?? 64 * 2 ** 30,
      maxTenantBytes: options.maxTenantBytes ?? 2 ** 40,
    }),
    owners: options.owners ?? new Map<string, string>(),
    metrics,
    limits: {
      maxBodyBytes: options.maxBodyBytes ?? 64 * 2 ** 20,
      bodyTimeoutMs: options.bodyTimeoutMs ?? 20_000,
      maxStreams: options.maxStreams ?? 64,
    },
    closing: closing.signal,
    outputs: new Map(),
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startMs = performance.now()
    const gone = new AbortController()
    response.once('close', () => gone.abort(new PictorError('canceled', 'the client went away')))
    const found = match(request)
    response.once('finish', () =>
      metrics.count(found?.operation.id ?? 'none', response.statusCode, (performance.now() - startMs) / 1_000),
    )
    try {
      if (!found) throw new Refused(404, new PictorError('not-found', 'no such operation'))
      const { operation, params, url } = found
      const caller = operation.scope
        ? access.admit(request.headers.authorization, operation.scope)
        : { tenant: '', scopes: new Set<never>() }
      const signal = AbortSignal.any([gone.signal, closing.signal])
      await ROUTES[operation.id]!(desk, { request, response, url, params, caller, signal })
    } catch (error) {
      if (!gone.signal.aborted) answerError(response, error, log)
    } finally {
      // An unread body would block the next request on this connection.
      if (!request.readableEnded) request.resume()
    }
  }

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 600_000, maxHeaderSize: 16_384 }, (request, response) => {
    void handle(request, response)
  })
  server.maxConnections = options.maxConnections ?? 1_024
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const hints = options.hints?.length
    ? sendHints(farm, options.hints, { owners: desk.owners, metrics, log, ...(options.fetch && { fetch: options.fetch }) })
    : undefined
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    async close() {
      hints?.close()
      closing.abort(new PictorError('farm-unreachable', 'the server is closing'))
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), 200).unref()
      })
    },
  }
}

const TABLE = OPERATIONS.map((operation) => ({
  operation,
  pattern: new RegExp(`^${operation.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
}))

function match(request: IncomingMessage): { operation: Operation; params: Record<string, string>; url: URL } | undefined {
  let url: URL
  try {
    url = new URL(request.url ?? '/', 'http://farm.invalid')
    for (const { operation, pattern } of TABLE) {
      const groups = pattern.exec(url.pathname)?.groups
      if (operation.method !== request.method?.toLowerCase() || !pattern.test(url.pathname)) continue
      const params = Object.fromEntries(Object.entries(groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]))
      return { operation, params, url }
    }
  } catch {
    // A URL or an escape that cannot be read matches nothing.
  }
  return undefined
}
