import { invalid, PictorError, type CallContext } from '@pictor/core/contract'
import type { KyInstance } from 'ky'
import type { FarmRequest } from './farm-http.ts'
import { typed } from './http-errors.ts'
import { toWire } from './schema.ts'

/** Whether a status is an answer that the caller wants. */
export const accepted = (status: number, request: FarmRequest): boolean =>
  (status >= 200 && status < 300) || (request.accept?.includes(status) ?? false)

/** Runs a call under the caller's signal and its deadline, and turns what comes out of fetch into typed errors. */
export async function limited<T>(ctx: CallContext, timeoutMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
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

/** Sends one request below the base URL. @throws invalid-input when the path leaves it */
export async function send(client: KyInstance, base: URL, request: FarmRequest, signal: AbortSignal): Promise<Response> {
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
