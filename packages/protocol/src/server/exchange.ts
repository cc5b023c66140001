import type { IncomingMessage, ServerResponse } from 'node:http'
import { invalid, isPictorError, PictorError, type PictorErrorCode } from '@pictor/core/contract'
import { toWire } from '../schema.ts'
import { Refused } from './access.ts'

const STATUS: Partial<Record<PictorErrorCode, number>> = {
  'invalid-input': 400,
  'not-found': 404,
  conflict: 409,
  'asset-missing': 424,
  'farm-refused': 422,
  'checker-refused': 422,
  'signature-invalid': 422,
  unsupported: 422,
  'software-missing': 422,
  'sandbox-missing': 422,
  'scene-invalid': 422,
  'scene-missing': 422,
  'scene-too-new': 422,
  'farm-unreachable': 503,
  timeout: 504,
}

/** Answers with JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(toWire(value))
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

/** Answers with an error. What is no Pictor error is a fault of the server: its text stays in the log. */
export function answerError(
  response: ServerResponse,
  cause: unknown,
  log: (message: string, fields: Record<string, unknown>) => void,
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const refused = cause instanceof Refused ? cause : undefined
  const error = refused?.error ?? cause
  if (!isPictorError(error) || (!refused && STATUS[error.code] === undefined)) {
    log('request failed', { error: String((cause as Error | undefined)?.stack ?? cause) })
    const fault = new PictorError('internal', 'the server failed')
    answer(response, 500, { error: { code: fault.code, message: fault.message, details: {} } }, { connection: 'close' })
    return
  }
  const { retryAfterMs } = error.details
  const headers = typeof retryAfterMs === 'number' ? { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) } : {}
  const status = refused?.status ?? STATUS[error.code] ?? 500
  answer(
    response,
    status,
    { error: { code: error.code, message: error.message, details: plainDetails(error.details) } },
    { ...headers, ...refused?.headers },
  )
}

function plainDetails(details: unknown): unknown {
  try {
    return JSON.parse(toWire(details)) as unknown
  } catch {
    return {}
  }
}

/** Reads a JSON body of at most `maxBytes` within `timeoutMs`. @throws Refused 413 and 408, invalid-input */
export async function readJson(request: IncomingMessage, maxBytes: number, timeoutMs: number): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json\b/i.test(type)) throw invalid('content-type', 'application/json', type)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Buffer[] = []
  let bytes = 0
  // A body that drips in keeps a connection; past its time the connection is cut.
  const timer = setTimeout(() => request.destroy(new Error('the body took too long')), timeoutMs)
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      chunks.push(chunk)
    }
  } finally {
    clearTimeout(timer)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
  } catch (cause) {
    throw new PictorError('invalid-input', `body: expected JSON (${(cause as Error).message})`, {
      details: { path: 'body' },
      cause,
    })
  }
}

function tooLarge(maxBytes: number): Refused {
  const error = new PictorError('invalid-input', `body: expected at most ${maxBytes} bytes`, { details: { path: 'body' } })
  return new Refused(413, error, { connection: 'close' })
}
