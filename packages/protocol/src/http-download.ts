import { invalid, PictorError, type Body, type CallContext } from '@pictor/core/contract'
import type { KyInstance } from 'ky'
import type { FarmAnswer, FarmRequest } from './farm-http.ts'
import { chunksOf, parse, readCapped } from './http-body.ts'
import { refusal, typed } from './http-errors.ts'
import { accepted, limited, send } from './http-send.ts'

/** A download that resumes, never ends short and never stands still. See `FarmHttp.download`. */
export async function download(
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
