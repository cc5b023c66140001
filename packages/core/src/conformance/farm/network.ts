/** The part of `fetch` that adapters use. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** What can go wrong between an adapter and its farm. */
export type Fault =
  /** The farm (or a proxy before it) answers this instead. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** The request arrives and is acted on; its reply gets lost. */
  | { readonly kind: 'lose-reply' }
  /** The request gets lost. */
  | { readonly kind: 'unreachable' }
  /** No answer, ever. */
  | { readonly kind: 'hang' }
  /** Headers come at once, the body one byte in 20 ms without end. */
  | { readonly kind: 'slow-body' }
  /** A body without end, as fast as it is read. */
  | { readonly kind: 'endless-body' }
  /** The body ends in an error after this many bytes. */
  | { readonly kind: 'cut-body'; readonly afterBytes: number }
  /** The body ends early without an error, as behind some proxies. */
  | { readonly kind: 'short-body'; readonly dropBytes: number }

/** Faults on demand around an adapter's fetch. */
export class Network {
  readonly #queue: { fault: Fault; left: number; when: (request: Request) => boolean }[] = []
  /** Requests seen so far, as `METHOD path`. */
  readonly seen: string[] = []
  #hits = 0

  /** How many requests were hit by a fault. */
  get hits(): number {
    return this.#hits
  }

  /** Spoils the next `times` requests that match. */
  spoil(fault: Fault, times = 1, when: (request: Request) => boolean = () => true): void {
    this.#queue.push({ fault, left: times, when })
  }

  /** Ends all faults. */
  calm(): void {
    this.#queue.length = 0
  }

  /** A fetch for the adapter: `base` (default: the global one) with this network's faults. */
  fetch(base: Fetch = (input, init) => globalThis.fetch(input, init)): Fetch {
    return async (input, init) => {
      const request = new Request(input, init)
      request.signal.throwIfAborted()
      this.seen.push(`${request.method} ${new URL(request.url).pathname}`)
      const planned = this.#queue.find((entry) => entry.left > 0 && entry.when(request))
      if (!planned) return base(request)
      planned.left--
      this.#hits++
      return apply(planned.fault, request, base)
    }
  }
}

async function apply(fault: Fault, request: Request, base: Fetch): Promise<Response> {
  switch (fault.kind) {
    case 'answer':
      return new Response(fault.body ?? '', { status: fault.status, headers: { ...fault.headers } })
    case 'unreachable':
      throw new TypeError('fetch failed')
    case 'lose-reply':
      await base(request).then((response) => response.arrayBuffer())
      throw new TypeError('fetch failed')
    case 'hang':
      return aborted(request.signal)
    case 'slow-body':
      return new Response(dripping(request.signal, 20), { headers: { 'content-type': 'application/json' } })
    case 'endless-body':
      return new Response(dripping(request.signal, 0), { headers: { 'content-type': 'application/json' } })
    case 'cut-body':
    case 'short-body': {
      const response = await base(request)
      const bytes = new Uint8Array(await response.arrayBuffer())
      const keep = fault.kind === 'cut-body' ? fault.afterBytes : Math.max(0, bytes.length - fault.dropBytes)
      return new Response(partOf(bytes.subarray(0, keep), fault.kind === 'cut-body'), {
        status: response.status,
        headers: response.headers,
      })
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function dripping(signal: AbortSignal, everyMs: number): ReadableStream<Uint8Array> {
  const chunk = new TextEncoder().encode(everyMs === 0 ? ' '.repeat(65_536) : ' ')
  let timer: NodeJS.Timeout | undefined
  let stop = () => {}
  return new ReadableStream<Uint8Array>({
    start(controller) {
      stop = () => {
        clearTimeout(timer)
        controller.error(signal.reason)
      }
      signal.addEventListener('abort', stop, { once: true })
    },
    pull: (controller) =>
      new Promise((resolve) => {
        timer = setTimeout(() => {
          if (!signal.aborted) controller.enqueue(chunk)
          resolve()
        }, everyMs)
      }),
    cancel() {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    },
  })
}

function partOf(bytes: Uint8Array, broken: boolean): ReadableStream<Uint8Array> {
  let sent = false
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (!sent && bytes.length > 0) {
        sent = true
        controller.enqueue(bytes)
      } else if (broken) controller.error(new TypeError('terminated'))
      else controller.close()
    },
  })
}
