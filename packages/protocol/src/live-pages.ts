import { isPictorError, type CallContext, type FarmPoll } from '@pictor/core/contract'
import type { FarmHttp } from './farm-http.ts'

/** After a stream failed, polls do without for so long. */
const REST_MS = 30_000
/** Largest event of a stream, in characters. */
const MAX_EVENT = 64 * 2 ** 20

/** Pages from an event stream, where the farm offers one. */
export interface LivePages {
  /** The next page after `cursor`, or undefined when the caller should poll. */
  next(path: string, cursor: string, ctx: CallContext): Promise<FarmPoll | undefined>
  close(): Promise<void>
}

interface Open {
  readonly control: AbortController
  readonly queue: FarmPoll[]
  /** Cursor after the last page that was handed out. */
  cursor: string
  ended: boolean
  wake: () => void
}

/**
 * Keeps one event stream open between polls. A page from the stream is handed out only when it continues the caller's cursor; otherwise, and whenever the stream
 * fails, the caller polls, so that a stream can only make news faster, never change them. `waitMs` is how long a poll waits for news on a silent stream.
 */
export function livePages(http: FarmHttp, read: (json: unknown) => FarmPoll, waitMs: number): LivePages {
  let current: Open | undefined
  let restUntilMs = 0

  const end = (open: Open): void => {
    open.ended = true
    open.control.abort()
    open.wake()
    if (current === open) current = undefined
  }
  const start = async (path: string, cursor: string, ctx: CallContext): Promise<Open | undefined> => {
    const control = new AbortController()
    const open: Open = { control, queue: [], cursor, ended: false, wake: () => {} }
    try {
      const headers = { accept: 'text/event-stream' }
      const response = await http.stream({ path, query: [['cursor', cursor]], headers }, { key: ctx.key, signal: control.signal })
      if (!/^text\/event-stream\b/.test(response.headers.get('content-type') ?? '') || !response.body)
        throw new Error('no event stream')
      current = open
      void consume(response.body, open, read)
        .catch(() => {})
        .finally(() => end(open))
      return open
    } catch (error) {
      control.abort()
      // A refused cursor must reach the caller: he polls at once and gets the refusal itself.
      restUntilMs = isPictorError(error, 'invalid-input') ? 0 : Date.now() + REST_MS
      return undefined
    }
  }
  return {
    async next(path, cursor, ctx) {
      ctx.signal?.throwIfAborted()
      if (current && current.cursor !== cursor) end(current)
      if (!current && Date.now() < restUntilMs) return undefined
      const open = current ?? (await start(path, cursor, ctx))
      if (!open) return undefined
      if (open.queue.length === 0 && !open.ended) await news(open, waitMs, ctx.signal)
      const page = open.queue.shift()
      if (page) {
        open.cursor = page.cursor
        return page.events.length > 0 ? { ...page, waitMs: 0 } : undefined
      }
      // Silence on a good stream means that nothing happened.
      return open.ended ? undefined : { events: [], cursor, waitMs: 0 }
    },
    async close() {
      if (current) end(current)
    },
  }
}

/** Waits for a page, for the end of the stream, or for `waitMs`. */
function news(open: Open, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      open.wake = () => {}
      finish()
    }
    const stop = settle(() => reject(signal?.reason))
    const timer = setTimeout(() => open.wake(), waitMs)
    open.wake = settle(resolve)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

async function consume(body: ReadableStream<Uint8Array>, open: Open, read: (json: unknown) => FarmPoll): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true })
    if (rest.length > MAX_EVENT) throw new Error('an event of the stream is too large')
    const blocks = rest.split(/\r?\n\r?\n/)
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = block
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).replace(/^ /, ''))
      if (data.length === 0) continue
      open.queue.push(read(JSON.parse(data.join('\n'))))
      open.wake()
    }
  }
}
