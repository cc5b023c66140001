import { PictorError, type FarmPoll } from '@pictor/core/contract'
import { toWire } from '../schema.ts'
import { Refused } from './access.ts'
import type { Visit } from './listen.ts'
import type { Desk } from './routes.ts'

const streams = new WeakMap<Desk, number>()

/**
 * Sends pages as server-sent events while the client listens. `id` is the cursor, so that a client that lost its connection goes on where it stopped, by another
 * stream or by polls.
 */
export async function streamPages(
  desk: Desk,
  visit: Visit,
  readPage: (desk: Desk, visit: Visit, cursor: string | undefined) => Promise<FarmPoll>,
): Promise<void> {
  const { request, response, signal, url } = visit
  const open = streams.get(desk) ?? 0
  if (open >= desk.limits.maxStreams)
    throw new Refused(429, new PictorError('farm-unreachable', 'too many open streams: poll instead'), { 'retry-after': '30' })
  streams.set(desk, open + 1)
  desk.metrics.streams(1)
  try {
    const last = request.headers['last-event-id']
    let cursor = typeof last === 'string' && last !== '' ? last : (url.searchParams.get('cursor') ?? undefined)
    // The first page is read before the headers go out, so that a bad cursor is an ordinary error.
    let page = await readPage(desk, visit, cursor)
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    response.write('retry: 2000\n\n')
    let silentMs = 0
    for (;;) {
      if (page.events.length > 0 || cursor === undefined) {
        response.write(`id: ${line(page.cursor)}\nevent: page\ndata: ${toWire(page)}\n\n`)
        silentMs = 0
      } else if (silentMs > 15_000) {
        response.write(': still here\n\n')
        silentMs = 0
      }
      cursor = page.cursor
      const waitMs = Math.min(Math.max(page.waitMs, 20), 10_000)
      await pause(waitMs, signal)
      silentMs += waitMs
      page = await readPage(desk, visit, cursor)
    }
  } finally {
    streams.set(desk, (streams.get(desk) ?? 1) - 1)
    desk.metrics.streams(-1)
    if (response.headersSent) response.end()
  }
}

const line = (cursor: string): string => cursor.replaceAll(/[\r\n]/g, '')

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
