import { invalid, isPictorError, PictorError, type Body, type CallContext, type PictorErrorCode } from '@pictor/core/contract'
import ky, { isTimeoutError, type KyInstance } from 'ky'
import { toWire } from './schema.ts'

/** The part of `fetch` that is used here. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** Options of {@link farmHttp}. */
export interface FarmHttpOptions {
  /** Base URL of the farm's API. */
  readonly url: string
  /** Sent with every request, for example `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly fetch?: FetchLike
  /** Longest wait for one JSON answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number
  /** Longest silence of a download, in milliseconds. Default 30,000. */
  readonly stallMs?: number
  /** Largest JSON answer, in bytes. Default 64 MiB. */
  readonly maxAnswerBytes?: number
  /** Allows http:// to hosts other than this machine. The token is then readable on the way. Default false. */
  readonly allowInsecure?: boolean
}

/** One request. */
export interface FarmRequest {
  readonly method?: 'get' | 'post' | 'put' | 'head' | 'delete'
  /** Path below the base URL; parts must be encoded ({@link pathOf}). */
  readonly path: string
  readonly query?: readonly (readonly [string, string])[]
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; bigints become decimal strings. */
  readonly json?: unknown
  readonly body?: Uint8Array
  /** Statuses that are answers, not errors. 2xx always are. */
  readonly accept?: readonly number[]
}

export interface FarmAnswer {
  readonly status: number
  readonly headers: Headers
  /** The JSON body, undefined when there is none. */
  readonly json: unknown
}

/** HTTP for farm adapters: everything that a caller of a stranger's API must not forget, in one place. */
export interface FarmHttp {
  /**
   * One JSON exchange. Ends at `ctx.deadlineAtMs` or after the timeout, caps the answer, refuses redirects, leaves no listener and no timer.
   * @throws farm-unreachable (retryable; `details.retryAfterMs` from Retry-After), farm-refused (401, 403, redirects, other 4xx), timeout, not-found (404),
   * conflict (409), invalid-input (400), or the signal's reason
   */
  call(request: FarmRequest, ctx: CallContext): Promise<FarmAnswer>
  /**
   * A download whose length must be `bytes`; a body that ends early or grows longer throws farm-unreachable while it is read.
   * @returns undefined when the answer has one of the `accept` statuses that are no success; `refused` then holds it
   */
  download(
    request: FarmRequest & { readonly bytes: number; readonly offset: number },
    ctx: CallContext,
  ): Promise<{ body: Body } | { refused: FarmAnswer }>
  /** The raw answer after its headers, for event streams. The caller ends it by `ctx.signal`. */
  stream(request: FarmRequest, ctx: CallContext): Promise<Response>
}

/** Path segments, each encoded: names of a farm never become path syntax. */
export function pathOf(...segments: readonly (string | number)[]): string {
  return segments
    .map((segment) => {
      const encoded = encodeURIComponent(segment)
      // `.` and `..` survive encoding and would be resolved away.
      return /^\.{1,2}$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded
    })
    .join('/')
}

/** Makes HTTP for one farm. @throws invalid-input when the URL is no http(s) URL or would send the token in the clear */
export function farmHttp(options: FarmHttpOptions): FarmHttp {
  const base = checkedUrl(options)
  const { timeoutMs = 30_000, stallMs = 30_000, maxAnswerBytes = 64 * 2 ** 20 } = options
  const client = ky.create({
    ...(options.fetch && { fetch: options.fetch as typeof fetch }),
    ...(options.headers && { headers: { ...options.headers } }),
    redirect: 'manual',
    throwHttpErrors: false,
    // The job machine repeats calls under their keys; a second layer of retries would only multiply them.
    retry: 0,
    timeout: false,
  })
  return {
    call: (request, ctx) =>
      limited(ctx, timeoutMs, async (signal) => {
        const response = await send(client, base, request, signal)
        const bytes = request.method === 'head' ? new Uint8Array() : await readCapped(response, maxAnswerBytes, signal)
        const answer: FarmAnswer = { status: response.status, headers: response.headers, json: parse(bytes, response) }
        if (!accepted(answer.status, request)) throw refusal(answer)
        return answer
      }),
    download: (request, ctx) => download(client, base, request, ctx, { timeoutMs, stallMs, maxAnswerBytes }),
    stream: (request, ctx) =>
      limited(ctx, timeoutMs, async (signal) => {
        const response = await send(client, base, request, signal)
        if (accepted(response.status, request)) return response
        await response.body?.cancel()
        throw refusal({ status: response.status, headers: response.headers, json: undefined })
      }),
  }
}

