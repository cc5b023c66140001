import type { Artifacts } from '../contract/artifacts.ts'
import type { Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Store } from '../store/types.ts'
import { stallWatch } from './stall-watch.ts'

// Store and artifacts that always answer. A call to a disk or a database may never return (a mount whose server is gone, a connection that nobody reset), and whoever
// waits for it would wait for ever. So each is given up after a while and counts as failed. What it still does later is harmless, because all of these calls are safe
// to repeat: appends by fence and sequence number, posts by their key, artifacts by their hash.

/** How long a runner that is closing still waits, in milliseconds. What it could not give back by then is free when its claim is over. */
const CLOSE_MS = 5_000

/** A limit on calls that take no signal. */
export interface InTime {
  /** What the call gives; `moved` counts the limit from now. @throws store-failed, which is retryable, when it gives nothing in time */
  call<T>(what: string, act: (moved: () => void) => Promise<T>): Promise<T>
  /** The parts of a stream. @throws store-failed when the next one does not come in time */
  parts<T>(what: string, stream: AsyncIterable<T>): AsyncIterable<T>
}

export function inTime(clock: Clock, limitMs: number, closing: AbortSignal): InTime {
  const stalls = stallWatch(clock, limitMs, closing, CLOSE_MS)
  const late = (what: string, ms: number) => new PictorError('store-failed', `${what}: no answer within ${ms} ms`)
  return {
    call: (what, act) =>
      new Promise((resolve, reject) => {
        const watched = stalls.watch((ms) => reject(late(what, ms)))
        act(() => watched.moved()).then(
          (value) => {
            watched.end()
            resolve(value)
          },
          (error: unknown) => {
            watched.end()
            reject(error as Error)
          },
        )
      }),
    async *parts<T>(what: string, stream: AsyncIterable<T>) {
      const iterator = stream[Symbol.asyncIterator]()
      let giveUp = (_error: PictorError): void => {}
      const watched = stalls.watch((ms) => giveUp(late(what, ms)))
      let ended = false
      try {
        for (;;) {
          const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
            giveUp = reject
            watched.moved()
            iterator.next().then(resolve, reject)
          })
          // How long the reader takes is its own affair.
          watched.rests()
          ended = next.done === true
          if (next.done) return
          yield next.value
        }
      } finally {
        watched.end()
        // A stream that hangs does not hang this one up.
        if (!ended) void Promise.resolve(iterator.return?.()).catch(() => {})
      }
    },
  }
}

/** The store, each call in time. */
export function storeInTime(store: Store, { call, parts }: InTime): Store {
  const timed =
    <A extends unknown[], R>(verb: string, act: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      call(`store, ${verb}`, async () => act.apply(store, args))
  const load = timed('load', store.load)
  return {
    async load(stream, options) {
      const loaded = await load(stream, options)
      return { ...loaded, facts: parts('store, load', loaded.facts) }
    },
    claim: timed('claim', store.claim),
    holder: timed('holder', store.holder),
    renew: timed('renew', store.renew),
    release: timed('release', store.release),
    append: timed('append', store.append),
    due: timed('due', store.due),
    post: timed('post', store.post),
    posted: timed('posted', store.posted),
    list: timed('list', store.list),
    read: timed('read', store.read),
    close: () => store.close(),
  }
}

/** The artifacts, each call in time. */
export function artifactsInTime(artifacts: Artifacts, { call, parts }: InTime): Artifacts {
  const timed =
    <A, R>(verb: string, act: (arg: A) => Promise<R>) =>
    (arg: A): Promise<R> =>
      call(`artifacts, ${verb}`, async () => act.call(artifacts, arg))
  const { write, stream } = artifacts
  return {
    put: timed('put', artifacts.put),
    has: timed('has', artifacts.has),
    read: timed('read', artifacts.read),
    path: timed('path', artifacts.path),
    ...(write && {
      write: (chunks) => call('artifacts, write', async (moved) => write.call(artifacts, eachTold(chunks, moved))),
    }),
    ...(stream && { stream: (hash) => parts('artifacts, stream', stream.call(artifacts, hash)) }),
  }
}

async function* eachTold<T>(parts: AsyncIterable<T>, tell: () => void): AsyncGenerator<T> {
  for await (const part of parts) {
    tell()
    yield part
  }
}
