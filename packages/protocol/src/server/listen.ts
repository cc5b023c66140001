import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PictorError, type CallContext } from '@pictor/core/contract'
import type { Operation } from '../document.ts'
import { Refused, type Access, type Caller } from './access.ts'
import { answerError } from './exchange.ts'
import type { Metrics } from './metrics.ts'

/** One request after its token was checked. */
export interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly params: Readonly<Record<string, string>>
  readonly caller: Caller
  /** Aborted when the client goes away or the server closes. */
  readonly signal: AbortSignal
}

/** What a server of operations needs. */
export interface ListenOptions {
  readonly operations: readonly Operation[]
  readonly access: Access
  readonly metrics: Metrics
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly maxConnections: number
  /** Aborted by `close`: ends everything that is under way. */
  readonly closing: AbortController
  readonly log: NonNullable<CallContext['log']>
  perform(operation: string, visit: Visit): Promise<void>
}

/** A server that listens. */
export interface Listening {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** Serves a table of operations over HTTP: finds the operation, admits the caller, performs it, and turns what is thrown into an answer. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { access, metrics, host, closing, log } = options
  const match = matcher(options.operations)

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
      await options.perform(operation.id, { request, response, url, params, caller, signal })
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
  server.maxConnections = options.maxConnections
  await new Promise<void>((resolve, reject) => {
    const refused = (cause: NodeJS.ErrnoException): void => reject(notListening(cause, host, options.port))
    server.once('error', refused)
    server.listen(options.port, host, () => {
      server.off('error', refused)
      resolve()
    })
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    async close() {
      closing.abort(new PictorError('farm-unreachable', 'the server is closing'))
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), 200).unref()
      })
    },
  }
}

function notListening(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const why: Record<string, readonly [message: string, hint: string]> = {
    EADDRINUSE: ['another program has it', 'name another port, or end the program that listens there'],
    EACCES: ['this user may not', 'ports below 1024 are the system’s: take a higher one behind a proxy'],
    EADDRNOTAVAIL: ['this machine has no such address', 'name one of its own, or 0.0.0.0 for all'],
  }
  const [message, hint] = why[cause.code ?? ''] ?? [cause.message, 'look at the address and the port']
  return new PictorError('conflict', `cannot listen at ${host}, port ${port}: ${message}`, {
    details: { path: 'port', hint },
    cause,
  })
}

interface Match {
  readonly operation: Operation
  readonly params: Record<string, string>
  readonly url: URL
}

function matcher(operations: readonly Operation[]): (request: IncomingMessage) => Match | undefined {
  const table = operations.map((operation) => ({
    operation,
    pattern: new RegExp(`^${operation.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  }))
  return (request) => {
    let url: URL
    try {
      url = new URL(request.url ?? '/', 'http://farm.invalid')
      for (const { operation, pattern } of table) {
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
}