function checkedUrl({ url, allowInsecure = false }: FarmHttpOptions): URL {
  let parsed: URL
  try {
    parsed = new URL(url.endsWith('/') ? url : `${url}/`)
  } catch {
    throw invalid('url', 'an http or https URL', url)
  }
  if (!['http:', 'https:'].includes(parsed.protocol)) throw invalid('url', 'an http or https URL', url)
  if (parsed.username !== '' || parsed.password !== '') throw invalid('url', 'a URL without user and password', parsed.origin)
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname)
  if (parsed.protocol === 'http:' && !local && !allowInsecure)
    throw invalid('url', 'https (http would show the token to the network; set allowInsecure for a trusted one)', url)
  return parsed
}

const accepted = (status: number, request: FarmRequest): boolean =>
  (status >= 200 && status < 300) || (request.accept?.includes(status) ?? false)

/** Runs a call under the caller's signal and its deadline, and turns what comes out of fetch into typed errors. */
async function limited<T>(ctx: CallContext, timeoutMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  ctx.signal?.throwIfAborted()
  const endMs = Math.min(timeoutMs, ctx.deadlineAtMs === undefined ? Infinity : ctx.deadlineAtMs - Date.now())
  const control = new AbortController()
  const late = new PictorError('timeout', `the farm did not answer within ${Math.max(0, Math.round(endMs))} ms`)
  const timer = setTimeout(() => control.abort(late), Math.max(0, endMs))
  // AbortSignal.any leaves no listener on the caller's signal; fetch would leave one until it is collected.
  const own = AbortSignal.any(ctx.signal ? [ctx.signal, control.signal] : [control.signal])
  try {
    return await run(own)
  } catch (error) {
    if (ctx.signal?.aborted) throw ctx.signal.reason
    if (control.signal.aborted) throw late
    throw typed(error)
  } finally {
    clearTimeout(timer)
  }
}

function typed(error: unknown): unknown {
  if (isPictorError(error)) return error
  if (isTimeoutError(error)) return new PictorError('timeout', 'the farm did not answer in time', { cause: error })
  return new PictorError('farm-unreachable', `the farm cannot be reached: ${(error as Error).message}`, { cause: error })
}

async function send(client: KyInstance, base: URL, request: FarmRequest, signal: AbortSignal): Promise<Response> {
  const url = new URL(request.path.replace(/^\/+/, ''), base)
  if (url.origin !== base.origin) throw invalid('path', `a path below ${base.origin}`, request.path)
  for (const [name, value] of request.query ?? []) url.searchParams.append(name, value)
  const body = request.json === undefined ? request.body : toWire(request.json)
  const headers = { ...(request.json !== undefined && { 'content-type': 'application/json' }), ...request.headers }
  return client(url, {
    method: request.method ?? 'get',
    headers,
    ...(body !== undefined && { body: body as BodyInit }),
    signal,
  })
}

