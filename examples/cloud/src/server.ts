import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { canonicalJson, invalid, isPictorError, PictorError, type PictorErrorCode } from '@pictor/core'
import { eventLines, frameOf, framesOf, makePlan, putScene, receiptOf, runOf, submit } from './jobs.ts'
import { openTenants, type Tenant, type TenantOptions } from './tenants.ts'

export type { Network, TenantOptions } from './tenants.ts'

const STATUS: Partial<Record<PictorErrorCode, number>> = {
  'invalid-input': 400,
  'farm-refused': 401,
  'not-found': 404,
  'budget-too-small': 402,
  'deadline-impossible': 422,
  'no-farm': 422,
  'asset-missing': 422,
  'scene-missing': 404,
  'scene-invalid': 422,
  'scene-too-new': 422,
}
const BODY_BYTES = 64 * 1024

/** A running host. */
export interface Cloud {
  readonly url: string
  close(): Promise<void>
}

/** Serves jobs of many tenants; jobs that were under way go on. Put a TLS proxy in front before it listens on more than this machine. */
export async function serveCloud(options: TenantOptions & { readonly port?: number }): Promise<Cloud> {
  const tenants = openTenants(options)
  await tenants.start()
  const ending = new AbortController()
  const server = createServer((request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, ending.signal])
    tenants
      .of(request.headers.authorization)
      .then((tenant) => route({ tenant, request, response, signal }))
      .catch((error: unknown) => refuse(response, error))
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    async close() {
      ending.abort()
      await closed(server)
      await tenants.close()
    },
  }
}

interface Visit {
  readonly tenant: Tenant
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborts when the client goes or the host closes. */
  readonly signal: AbortSignal
}

async function route(visit: Visit): Promise<void> {
  const { tenant, request, response, signal } = visit
  const [kind, id, part, name] = new URL(request.url!, 'http://host').pathname.split('/').slice(1).map(plain)
  const asked = `${request.method} /${[kind, id && ':id', part, name && ':name'].filter(Boolean).join('/')}`
  if (asked === 'PUT /scenes/:id') return answer(response, 201, await putScene(tenant, id!, request))
  if (asked === 'POST /plans') return answer(response, 201, await makePlan(tenant, await bodyOf(request), signal))
  if (asked === 'POST /jobs') return answer(response, 201, await submit(tenant, runOf((await bodyOf(request)).plan as string)))
  if (asked === 'GET /jobs') return answer(response, 200, { jobs: await all(tenant.pictor.jobs()) })
  if (kind !== 'jobs' || id === undefined) throw new PictorError('not-found', `no such operation: ${asked}`)
  const run = runOf(id)
  // A run of another tenant is in another journal: for this one it does not exist.
  const state = await tenant.pictor.state(run)
  if (asked === 'GET /jobs/:id') return answer(response, 200, state)
  if (asked === 'GET /jobs/:id/events') return stream(visit, run)
  if (asked === 'GET /jobs/:id/frames') return answer(response, 200, { frames: await framesOf(tenant, run) })
  if (asked === 'GET /jobs/:id/receipt') return answer(response, 200, await receiptOf(tenant, run))
  if (asked === 'GET /jobs/:id/frames/:name') {
    const { body, bytes } = await frameOf(tenant, run, name!)
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes })
    return pipeline(body, response)
  }
  if (request.method === 'POST' && (part === 'cancel' || part === 'hold' || part === 'resume') && name === undefined) {
    await tenant.pictor.post(run, part)
    return answer(response, 202, { accepted: part })
  }
  throw new PictorError('not-found', `no such operation: ${asked}`)
}

/** A job's events; a client that lost its connection goes on with `Last-Event-ID`, as browsers do by themselves. */
async function stream({ tenant, request, response, signal }: Visit, run: `0x${string}`): Promise<void> {
  const last = request.headers['last-event-id']
  const after = last === undefined ? -1 : Number(last)
  if (!Number.isInteger(after)) throw invalid('last-event-id', 'the id of an event', last)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  try {
    for await (const line of eventLines(tenant, run, after, signal)) if (!response.write(line)) await drained(response, signal)
    response.end()
  } catch (error) {
    if (!signal.aborted) throw error
    response.destroy()
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    response.once('drain', () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
  })
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if ((bytes += chunk.length) > BODY_BYTES) throw invalid('body', `at most ${BODY_BYTES} bytes`, bytes)
    chunks.push(chunk)
  }
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>
  } catch {
    // Refused below, in the same words.
  }
  throw invalid('body', 'a JSON object', Buffer.concat(chunks).toString('utf8'))
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  const body = typeof value === 'string' ? value : canonicalJson(value)
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(body)
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  const known = isPictorError(error) && STATUS[error.code] !== undefined ? error : undefined
  if (!known) console.error(error)
  const { code, message, details } = known ?? { code: 'internal', message: 'the host failed', details: {} }
  answer(response, known ? STATUS[known.code]! : 500, { error: { code, message, ...details } })
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

function plain(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new PictorError('not-found', 'no such path')
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
