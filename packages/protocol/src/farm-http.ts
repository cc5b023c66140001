import { invalid, type Body, type CallContext } from '@pictor/core/contract'
import ky from 'ky'
import { parse, readCapped } from './http-body.ts'
import { download } from './http-download.ts'
import { refusal } from './http-errors.ts'
import { accepted, limited, send } from './http-send.ts'

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

/** What came back. */
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