async function readCapped(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunksOf(response, signal)) {
    bytes += chunk.length
    if (bytes > maxBytes)
      throw new PictorError('farm-refused', `the farm's answer is larger than ${maxBytes} bytes`, {
        details: { reason: 'too-large' },
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Chunks of a body; ends the body when the signal aborts or the reader stops. */
async function* chunksOf(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!response.body) return
  const reader = response.body.getReader()
  const stop = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', stop, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

function parse(bytes: Uint8Array, response: Response): unknown {
  if (bytes.length === 0) return undefined
  const content = new TextDecoder().decode(bytes)
  try {
    return JSON.parse(content)
  } catch (cause) {
    if (response.status >= 300) return undefined
    throw new PictorError('farm-unreachable', `the farm's answer is no JSON: ${JSON.stringify(content.slice(0, 80))}`, { cause })
  }
}

async function download(
  client: KyInstance,
  base: URL,
  request: FarmRequest & { readonly bytes: number; readonly offset: number },
  ctx: CallContext,
  limits: { timeoutMs: number; stallMs: number; maxAnswerBytes: number },
): Promise<{ body: Body } | { refused: FarmAnswer }> {
  const { bytes, offset } = request
  if (!Number.isInteger(offset) || offset < 0 || offset > bytes)
    throw invalid('offset', `a whole number from 0 to ${bytes}`, offset)
  ctx.signal?.throwIfAborted()
  // Behind the last byte there is nothing to ask for: a range there is an error in HTTP.
  if (offset === bytes) return { body: { bytes: 0, stream: nothing() } }
  const control = new AbortController()
  const own = AbortSignal.any(ctx.signal ? [ctx.signal, control.signal] : [control.signal])
  const ranged = { ...request, headers: { ...request.headers, ...(offset > 0 && { range: `bytes=${offset}-` }) } }
  const response = await limited(ctx, limits.timeoutMs, async (signal) => {
    const got = await send(client, base, ranged, AbortSignal.any([signal, own]))
    if (got.status === 200 || got.status === 206) return got
    const json = parse(await readCapped(got, limits.maxAnswerBytes, signal), got)
    const answer: FarmAnswer = { status: got.status, headers: got.headers, json }
    if (accepted(got.status, request)) return answer
    throw refusal(answer)
  })
  if (!(response instanceof Response)) return { refused: response }
  // A server that does not know ranges sends the whole file again.
  const skip = response.status === 200 ? offset : 0
  return {
    body: {
      bytes: bytes - offset,
      stream: exactly(response, own, control, ctx, { skip, bytes: bytes - offset, stallMs: limits.stallMs }),
    },
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function* exactly(
  response: Response,
  signal: AbortSignal,
  control: AbortController,
  ctx: CallContext,
  { skip, bytes, stallMs }: { skip: number; bytes: number; stallMs: number },
): AsyncGenerator<Uint8Array> {
  let left = bytes
  let skipped = 0
  const stall = () => control.abort(new PictorError('timeout', `the download stood still for ${stallMs} ms`))
  let timer = setTimeout(stall, stallMs)
  try {
    for await (const chunk of chunksOf(response, signal)) {
      clearTimeout(timer)
      const fresh = chunk.subarray(Math.min(chunk.length, skip - skipped))
      skipped += chunk.length - fresh.length
      left -= fresh.length
      if (left < 0)
        throw new PictorError('farm-refused', `the file is longer than ${bytes} bytes`, { details: { reason: 'too-large' } })
      if (fresh.length > 0) yield fresh
      timer = setTimeout(stall, stallMs)
    }
    if (left > 0) throw new PictorError('farm-unreachable', `the download ended ${left} bytes too early`)
  } catch (error) {
    if (ctx.signal?.aborted) throw ctx.signal.reason
    throw signal.aborted ? signal.reason : typed(error)
  } finally {
    clearTimeout(timer)
  }
}

const CODES: Readonly<Record<number, PictorErrorCode>> = {
  400: 'invalid-input',
  404: 'not-found',
  409: 'conflict',
  408: 'timeout',
  504: 'timeout',
}
/** Codes that a farm may answer with; others would let a farm speak for the ledger or the store. */
const FOREIGN: readonly string[] = [
  'invalid-input',
  'asset-missing',
  'software-missing',
  'sandbox-missing',
  'scene-invalid',
  'scene-missing',
  'scene-too-new',
  'farm-unreachable',
  'farm-refused',
  'signature-invalid',
  'not-found',
  'conflict',
  'timeout',
  'unsupported',
]

/** The typed error for an answer that is no success. */
function refusal({ status, headers, json }: FarmAnswer): PictorError {
  const said = (json as { error?: { code?: unknown; message?: unknown; details?: unknown } } | undefined)?.error
  const message = typeof said?.message === 'string' ? said.message.slice(0, 2_000) : `the farm answered ${status}`
  const details = typeof said?.details === 'object' && said.details !== null ? said.details : {}
  const retryAfterMs = retryAfter(headers.get('retry-after'))
  const found = { ...details, status, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  if (status >= 300 && status < 400)
    return new PictorError('farm-refused', `the farm answered with a redirect (${status}), which is not followed`, {
      details: found,
    })
  if (status === 401 || status === 403)
    return new PictorError('farm-refused', message, { details: { ...found, reason: 'token' } })
  if (status === 429) return new PictorError('farm-unreachable', `too many requests: ${message}`, { details: found })
  if (typeof said?.code === 'string' && FOREIGN.includes(said.code))
    return new PictorError(said.code as PictorErrorCode, message, { details: found })
  const code = CODES[status] ?? (status >= 500 ? 'farm-unreachable' : 'farm-refused')
  return new PictorError(code, message, { details: found })
}

/** Milliseconds that a Retry-After header asks for (seconds or an HTTP date), at most a day. */
export function retryAfter(value: string | null, nowMs: number = Date.now()): number | undefined {
  if (value === null) return undefined
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), 86_400_000) : undefined
}
