import type { IncomingMessage, ServerResponse } from 'node:http'
import { invalid } from '@pictor/core/contract'
import { Refused } from './access.ts'

/** First byte that a request asks for by `Range: bytes=N-`; 0 without one. @throws Refused 416 when it lies behind the end */
export function rangeStart(request: IncomingMessage, bytes: number): number {
  const { range } = request.headers
  const offset = range === undefined ? 0 : Number(/^bytes=(\d{1,15})-$/.exec(range)?.[1] ?? NaN)
  if (bytes === 0) return 0
  if (offset < bytes) return offset
  throw new Refused(416, invalid('Range', `bytes=N- with N below ${bytes}`, range), { 'content-range': `bytes */${bytes}` })
}

/** Answers with the bytes of a file from `offset` on, at the client's pace; ETag and Repr-Digest carry its sha256. Returns the bytes sent. */
export async function sendBytes(
  response: ServerResponse,
  { bytes, hash, offset }: { readonly bytes: number; readonly hash: `0x${string}`; readonly offset: number },
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  response.writeHead(offset > 0 ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': bytes - offset,
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
    etag: `"${hash.slice(2)}"`,
    'repr-digest': `sha-256=:${Buffer.from(hash.slice(2), 'hex').toString('base64')}:`,
    ...(offset > 0 && { 'content-range': `bytes ${offset}-${bytes - 1}/${bytes}` }),
  })
  let sent = 0
  for await (const chunk of stream) {
    signal.throwIfAborted()
    sent += chunk.length
    if (!response.write(chunk)) await drained(response, signal)
  }
  response.end()
  return sent
}

/** Resolves when the client has read what was written, rejects when it went away. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      response.off('drain', done)
      signal.removeEventListener('abort', gone)
      resolve()
    }
    const gone = () => {
      response.off('drain', done)
      reject(signal.reason)
    }
    response.once('drain', done)
    signal.addEventListener('abort', gone, { once: true })
  })
}
