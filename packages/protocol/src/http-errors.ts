import { isPictorError, PictorError, type PictorErrorCode } from '@pictor/core/contract'
import { isTimeoutError } from 'ky'
import type { FarmAnswer } from './farm-http.ts'

/** Turns what comes out of fetch into a typed error. */
export function typed(error: unknown): unknown {
  if (isPictorError(error)) return error
  if (isTimeoutError(error)) return new PictorError('timeout', 'the farm did not answer in time', { cause: error })
  return new PictorError('farm-unreachable', `the farm cannot be reached: ${(error as Error).message}`, { cause: error })
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
export function refusal({ status, headers, json }: FarmAnswer): PictorError {
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
