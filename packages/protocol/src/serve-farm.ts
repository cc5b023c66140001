import type { Artifacts, CallContext, Farm } from '@pictor/core/contract'
import { OPERATIONS } from './document.ts'
import type { FetchLike } from './farm-http.ts'
import { accessOf, type FarmToken, type RateLimit } from './server/access.ts'
import { sendHints, type HintTarget } from './server/hints.ts'
import { listen } from './server/listen.ts'
import { metricsOf } from './server/metrics.ts'
import type { Owners } from './server/owners.ts'
import { ROUTES, type Desk } from './server/routes.ts'
import { uploadsInto } from './server/uploads.ts'

/** Options of {@link serveFarm}. */
export interface ServeFarmOptions {
  readonly tokens: readonly FarmToken[]
  /** Where staged files are kept. */
  readonly files: Artifacts
  /** Folder for files that are still arriving, and for the book of who sent what. */
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
  /** Most bytes that one tenant has here at once, also over restarts. Default 1 TiB. */
  readonly maxTenantBytes?: number
  /** Removes files that no tenant staged or submitted with for so many milliseconds; looked at when the server starts and once an hour. Default: keeps them. */
  readonly keepMs?: number
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
  const metrics = metricsOf('farm', now(), now)
  const closing = new AbortController()
  const uploads = uploadsInto(options.files, {
    folder: options.uploads,
    maxFileBytes: options.maxFileBytes ?? 64 * 2 ** 30,
    maxTenantBytes: options.maxTenantBytes ?? 2 ** 40,
    now,
  })
  const desk: Desk = {
    farm,
    files: options.files,
    uploads,
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

  const sweeping = options.keepMs === undefined ? undefined : await sweepEachHour(() => uploads.sweep(options.keepMs!), log)
  const listening = await listen({
    operations: OPERATIONS,
    access,
    metrics,
    host,
    port,
    maxConnections: options.maxConnections ?? 1_024,
    closing,
    log,
    perform: (operation, visit) => ROUTES[operation]!(desk, visit),
  }).catch((error: unknown) => {
    clearInterval(sweeping)
    uploads.close()
    throw error
  })
  const hints = options.hints?.length
    ? sendHints(farm, options.hints, { owners: desk.owners, metrics, log, ...(options.fetch && { fetch: options.fetch }) })
    : undefined
  return {
    url: listening.url,
    port: listening.port,
    async close() {
      hints?.close()
      clearInterval(sweeping)
      await listening.close()
      uploads.close()
    },
  }
}

/** What cannot be removed now is tried again in an hour. */
async function sweepEachHour(sweep: () => Promise<number>, log: NonNullable<CallContext['log']>): Promise<NodeJS.Timeout> {
  const run = (): Promise<unknown> => sweep().catch((error: Error) => log(`files were not swept: ${error.message}`))
  await run()
  return setInterval(() => void run(), 3_600_000).unref()
}
